"""Files of arrays of images, .npz or .h5, of which no more is in memory than a few images.

Such a file may come from elsewhere: what it declares is bounded before it is read, and an .h5 file
is read alone, whatever other files it names.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from PIL import Image

from tf_inverse.archive import hdf5, walk
from tf_inverse.errors import InverseSetError, RefusedInput, UsageError, reason
from tf_inverse.networks import npz, picture
from tf_inverse.networks.image_stack import stacked
from tf_inverse.tensors import Array, StrPath

ROWS, AT_A_TIME = 256, 1 << 26
"""Images of an array that are read at a time, and bytes of them, of one image at least."""

MOST_PICTURE = 1 << 28
"""Bytes of one picture among others in a file, and of one chunk of an .h5 file's array."""


def read(
    path: pathlib.Path,
    size: tuple[int, int],
    split: str,
    channels: int,
    only: Sequence[int] | Array | None,
) -> tuple[Array, Array | None]:
    """Images and labels of a file: arguments, results and errors as of `image_files.load`."""
    with _arrays(path, split) as (arrays, prefix):
        return _from_arrays(arrays, prefix, size, channels, path, only)


def classes(path: pathlib.Path) -> tuple[str, ...]:
    """Names of the classes, which an .h5 file has as its attribute `classes`; none without it.

    Raises:
        RefusedInput: The file cannot be read, or its attribute is no list of names.
    """
    with _opened(path) as file:
        if "classes" not in file.attrs:
            return ()
        found = np.asarray(file.attrs["classes"])
        if found.ndim != 1 or found.dtype.kind not in "OSUiu":
            raise RefusedInput(
                f"expected the attribute classes of {path} to be a list of names, one a class, "
                f"got {found!s:.80}"
            )
        return tuple(one.decode() if isinstance(one, bytes) else str(one) for one in found)


def holds(path: pathlib.Path, parts: Sequence[str]) -> bool:
    """Whether a file has all of some parts, as train and test.

    Raises:
        RefusedInput: The file cannot be read.
    """
    with _opened(path) as file:
        form = "{}_images" if path.suffix == ".npz" else "{}"
        return all(form.format(part) in file for part in parts)


def numbers(only: Sequence[int] | Array | None, count: int, path: StrPath) -> list[int]:
    """Numbers of the images to read out of `count`.

    Args:
        only: As of `image_files.load`.
        count: How many images there are.
        path: Where they are, for messages.

    Raises:
        UsageError: There are fewer images than are asked for.
    """
    wanted = [int(i) for i in (range(count) if only is None else only)]
    if any(not 0 <= i < count for i in wanted):
        raise UsageError(f"expected at least {max(wanted) + 1} images in {path}, got {count}")
    return wanted


