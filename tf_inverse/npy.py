"""NumPy's .npy format: headers, believed only as far as the file that they stand in goes.

NumPy reads as many bytes as a header says that it has, and makes room for as many numbers as it
declares: in a file of a hundred bytes, four gigabytes of the one and terabytes of the other. Here
both are held against the file first. Form: NumPy Enhancement Proposal 1.
"""

from __future__ import annotations

import io
import math
import os
import stat
from typing import IO, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tf_inverse.errors import RefusedInput, reason
from tf_inverse.tensors import Array, StrPath

LONGEST = 10_000
"""Bytes of a header; NumPy itself refuses a longer one, once it has read it."""

# For each version of the format, the bytes of the header's length and NumPy's reader of a header.
READERS = {
    (1, 0): (2, np.lib.format.read_array_header_1_0),
    (2, 0): (4, np.lib.format.read_array_header_2_0),
}


class Header(NamedTuple):
    """What an .npy file declares, and does hold.

    Attributes:
        shape: Of the array.
        columns_first: Whether its numbers are in Fortran's order.
        dtype: Of plain values: no Python objects.
        start: Bytes before the numbers.
        size: Bytes of the numbers.
    """

    shape: tuple[int, ...]
    columns_first: bool
    dtype: np.dtype
    start: int
    size: int


def header(stream: IO[bytes], name: str, held: int) -> Header:
    """The header of an .npy file; the stream is left at the numbers.

    Args:
        stream: The file, at its beginning.
        name: What to call the file in a refusal.
        held: Bytes of the file.

    Raises:
        RefusedInput: The file is no .npy file, or holds something else than its header declares.
    """
    try:
        text = _text(stream)
        version = np.lib.format.read_magic(text)
        shape, columns_first, dtype = READERS[version][1](text)
    except Exception as error:  # whatever NumPy makes of a damaged or forged header
        raise RefusedInput(
            f"{name}: no plain array of NumPy's .npy format ({reason(error)})"
        ) from None
    if dtype.hasobject:
        raise RefusedInput(
            f"{name} holds Python objects, expected a plain array of NumPy's .npy format"
        )
    start, size = text.tell(), math.prod(map(int, shape)) * dtype.itemsize
    if start + size != held or min(shape, default=0) < 0 or not dtype.itemsize:
        raise RefusedInput(
            f"{name} declares {dtype} {list(shape)} in NumPy's .npy format, it holds {held} bytes"
        )
    return Header(shape, columns_first, dtype, start, size)


def _text(stream: IO[bytes]) -> io.BytesIO:
    """The bytes before an array's numbers, which are few."""
    magic = stream.read(np.lib.format.MAGIC_LEN)
    version = np.lib.format.read_magic(io.BytesIO(magic))
    if version not in READERS:
        raise ValueError("it is of version {}.{}, expected 1.0 or 2.0".format(*version))
    digits = stream.read(READERS[version][0])
    length = int.from_bytes(digits, "little")
    if length > LONGEST:
        raise ValueError(f"its header has {length} bytes, at most {LONGEST} are read")
    return io.BytesIO(magic + digits + stream.read(length))


class Rows:
    """An array in an .npy file that is written by rows; rows that never were are zeros.

    A file mapped for writing would do the same, but where the disk fills up the system ends a
    process that writes into such memory, without a word.

    Args:
        path: Of the file, which is made anew.
        dtype: Of the numbers.
        shape: Of the array.

    Raises:
        OSError: Here, in `put` or in `close`: the disk is full or read-only.
    """

    def __init__(self, path: StrPath, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> None:
        self.dtype = np.dtype(dtype)
        self._file = open(path, "wb")
        told = {"descr": self.dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, told)
        self._start, self._bytes = self._file.tell(), self.dtype.itemsize * math.prod(shape[1:])
        self._file.truncate(self._start + self._bytes * shape[0])

    def put(self, first: int, values: Array) -> None:
        """Writes rows [n, ...], or one row, from row `first` on."""
        self._file.seek(self._start + self._bytes * first)
        self._file.write(np.asarray(values, self.dtype).tobytes())

    def close(self) -> None:
        """Writes what is left, and lets go of the file."""
        self._file.close()


def mapped(path: StrPath, name: str | None = None) -> Array:
    """The array of an .npy file, of which nothing is in memory before it is asked for.

    Args:
        path: Of the file.
        name: What to call it in a refusal; its path by default.

    Raises:
        OSError: The file cannot be opened.
        RefusedInput: As of `header`; or it is no regular file.
    """
    name = str(path) if name is None else name
    try:
        # Without O_NONBLOCK a pipe would wait for somebody who writes into it.
        with open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NONBLOCK)) as file:
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode):
                found = header(file, name, status.st_size)
                order: Literal["C", "F"] = "F" if found.columns_first else "C"
                return np.memmap(file, found.dtype, "r", found.start, found.shape, order)
    except IsADirectoryError:
        pass
    raise RefusedInput(f"{name}: expected a file of NumPy's .npy format")
