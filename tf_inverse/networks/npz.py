"""The arrays of an .npz file, of which nothing is in memory before it is asked for.

NumPy makes room for a whole array by what its header declares, and a packed file of a kilobyte may
declare terabytes. Here a header must fit what the zip archive holds, and rows are read a few at a
time. Form: NumPy Enhancement Proposal 1, a zip archive of .npy files.
"""

from __future__ import annotations

import functools
import math
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO

import numpy as np

from tf_inverse.errors import RefusedInput
from tf_inverse.tensors import Array, StrPath

MOST_WHOLE = 1 << 30
"""Bytes of an array that is read as a whole."""

ENDING = ".npy"
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class StoredArray:
    """An array in a file, read in slices along its first axis.

    Attributes:
        shape: As its header says.
        dtype: Of plain values: no Python objects.
    """

    def __init__(self, stream: IO[bytes], name: str, held: int):
        """Reads the header.

        Args:
            stream: The .npy file, at its beginning.
            name: What to call it in a refusal.
            held: Bytes of the .npy file.

        Raises:
            RefusedInput: The header declares something else than the file holds.
            ValueError: It is no .npy file.
        """
        read = HEADERS.get(np.lib.format.read_magic(stream))
        if read is None:
            raise ValueError(f"{name} is of an unknown version of the .npy format")
        self.shape, self._columns_first, self.dtype = read(stream)
        self._stream, self._name, self._start = stream, name, stream.tell()
        if self.dtype.hasobject:
            raise RefusedInput(f"{name} holds Python objects, expected numbers")
        if self._start + self._bytes() != held:
            raise RefusedInput(
                f"{name} declares {self.dtype} {list(self.shape)}, it holds {held} bytes"
            )

    def _bytes(self) -> int:
        return math.prod(map(int, self.shape)) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: slice | Array | tuple[()]) -> Array:
        """Rows of a slice or of rising numbers; `array[()]` is the whole array."""
        if isinstance(key, tuple) or self._columns_first:
            return self._whole[key]
        if isinstance(key, slice):
            start, stop, _ = key.indices(len(self))
            return self._rows(start, max(start, stop))
        return np.concatenate([self._rows(int(i), int(i) + 1) for i in key])

    def _rows(self, start: int, stop: int) -> Array:
        shape = (stop - start, *self.shape[1:])
        row = math.prod(shape[1:]) * self.dtype.itemsize
        self._stream.seek(self._start + start * row)
        return np.frombuffer(self._stream.read(row * shape[0]), self.dtype).reshape(shape)

    @functools.cached_property
    def _whole(self) -> Array:
        if self._bytes() > MOST_WHOLE:
            raise RefusedInput(
                f"expected at most {MOST_WHOLE} bytes of {self._name}, which is read as a whole; "
                f"images in C order (numpy.ascontiguousarray) are read in parts"
            )
        self._stream.seek(self._start)
        flat = np.frombuffer(self._stream.read(self._bytes()), self.dtype)
        return flat.reshape(self.shape, order="F" if self._columns_first else "C")


class Arrays(Mapping[str, StoredArray]):
    """The arrays of a file by name; a context manager.

    Args:
        path: Of the file.

    Raises:
        zipfile.BadZipFile: It is no zip archive.
    """

    def __init__(self, path: StrPath):
        self._file, self._path = zipfile.ZipFile(path), path
        self._entries = {
            info.filename.removesuffix(ENDING): info
            for info in self._file.infolist()
            if info.filename.endswith(ENDING)
        }

    def __enter__(self) -> Arrays:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def __getitem__(self, name: str) -> StoredArray:
        info = self._entries[name]
        return StoredArray(self._file.open(info), f"{name} in {self._path}", info.file_size)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
