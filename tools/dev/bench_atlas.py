"""Times an atlas beside a shell's loop of `tf-inverse sample`, and calls of `draw` in turn."""

from __future__ import annotations

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import threading
import time

from tf_inverse.errors import InverseSetError, Unreachable

LAYERS = ("fc8", "fc6", "conv3_2")
FIRST = 20
"""Archives after which memory is to grow no more."""

EVERY = 0.2


def measure(
    n: int,
    neurons: int,
    network: str,
    layers: tuple[str, ...] = LAYERS,
    precision: str = "auto",
) -> dict:
    """Seconds of wall and of processor that the three ways take for the same targets, by name.

    Args:
        n: Samples of each neuron.
        neurons: How many, as many of each layer.
        network: A name or a folder.
        layers: Of the neurons.
        precision: Of the search, in all three.
    """
    each = neurons // len(layers)
    targets = [f"{layer}:{unit}" for layer in layers for unit in range(each)]
    figures: dict = {"n": n, "neurons": len(targets), "precision": precision}
    with tempfile.TemporaryDirectory() as folder:
        listed = pathlib.Path(folder) / "targets.txt"
        listed.write_text("\n".join(targets))
        shared = ["--network", network, "--n", str(n), f"--precision={precision}"]
        atlas = ["atlas", "--out=atlas", f"--targets-file={listed}", *shared]
        figures |= _timed("atlas", folder, [_own("atlas", atlas)])
        figures |= _timed("draws", folder, [_own("draws", [network, str(n), precision, *targets])])
        alone = [
            [sys.executable, "-m", "tf_inverse.tools.cli", "sample", f"{i}.h5", "--targets", one]
            for i, one in enumerate(targets)
        ]
        plain = [*shared, "--candidates=1"]  # an atlas does not choose either
        figures |= _timed("loop", folder, [[*words, *plain] for words in alone])
    for way in ("draws", "loop"):
        for unit in ("seconds", "cpu_seconds"):
            figures[f"{way}_over_atlas_{unit}"] = (
                figures[f"{way}_{unit}"] / figures[f"atlas_{unit}"]
            )
    return figures


def _own(way: str, words: list[str]) -> list[str]:
    return [sys.executable, __file__, way, *words]


def _timed(name: str, folder: str, commands: list[list[str]]) -> dict:
    """Seconds that some commands take one after another, and what the last one tells."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    for words in commands:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
        if done.returncode not in (0, Unreachable.exit_code):
            raise InverseSetError(f"{name} ended: {done.stderr.strip()[-400:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told = {f"{name}_seconds": time.perf_counter() - began, f"{name}_cpu_seconds": cpu}
    if name != "loop":
        told |= {f"{name}_{key}": v for key, v in json.loads(done.stdout.splitlines()[-1]).items()}
    return told


def atlas(words: list[str]) -> dict:
    """Runs the command, and looks at the memory of this process as archives come."""
    from tf_inverse.tools import cli

    seen: list[tuple[int, int]] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(EVERY):
            seen.append((len(list(pathlib.Path("atlas").glob("*/*.h5"))), _resident()))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        cli.main(words)
    except SystemExit as stopped:
        if stopped.code not in (0, Unreachable.exit_code):
            raise
    finally:
        ended.set()
        thread.join()
    first = [memory for count, memory in seen if count >= FIRST]
    told = {"found": len(list(pathlib.Path("atlas").glob("*/*.h5")))}
    if first:
        told |= {"mb_at_20": first[0] / 1e6, "mb_at_end": first[-1] / 1e6}
    return told


def _resident() -> int:
    pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def draws(words: list[str]) -> dict:
    """Samples one target after another in this process, in memory, of one candidate each."""
    import tf_inverse

    network, n, precision, *targets = words
    pair, found = tf_inverse.load(network), 0
    options = {"precision": precision, "candidates": 1}
    for target in targets:
        try:
            found += len(tf_inverse.draw(pair, target, n=int(n), **options)) > 0
        except InverseSetError as error:  # a dead unit has no range, or is not reached
            print(error, file=sys.stderr)
    return {"found": found}


if __name__ == "__main__":
    way, *given = sys.argv[1:]
    print(json.dumps({"atlas": atlas, "draws": draws}[way](given)))
