"""Images to train on and images kept apart, with the names of their classes."""

from __future__ import annotations

import pathlib
from typing import NamedTuple

import numpy as np

from tf_inverse.errors import UsageError
from tf_inverse.networks import codes, image_files

HELD = 10
"""One in so many images is kept apart, where the data are not in parts."""

LEAST = 20


class Data(NamedTuple):
    """Images [N, H, W, C] uint8 in two parts, and those that statistics are of.

    Attributes:
        train: To train on.
        test: Kept apart.
        labels: Of the test images, [N], or None.
        natural: For statistics: the test images of data in parts, else all.
    """

    train: np.ndarray
    test: np.ndarray
    labels: np.ndarray | None
    natural: np.ndarray


def load(path, size: tuple[int, int], channels: int, seed: int) -> Data:
    """Images from what `image_files.load` reads, in parts `train` and `test` or divided at random.

    Args:
        path: Folder or file.
        size: Height and width, in pixels.
        channels: 1 or 3.
        seed: Of the division.

    Raises:
        UsageError: There are fewer than `LEAST` images.
    """
    path = pathlib.Path(path)
    x, y = image_files.load(path, size, "train", channels)
    if len(x) < LEAST:
        raise UsageError(f"expected at least {LEAST} images to train on in {path}, got {len(x)}")
    if image_files.in_parts(path):
        test, labels = image_files.load(path, size, "test", channels)
        return Data(x, test, labels, test)
    order = codes.generator(seed, 3).permutation(len(x))
    held, rest = np.split(order, [len(x) // HELD])
    return Data(x[rest], x[held], None if y is None else y[held], x)
