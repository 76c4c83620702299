"""Batches of a training: each depends on the seed and on the number of its step alone.

So a training that was interrupted goes on in the middle of a pass with the very images that it
would have seen, and every backend sees the same ones. Only a batch is in memory, and some threads
read the next ones while a step computes.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tf_inverse.networks import codes
from tf_inverse.tensors import Array

ORDER, NUMBERS = 11, 12
"""Streams of random numbers: the order of a pass, and all else that a step draws."""

THREADS = max(1, min(8, (os.cpu_count() or 2) // 2))


class Batches:
    """Batch number `step`, when called with it: a dict of arrays.

    Args:
        images: [N, H, W, C] uint8.
        batch: Images a step; what a pass leaves over waits for another pass, in another order.
        seed: Of order, mirroring, shifts and further numbers.
        labels: [N] whole numbers; they come as `y`.
        shift: Largest shift of an image, in pixels; what comes in at an edge mirrors what is there.
        further: Called with the random numbers of a step and with the step: arrays to add.
    """

    def __init__(
        self,
        images: Array,
        batch: int,
        seed: int,
        labels: Array | None = None,
        shift: int = 0,
        further: Callable[[np.random.Generator, int], dict[str, Array]] | None = None,
    ):
        self.images, self.batch, self.seed, self.labels = images, batch, seed, labels
        self.shift, self.further = shift, further
        self.steps = len(images) // batch
        self._order = functools.lru_cache(maxsize=2)(self._drawn)

    def _drawn(self, epoch: int) -> Array:
        return codes.generator(self.seed, ORDER, epoch).permutation(len(self.images))

    def __call__(self, step: int) -> dict[str, Any]:
        """Images as `x`, [batch, H, W, C] uint8, half of them mirrored at random; and the rest."""
        epoch, number = divmod(step, self.steps)
        rows = self._order(epoch)[number * self.batch :][: self.batch]
        rng = codes.generator(self.seed, NUMBERS, step)
        x = np.asarray(self.images[rows])
        if self.shift:
            x = _shifted(x, rng.integers(0, 2 * self.shift + 1, (self.batch, 2)), self.shift)
        mirrored = rng.random(self.batch) < 0.5
        x = np.where(mirrored[:, None, None, None], x[:, :, ::-1], x)
        found = {"x": x} if self.labels is None else {"x": x, "y": self.labels[rows]}
        return found | (self.further(rng, step) if self.further else {})


def _shifted(x: Array, corners: Array, pad: int) -> Array:
    """Images cut at corners [B, 2] out of what mirroring makes of them beyond their edges."""
    h, w = x.shape[1:3]
    wide = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
    return np.stack([one[i : i + h, j : j + w] for one, (i, j) in zip(wide, corners, strict=True)])


@contextlib.contextmanager
def ahead(
    batch: Callable[[int], dict[str, Any]], first: int, last: int
) -> Iterator[Iterator[dict[str, Any]]]:
    """Batches of the steps `first` to `last`, the next ones read while one is used.

    Args:
        batch: `Batches`.
        first: Number of the first step.
        last: Number after that of the last step.
    """
    with concurrent.futures.ThreadPoolExecutor(THREADS, "batches") as pool:
        waiting: collections.deque[concurrent.futures.Future] = collections.deque()

        def in_order() -> Iterator[dict[str, Any]]:
            for step in range(first, last):
                coming = range(step + len(waiting), min(last, step + THREADS + 1))
                waiting.extend(pool.submit(batch, number) for number in coming)
                yield waiting.popleft().result()

        try:
            yield in_order()
        finally:
            for one in waiting:
                one.cancel()
