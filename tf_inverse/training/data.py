"""Images to train on and images kept apart, on disk as they are trained on: read once, in parts."""

from __future__ import annotations

import hashlib
import pathlib
import tempfile
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tf_inverse.compute import progress
from tf_inverse.errors import UsageError
from tf_inverse.networks import codes, image_files
from tf_inverse.tensors import Array, StrPath

HELD = 10
"""One in so many images is kept apart, where the data are not in parts."""

LEAST = 20
AT_A_TIME = 256
"""Images in memory."""


class Data(NamedTuple):
    """Images [N, H, W, C] uint8 in two parts, and those that statistics are of.

    The images are in files without a name, which are gone with the process: only what is asked for
    is in memory.

    Attributes:
        train: To train on.
        test: Kept apart.
        train_labels: Of the training images, [N], or None.
        labels: Of the test images, [N], or None.
        natural: For statistics: the test images of data in parts, else all.
    """

    train: Array
    test: Array
    train_labels: Array | None
    labels: Array | None
    natural: Array


def load(
    path: StrPath, size: tuple[int, int], channels: int, seed: int, folder: pathlib.Path
) -> Data:
    """Images from what `image_files.load` reads, in parts `train` and `test` or divided at random.

    Args:
        path: Folder or file.
        size: Height and width, in pixels.
        channels: 1 or 3.
        seed: Of the division.
        folder: On the disk that has room for the images at this size; nothing is left there.

    Raises:
        UsageError: There are fewer than `LEAST` images.
    """
    path = pathlib.Path(path)
    x, y = _read(path, size, "train", channels, folder)
    if len(x) < LEAST:
        raise UsageError(f"expected at least {LEAST} images to train on in {path}, got {len(x)}")
    if image_files.in_parts(path):
        test, labels = _read(path, size, "test", channels, folder)
        return Data(x, test, y, labels, test)
    order = codes.generator(seed, 3).permutation(len(x))
    held, rest = np.split(order, [len(x) // HELD])
    train, test = (_chosen(x, numbers, folder) for numbers in (rest, held))
    return Data(train, test, *((None, None) if y is None else (y[rest], y[held])), x)


def _chosen(x, numbers, folder):
    """Images of some numbers, on disk."""
    return _kept(lambda part: x[numbers[part]], (len(numbers), *x.shape[1:]), folder)


def _read(path, size, split, channels, folder):
    """The images of a part, resized and on disk, and their labels or None."""
    with image_files.opened(path, size, split, channels) as pictures:
        with progress.Counted(f"images of {path.name} read") as counted:
            images = _kept(pictures.__getitem__, pictures.shape, folder, counted.show)
        return images, pictures.labels


def _kept(
    read: Callable[[slice], Array],
    shape: tuple[int, ...],
    folder: pathlib.Path,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> Array:
    """Images that are read by slices, as an array on disk."""
    if not shape[0]:
        return np.zeros(shape, np.uint8)
    with tempfile.TemporaryFile(dir=folder) as file:
        for start in range(0, shape[0], AT_A_TIME):
            part = slice(start, min(start + AT_A_TIME, shape[0]))
            file.write(np.ascontiguousarray(read(part)).data)
            show(part.stop, shape[0])
        file.flush()
        return np.memmap(file, np.uint8, "r", shape=shape)


def digest(*arrays: Array) -> str:
    """sha256 of arrays, in hexadecimal."""
    found = hashlib.sha256()
    for array in arrays:
        for start in range(0, len(array), AT_A_TIME) if array.ndim else (0,):
            part = array[start : start + AT_A_TIME] if array.ndim else array
            found.update(np.ascontiguousarray(part).data)
    return found.hexdigest()
