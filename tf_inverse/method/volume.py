"""The splitting of a pair of networks: how probable bands are, and codes that lie in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tf_inverse.method import langevin, splitting
from tf_inverse.method.kernel import STREAMS, Kernel, adapted
from tf_inverse.networks.codes import generator

BATCH = 100
"""Codes that are looked at in one network pass."""

ROUNDS = 4
"""Rounds of moves after each level."""

FIRST_ANGLE = 0.8

PARTICLES = 1000
"""Codes of a splitting whose probability is told: 20 to 30 % of it at 1e-9, 6 % at 0.1."""


class Splitting:
    """A splitting of the networks' codes.

    Args:
        kernel: Of the networks and the bands.
        size: Codes, N, rounded up to whole batches.
        watch: Called after every network pass with how many there were; may raise to stop.

    Attributes:
        passes: Network passes of `BATCH` codes taken so far.
        best: Activation of each target that is nearest to its range, [p].
    """

    def __init__(
        self, kernel: Kernel, size: int, watch: Callable[[int], None] = lambda passes: None
    ):
        self.kernel, self.watch, self.passes = kernel, watch, 0
        self.size = -(-size // BATCH) * BATCH
        self.best = np.full(len(kernel.target.z1), -np.inf, np.float32)
        self.rng = generator(kernel.seed, STREAMS["splitting"])
        self.cycle = kernel.cycles["splitting"]
        self.angles = np.array([FIRST_ANGLE] * len(self.cycle))

    def stages(self) -> Iterator[splitting.Stage]:
        """The stages of `splitting.split`, from typical codes to the bands."""
        walkers = self.kernel.draw(self.rng, self.size)
        z = self._take(walkers, BATCH, -np.inf, 0).z
        # A generator may overflow for a few codes, which are not typical.
        z = z[np.isfinite(z).all(axis=1)]
        middle = np.median(z, axis=0) if len(z) else np.full(z.shape[1], np.nan)
        z1, z2 = self.kernel.target.z1.numpy(), self.kernel.target.z2.numpy()
        self.kernel.first = np.stack([middle < z1, middle > z2])
        start = self._take(walkers, self.size, -np.inf, 0)
        climbs = self.kernel.first[:, 0] if len(z1) == 1 else None
        yield from splitting.split(start, self._move, self.rng, climbs)
        # Within the bands every end counts alike.
        self.kernel.first = np.zeros_like(self.kernel.first)

    def _move(self, population: splitting.Population, level: float) -> splitting.Population:
        walkers = langevin.Walkers(population.u, population.i)
        return self._take(walkers, self.size, level, ROUNDS)._replace(eve=population.eve)

    def _take(
        self, walkers: langevin.Walkers, count: int, level: float, rounds: int
    ) -> splitting.Population:
        parts = []
        for start in range(0, count, BATCH):
            some = langevin.Walkers(*(a[start : start + BATCH] for a in walkers))
            moved, accepted, scores, view, _ = self.kernel.take(
                "splitting", some, level, self.rng, rounds, self.angles
            )
            if rounds:
                self.angles = adapted(self.angles, self.cycle, accepted, 0.5)
            self.passes += rounds * len(self.cycle) + (rounds == 0)
            self.watch(self.passes)
            self.best = self.kernel.nearest(np.concatenate([[self.best], view.z]))
            parts.append((*moved, scores, view.z, np.zeros(len(scores), np.int64)))
        return splitting.Population(*map(np.concatenate, zip(*parts, strict=True)))


def unreached(stage: splitting.Stage) -> str:
    """Why a splitting was given up."""
    if stage.level == -np.inf:
        return "activations of random codes are not finite numbers"
    return f"fewer than {stage.probability:.1g} of the codes lie in the range, if any"
