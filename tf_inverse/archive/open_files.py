"""Checked files, kept open while they are being read."""

from __future__ import annotations

import collections
import contextlib
import pathlib
from collections.abc import Iterator

import h5py

from tf_inverse.archive import file_checks, schema
from tf_inverse.archive.chunk_reader import Column


@contextlib.contextmanager
def opened(path: pathlib.Path, kind: str | None = None) -> Iterator[file_checks.Parts]:
    """Opens a file and passes it through file_checks.py; yields its Parts.

    Args:
        path: The file.
        kind: Its format; None takes either, as shard 0 of a run may be a finished file.
    """
    with file_checks.open_file(path) as file:
        yield _checked(file, path, kind)


def _checked(file: h5py.File, path: pathlib.Path, kind: str | None) -> file_checks.Parts:
    if kind is None:
        kind = schema.FORMAT if "asked" in file.attrs else schema.SHARD_FORMAT
    return file_checks.check(file, path, kind)


class Files:
    """The files used last, open and checked; a context manager.

    Args:
        most: How many to keep open.
    """

    def __init__(self, most: int = 64):
        self._most = most
        self._open: collections.OrderedDict[pathlib.Path, tuple[h5py.File, file_checks.Parts]] = (
            collections.OrderedDict()
        )

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def parts(self, path: pathlib.Path, kind: str | None = None) -> file_checks.Parts:
        """A file's parts, valid until `most` others are asked for; kind as in opened."""
        if path not in self._open:
            while len(self._open) >= self._most:
                self._open.popitem(last=False)[1][0].close()
            file = file_checks.open_file(path)
            self._open[path] = file, _checked(file, path, kind)
        self._open.move_to_end(path)
        return self._open[path][1]

    def column(self, path: pathlib.Path, name: str) -> Column:
        """One column of a file."""
        return Column(self.parts(path).columns[name], f"{path}: /{name}")

    def close(self) -> None:
        """Closes all; they open again when they are asked for."""
        while self._open:
            self._open.popitem()[1][0].close()
