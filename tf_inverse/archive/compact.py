"""Many shards to one finished file, whose bytes do not depend on how the samples came in batches."""

import pathlib

import h5py
import numpy as np

from tf_inverse.archive import durable, folder, hdf, schema
from tf_inverse.archive.chunks import Column


def columns_of(samples: schema.Samples, store: str) -> dict[str, np.ndarray]:
    """The columns to store of a batch, checked.

    Args:
        samples: The batch.
        store: "images", or "codes" for thumbnails in place of images.

    Raises:
        ValueError: wrong type, number of axes or length; NaN or infinity.
    """
    arrays = samples._asdict()
    for name, array in arrays.items():
        column = schema.COLUMNS[name]
        if array.dtype != np.dtype(column.dtype) or array.ndim != column.rank or len(array) != len(samples.steps):
            raise ValueError(
                f"{name}: expected {column.dtype} with {column.rank} axes and {len(samples.steps)} rows, "
                f"got {array.dtype} {list(array.shape)}"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{name}: NaN or infinity in a batch")
    if store == "codes":
        arrays["thumbnails"] = thumbnails(arrays.pop("images"))
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Images reduced to at most schema.THUMBNAIL pixels by means over square blocks, uint8."""
    n, height, width, channels = images.shape
    block = max(1, -(-max(height, width) // schema.THUMBNAIL))
    high, wide = height // block * block, width // block * block
    blocks = images[:, :high, :wide].reshape(n, high // block, block, wide // block, block, channels)
    return np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)


def write(path: pathlib.Path, header: dict, summary: dict, pieces: list[folder.Piece]) -> None:
    """Writes the finished file at path and syncs it; it has not its final name yet.

    Raises:
        OSError: disk full; the file is removed.
        RefusedInput: a shard is damaged.
    """
    reserve = sum(piece.path.stat().st_size for piece in pieces) + (1 << 20)
    disk = durable.Disk(path, reserve)
    try:
        with hdf.create(disk) as file:
            hdf.put_attributes(file, _attributes(header, summary, sum(piece.rows for piece in pieces)))
            for name in next(piece.shapes for piece in pieces if piece.shapes):
                _join(file, name, [piece for piece in pieces if piece.rows])
            hdf.put_state(file, folder.read_state(pieces[-1].path))
            hdf.put_natural(file, folder.read_natural(pieces[0].path))
        disk.close()
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _attributes(header: dict, summary: dict, rows: int) -> dict:
    texts = {name: value if isinstance(value, str | int) else schema.to_json(value) for name, value in header.items()}
    return {
        "format": schema.FORMAT,
        "version": schema.VERSION,
        **texts,
        "summary": schema.to_json(summary),
        "complete": rows >= header["asked"],
    }


def _join(file: h5py.File, name: str, pieces: list[folder.Piece]) -> None:
    """One column of all pieces: packed chunks copied where a chunk is a row, rows gathered otherwise."""
    column = schema.COLUMNS[name]
    total, shape = sum(piece.rows for piece in pieces), pieces[0].shapes[name]
    row_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(column.dtype).itemsize
    rows = schema.rows_per_chunk(name, row_bytes, total)
    target = hdf.dataset(file, name, (total, *shape), column.dtype, rows)
    hdf.describe(target, column)
    if name == "images":
        _copy(target, name, pieces)
    else:
        _gather(target, name, pieces, rows)


def _copy(target: h5py.h5d.DatasetID, name: str, pieces: list[folder.Piece]) -> None:
    start = 0
    for piece in pieces:
        with folder.opened(piece.path) as parts:
            source = Column(parts.columns[name], f"{piece.path}: /{name}")
            for row in range(piece.rows):
                target.write_direct_chunk((start + row, 0, 0, 0), source.packed(row))
        start += piece.rows


def _gather(target: h5py.h5d.DatasetID, name: str, pieces: list[folder.Piece], rows: int) -> None:
    waiting, start = [], 0
    for piece in pieces:
        with folder.opened(piece.path) as parts:
            source = Column(parts.columns[name], f"{piece.path}: /{name}")
            for low in range(0, piece.rows, rows):
                waiting.append(source.read(low, min(low + rows, piece.rows)))
                block = np.concatenate(waiting)
                whole = len(block) // rows * rows
                start = _put(target, start, block[:whole])
                waiting = [block[whole:]]
    _put(target, start, np.concatenate(waiting))


def _put(target: h5py.h5d.DatasetID, start: int, block: np.ndarray) -> int:
    if len(block):
        space = target.get_space()
        space.select_hyperslab((start,) + (0,) * (block.ndim - 1), block.shape)
        target.write(h5py.h5s.create_simple(block.shape), space, np.ascontiguousarray(block))
    return start + len(block)
