"""Writing HDF5 so that the same samples always give the same bytes.

Fixed library version (metadata with checksums), no times, fixed chunks, gzip-4, fletcher32. Small
arrays are kept in the object's header, which has a checksum too: no byte of an archive is without.
"""

from __future__ import annotations

import io
from typing import Any

import h5py
import numpy as np

from tf_inverse.archive import lock, schema
from tf_inverse.tensors import StrPath

COMPACT = 1024  # bytes: below it an array goes into the object's header


def create(file: Any) -> h5py.File:
    """A new HDF5 file on a seekable Python file object."""
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    access.set_fileobj_driver(h5py.h5fd.fileobj_driver, file)
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_obj_track_times(False)
    return h5py.File(h5py.h5f.create(b"archive", h5py.h5f.ACC_TRUNC, creation, access))


def opened(path: StrPath, mode: str = "r") -> h5py.File:
    """`h5py.File`, also on a file system without locks, where HDF5 refuses to open any file."""
    with open(path, "rb" if mode == "r" else "ab") as file:
        # Nothing else than this would do: HDF5 refuses a second handle with another choice.
        locking = False if lock.missing(file.fileno()) else None
    return h5py.File(path, mode, locking=locking)


def group(parent: h5py.Group, name: str) -> h5py.Group:
    """A new group without times."""
    creation = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    creation.set_obj_track_times(False)
    return h5py.Group(h5py.h5g.create(parent.id, name.encode(), gcpl=creation))


def dataset(
    parent: h5py.Group, name: str, shape: tuple, dtype: Any, rows: int
) -> h5py.h5d.DatasetID:
    """A new dataset: rows a chunk, gzip-4, fletcher32; compact where rows is 0."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_obj_track_times(False)
    if rows:
        creation.set_chunk((rows, *shape[1:]))
        creation.set_deflate(4)
        creation.set_fletcher32()
    else:
        creation.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple(shape) if shape else h5py.h5s.create(h5py.h5s.SCALAR)
    kind = h5py.h5t.py_create(np.dtype(dtype), logical=True)
    return h5py.h5d.create(parent.id, name.encode(), kind, space, creation)


def put_array(parent: h5py.Group, name: str, array: np.ndarray) -> h5py.h5d.DatasetID:
    """Stores a whole array.

    Raises:
        ValueError: one row is larger than a chunk may be.
    """
    array = np.asarray(array, order="C")
    row_bytes = array.nbytes // len(array) if array.ndim and len(array) else 0
    if row_bytes > schema.MAX_CHUNK:
        raise ValueError(
            f"{name}: a row is {row_bytes} bytes, at most {schema.MAX_CHUNK} can be stored"
        )
    rows = 0
    if array.nbytes > COMPACT:
        rows = schema.rows_per_chunk(name, row_bytes, len(array))
    stored = dataset(parent, name, array.shape, array.dtype, rows)
    if array.size:
        stored.write(h5py.h5s.ALL, h5py.h5s.ALL, array)
    return stored


def put_attributes(target: h5py.Group | h5py.Dataset, values: dict) -> None:
    """Sets attributes; texts as fixed-length UTF-8, as readers refuse variable-length types."""
    for name, value in values.items():
        if isinstance(value, str):
            data = value.encode()
            kind = h5py.string_dtype("utf-8", max(len(data), 1))
            target.attrs.create(name, np.array(data, dtype=kind), dtype=kind)
        else:
            target.attrs[name] = value


def describe(stored: h5py.h5d.DatasetID, column: schema.Column) -> None:
    """Sets the attributes symbol, units and description; of RGB images the image convention's."""
    put_attributes(
        h5py.Dataset(stored),
        {"symbol": column.symbol, "units": column.units, "description": column.description},
    )
    if column.name in schema.IMAGES and stored.shape[-1] == 3:
        put_convention(stored, schema.IMAGE_CONVENTION)


def put_convention(stored: h5py.h5d.DatasetID, values: dict[str, str]) -> None:
    """Sets attributes as the image convention asks: ASCII texts that end with a null byte.

    HDF5's own test for an image (H5IMis_image) takes no other padding.
    """
    for name, value in values.items():
        data = np.array(value.encode("ascii") + b"\0", dtype=f"S{len(value) + 1}")
        kind = h5py.h5t.C_S1.copy()
        kind.set_size(data.itemsize)
        space = h5py.h5s.create(h5py.h5s.SCALAR)
        h5py.h5a.create(stored, name.encode(), kind, space).write(data, mtype=kind)


def shard(
    columns: dict[str, np.ndarray],
    state: dict[str, np.ndarray],
    attributes: dict,
    natural: dict | None,
    directions: dict[int, np.ndarray] | None = None,
) -> bytes:
    """One shard as bytes: the columns of a batch (none for an empty batch), the state after it."""
    buffer = io.BytesIO()
    with create(buffer) as file:
        put_attributes(
            file, {"format": schema.SHARD_FORMAT, "version": schema.VERSION, **attributes}
        )
        for name, array in columns.items():
            row_bytes = array.nbytes // len(array)
            stored = dataset(
                file,
                name,
                array.shape,
                array.dtype,
                schema.rows_per_chunk(name, row_bytes, len(array)),
            )
            stored.write(h5py.h5s.ALL, h5py.h5s.ALL, array)
        put_state(file, state)
        put_natural(file, natural)
        put_directions(file, directions)
    return buffer.getvalue()


def put_state(file: h5py.File, state: dict[str, np.ndarray]) -> None:
    """Stores the state to go on from as group `state`."""
    target = group(file, "state")
    for name in sorted(state):
        put_array(target, name, state[name])


def put_natural(file: h5py.File, natural: dict | None) -> None:
    """Stores the reference over natural images as group `natural`, mean and sd as attributes."""
    if not natural:
        return
    target = group(file, "natural")
    for name, column in schema.NATURAL.items():
        if name in natural:
            describe(put_array(target, name, np.asarray(natural[name], column.dtype)), column)
    put_attributes(
        target, {key: np.asarray(natural[key], "<f8") for key in ("mean", "sd") if key in natural}
    )


def put_directions(file: h5py.File, directions: dict[int, np.ndarray] | None) -> None:
    """Stores the targets' directions as group `directions`, each by its place among the targets."""
    if not directions:
        return
    target = group(file, schema.DIRECTION.name)
    for place, values in sorted(directions.items()):
        stored = put_array(target, str(place), np.asarray(values, schema.DIRECTION.dtype))
        describe(stored, schema.DIRECTION)
