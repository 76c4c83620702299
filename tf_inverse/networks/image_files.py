"""Natural images: a folder, an .h5 or an .npz file -> one uint8 array."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np

from tf_inverse.errors import UsageError
from tf_inverse.networks import image_arrays, picture
from tf_inverse.networks.image_stack import stacked
from tf_inverse.tensors import Array, StrPath


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
    images, labels = image_arrays.read(path, size, split, channels, only)
    if only is None and not len(images):
        raise UsageError(f"expected images in {path.name}, its array of them is empty")
    if labels is not None and labels.shape != (len(images),):
        raise UsageError(
            f"expected a label for each of {len(images)} images in {path.name}, got labels of "
            f"shape {list(labels.shape)}"
        )
    return images, labels


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
    files = [files[i] for i in image_arrays.numbers(only, len(files), folder)]
    read = (picture.read(file, size, channels)[np.newaxis] for file in files)
    images = stacked(read, len(files), (*size, channels))
    return images, np.asarray([known.index(p.parent.name) for p in files]) if known else None


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
    return image_arrays.holds(path, parts)


def names(path: StrPath) -> tuple[str, ...]:
    """Names of the classes: sub-folders in alphabetical order, or an .h5 file's `classes`.

    Raises:
        RefusedInput: The file cannot be read, or its attribute `classes` is no list of names.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        return classes(path / "train" if in_parts(path) else path)
    if path.suffix in (".h5", ".hdf5"):
        return image_arrays.classes(path)
    return ()
