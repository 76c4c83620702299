"""Reads `.mat` files into plain Python: MAT v5 through SciPy (an extra), v7.3 through h5py.

Structs become dictionaries, struct arrays and cells lists, text str; numbers stay arrays in
MATLAB's order of axes. Nothing in a file is executed: objects and function handles are refused.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import h5py
import numpy as np

from tf_inverse.archive import walk
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.tensors import Array

Content: TypeAlias = "Array | str | Sequence[Content] | Mapping[str, Content]"
"""What a variable of a file becomes."""

MOST_BYTES, MOST_DEPTH, MOST_ITEMS = 4 << 30, 12, 100_000


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
    except (RefusedInput, UsageError):
        raise
    except Exception as error:  # SciPy and h5py raise almost anything for a damaged file
        raise RefusedInput(f"cannot read {path} as a .mat file: {error}") from None


def _read_v5(path: pathlib.Path) -> dict[str, Content]:
    try:
        import scipy.io
    except ImportError:
        raise UsageError(
            f"expected SciPy to read {path.name}: pip install 'tf_inverse[matconvnet]'"
        ) from None
    variables = scipy.io.loadmat(path, squeeze_me=False, struct_as_record=True)
    return {k: _from_scipy(v) for k, v in variables.items() if not k.startswith("__")}


def _from_scipy(value: object, depth: int = 0) -> Content:
    _expect_shallow(depth)
    if not isinstance(value, np.ndarray):
        raise RefusedInput(f"found a {type(value).__name__}, which no network has")
    if value.dtype.names:
        items = [
            {name: _from_scipy(item[name], depth + 1) for name in value.dtype.names}
            for item in value.ravel(order="F")
        ]
        return items[0] if len(items) == 1 else items
    if value.dtype.kind == "O":
        return [_from_scipy(item, depth + 1) for item in value.ravel(order="F")]
    if value.dtype.kind in "US":
        return "".join(str(part) for part in value.ravel())
    return value


def _read_hdf5(path: pathlib.Path) -> dict[str, Content]:
    with h5py.File(path, "r") as file:
        # Whatever the variables refer to lies in the file too, in a group of its own.
        walk.bearable(file, path, MOST_BYTES)
        names = [name for name in file if not name.startswith("#")]
        return {name: _from_hdf5(file, file.get(name, getlink=False)) for name in names}


def _from_hdf5(file: h5py.File, item: h5py.Group | h5py.Dataset, depth: int = 0) -> Content:
    _expect_shallow(depth)
    if isinstance(item, h5py.Group):
        fields = {name: item[name] for name in item}
        if fields and all(_is_struct_array(field) for field in fields.values()):
            return _struct_array(file, fields, depth)
        return {name: _from_hdf5(file, field, depth + 1) for name, field in fields.items()}
    if item.dtype.kind == "O":
        return [_from_hdf5(file, file[ref], depth + 1) for ref in _references(item)]
    if "MATLAB_empty" in item.attrs:
        return "" if item.attrs.get("MATLAB_class") == b"char" else np.zeros(0)
    values = item[()].T
    if item.attrs.get("MATLAB_class") == b"char":
        return "".join(chr(code) for code in values.ravel())
    return values


def _is_struct_array(field: object) -> bool:
    """A struct array's fields are references without a class of their own; a cell has one."""
    return (
        isinstance(field, h5py.Dataset)
        and field.dtype.kind == "O"
        and "MATLAB_class" not in field.attrs
    )


def _struct_array(file: h5py.File, fields: dict[str, h5py.Dataset], depth: int) -> Content:
    columns = {
        name: [_from_hdf5(file, file[ref], depth + 1) for ref in _references(field)]
        for name, field in fields.items()
    }
    count = len(next(iter(columns.values())))
    return [{name: column[i] for name, column in columns.items()} for i in range(count)]


def _references(item: h5py.Dataset) -> Array:
    if item.size > MOST_ITEMS:
        raise RefusedInput(f"expected at most {MOST_ITEMS} items in a cell, got {item.size}")
    return item[()].T.ravel(order="F")


def _expect_shallow(depth: int) -> None:
    if depth > MOST_DEPTH:
        raise RefusedInput(f"expected at most {MOST_DEPTH} levels of structs and cells, got more")
