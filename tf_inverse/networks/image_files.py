"""Training images: a folder, an .h5 or an .npz file -> one uint8 array."""

from __future__ import annotations

import contextlib
import io
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from PIL import Image

from tf_inverse.errors import InverseSetError, RefusedInput, UsageError, reason
from tf_inverse.networks import picture
from tf_inverse.tensors import Array, StrPath


def load(
    path: StrPath, size: tuple[int, int], split: str = "train", channels: int = 3
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

    Returns:
        images [N, H, W, channels] uint8, and labels [N] int64 or None where the source has none.

    Raises:
        FileNotFoundError: Nothing at path.
        UsageError: No images there, or arrays of another form.
        RefusedInput: A picture or a file that cannot be read; see `picture.read`.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        part = path / split if (path / split).is_dir() else path
        return _from_folder(part, size, channels, classes(part) and names(path))
    if not path.exists():
        raise FileNotFoundError(
            f"expected a folder, .h5 or .npz of images, found nothing at {path}"
        )
    if path.suffix not in (".npz", ".h5", ".hdf5"):
        raise UsageError(f"expected a folder, .h5 or .npz of images, got {path.name}")
    with _opened(path) as file:
        if path.suffix == ".npz":
            images, labels = _from_arrays(file, split + "_", size, channels, path)
        else:
            images, labels = _from_arrays(file.get(split, file), "", size, channels, path)
    if labels is not None and labels.shape != (len(images),):
        raise UsageError(
            f"expected a label for each of {len(images)} images in {path.name}, got labels of "
            f"shape {list(labels.shape)}"
        )
    return images, labels


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[Any]:
    """An .npz or .h5 file, open; what goes wrong while it is read is refused in one line."""
    try:
        npz = path.suffix == ".npz"
        with np.load(path, allow_pickle=False) if npz else h5py.File(path, "r") as file:
            yield file
    except InverseSetError:
        raise
    except Exception as error:  # readers raise almost anything for a damaged file
        raise RefusedInput(f"cannot read images from {path} ({reason(error)})") from error


def _from_folder(
    folder: pathlib.Path, size: tuple[int, int], channels: int, known: Sequence[str]
) -> tuple[Array, Array | None]:
    files = _pictures(folder)
    if not files:
        endings = ", ".join(picture.SUFFIXES)
        raise UsageError(f"expected pictures ({endings}) below {folder}, found none")
    foreign = sorted({p.parent.name for p in files} - set(known)) if known else []
    if foreign:
        raise UsageError(
            f"expected classes of the training part below {folder}, {foreign[0]} is none of them"
        )
    images = np.stack([picture.read(p, size, channels) for p in files])
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
            return tuple(_name(one) for one in found)
    return ()


def _name(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _from_arrays(
    arrays: Mapping[str, Any], prefix: str, size: tuple[int, int], channels: int, path: pathlib.Path
) -> tuple[Array, Array | None]:
    def array(name: str) -> Any:
        key = prefix + name if prefix + name in arrays else name
        return arrays[key][()] if key in arrays else None

    labels = array("labels")
    labels = None if labels is None else np.asarray(labels, np.int64)
    images = array("images")
    if images is not None:
        return _of_one_size(images, size, channels, path), labels
    data, offsets = array("jpeg_bytes"), array("offsets")
    if data is None or offsets is None:
        raise UsageError(f"expected images, or jpeg_bytes and offsets, in {path.name}")
    data = data.tobytes()
    images = np.empty((len(offsets) - 1, *size, channels), np.uint8)
    for i, (start, stop) in enumerate(zip(offsets[:-1], offsets[1:], strict=True)):
        part, name = io.BytesIO(data[start:stop]), f"picture {i} of {path}"
        images[i] = picture.read(part, size, channels, name)
    return images, labels


def _of_one_size(images: Array, size: tuple[int, int], channels: int, path: pathlib.Path) -> Array:
    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[-1] not in (1, 3, 4):
        raise UsageError(
            f"expected images [N, H, W, 1, 3 or 4] uint8 in {path.name}, "
            f"got {images.dtype} {list(images.shape)}"
        )
    if images.shape[1:] == (*size, channels):
        return images
    grey = images.shape[-1] == 1
    pictures = (Image.fromarray(x[..., 0] if grey else x) for x in images)
    return np.stack([picture.fitted(one, size, channels) for one in pictures])
