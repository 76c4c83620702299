"""Reads `.mat` files into plain Python: MAT v5 through SciPy (an extra), v7.3 through h5py.

Structs become dictionaries, struct arrays and cells lists, text str; numbers stay arrays in
MATLAB's order of axes. Nothing in a file is executed: objects and functions are their fields.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import h5py
import numpy as np

from tf_inverse.archive import hdf5, walk
from tf_inverse.caffe import mat_levels
from tf_inverse.errors import RefusedInput, UsageError, reason
from tf_inverse.tensors import Array

Content: TypeAlias = "Array | str | Sequence[Content] | Mapping[str, Content]"
"""What a variable of a file becomes."""

MOST_BYTES = 4 << 30


def read(path: str | os.PathLike) -> dict[str, Any]:
    """The variables of a `.mat` file.

    Raises:
        RefusedInput: Damaged, or with contents that no network has.
        UsageError: SciPy is needed and absent.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected a file, found none at {path}")
    if path.stat().st_size > MOST_BYTES:
        raise RefusedInput(f"expected at most {MOST_BYTES} bytes in {path}")
    try:
        return _read_hdf5(path) if h5py.is_hdf5(path) else _read_v5(path)
    except UsageError:
        raise
    except Exception as error:  # SciPy and h5py raise almost anything for a damaged file
        if isinstance(error, RefusedInput) and str(path) in str(error):
            raise
        raise RefusedInput(f"cannot read {path} as a .mat file: {reason(error)}") from None


def _read_v5(path: pathlib.Path) -> dict[str, Content]:
    try:
        import scipy.io
    except ImportError:
        raise UsageError(
            f"expected SciPy to read {path.name}: pip install 'tf_inverse[matconvnet]'"
        ) from None
    mat_levels.expect_bearable(path, MOST_BYTES)
    variables = scipy.io.loadmat(path, squeeze_me=False, struct_as_record=True)
    return {k: _from_scipy(v) for k, v in variables.items() if not k.startswith("__")}


def _from_scipy(value: object) -> Content:
    if not isinstance(value, np.ndarray):
        raise RefusedInput(f"found a {type(value).__name__}, which no network has")
    if value.dtype.names:
        items = [
            {name: _from_scipy(item[name]) for name in value.dtype.names}
            for item in value.ravel(order="F")
        ]
        return items[0] if len(items) == 1 else items
    if value.dtype.kind == "O":
        return [_from_scipy(item) for item in value.ravel(order="F")]
    if value.dtype.kind in "US":
        return "".join(str(part) for part in value.ravel())
    return value


def _read_hdf5(path: pathlib.Path) -> dict[str, Content]:
    with hdf5.opened(path) as file:
        # Whatever the variables refer to lies in the file too, in a group of its own.
        found = walk.bearable(file, path, MOST_BYTES)
        stored = _Stored(file, sum(item.size * item.dtype.itemsize for item in found.values()))
        names = [name for name in file if not name.startswith("#")]
        return {name: stored.content(file.get(name, getlink=False)) for name in names}


class _Stored:
    """Reads what lies in a file of version 7.3, and of each array no more than it holds.

    A cell holds references, and a few of them may stand for the same large array, or for cells of
    as many references again, a thousand times over. MATLAB refers to each of its arrays once, but
    for the empty one.

    Args:
        file: Open for reading, and bearable.
        left: Bytes that all of its arrays have.
    """

    def __init__(self, file: h5py.File, left: int) -> None:
        self._file, self._left, self._items = file, left, 0

    def content(self, item: h5py.Group | h5py.Dataset, depth: int = 0) -> Content:
        """The content of a variable, or of something in one."""
        self._items += 1
        mat_levels.expect_few(depth, self._items)
        if isinstance(item, h5py.Group):
            fields = {name: item[name] for name in item}
            if fields and all(_is_struct_array(field) for field in fields.values()):
                return self._struct_array(fields, depth)
            return {name: self.content(field, depth + 1) for name, field in fields.items()}
        if item.dtype.kind != "O" and "MATLAB_empty" in item.attrs:
            return "" if item.attrs.get("MATLAB_class") == b"char" else np.zeros(0)
        self._left -= item.size * item.dtype.itemsize
        if self._left < 0:
            raise RefusedInput("its cells refer to the same arrays again and again")
        if item.dtype.kind == "O":
            references = item[()].T.ravel(order="F")
            return [self.content(self._file[one], depth + 1) for one in references]
        values = item[()].T
        if item.attrs.get("MATLAB_class") == b"char":
            return "".join(chr(code) for code in values.ravel())
        return values

    def _struct_array(self, fields: dict[str, h5py.Dataset], depth: int) -> Content:
        columns: dict[str, Any] = {name: self.content(one, depth) for name, one in fields.items()}
        count = len(next(iter(columns.values())))
        return [{name: column[i] for name, column in columns.items()} for i in range(count)]


def _is_struct_array(field: object) -> bool:
    """A struct array's fields are references without a class of their own; a cell has one."""
    return (
        isinstance(field, h5py.Dataset)
        and field.dtype.kind == "O"
        and "MATLAB_class" not in field.attrs
    )