@contextlib.contextmanager
def _arrays(path: pathlib.Path, split: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """An .npz or .h5 file's arrays by name, and what stands before their names."""
    if not path.exists():
        raise FileNotFoundError(
            f"expected a folder, .h5 or .npz of images, found nothing at {path}"
        )
    if path.suffix not in (".npz", ".h5", ".hdf5"):
        raise UsageError(f"expected a folder, .h5 or .npz of images, got {path.name}")
    with _opened(path) as file:
        part = file.get(split) if path.suffix != ".npz" else None
        arrays = part if isinstance(part, h5py.Group) else file
        yield arrays, split + "_" if path.suffix == ".npz" else ""


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[Any]:
    """An .npz or .h5 file, open; whatever goes wrong with it is refused in one line."""
    if path.exists() and not path.is_file():  # a pipe would wait for somebody who writes into it
        raise RefusedInput(f"{path}: expected a plain file of images")
    try:
        with npz.Arrays(path) if path.suffix == ".npz" else hdf5.opened(path) as file:
            yield file
    except InverseSetError:
        raise
    except Exception as error:  # readers raise almost anything for a damaged file
        raise RefusedInput(f"cannot read images from {path} ({reason(error)})") from error


def _named(arrays: Mapping[str, Any], prefix: str, name: str, path: pathlib.Path) -> Any:
    """The array of a name, that of the split before one of the whole file; None without both."""
    key = prefix + name if prefix + name in arrays else name
    found = arrays[key] if key in arrays else None
    if isinstance(found, h5py.Dataset):
        _expect_here(found, name, path)
    return found


def _expect_here(found: h5py.Dataset, name: str, path: pathlib.Path) -> None:
    """Refuses an array of an .h5 file that lies in other files, or in chunks too large to read.

    Of another file that is not there, HDF5 gives zeros without a word.
    """
    linked = not os.path.samefile(found.file.filename, path)
    if linked or found.is_virtual or found.external:
        raise RefusedInput(
            f"expected {name} in {path} itself, where other files are named for it; copy it into "
            f"one file (h5repack, or read and write it with h5py)"
        )
    if walk.chunk(found) > MOST_PICTURE:
        raise RefusedInput(
            f"expected chunks of at most {MOST_PICTURE} bytes of {name} in {path}, got "
            f"{walk.chunk(found)}; write it with smaller chunks"
        )


def _from_arrays(
    arrays: Mapping[str, Any],
    prefix: str,
    size: tuple[int, int],
    channels: int,
    path: pathlib.Path,
    only: Sequence[int] | Array | None,
) -> tuple[Array, Array | None]:
    labels, images = (_named(arrays, prefix, name, path) for name in ("labels", "images"))
    labels = None if labels is None else _counted(_whole(labels, "labels", path), path)
    if images is not None:
        _expect_images(images, path)
        if only is None:
            step = max(1, min(ROWS, AT_A_TIME // math.prod(images.shape[1:])))
            rows = (images[i : i + step] for i in range(0, len(images), step))
            parts = (_of_one_size(part, size, channels) for part in rows)
            return stacked(parts, len(images), (*size, channels)), labels
        wanted = numbers(only, len(images), path.name)
        # HDF5 reads rows in rising order alone.
        order, back = np.unique(np.asarray(wanted, np.int64), return_inverse=True)
        images = _of_one_size(images[order], size, channels)[back]
        return images, labels if labels is None else labels[wanted]
    data, offsets = (_named(arrays, prefix, name, path) for name in ("jpeg_bytes", "offsets"))
    if data is None or offsets is None:
        raise UsageError(f"expected images, or jpeg_bytes and offsets, in {path.name}")
    offsets = _whole(offsets, "offsets", path)
    wanted = numbers(only, len(offsets) - 1, path.name)

    def picked(i: int) -> Array:
        name = f"picture {i} of {path}"
        if offsets[i + 1] - offsets[i] > MOST_PICTURE:
            raise RefusedInput(f"{name}: expected at most {MOST_PICTURE} bytes")
        part = data[offsets[i] : offsets[i + 1]].tobytes()
        return picture.read(io.BytesIO(part), size, channels, name)[np.newaxis]

    images = stacked(map(picked, wanted), len(wanted), (*size, channels))
    return images, labels if labels is None or only is None else labels[wanted]


def _counted(labels: Any, path: pathlib.Path) -> Array:
    """Labels as whole numbers from 0; others would be rounded, or count from the last class."""
    found = np.asarray(labels)
    if (
        found.dtype.kind not in "uifb"
        or found.size
        and not (
            np.isfinite(found).all() and (found >= 0).all() and (found == np.rint(found)).all()
        )
    ):
        raise UsageError(
            f"expected labels in {path.name} that number the classes from 0, got {found.dtype} "
            f"{found!s:.60}"
        )
    return found.astype(np.int64)


def _whole(array: Any, name: str, path: pathlib.Path) -> Array:
    """An array of a file as a whole, of a size that is known to be bearable before it is read."""
    if math.prod(array.shape) * array.dtype.itemsize > npz.MOST_WHOLE:
        raise RefusedInput(f"expected at most {npz.MOST_WHOLE} bytes of {name} in {path}")
    return array[()]


def _expect_images(images: Any, path: pathlib.Path) -> None:
    """Refuses arrays of another form, before any of a file's numbers are read into memory."""
    shape: tuple[int, ...] = getattr(images, "shape", ())
    dtype = getattr(images, "dtype", "a group")
    if len(shape) != 4 or dtype != np.uint8 or shape[-1] not in (1, 3, 4) or 0 in shape[1:]:
        raise UsageError(
            f"expected images [N, H, W, 1, 3 or 4] uint8 in {path.name}, got {dtype} {list(shape)}"
        )
    if shape[1] * shape[2] > picture.MAX_PIXELS:
        raise RefusedInput(
            f"expected images of at most {picture.MAX_PIXELS} pixels in {path.name}, got "
            f"{shape[1]} x {shape[2]}"
        )


def _of_one_size(images: Array, size: tuple[int, int], channels: int) -> Array:
    if images.shape[1:] == (*size, channels):
        return images
    grey = images.shape[-1] == 1
    pictures = (Image.fromarray(x[..., 0] if grey else x) for x in images)
    return np.stack([picture.fitted(one, size, channels) for one in pictures])
