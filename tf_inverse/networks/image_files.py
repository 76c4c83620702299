"""Natural images: a folder, an .h5 or an .npz file -> one uint8 array."""

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

from tf_inverse.archive import walk
from tf_inverse.errors import InverseSetError, RefusedInput, UsageError, reason
from tf_inverse.networks import npz, picture
from tf_inverse.networks.image_stack import stacked
from tf_inverse.tensors import Array, StrPath

ROWS, AT_A_TIME = 256, 1 << 26
"""Images of an array that are read at a time, and bytes of them, of one image at least."""

MOST_PICTURE = 1 << 28
"""Bytes of one picture among others in a file, and of one chunk of an .h5 file's array."""


def load(
    path: StrPath,
    size: tuple[int, int],
    split: str = "train",
    channels: int = 3,
    only: Sequence[int] | Array | None = None,
) -> tuple[Array, Array | None]:
    """Images and labels, every image resized to one size.

    Three sources are understood: a folder of pictures (sub-folders are classes, in alphabetical
    order, those of the training part where the folder has parts; hidden files are left out); an
    .npz file with `images` [N, H, W, C] uint8 and optionally `labels` [N]; an .h5 file with the
    same two datasets, or with `jpeg_bytes`, `offsets` and `labels` (all JPEG files end to end), at
    its top level or in a group named after the split.

    Args:
        path: The folder or file.
        size: Height and width to resize to (antialiased), in pixels.
        split: Sub-folder, group of an .h5 file or prefix of an .npz file's arrays, where there are
            such splits.
        channels: 3 for RGB, 1 for grey.
        only: Numbers of the images to read, counted in the order of the whole source; all of them
            if None.

    Returns:
        images [N, H, W, channels] uint8, not to be written to (see `image_stack`), and labels [N]
        int64 or None where the source has none.

    Raises:
        FileNotFoundError: Nothing at path.
        UsageError: No images there, fewer than `only` asks for, or arrays of another form.
        RefusedInput: A picture or a file that cannot be read; see `picture.read`.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        part = path / split if (path / split).is_dir() else path
        return _from_folder(part, size, channels, classes(part) and names(path), only)
    with _arrays(path, split) as (arrays, prefix):
        images, labels = _from_arrays(arrays, prefix, size, channels, path, only)
    if labels is not None and labels.shape != (len(images),):
        raise UsageError(
            f"expected a label for each of {len(images)} images in {path.name}, got labels of "
            f"shape {list(labels.shape)}"
        )
    return images, labels


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
    if not path.is_file():  # a pipe would wait for somebody who writes into it
        raise RefusedInput(f"{path}: expected a plain file of images")
    try:
        with npz.Arrays(path) if path.suffix == ".npz" else h5py.File(path, "r") as file:
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


def _found(folder: pathlib.Path) -> list[pathlib.Path]:
    files = _pictures(folder)
    if not files:
        endings = ", ".join(picture.SUFFIXES)
        raise UsageError(f"expected pictures ({endings}) below {folder}, found none")
    return files


def _from_folder(
    folder: pathlib.Path,
    size: tuple[int, int],
    channels: int,
    known: Sequence[str],
    only: Sequence[int] | Array | None,
) -> tuple[Array, Array | None]:
    files = _found(folder)
    foreign = sorted({p.parent.name for p in files} - set(known)) if known else []
    if foreign:
        raise UsageError(
            f"expected classes of the training part below {folder}, {foreign[0]} is none of them"
        )
    files = [files[i] for i in _numbers(only, len(files), folder)]
    read = (picture.read(file, size, channels)[np.newaxis] for file in files)
    images = stacked(read, len(files), (*size, channels))
    return images, np.asarray([known.index(p.parent.name) for p in files]) if known else None


def _numbers(only: Sequence[int] | Array | None, count: int, path: StrPath) -> list[int]:
    """Numbers of the images to read out of `count`."""
    numbers = [int(i) for i in (range(count) if only is None else only)]
    if any(not 0 <= i < count for i in numbers):
        raise UsageError(f"expected at least {max(numbers) + 1} images in {path}, got {count}")
    return numbers


def classes(folder: pathlib.Path) -> tuple[str, ...]:
    """Names of the sub-folders that hold pictures; none where a picture is in no sub-folder."""
    files = _pictures(folder)
    if any(p.parent == folder for p in files):
        return ()
    return tuple(sorted({p.parent.name for p in files}))


def _pictures(folder: pathlib.Path) -> list[pathlib.Path]:
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in picture.SUFFIXES)
    return [p for p in found if not any(q.startswith(".") for q in p.relative_to(folder).parts)]


def in_parts(path: pathlib.Path) -> bool:
    """Whether the data are in two parts, `train` and `test`."""
    parts = ("train", "test")
    if path.is_dir():
        return all((path / part).is_dir() for part in parts)
    with _opened(path) as file:
        form = "{}_images" if path.suffix == ".npz" else "{}"
        return all(form.format(part) in file for part in parts)


def names(path: StrPath) -> tuple[str, ...]:
    """Names of the classes: sub-folders in alphabetical order, or an .h5 file's `classes`.

    Raises:
        RefusedInput: The file cannot be read, or its attribute `classes` is no list of names.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        return classes(path / "train" if in_parts(path) else path)
    if path.suffix in (".h5", ".hdf5"):
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
    return ()


def _from_arrays(
    arrays: Mapping[str, Any],
    prefix: str,
    size: tuple[int, int],
    channels: int,
    path: pathlib.Path,
    only: Sequence[int] | Array | None,
) -> tuple[Array, Array | None]:
    labels, images = (_named(arrays, prefix, name, path) for name in ("labels", "images"))
    labels = None if labels is None else np.asarray(_whole(labels, "labels", path), np.int64)
    if images is not None:
        _expect_images(images, path)
        if only is None:
            step = max(1, min(ROWS, AT_A_TIME // math.prod(images.shape[1:])))
            rows = (images[i : i + step] for i in range(0, len(images), step))
            parts = (_of_one_size(part, size, channels) for part in rows)
            return stacked(parts, len(images), (*size, channels)), labels
        numbers = _numbers(only, len(images), path.name)
        # HDF5 reads rows in rising order alone.
        order, back = np.unique(np.asarray(numbers, np.int64), return_inverse=True)
        images = _of_one_size(images[order], size, channels)[back]
        return images, labels if labels is None else labels[numbers]
    data, offsets = (_named(arrays, prefix, name, path) for name in ("jpeg_bytes", "offsets"))
    if data is None or offsets is None:
        raise UsageError(f"expected images, or jpeg_bytes and offsets, in {path.name}")
    offsets = _whole(offsets, "offsets", path)
    numbers = _numbers(only, len(offsets) - 1, path.name)

    def read(i: int) -> Array:
        name = f"picture {i} of {path}"
        if offsets[i + 1] - offsets[i] > MOST_PICTURE:
            raise RefusedInput(f"{name}: expected at most {MOST_PICTURE} bytes")
        part = data[offsets[i] : offsets[i + 1]].tobytes()
        return picture.read(io.BytesIO(part), size, channels, name)[np.newaxis]

    images = stacked(map(read, numbers), len(numbers), (*size, channels))
    return images, labels if labels is None or only is None else labels[numbers]


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
