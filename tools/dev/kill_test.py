"""Kills writers of archives, 500 times by default, and counts what was lost.

    python tools/dev/kill_test.py --kills 500

A writer of made-up samples (no TensorFlow) is killed with SIGKILL before every write-side system
call in turn, and in the middle of every write; then at random times. After each kill
the archive must open, hold every sample that was reported as found, and, carried on, end as the
same bytes as an uninterrupted run. Exit code 0 only if that held every time.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

import numpy as np

from tf_inverse import archive
from tf_inverse.errors import RefusedInput

HOOKS = ("mkdir", "write", "fsync", "replace", "link", "unlink", "rmdir", "ftruncate")
N, BATCH = 12, 4
HALF = "half.h5"  # a run of N // 2, finished


def header(n: int) -> dict:
    """The header of the made-up run."""
    target = {"text": "fc:1@0:1", "layer": "fc", "unit": 1, "label": None, "z1": 0.0, "z2": 1.0}
    return {
        "name": "kill test",
        "targets": [target],
        "settings": {"K": BATCH, "n": n},
        "versions": {},
        "checksums": {},
        "network": "none",
        "seed": 0,
        "asked": n,
    }


def samples(start: int, stop: int) -> archive.Samples:
    """Samples start to stop of the made-up run; each depends on its number alone."""
    rows = [np.random.Generator(np.random.Philox(i)) for i in range(start, stop)]
    return archive.Samples(
        np.stack([row.integers(0, 256, (24, 24, 3), dtype=np.uint8) for row in rows]),
        np.stack([row.normal(size=32).astype("f4") for row in rows]),
        np.stack([row.normal(size=48).astype("f4") for row in rows]),
        np.stack([row.uniform(size=1).astype("f4") for row in rows]),
        np.arange(start, stop),
        np.arange(start, stop, dtype="i4") % BATCH,
        *np.stack([row.uniform(size=2).astype("f4") for row in rows], axis=1),
    )


def write(path: pathlib.Path, n: int, report=lambda found: None) -> None:
    """Starts the run, or carries it on, to its end; reports samples once they are safe."""
    with contextlib.suppress(FileExistsError), archive.Writer(path, header(n), resume=True) as out:
        start = int(out.state["next"]) if out.state else 0
        report(out.found)
        for i in range(start, n, BATCH):
            out.append(samples(i, min(i + BATCH, n)), {"next": np.int64(min(i + BATCH, n))})
            report(out.found)
        out.finish({"steps": n, "seconds": time.time()})


def arm(at: int, when: str) -> None:
    """Makes the process kill itself at its at-th call of any hook: before it, or midway."""
    left = [at]

    def armed(name):
        real = getattr(os, name)

        def call(*args, **kwargs):
            left[0] -= 1
            if left[0]:
                return real(*args, **kwargs)
            if when == "midway":
                real(args[0], memoryview(args[1])[: len(args[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)

        return call

    for name in HOOKS:
        setattr(os, name, armed(name))


def calls(path: pathlib.Path, n: int) -> list[str]:
    """The hooked calls that the run makes from where it is, in order."""
    out, into = os.pipe()
    if not os.fork():
        names = []
        for name in HOOKS:
            setattr(os, name, _noted(name, getattr(os, name), names))
        write(path, n)
        with open(into, "w") as file:
            file.write(" ".join(names))
        os._exit(0)
    os.close(into)
    with open(out) as file:
        names = file.read().split()
    os.wait()
    return names


def _noted(name, real, names):
    def call(*args, **kwargs):
        names.append(name)
        return real(*args, **kwargs)

    return call


def killed(path: pathlib.Path, n: int, prepare=lambda: None, delay: float | None = None) -> int:
    """Runs the writer in a child that is killed; returns the samples it reported as found."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            report, encode = os.write, str.encode  # the hooks do not count the reports
            prepare()
            write(path, n, lambda found: report(into, encode(f"{found}\n")))
        os._exit(0)
    os.close(into)
    if delay is not None:
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
    with open(out) as file:
        reports = file.read().split("\n")
    os.waitpid(child, 0)
    return int(reports[-2]) if len(reports) > 1 else 0


