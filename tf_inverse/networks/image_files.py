"""Natural images: a folder, an .h5 or an .npz file -> one uint8 array."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tf_inverse.errors import RefusedInput, UsageError, reason
from tf_inverse.networks import image_arrays, picture
from tf_inverse.networks.image_stack import stacked
from tf_inverse.tensors import Array, StrPath

PARTS = {"train", "test", "val", "valid", "validation", "dev"}
"""Folders of these names alone are parts of data and no classes."""

UNREAD = (".heic", ".heif", ".avif", ".jxl", ".jp2")
"""Endings of photographs that nothing here reads: to leave them out silently would lose classes."""


def load(
    path: StrPath,
    size: tuple[int, int],
    split: str = "train",
    channels: int = 3,
    only: Sequence[int] | Array | None = None,
) -> tuple[Array, Array | None]:
    """Images and labels, every image resized to one size.

    Three sources are understood: a folder of pictures (see `classes`; of a folder in parts, classes
    are those of the training part; links are followed, hidden files left out); an .npz file with
    `images` [N, H, W, C] uint8 and optionally `labels` [N], whole numbers from 0; an .h5 file with
    the same two datasets, or with `jpeg_bytes`, `offsets` and `labels` (all JPEG files end to end),
    at its top level or in a group named after the split.

    Args:
        path: The folder or file.
        size: Height and width to resize to (antialiased), in pixels.
        split: Sub-folder, group of an .h5 file or prefix of an .npz file's arrays, where there are
            such splits; of a folder of others alone, as train and val, the part train is taken.
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
        # Without a part of that name it is the training part's images that are counted.
        part = next((path / one for one in (split, "train") if _is_part(path, one)), path)
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
    if only is None:
        _expect_all_read(folder)
    own = _numbers([_folders(folder, file) for file in files], known)
    if None in own:
        raise UsageError(
            f"expected classes of the training part below {folder}, "
            f"{files[own.index(None)].parent.name} is none of them"
        )
    wanted = image_arrays.numbers(only, len(files), folder)
    read = (picture.read(files[i], size, channels)[np.newaxis] for i in wanted)
    images = stacked(read, len(wanted), (*size, channels))
    return images, np.asarray([own[i] for i in wanted], np.int64) if known else None


def _expect_all_read(folder: pathlib.Path) -> None:
    """Refuses photographs of a format that nothing here reads.

    Raises:
        RefusedInput: There are some.
    """
    others = [path for path in _files(folder) if path.suffix.lower() in UNREAD]
    if others:
        raise RefusedInput(
            f"{min(others)}: pictures of this format are not read (files below {folder} that end "
            f"in {', '.join(UNREAD)}: {len(others)}); save them as PNG or JPEG, or take them away"
        )


def classes(folder: pathlib.Path) -> tuple[str, ...]:
    """Names of a folder's classes, in alphabetical order; none where a picture is in none.

    A class is a sub-folder with all that is below it. Folders around all classes, as an archive
    that was unpacked leaves one, are none, and neither are parts, as train and val.
    """
    chains = {_folders(folder, file) for file in _pictures(folder)}
    level = _level(chains)
    return () if level is None else tuple(sorted({chain[level] for chain in chains}))


def _level(chains: Iterable[Sequence[str]]) -> int | None:
    """How many folders lie around the classes; None where a picture is in no class.

    Args:
        chains: Of each picture, the names of the folders that it lies in.
    """
    level, chains = 0, set(chains)
    while chains and all(len(chain) > level + 1 for chain in chains):
        names = {chain[level] for chain in chains}
        if len(names) > 1 and not names <= PARTS:
            break
        level += 1
    return None if any(len(chain) <= level for chain in chains) else level


def _numbers(chains: list[tuple[str, ...]], known: Sequence[str]) -> list[int | None]:
    """Each picture's number among known classes, if there are any; None where it is in none."""
    number, level = {name: i for i, name in enumerate(known)}, _level(chains)
    if level is not None and all(chain[level] in number for chain in chains):
        return [number[chain[level]] for chain in chains]
    # A part of one class alone does not tell which of the folders around its pictures is the class.
    found = [[number[name] for name in chain if name in number] for chain in chains]
    return [one[0] if one else None if known else -1 for one in found]


def _folders(folder: pathlib.Path, file: pathlib.Path) -> tuple[str, ...]:
    """Names of the folders between a folder and a file below it."""
    return file.relative_to(folder).parts[:-1]


def _pictures(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(p for p in _files(folder) if p.suffix.lower() in picture.SUFFIXES)


def _files(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Files below a folder that are not hidden, through links to folders, too.

    Raises:
        RefusedInput: A folder there cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise RefusedInput(f"cannot read images from {error.filename} ({reason(error)})")

    for at, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        # A link to a folder around it leads to the same files again, and again.
        around = {os.path.realpath(at), *map(str, pathlib.Path(os.path.realpath(at)).parents)}
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(at, name)) not in around
        ]
        yield from (pathlib.Path(at, name) for name in names if not name.startswith("."))


def _is_part(path: pathlib.Path, split: str) -> bool:
    """Whether a folder has a part of that name, and no class of trains beside other classes."""
    if not (path / split).is_dir() or in_parts(path):
        return (path / split).is_dir()
    beside = {one.name for one in path.iterdir() if one.is_dir() and one.name[0] != "."}
    return beside <= PARTS


def in_parts(path: pathlib.Path) -> bool:
    """Whether the data are in two parts, `train` and `test`."""
    parts = ("train", "test")
    if path.is_dir():
        return all((path / part).is_dir() for part in parts)
    return image_arrays.holds(path, parts)


def names(path: StrPath) -> tuple[str, ...]:
    """Names of the classes: as of `classes` of a folder, or an .h5 file's `classes`.

    Raises:
        RefusedInput: The file cannot be read, or its attribute `classes` is no list of names.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        return classes(path / "train" if in_parts(path) else path)
    if path.suffix in (".h5", ".hdf5"):
        return image_arrays.classes(path)
    return ()
