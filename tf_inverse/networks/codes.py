"""Where codes start and where they may go: the code distribution of a pair.

Kinds: `normal`, N(0, 1) (GAN latents); `uniform` within the bounds, or on [-1, 1]; `noise`, the
encoding of a noise image (the paper's start); `gaussian`, a low-rank Gaussian fitted to encoded
natural images; `bank`, encoded natural images themselves. The last two live in the pair's
natural.h5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_inverse.errors import UsageError
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks


KINDS = ("normal", "uniform", "noise", "gaussian", "bank")
BATCH, MOST = 64, float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Codes:
    """The code distribution.

    Attributes:
        kind: One of `KINDS`.
        size: d, entries of a code.
        bounds: Smallest and largest value of an entry that the generator is at home with, or None.

    Raises:
        UsageError: Unknown kind, or bounds out of order.
    """

    kind: str
    size: int
    bounds: tuple[float | None, float | None] | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"expected codes of kind {', '.join(KINDS)}, got {self.kind!r}")
        try:
            low, high = map(float, self.limits)
        except OverflowError:  # whole numbers of JSON have no end
            low = high = 0.0
        if not low < high:  # or one is no number
            raise UsageError(f"expected code bounds low < high, got {self.bounds!s:.80}")
        if self.kind == "uniform" and self.bounds and not high - low <= MOST:
            raise UsageError(
                f"expected both bounds of uniform codes or none, finite, got {self.bounds}"
            )

    @property
    def limits(self) -> tuple[float, float]:
        """Bounds as numbers, infinite where there are none."""
        low, high = self.bounds or (None, None)
        return (-np.inf if low is None else low), (np.inf if high is None else high)


def generator(seed: int, *block: int) -> np.random.Generator:
    """The random numbers of one block of a run: Philox, one key a run, one counter a block."""
    # The lowest word counts within a block: blocks cannot run into each other.
    counter = np.array([0, *block, *(0,) * (3 - len(block))], np.uint64)
    return np.random.Generator(np.random.Philox(key=seed, counter=counter))


class Stream:
    """Endless fresh rows for a run: row j depends on the seed and j alone, not on who asks when.

    Args:
        networks: `networks.Networks`.
        seed: Of the run.
        p: Number of targets: each row comes with p uniform numbers.
        block: Rows drawn at a time.
        near: Deals the codes of a block in place of `draw`, as `starts.near` does: called with the
            number of the block and its uniform numbers [block, p]. None for random codes.
    """

    def __init__(
        self,
        networks: Networks,
        seed: int,
        p: int,
        block: int,
        near: Callable[[int, Array], Array] | None = None,
    ) -> None:
        self.networks, self.seed, self.p, self.block = networks, seed, p, block
        self.near = near
        self._blocks: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def rows(self, start: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows start to start + count: codes [count, d], uniform numbers [count, p] in [0, 1)."""
        first, last = start // self.block, (start + count - 1) // self.block
        self._blocks = {i: self._blocks.get(i) or self._draw(i) for i in range(first, last + 1)}
        c, t = (np.concatenate(a) for a in zip(*self._blocks.values(), strict=True))
        skip = start - first * self.block
        return c[skip : skip + count], t[skip : skip + count]

    def _draw(self, i: int) -> tuple[Array, Array]:
        rng = generator(self.seed, 1, i)
        t = rng.uniform(size=(self.block, self.p)).astype(np.float32)
        c = self.near(i, t) if self.near else draw(self.networks, self.block, rng)
        return c, t


def draw(networks: Networks, count: int, rng: np.random.Generator) -> np.ndarray:
    """Random starting codes.

    Args:
        networks: `networks.Networks`.
        count: K, how many.
        rng: From `generator`.

    Returns:
        [count, d] float32, within the bounds.

    Raises:
        UsageError: The networks have no statistics that codes of this kind are drawn from.
    """
    codes, d = networks.codes, networks.codes.size
    if codes.kind == "normal":
        c = rng.standard_normal((count, d), np.float32)
    elif codes.kind == "uniform":
        low, high = codes.limits if codes.bounds else (-1.0, 1.0)
        c = rng.uniform(low, high, (count, d)).astype(np.float32)
    elif codes.kind == "noise":
        c = _encoded_noise(networks, count, rng)
    elif codes.kind == "gaussian":
        mean, factor = stored(networks, "gaussian")
        c = mean + rng.standard_normal((count, len(factor)), np.float32) @ factor
    else:
        bank = stored(networks, "bank")
        c = bank[rng.integers(len(bank), size=count)]
    return np.clip(c, *codes.limits).astype(np.float32)


def _encoded_noise(networks: Networks, count: int, rng: np.random.Generator) -> np.ndarray:
    """Encodings [count, d_E] of noise images, of which there is never more than a batch."""
    parts = []
    for first in range(0, count, BATCH):
        noise = rng.normal(127.5, 64.0, (min(BATCH, count - first), *networks.image_shape))
        parts.append(networks.encode(noise.clip(0, 255, out=noise).astype(np.float32)))
    return np.concatenate(parts)


def stored(networks: Networks, kind: str) -> Any:
    """What codes of a kind are drawn from: the statistics' `gaussian` or `bank`.

    Args:
        networks: The pair.
        kind: "gaussian" or "bank".

    Raises:
        UsageError: There is none.
    """
    found = getattr(networks.natural, kind, None)
    if found is None:
        raise UsageError(
            f"expected natural statistics with a {kind} for codes of kind {kind}, network "
            f"{networks.name} has none: take codes of another kind"
        )
    return found
