"""Feeds damaged Caffe files to the readers: `python tools/dev/fuzz_caffe.py --mutants=10000`.

Every mutant of a caffemodel or prototxt must be read or refused by one of our own errors, within
two seconds and the memory of the file plus 100 MB. Anything else is a fault, and its seed is
printed. Runs in a process of its own, so that a crash is seen and memory is its alone.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

SECONDS, MEGABYTES = 2.0, 100
HOSTILE = ("0", "-1", "1", "2", "7", "1000000000", "99999999999999999999", "1e300", "nan", '"x"')


def mutate_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """One to four random damages of a binary file."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        if not data:
            break
        at, size = int(rng.integers(len(data))), int(rng.integers(1, 9))
        # Half of the damages hit the first kilobytes, where names and shapes are.
        at = at % 2000 if rng.random() < 0.5 else at
        damage = rng.integers(6)
        if damage == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif damage == 1:
            data[at : at + size] = rng.bytes(size)
        elif damage == 2:
            del data[at : at + size ** int(rng.integers(1, 5))]
        elif damage == 3:
            data[at:at] = data[at : at + size * 20]
        elif damage == 4:
            data[at : at + size] = b"\xff" * size
        else:
            del data[at:]
    return bytes(data)


def mutate_text(data: bytes, rng: np.random.Generator) -> bytes:
    """One to four random damages of a prototxt: words lost, doubled, swapped or hostile."""
    words = data.decode("utf-8", "replace").split(" ")
    for _ in range(rng.integers(1, 5)):
        at, other = (int(i) for i in rng.integers(len(words), size=2))
        damage = rng.integers(6)
        if damage == 0:
            words[at] = str(rng.choice(HOSTILE))
        elif damage == 1:
            words[at : at + int(rng.integers(1, 30))] = []
        elif damage == 2:
            words[at:at] = words[other : other + int(rng.integers(1, 30))]
        elif damage == 3:
            words[at], words[other] = words[other], words[at]
        elif damage == 4:
            words.insert(at, str(rng.choice(list('{}<>:[]"#\x00'))))
        else:
            return mutate_bytes(" ".join(words).encode(), rng)
        words = words or [""]
    return " ".join(words).encode()


def read(prototxt, weights) -> None:
    """All that happens before TensorFlow: read, understand, plan, compare, touch every number."""
    from tf_inverse.caffe import caffemodel, net_parameter, shape_inference, supply, weight_check

    planned = shape_inference.make(net_parameter.read(prototxt))
    file, _ = supply.complete(planned, caffemodel.read(weights))
    for layer in file.layers:
        for blob in layer.blobs:
            blob.values.sum()
    weight_check.check(planned.weights(), file)


def run(folder: pathlib.Path, mutants: int, seed: int) -> dict:
    """Mutate every pair of files below a folder in turn.

    Returns:
        As `fuzz`.
    """
    pairs = [
        (prototxt, next(prototxt.parent.glob("*.caffemodel")))
        for prototxt in sorted(folder.glob("**/*.prototxt"))
    ]
    rng = np.random.default_rng(seed)
    files = [[path.read_bytes() for path in pair] for pair in pairs]

    def mutant(i, temporary):
        texts = list(files[i % len(files)])
        which = i // len(files) % 2
        texts[which] = (mutate_text, mutate_bytes)[which](texts[which], rng)
        paths = [temporary / name for name in ("net.prototxt", "net.caffemodel")]
        for path, data in zip(paths, texts, strict=True):
            path.write_bytes(data)
        return paths

    return fuzz(mutant, read, mutants, max(len(data) for pair in files for data in pair))


def fuzz(mutant, read, mutants: int, largest: int) -> dict:
    """Have mutants read.

    Args:
        mutant: (number, folder) -> paths of the damaged files, written into the folder.
        read: Called with the paths.
        mutants: How many.
        largest: Bytes of the largest file; memory may grow by it and `MEGABYTES`.

    Returns:
        Counts and the worst of time and memory, and what went wrong.
    """
    from tf_inverse.errors import InverseSetError

    result = {"mutants": mutants, "read": 0, "refused": 0, "faults": [], "slowest": 0.0}
    before = _peak()
    with tempfile.TemporaryDirectory() as temporary:
        for i in range(mutants):
            paths = mutant(i, pathlib.Path(temporary))
            start = time.perf_counter()
            try:
                read(*paths)
                result["read"] += 1
            except InverseSetError as error:
                result["refused"] += 1
                assert str(error), "a refusal without words"
            except Exception as error:  # the point of a fuzz: whatever else comes is a fault
                result["faults"].append(f"mutant {i}: {type(error).__name__}: {error}"[:300])
            result["slowest"] = max(result["slowest"], time.perf_counter() - start)
    result["megabytes"] = _peak() - before
    if result["slowest"] > SECONDS:
        result["faults"].append(f"slower than {SECONDS} s")
    if result["megabytes"] > largest / 2**20 + MEGABYTES:
        result["faults"].append(f"more memory than {largest / 2**20:.0f} + {MEGABYTES} MB")
    return result


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_child(folder, mutants: int, seed: int = 0, script: str = __file__) -> dict:
    """`run` in a process of its own; a crash of it is one more fault."""
    command = [sys.executable, script, "--child", f"--folder={folder}"]
    command += [f"--mutants={mutants}", f"--seed={seed}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"faults": [f"the reader died, exit {done.returncode}: {done.stderr[-500:]}"]}
    return json.loads(done.stdout)


def main(run, about: str, folder: str | None, script: str) -> int:
    """The command line.

    Args:
        run: (folder, mutants, seed) -> result.
        about: What it does.
        folder: Of the files to damage, by default.
        script: This file's path, for the child.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--folder", default=folder, required=not folder, help="files to damage")
    parser.add_argument("--mutants", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        result = run(pathlib.Path(args.folder), args.mutants, args.seed)
    else:
        result = in_child(args.folder, args.mutants, args.seed, script)
    print(json.dumps(result, indent=None if args.child else 1))
    return 0 if args.child or not result["faults"] else 4


if __name__ == "__main__":
    sys.exit(main(run, __doc__.splitlines()[0], "../shared/data/caffe", __file__))
