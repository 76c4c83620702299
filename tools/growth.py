"""Samples many neurons in one process and tells how its memory grows.

    python tools/growth.py --network=cifar10 --layers=fc8,relu6 --neurons=200

Prints a line after 1, 2, 5, 10, 20, 50 ... neurons; exit code 0 only if the memory in use after all
of them is within 5 % of that after 20. Bands are from the mean to two standard deviations above it.
"""

import argparse
import itertools
import json
import os
import time

AFTER, MOST = 20, 1.05


def resident() -> int:
    """Bytes of memory that this process has in use now; Linux only."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def neurons(networks, layers):
    """Every unit of the layers, at every place of a map."""
    from tf_inverse.band import Neuron

    for layer in layers:
        *places, units = networks.layer_shape(layer)
        for at in itertools.product(*map(range, places)) if places else [None]:
            for unit in range(units):
                yield Neuron(layer, unit, at)


def sampled(networks, neuron, n, seed) -> int:
    """How many samples of a neuron were found; a hopeless one is given up soon."""
    from tf_inverse.band import Band
    from tf_inverse.errors import Unreachable
    from tf_inverse.sampler import sample
    from tf_inverse.scale import measure
    from tf_inverse.settings import Settings

    scale = measure(networks, (neuron,))
    mean, sd = float(scale.z_mean[0]), float(scale.z_sd[0])
    settings = Settings(n=n, K=4, seed=seed, patience=10)
    found = 0
    try:
        for batch in sample(networks, (Band(neuron, mean, mean + 2 * sd),), settings, scale=scale):
            found += len(batch.samples.images)
    except Unreachable:
        pass
    return found


def main() -> int:
    """Parse, sample, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="cifar10")
    parser.add_argument("--layers", default="fc8,relu6")
    parser.add_argument("--neurons", type=int, default=200)
    parser.add_argument("--n", type=int, default=2, help="samples of each")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.neurons < AFTER:
        parser.error(f"expected --neurons of at least {AFTER}, got {asked.neurons}")
    from tf_inverse import published

    networks = published.load(asked.network)
    memory, found, began = [], 0, time.monotonic()
    chosen = itertools.islice(neurons(networks, asked.layers.split(",")), asked.neurons)
    for i, neuron in enumerate(chosen, 1):
        found += sampled(networks, neuron, asked.n, seed=i)
        memory.append(resident())
        if not asked.json and str(i).rstrip("0") in ("1", "2", "5"):
            told = f"{memory[-1] / 1e6:.1f} MB, {found} samples, {time.monotonic() - began:.0f} s"
            print(f"{i:>5} neurons: {told}", flush=True)
    ratio = memory[-1] / memory[AFTER - 1]
    figures = {"neurons": len(memory), "samples": found, "bytes": memory[-1], "ratio": ratio}
    print(json.dumps(figures) if asked.json else f"after all / after {AFTER}: {ratio:.3f}")
    return 0 if ratio <= MOST else 1


if __name__ == "__main__":
    raise SystemExit(main())
