"""Images end to end as one array; more of them than memory should hold lie in a temporary file."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterable, Iterator

import numpy as np

from tf_inverse.compute import progress
from tf_inverse.errors import RefusedInput
from tf_inverse.tensors import Array

IN_MEMORY = 1 << 28
"""Bytes of images that are kept in memory; CIFAR-10 at its own size has 2^27.5."""


def stacked(images: Iterable[Array], count: int, image: tuple[int, ...]) -> Array:
    """All images of an iterator in one array, which is written while the iterator makes them.

    Where that takes long, lines on standard error tell how far it is.

    Args:
        images: Arrays [k, *image] uint8, of `count` images together.
        count: How many images there are.
        image: Shape of one.

    Returns:
        [count, *image] uint8. Above `IN_MEMORY` bytes a read-only map of a temporary file, which
        no name leads to any more, and whose pages the operating system drops when it needs room.

    Raises:
        RefusedInput: There is no room for the temporary file.
    """
    shape, images = (count, *image), _told(images, count)
    if math.prod(shape) <= IN_MEMORY:
        whole, at = np.empty(shape, np.uint8), 0
        for part in images:
            whole[at : at + len(part)] = part
            at += len(part)
        return whole
    # A write that finds the disk full says so, where a store into a map would end the process.
    with tempfile.TemporaryFile(buffering=0) as file:
        for part in images:
            left = np.ascontiguousarray(part, np.uint8).tobytes()
            try:
                while left:
                    left = left[file.write(left) :]
            except OSError as error:
                raise RefusedInput(
                    f"expected {math.prod(shape) / 1e9:.1f} GB of room in {tempfile.gettempdir()} "
                    f"for {count} images ({error.strerror}); TMPDIR names another folder"
                ) from error
        return np.memmap(file, np.uint8, "r", shape=shape)


def _told(images: Iterable[Array], count: int) -> Iterator[Array]:
    """The same images; every few seconds a line tells how many of them there were."""
    began = shown = time.monotonic()
    done = 0
    for part in images:
        yield part
        done, now = done + len(part), time.monotonic()
        if done < count and now - shown >= progress.EVERY:
            shown, speed = now, done / max(now - began, 1e-9)
            text = f"{done}/{count} images read, {speed:.3g} a second, "
            progress.draw(f"{text}{progress.left((count - done) / speed)}", False, done, count)
