"""Training images: a folder, an .h5 or an .npz file -> one uint8 array, whole or in parts."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np

from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.networks import picture
from tf_inverse.networks.image_arrays import Pictures, named, of_arrays, readable
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
        images [N, H, W, channels] uint8, and labels [N] int64 or None where the source has none.

    Raises:
        FileNotFoundError: Nothing at path.
        UsageError: No images there, fewer than `only` asks for, or arrays of another form.
        RefusedInput: A picture or a file that cannot be read; see `picture.read`.
    """
    with opened(path, size, split, channels) as pictures:
        numbers = _numbers(only, len(pictures), pathlib.Path(path).name)
        labels = pictures.labels
        return pictures[numbers], labels if labels is None else labels[numbers]


@contextlib.contextmanager
def opened(
    path: StrPath, size: tuple[int, int], split: str = "train", channels: int = 3
) -> Iterator[Pictures]:
    """Images as `load` gives them, none of which is in memory before it is asked for.

    Args:
        path: As of `load`.
        size: As of `load`.
        split: As of `load`.
        channels: As of `load`.

    Raises:
        FileNotFoundError: As of `load`; UsageError and RefusedInput as well, also while reading.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        part = path / split if (path / split).is_dir() else path
        yield _of_folder(part, size, channels, classes(part) and names(path))
        return
    with contextlib.ExitStack() as stack:
        # Only what reading raises is said to be the file's fault, not what its reader does later.
        with readable(path):
            arrays, prefix = stack.enter_context(_arrays(path, split))
            pictures = of_arrays(arrays, prefix, size, channels, path)
        yield pictures


def count(path: StrPath, split: str = "train") -> int:
    """How many images `load` finds.

    Args:
        path: As of `load`.
        split: As of `load`.

    Raises:
        FileNotFoundError: As of `load`; UsageError and RefusedInput as well.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        return len(_found(path / split if (path / split).is_dir() else path))
    with readable(path), _arrays(path, split) as (arrays, prefix):
        images = named(arrays, prefix, "images")
        if images is not None:
            return len(images)
        offsets = named(arrays, prefix, "offsets")
        return 0 if offsets is None else len(offsets) - 1


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
        yield (file, split + "_") if path.suffix == ".npz" else (file.get(split, file), "")


def _opened(path: pathlib.Path) -> Any:
    """An .npz or .h5 file, open."""
    return np.load(path, allow_pickle=False) if path.suffix == ".npz" else h5py.File(path, "r")


def _found(folder: pathlib.Path) -> list[pathlib.Path]:
    files = _pictures(folder)
    if not files:
        endings = ", ".join(picture.SUFFIXES)
        raise UsageError(f"expected pictures ({endings}) below {folder}, found none")
    return files


def _of_folder(
    folder: pathlib.Path, size: tuple[int, int], channels: int, known: Sequence[str]
) -> Pictures:
    files = _found(folder)
    foreign = sorted({p.parent.name for p in files} - set(known)) if known else []
    if foreign:
        raise UsageError(
            f"expected classes of the training part below {folder}, {foreign[0]} is none of them"
        )

    def read(numbers: Array) -> Array:
        return np.stack([picture.read(files[i], size, channels) for i in numbers])

    labels = np.asarray([known.index(p.parent.name) for p in files]) if known else None
    return Pictures(read, (len(files), *size, channels), labels)


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
    with readable(path), _opened(path) as file:
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
        with readable(path), _opened(path) as file:
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
