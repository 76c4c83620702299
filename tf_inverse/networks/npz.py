"""The arrays of an .npz file, of which nothing is in memory before it is asked for.

A packed file of a kilobyte may declare terabytes, and hold gigabytes of zeros. Here a header must
fit what the zip archive holds (`npy`), and rows are read a few at a time. Form: NumPy Enhancement
Proposal 1, a zip archive of .npy files.
"""

from __future__ import annotations

import contextlib
import functools
import math
import pathlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import IO

import numpy as np

from tf_inverse import npy
from tf_inverse.archive import atomic
from tf_inverse.errors import RefusedInput
from tf_inverse.tensors import Array, StrPath

MOST_WHOLE = 1 << 30
"""Bytes of an array that is read as a whole."""

AT_A_TIME = 1 << 20
"""Bytes of an array that are compared with its checksum at a time."""

ENDING = ".npy"
PACKING = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How NumPy and Keras pack entries. Other ways make room by what an entry says, or unpack without
limit."""


def write(path: pathlib.Path, arrays: Iterable[tuple[str, Array]]) -> None:
    """Writes what `numpy.savez` writes, whole or not at all, and one array at a time.

    Args:
        path: Of the file.
        arrays: Names and arrays; the next is asked for when the one before is written.

    Raises:
        OSError: As of `atomic.write`.
    """
    with atomic.written(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays:
            with archive.open(name + ENDING, "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


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
            RefusedInput: As of `npy.header`.
        """
        self._header = npy.header(stream, name, held)
        self.shape, self.dtype = self._header.shape, self._header.dtype
        self._stream, self._name = stream, name

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: slice | Array | tuple[()]) -> Array:
        """Rows of a slice or of rising numbers; `array[()]` is the whole array."""
        if isinstance(key, tuple) or self._header.columns_first:
            return self._whole[key]
        if isinstance(key, slice):
            start, stop, _ = key.indices(len(self))
            return self._rows(start, max(start, stop))
        return np.concatenate([self._rows(int(i), int(i) + 1) for i in key])

    def _rows(self, start: int, stop: int) -> Array:
        shape = (stop - start, *self.shape[1:])
        row = math.prod(shape[1:]) * self.dtype.itemsize
        self._stream.seek(self._header.start + start * row)
        return np.frombuffer(self._stream.read(row * shape[0]), self.dtype).reshape(shape)

    @functools.cached_property
    def _whole(self) -> Array:
        if self._header.size > MOST_WHOLE:
            raise RefusedInput(
                f"expected at most {MOST_WHOLE} bytes of {self._name}, which is read as a whole; "
                f"images in C order (numpy.ascontiguousarray) are read in parts"
            )
        self._stream.seek(self._header.start)
        flat = np.frombuffer(self._stream.read(self._header.size), self.dtype)
        return flat.reshape(self.shape, order="F" if self._header.columns_first else "C")


class Arrays(Mapping[str, StoredArray]):
    """The arrays of a file by name; a context manager.

    Args:
        path: Of the file.

    Raises:
        zipfile.BadZipFile: It is no zip archive.
    """

    def __init__(self, path: StrPath):
        self._file, self._path = zipfile.ZipFile(path), path
        self._streams = contextlib.ExitStack()
        self._entries = {
            info.filename.removesuffix(ENDING): info
            for info in self._file.infolist()
            if info.filename.endswith(ENDING)
        }

    def __enter__(self) -> Arrays:
        return self

    def __exit__(self, *exception: object) -> None:
        # The file stays open for as long as one of its entries is.
        self._streams.close()
        self._file.close()

    def __getitem__(self, name: str) -> StoredArray:
        info, called = self._entries[name], f"{name} in {self._path}"
        if info.compress_type not in PACKING:
            raise RefusedInput(
                f"{called} is packed in a way that NumPy does not use; write the file with "
                f"numpy.savez or numpy.savez_compressed"
            )
        stream = self._streams.enter_context(self._file.open(info))
        return StoredArray(stream, called, info.file_size)

    def expect_intact(self, names: Iterable[str]) -> None:
        """Reads entries to their ends, a part at a time, to compare them with their checksums.

        Raises:
            zipfile.BadZipFile: One has other bytes than were written.
        """
        for name in names:
            with self._file.open(self._entries[name]) as stream:
                while stream.read(AT_A_TIME):
                    pass

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
