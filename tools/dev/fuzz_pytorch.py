"""Feeds damaged files of torch.save to the reader.

    python tools/dev/fuzz_pytorch.py --folder=FOLDER

Every mutant of a `.pt` file of the folder must be read or refused by one of our own errors, within
two seconds and the memory of the file plus 100 MB. A zip archive's checksums would stop nearly all
damage at the door: so two of three mutants of one are damaged within, in the pickle, and packed
again.
"""

import io
import pathlib
import sys
import zipfile

import fuzz_caffe
import numpy as np

# Whole operations of pickles, for damage that is still a pickle.
OPERATIONS = (b"}", b")", b"]", b"(", b"t", b"u", b"R", b"Q", b"q\x00", b"h\x01", b"0", b"2", b"N")
OPERATIONS += (b"\x85", b"\x86", b"J\xff\xff\xff\xff", b"J\xff\xff\xff\x7f", b"cos\nsystem\n", b".")


def mutate_pickle(data: bytes, rng: np.random.Generator) -> bytes:
    """One to four damages of a pickle: operations put in or over others, or bytes damaged."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(len(data) + 1))
        operation = OPERATIONS[int(rng.integers(len(OPERATIONS)))]
        damage = rng.integers(3)
        if damage == 0:
            data[at:at] = operation
        elif damage == 1:
            data[at : at + len(operation)] = operation
        else:
            data = bytearray(fuzz_caffe.mutate_bytes(bytes(data), rng))
    return bytes(data)


def repacked(data: bytes, rng: np.random.Generator) -> bytes:
    """A zip archive whose pickle is damaged and whose checksums are right."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            whole = old.read(entry)
            damaged = entry.filename.endswith("data.pkl")
            new.writestr(entry.filename, mutate_pickle(whole, rng) if damaged else whole)
    return out.getvalue()


def read(path) -> None:
    """All that happens before TensorFlow: read, name the layers, touch every number."""
    from tf_inverse.caffe import weight_file

    for layer in weight_file.read(path).layers:
        for blob in layer.blobs:
            blob.array().sum()


def run(folder: pathlib.Path, mutants: int, seed: int) -> dict:
    """Mutate every `.pt` file of a folder in turn; the result is as of `fuzz_caffe.fuzz`."""
    files = [path.read_bytes() for path in sorted(folder.glob("*.pt"))]
    if not files:
        raise FileNotFoundError(f"expected .pt files in {folder}")
    rng = np.random.default_rng(seed)

    def mutant(i, temporary):
        data, path = files[i % len(files)], temporary / "weights.pt"
        packed = data.startswith(b"PK") and i // len(files) % 3
        path.write_bytes(repacked(data, rng) if packed else fuzz_caffe.mutate_bytes(data, rng))
        return [path]

    with np.errstate(all="ignore"):  # sums of damaged numbers
        return fuzz_caffe.fuzz(mutant, read, mutants, max(map(len, files)))


if __name__ == "__main__":
    sys.exit(fuzz_caffe.main(run, __doc__.splitlines()[0], None, __file__))
