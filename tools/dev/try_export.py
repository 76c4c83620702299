"""Exports real pairs, asks them where neither this package nor Keras is, and compares: two tables.

python tools/dev/try_export.py [cifar10_layer] [faces]
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

from tf_inverse import export
from tf_inverse.band import parse
from tf_inverse.export.inputs import question
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks import starts, storage

TESTS = pathlib.Path(__file__).resolve().parents[2] / "tests"
DATA = TESTS.parents[1] / "shared" / "data"
# Targets and K, n of each question; layers of the export.
QUESTIONS = {
    "cifar10_layer": (
        ("fc8", "relu3_2"),
        (("fc8:ship@p99:p99.8", 10, 20), ("fc8:cat@p90:p99", 4, 8)),
    ),
    "faces": (("pool_final",), (("pool_final:836@20:25", 4, 6), ("pool_final:281@8:10", 3, 3))),
}


def pair(name):
    """The pair of that name: shipped, or of tests/faces.py."""
    if name != "faces":
        return storage.load(name)
    sys.path.insert(0, str(TESTS))
    import faces

    return faces.pair(DATA)


def answers(networks, layers, questions):
    """What the library finds, arrays by name for each question; and what to ask an export."""
    found, asked = [], {}
    for i, (targets, K, n) in enumerate(questions):
        bands = parse(targets, networks)
        settings = starts.alone(networks, Settings(n=n, K=K))  # one candidate, as exports have
        started = time.monotonic()
        batches = [b.samples for b in sample(networks, bands, settings)]
        arrays = {
            name: np.concatenate([getattr(b, name) for b in batches])
            for name in ("images", "codes", "activations", "steps", "chain")
        }
        found.append((targets, K, n, arrays, time.monotonic() - started))
        given = question(networks, layers, bands, settings)
        asked |= {f"{i}/{name}": value for name, value in given.items()}
    return found, asked


def compare(name) -> None:
    """Print the rows of a pair."""
    networks, (layers, questions) = pair(name), QUESTIONS[name]
    with tempfile.TemporaryDirectory() as temporary:
        out = pathlib.Path(temporary)
        figures = export.write(networks, out / "model", layers)
        weights = figures["weights"]
        print(
            f"| {name} | {weights:,} | {figures['variables'] / weights:.4f} "
            f"| {figures['files'] / weights:.4f} |"
        )
        found, asked = answers(networks, layers, questions)
        np.savez(out / "in.npz", **asked)
        command = [sys.executable, TESTS / "bare_sampler.py", out / "model" / "1"]
        # The checkout's own package must not be in the way of its absence.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        subprocess.run(
            [*command, out / "in.npz", out / "out.npz"], check=True, cwd=out, env=environment
        )
        with np.load(out / "out.npz") as got:
            for i, (targets, K, n, arrays, seconds) in enumerate(found):
                same = [name for name, a in arrays.items() if np.array_equal(a, got[f"{i}/{name}"])]
                print(
                    f"| {name}, {targets} | {K} | {len(arrays['images'])} of {n} "
                    f"| {got[f'{i}/found']} | {', '.join(same) or 'nothing'} | {seconds:.0f} |",
                    flush=True,
                )


def main(names) -> None:
    """Print both tables' rows, pair by pair."""
    print("| pair | bytes of weights | files of weights / weights | all files / weights |")
    print("| question | K | library found | export found | equal bit for bit | library, s |")
    for name in names or QUESTIONS:
        if name == "faces" and not DATA.is_dir():
            print("| faces | skipped: needs ../shared/data beside the repository |")
            continue
        compare(name)


if __name__ == "__main__":
    main(sys.argv[1:])