def check(path: pathlib.Path, n: int, found: int, before: int) -> list[str]:
    """What is wrong with an archive after a kill: lost samples, or none."""
    places = [place for place in (path.with_name(path.name + ".run"), path) if place.exists()]
    held = 0
    for place in places:
        try:
            held = max(held, _held(place, n))
        except FileNotFoundError:
            continue
        except RefusedInput as error:
            if "not the folder of a run" not in str(error):
                return [f"unreadable: {error}"]
    return [f"{found} reported, {held} held"] if held < max(found, before) else []


def _held(place: pathlib.Path, n: int) -> int:
    with archive.open(place) as a:
        if len(a):
            expected = samples(0, len(a))
            for name, array in expected._asdict().items():
                if not np.array_equal(getattr(a, name)[:], array):
                    raise RefusedInput(f"{name} differs from what was written")
        return len(a)


def begin(folder: pathlib.Path, raised: bool) -> pathlib.Path:
    """The archive's path in a new folder: nothing yet, or a copy of the finished half beside it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if raised:
        shutil.copy(folder.with_name(HALF), folder / "out.h5")
    return folder / "out.h5"


def trial(folder: pathlib.Path, raised: bool, expected: bytes, prepare, delay=None) -> list[str]:
    """One kill from a known start, the check, and the run to its end."""
    path, before = begin(folder, raised), N // 2 if raised else 0
    found = killed(path, N, prepare, delay)
    problems = check(path, N, found, before)
    if not problems:
        write(path, N)
        if path.read_bytes() != expected or os.listdir(folder) != [path.name]:
            problems.append("carried on, it differs from an uninterrupted run")
    return problems


def plan(folder: pathlib.Path, kills: int, seed: int):
    """Trials: (name, raised, prepare, delay); every hooked call first, random times after."""
    for raised in (False, True):
        path = begin(folder, raised)
        start = time.perf_counter()
        names = calls(path, N)
        duration = time.perf_counter() - start
        for at, name in enumerate(names, start=1):
            for when in ("before", "midway") if name == "write" else ("before",):
                what = f"{when} call {at}, {name}"
                yield what, raised, lambda at=at, when=when: arm(at, when), None
        draw = random.Random(seed + raised)
        for _ in range(kills // 2):
            delay = draw.uniform(0, duration * 1.1)
            yield f"after {delay * 1e3:.2f} ms", raised, lambda: None, delay


def kill_test(kills: int = 500, seed: int = 0, thin: int = 1, folder: str | None = None) -> dict:
    """Runs the plan.

    Args:
        kills: Kills at random times, half of them while a finished archive is being carried on.
        seed: Of the random times.
        thin: Take every thin-th of the kills at system calls.
        folder: Where to work; the machine's folder for temporary files by default.

    Returns:
        {"at calls": trials, "at random times": trials, "seconds": s, "problems": [text]}.
    """
    start = time.perf_counter()
    counts = {"at calls": 0, "at random times": 0}
    problems = []
    with tempfile.TemporaryDirectory(dir=folder) as name:
        place = pathlib.Path(name)
        write(place / "reference.h5", N)
        write(place / HALF, N // 2)
        expected = (place / "reference.h5").read_bytes()
        for i, (what, raised, prepare, delay) in enumerate(plan(place / "plan", kills, seed)):
            if delay is None and i % thin:
                continue
            counts["at calls" if delay is None else "at random times"] += 1
            found = trial(place / "trial", raised, expected, prepare, delay)
            problems += [f"{what}{', raised' if raised else ''}: {text}" for text in found]
    return counts | {"seconds": round(time.perf_counter() - start, 1), "problems": problems}


def main() -> int:
    """Parses the flags, prints the counts as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("kills", 500), ("seed", 0), ("thin", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--folder")
    result = kill_test(**vars(parser.parse_args()))
    print(json.dumps(result, indent=1))
    return 1 if result["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
