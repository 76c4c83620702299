"""Images to train on and images kept apart, with the numbers of their classes."""

from __future__ import annotations

import hashlib
import pathlib
from typing import NamedTuple

import numpy as np

from tf_inverse.errors import UsageError
from tf_inverse.networks import codes, image_files
from tf_inverse.networks.image_stack import stacked
from tf_inverse.tensors import Array, StrPath

HELD = 10
"""One in so many images is kept apart, where the data are not in parts."""

DIVISION = 0
"""Seed of that choice, one for all trainings."""

LEAST = 20
AT_A_TIME = 256
"""Images that are copied or digested at a time."""


class Data(NamedTuple):
    """Images [N, H, W, C] uint8 in two parts, and those that statistics are of.

    Attributes:
        train: To train on; many of them lie in a temporary file (see `image_stack`).
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


def load(path: StrPath, size: tuple[int, int], channels: int) -> Data:
    """Images from what `image_files.load` reads, in parts `train` and `test` or divided at random.

    Which images are kept apart depends on their number alone: a classifier, a generator and a
    judge of the same images, whatever their seeds, are tested on what none of them trained on.

    Args:
        path: Folder or file.
        size: Height and width, in pixels.
        channels: 1 or 3.

    Raises:
        UsageError: There are fewer than `LEAST` images.
    """
    path = pathlib.Path(path)
    x, y = image_files.load(path, size, "train", channels)
    if len(x) < LEAST:
        raise UsageError(f"expected at least {LEAST} images to train on in {path}, got {len(x)}")
    if image_files.in_parts(path):
        test, labels = image_files.load(path, size, "test", channels)
        return Data(x, test, y, labels, test)
    order = codes.generator(DIVISION, 3).permutation(len(x))
    held, rest = np.split(order, [len(x) // HELD])
    train, test = _chosen(x, rest), _chosen(x, held)
    mine, theirs = (None, None) if y is None else (y[rest], y[held])
    return Data(train, test, mine, theirs, x)


def classes(parts: Data, path: StrPath) -> int:
    """How many classes the images are of.

    Args:
        parts: From `load`.
        path: Where they came from, for messages.

    Raises:
        UsageError: There are no labels, one class alone, or numbers of classes that are no count.
    """
    if parts.train_labels is None or parts.labels is None:
        raise UsageError(
            f"expected labels in {path}: every picture in a sub-folder that is its class, or an "
            f"array `labels`"
        )
    # Of a small class, all images may be among those that are kept apart.
    every = np.concatenate([parts.train_labels, parts.labels])
    found, highest = len(np.unique(every)), int(every.max())
    if found < 2:
        raise UsageError(f"expected images of two classes or more in {path}, got one class")
    if highest >= len(every):
        raise UsageError(
            f"expected labels in {path} that number the classes from 0, got {highest} among "
            f"{found} classes of {len(every)} images"
        )
    return 1 + highest


def _chosen(x: Array, numbers: Array) -> Array:
    """Images of some numbers."""
    parts = (x[numbers[i : i + AT_A_TIME]] for i in range(0, len(numbers), AT_A_TIME))
    return stacked(parts, len(numbers), x.shape[1:])


def digest(*arrays: Array) -> str:
    """sha256 of arrays, in hexadecimal."""
    found = hashlib.sha256()
    for array in map(np.atleast_1d, arrays):
        for start in range(0, len(array), AT_A_TIME):
            found.update(np.ascontiguousarray(array[start : start + AT_A_TIME]).data)
    return found.hexdigest()
