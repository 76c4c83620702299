"""Many shards to one finished file, whose bytes do not depend on the batches they came in."""

import pathlib

import h5py
import numpy as np

from tf_inverse.archive import atomic, attributes, hdf5, run_folder, schema
from tf_inverse.archive.columns import Piece, Rows, joined
from tf_inverse.archive.open_files import Files


def columns_of(samples: schema.Samples, store: str) -> dict[str, np.ndarray]:
    """The columns to store of a batch, checked.

    Args:
        samples: The batch.
        store: "images", or "codes" for thumbnails in place of images.

    Raises:
        ValueError: wrong type, number of axes, length or sides; NaN or infinity.
    """
    arrays = {name: array for name, array in samples._asdict().items() if array is not None}
    for name, array in arrays.items():
        column = schema.COLUMNS[name]
        if (
            array.dtype != np.dtype(column.dtype)
            or array.ndim != column.rank
            or len(array) != len(samples.steps)
        ):
            raise ValueError(
                f"{name}: expected {column.dtype} with {column.rank} axes and {len(samples.steps)} "
                f"rows, got {array.dtype} {list(array.shape)}"
            )
        if not schema.fits(column, array.shape):
            raise ValueError(f"{name}: {list(array.shape)} is out of the bounds of an archive")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{name}: NaN or infinity in a batch")
    if store == "codes":
        arrays["thumbnails"] = thumbnails(arrays.pop("images"))
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Images reduced to at most schema.THUMBNAIL pixels by means over square blocks, uint8.

    Across an image that is narrower than a block, the blocks are as narrow as the image.
    """
    n, height, width, channels = images.shape
    block = max(1, -(-max(height, width) // schema.THUMBNAIL))
    rows, columns = min(block, height), min(block, width)
    high, wide = height // rows * rows, width // columns * columns
    blocks = images[:, :high, :wide].reshape(
        n, high // rows, rows, wide // columns, columns, channels
    )
    return np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)


def write(path: pathlib.Path, header: dict, summary: dict, pieces: list[Piece]) -> None:
    """Writes the finished file at path and syncs it; it has not its final name yet.

    Raises:
        OSError: disk full; the file is removed.
        RefusedInput: a shard is damaged.
    """
    disk = atomic.Disk(path, sum(piece.path.stat().st_size for piece in pieces) + (1 << 20))
    try:
        with hdf5.create(disk) as file, Files() as files:
            columns = joined(pieces, files)
            hdf5.put_attributes(file, _attributes(header, summary, len(columns["steps"])))
            for name, column in columns.items():
                _join(file, name, column, pieces, files)
            hdf5.put_state(file, run_folder.read_state(files, pieces[-1].path))
            hdf5.put_natural(file, run_folder.read_natural(files, pieces[0].path))
            hdf5.put_directions(file, run_folder.read_directions(files, pieces[0].path))
        disk.close()
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _attributes(header: dict, summary: dict, rows: int) -> dict:
    texts = {
        name: value if isinstance(value, str | int) else attributes.to_json(value)
        for name, value in header.items()
    }
    return {
        "format": schema.FORMAT,
        "version": schema.VERSION,
        **texts,
        "summary": attributes.to_json(summary),
        "complete": rows >= header["asked"],
    }


def _join(file: h5py.File, name: str, column: Rows, pieces: list[Piece], files: Files) -> None:
    """One column of all pieces."""
    row_bytes = schema.size_of(column.shape[1:], column.dtype)
    rows = schema.rows_per_chunk(name, row_bytes, len(column))
    target = hdf5.dataset(file, name, column.shape, column.dtype, rows)
    hdf5.describe(target, schema.COLUMNS[name])
    if name == "images":  # a row is a chunk: copied as it is packed
        packed = (files.column(p.path, name).packed(i) for p in pieces for i in range(p.rows))
        for row, data in enumerate(packed):
            target.write_direct_chunk((row, 0, 0, 0), data)
        return
    for start in range(0, len(column), rows):
        block = column[start : start + rows]
        space = target.get_space()
        space.select_hyperslab((start,) + (0,) * (block.ndim - 1), block.shape)
        target.write(h5py.h5s.create_simple(block.shape), space, block)
