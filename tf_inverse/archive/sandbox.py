"""Reading an archive of unknown origin in a process of its own, with little to harm.

file_checks.py refuses what is not an archive, but asks HDF5 for every fact about the file, and a
file can be made to upset HDF5 itself. Here a child with bounded memory, time and files does all of
that. It hands over plain arrays, raw in a temporary file that has no name, and a description in
JSON that is checked as any header is. The parent never shows the archive to HDF5.
"""

from __future__ import annotations

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
from typing import Any, BinaryIO

import numpy as np

from tf_inverse.archive import attributes, reader, schema
from tf_inverse.archive.columns import Rows
from tf_inverse.archive.lock import LockedError
from tf_inverse.errors import RefusedInput
from tf_inverse.tensors import StrPath

MEMORY = 256 << 20  # bytes that the child may take beyond what Python, NumPy and HDF5 need to load
FILES = 96
SPEED = 2 << 20  # bytes of an archive a second that even a slow machine reads; for the time limit
MAX_REPLY = 1 << 20
STEP = 1 << 20  # bytes copied at a time
NATURAL = "natural/"
DIRECTIONS = f"{schema.DIRECTION.name}/"


def open_untrusted(path: StrPath) -> reader.Archive:
    """As archive.open, by a child process.

    Raises:
        FileNotFoundError: nothing there.
        LockedError: another program has it open for writing.
        RefusedInput: what the child said, or that it crashed or ran into a limit.
    """
    path = pathlib.Path(path)
    with tempfile.TemporaryFile() as store:
        reply = _ask(path, store)
        if "missing" in reply:
            raise FileNotFoundError(reply["missing"])
        if "refused" in reply:
            raise RefusedInput(str(reply["refused"]))
        if "locked" in reply:
            raise LockedError(str(reply["locked"]))
        return _archive(path, reply, store)


def _ask(path: pathlib.Path, store: BinaryIO) -> dict:
    """Runs the child; its reply."""
    command = [sys.executable, "-m", "tf_inverse.archive.sandbox", str(path), str(store.fileno())]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(place for place in sys.path if place)
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        pass_fds=[store.fileno()],
    )
    with child:
        assert child.stdout is not None
        text = child.stdout.read(MAX_REPLY + 1)
    if child.returncode or len(text) > MAX_REPLY:
        raise RefusedInput(f"{path}: reading it crashed or ran into a limit ({child.returncode})")
    return attributes.from_json(text, f"{path}: reply")


def _archive(path: pathlib.Path, reply: Any, store: BinaryIO) -> reader.Archive:
    """The archive that a reply describes, on memory maps of what the child wrote."""
    try:
        header = attributes.check_header(reply["header"], str(path))
        arrays = {
            name: _mapped(name, entry, store) for name, entry in dict(reply["arrays"]).items()
        }
        complete, summary = reply["complete"] is True, reply["summary"]
        if not isinstance(summary, dict | None):
            raise ValueError("summary")
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedInput(f"{path}: reading it gave nonsense ({error})") from error
    columns = {name: _rows(array) for name, array in arrays.items() if name in schema.COLUMNS}
    archive = reader.Archive(path, header, columns, complete, summary)
    natural = {name.removeprefix(NATURAL): a for name, a in arrays.items() if NATURAL in name}
    archive.natural = reader.Natural(natural) if natural else None
    if columns:
        found = {
            name.removeprefix(DIRECTIONS): a for name, a in arrays.items() if DIRECTIONS in name
        }
        archive.directed({int(place): np.array(a) for place, a in found.items()})
    return archive


def _mapped(name: str, entry: Any, store: BinaryIO) -> np.ndarray:
    """One array: a memory map, which outlives the file's name and its descriptor."""
    offset, shape = int(entry["offset"]), tuple(int(side) for side in entry["shape"])
    column = schema.COLUMNS.get(name) or schema.NATURAL.get(name.removeprefix(NATURAL))
    column = schema.DIRECTION if name.startswith(DIRECTIONS) else column
    dtype = np.dtype(column.dtype if column else "<f8")
    end = offset + schema.size_of(shape, dtype)
    if min(*shape, offset, 0) < 0 or end > os.fstat(store.fileno()).st_size:
        raise ValueError(f"{name} lies outside of what was read")
    if not all(shape):
        return np.zeros(shape, dtype)
    return np.memmap(store, dtype, "r", offset, shape)


def _rows(array: np.ndarray) -> Rows:
    return Rows(array.shape, array.dtype, lambda start, stop: np.array(array[start:stop]))


def main(path: str, descriptor: int) -> None:
    """The child: limits itself, reads everything, writes arrays and reply."""
    _limit(path)
    try:
        reply = _read(path, descriptor)
    except RefusedInput as error:
        reply = {"refused": str(error)}
    except FileNotFoundError as error:
        reply = {"missing": str(error)}
    except LockedError as error:
        reply = {"locked": str(error)}
    print(json.dumps(reply))


def _limit(path: str) -> None:
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[0])
    memory = pages * resource.getpagesize() + MEMORY
    size = sum(place.stat().st_size for place in _files(pathlib.Path(path)))
    limits = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: 20 + size // SPEED,
        resource.RLIMIT_NOFILE: FILES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 2 * schema.MAX_CHUNK + 64 * size,
    }
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def _files(path: pathlib.Path) -> list[pathlib.Path]:
    if path.is_dir():
        return [place for place in path.iterdir() if place.is_file()]
    return [path] if path.is_file() else []


def _read(path: str, descriptor: int) -> dict:
    arrays: dict[str, dict] = {}
    offset = 0
    with reader.open_archive(path) as archive, open(descriptor, "wb", closefd=False) as store:
        for name, array in _all(archive).items():
            arrays[name] = {"offset": offset, "shape": array.shape}
            row = schema.size_of(array.shape[1:], array.dtype)
            step = max(1, STEP // max(row, 1))
            for start in range(0, len(array), step):
                offset += store.write(np.ascontiguousarray(array[start : start + step]).data)
            offset += store.write(bytes(-offset % 64))
        summary = None if archive.in_progress else archive.summary
        reply = {"header": archive.header, "complete": archive.complete, "summary": summary}
    return reply | {"arrays": arrays}


def _all(archive: reader.Archive) -> dict:
    natural = vars(archive.natural) if archive.natural else {}
    found = {NATURAL + name: array for name, array in natural.items() if array is not None}
    directions = {f"{DIRECTIONS}{place}": d for place, d in archive.directions.items()}
    return dict(archive.columns) | found | directions


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
