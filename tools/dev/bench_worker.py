"""A process of tools/dev/bench.py: prepares one thing, then does it once for every line it is sent.

    python tools/dev/bench_worker.py '{"kind": "step", "precision": "float32", "K": 10}'

The first line it prints is an object with `first`, the seconds of the first go (tracing and
compilation included); every further one has `seconds`. Processes of several programs live side by
side, and do their work in turns, so that all of them see the same machine.
"""

from __future__ import annotations

import json
import resource
import sys
import time

from tf_inverse.tools import quiet

PARAMETERS = {"classifier": 60_965_224, "generator": 56_097_891}


def main() -> None:
    """Prepare what the argument asks for, and go on until there are no more lines."""
    quiet.start()
    spec = json.loads(sys.argv[1])
    go = KINDS[spec.pop("kind")](**spec)
    name, told = "first", {}
    while True:
        began = time.perf_counter()
        told = go() or {}
        seconds = told.pop("seconds", time.perf_counter() - began)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({name: seconds, "peak_mb": round(peak), **told}), flush=True)
        if not sys.stdin.readline():
            return
        name = "seconds"


def step(precision: str, K: int, seed: int = 0, chunk: int | None = None):
    """A gradient step of section 3.4 on CaffeNet and its fc6 generator, ours."""
    from tf_inverse.experiments import size
    from tf_inverse.method.settings import Settings

    networks = size.networks(seed)
    _counted(networks.classifier.count_params() - 3, networks.generator.count_params() - 3)
    options = {"method": "paper", "precision": precision, "K": K, "seed": seed, "chunk": chunk}
    return size.stepping(networks, Settings(**options))


def _counted(classifier, generator):
    found = {"classifier": classifier, "generator": generator}
    if found != PARAMETERS:
        raise ValueError(f"expected {PARAMETERS} parameters, got {found}")


def peer(precision: str, channels_last: bool, K: int, seed: int = 0, compiled: bool = False):
    """The same step in PyTorch."""
    import bench_peer

    models = bench_peer.networks(seed)
    _counted(*(sum(p.numel() for p in model.parameters()) for model in models))
    return bench_peer.step(*models, precision, channels_last, K, seed, compiled)


def product(precision: str, side: int = 4096):
    """A matrix product: what the machine can do."""
    import tensorflow as tf

    a, b = (tf.cast(tf.random.stateless_normal((side, side), (0, i)), precision) for i in (0, 1))
    multiply = tf.function(lambda: tf.matmul(a, b)[0, 0])
    return lambda: multiply().numpy() and None


def run(network: str, **options):
    """A whole run, at most once a line: samples drawn, steps, seconds with and without tracing."""
    from tf_inverse import band
    from tf_inverse.compute import capacity
    from tf_inverse.compute.precision import resolve
    from tf_inverse.experiments import size
    from tf_inverse.method.normalization import measure
    from tf_inverse.method.sampler import sample
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks import storage
    from tf_inverse.run import command

    automatic = options.get("K") == "auto"
    options["K"] = capacity.LEAST if automatic else options.get("K", capacity.LEAST)
    settings = Settings(**options | {"precision": resolve(options.get("precision", "auto"))})
    if network == "caffenet":
        networks = size.networks(settings.seed)
        bands, scale = size.bands(networks)
    else:
        networks = storage.load(network)
        bands = band.parse(networks.default, networks)
        scale = measure(networks, bands.neurons)
    if automatic:
        settings = command.crowded(networks, bands, settings)

    def go():
        began, first, batch = time.perf_counter(), None, None
        for batch in sample(networks, bands, settings, scale=scale):
            first = first or (time.perf_counter() - began, batch.info.steps)
        seconds = time.perf_counter() - began
        return {
            "seconds": seconds,
            "found": batch.info.found,
            "steps": batch.info.steps,
            "first_chunk": first[0],
            "seconds_per_step": (seconds - first[0]) / max(batch.info.steps - first[1], 1),
            "precision": settings.precision,
            "K": settings.K,
        }

    return go


KINDS = {"step": step, "peer": peer, "product": product, "run": run}

if __name__ == "__main__":
    main()
