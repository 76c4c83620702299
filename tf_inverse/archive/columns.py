"""Columns over one file or many, read from disk when they are indexed."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tf_inverse.archive import schema
from tf_inverse.archive.open_files import Files


class Piece(NamedTuple):
    """One HDF5 file of an archive.

    Attributes:
        path: Where.
        rows: Samples in it.
        shapes: column -> shape of one row; {} for an empty batch.
    """

    path: pathlib.Path
    rows: int
    shapes: dict


class Rows:
    """A column of an archive; `rows[i]`, `rows[i:j]`, `rows[[i, j]]` and `rows[mask]` are arrays.

    Attributes:
        shape: Sample first.
        dtype: NumPy type.
    """

    def __init__(self, shape: tuple, dtype: Any, read: Callable[[int, int], np.ndarray]) -> None:
        self.shape, self.dtype, self._read = tuple(shape), np.dtype(dtype), read

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step == 1:
                return self._read(start, max(start, stop))
            key = list(range(start, stop, step))
        if isinstance(key, int | np.integer):
            index = range(len(self))[key]
            return self._read(index, index + 1)[0]
        indices = np.arange(len(self))[np.asarray(key, None if len(key) else np.int64)]
        parts = [self._read(int(i), int(i) + 1) for i in indices]
        return np.concatenate(parts) if parts else self._read(0, 0)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)


def joined(pieces: list[Piece], files: Files) -> dict[str, Rows]:
    """The columns of pieces that follow each other; {} where there is no sample yet."""
    pieces = [piece for piece in pieces if piece.rows]
    if not pieces:
        return {}
    starts = np.cumsum([0] + [piece.rows for piece in pieces])
    return {
        name: Rows(
            (int(starts[-1]), *shape),
            schema.COLUMNS[name].dtype,
            _reader(name, pieces, starts, files),
        )
        for name, shape in sorted(pieces[0].shapes.items())
    }


def _reader(
    name: str, pieces: list[Piece], starts: np.ndarray, files: Files
) -> Callable[[int, int], np.ndarray]:
    def read(start: int, stop: int) -> np.ndarray:
        first = int(np.searchsorted(starts[1:-1], start, "right"))
        last = int(np.searchsorted(starts[:-1], max(stop, start + 1), "left"))
        parts = [
            files.column(piece.path, name).read(
                int(max(start - offset, 0)), int(min(stop - offset, piece.rows))
            )
            for piece, offset in zip(pieces[first:last], starts[first:last], strict=True)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    return read
