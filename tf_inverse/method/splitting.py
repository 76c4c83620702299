"""How probable the bands are under the law of codes: adaptive multilevel splitting.

Also called subset simulation (Au and Beck 2001; Cerou, Del Moral, Furon and Guyader 2012). N codes
are drawn from their law. The best `SHARE` of them by their score set a level; N copies of those,
drawn with replacement, are moved by `langevin` within {score >= level}, and so on until enough of
them lie in the bands. The probability is the product of the shares. Levels are nested, so the codes
that arrive are distributed by the law conditioned on the bands, too.

The relative variance of the product is estimated from the ancestry: codes that descend from
different first draws are all but independent (Lee and Whiteley 2018, eq. 11; for adaptive levels Du
and Guyader 2021). The interval is that of a log-normal estimate of this variance and of the right
mean, with Student's quantile for as many families as the variance was estimated from, and with an
allowance for what ancestry does not tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from tf_inverse.tensors import Array

SHARE = 0.15
"""Part of the codes that set a level."""

LEAST = 1e-20
"""Probability below which the bands count as out of reach."""

NORMAL_95 = 1.6448536269514722
"""Quantile of the normal distribution at 0.95: 5 % on each side of a 90 % interval."""


class Population(NamedTuple):
    """N codes with what they reach.

    Attributes:
        u: Normal numbers, [N, size].
        i: Members of the bank, [N] int32.
        scores: Of `langevin.score`, [N].
        z: Activations, [N, p].
        eve: Which first draw each descends from, [N].
    """

    u: Array
    i: Array
    scores: Array
    z: Array
    eve: Array

    def taken(self, rows: Array) -> Population:
        """The rows of these indices."""
        return Population(*(a[rows] for a in self))


@dataclass(frozen=True)
class Stage:
    """Where a splitting stands after a level.

    Attributes:
        probability: Of {score >= level}; of the bands, once `done`.
        level: The level.
        variance: Estimated relative variance of the probability.
        families: First draws that still have descendants.
        population: Codes distributed by the law within the level; once `done`, those in the bands.
        curve: Pairs of activation of a single target and the probability to reach it, so far.
        done: Whether enough codes lie in the bands, and the probability is theirs.
        lost: Whether the bands are given up as out of reach.
    """

    probability: float
    level: float
    variance: float
    families: int
    population: Population
    curve: list[tuple[float, float]] = field(default_factory=list)
    done: bool = False
    lost: bool = False

    @property
    def interval(self) -> tuple[float, float]:
        """Ends of the 90 % interval of the probability, the upper one at most 1."""
        squared = math.log1p(ALLOWANCE * self.variance)
        # The estimate has the right mean, so the middle of its logarithm is that much too small.
        middle = self.probability * math.exp(squared / 2.0)
        factor = math.exp(student_95(self.families - 1) * math.sqrt(squared))
        return middle / factor, min(1.0, middle * factor)


ALLOWANCE = 1.3
"""Factor of the variance that ancestry tells, which knows nothing of levels that all codes share.

Without it 86 to 92 % of 1,300 intervals of a linear neuron held the truth.
"""


def student_95(freedom: int) -> float:
    """Quantile of Student's distribution at 0.95, by Cornish and Fisher's expansion.

    Abramowitz and Stegun 26.7.5 with three terms: within 0.4 % from three degrees of freedom on;
    fewer count as three.
    """
    x, n = NORMAL_95, max(3, freedom)
    first = (x**3 + x) / 4.0
    second = (5.0 * x**5 + 16.0 * x**3 + 3.0 * x) / 96.0
    third = (3.0 * x**7 + 19.0 * x**5 + 17.0 * x**3 - 15.0 * x) / 384.0
    return x + first / n + second / n**2 + third / n**3


def relative_variance(inside: Array, eve: Array, resampled: int) -> float:
    """Lee and Whiteley's estimate of the variance of a splitting's probability over its square.

    1 - (N / (N - 1))^(r + 1) sum over i, j of different ancestors of w_i w_j, for weights w of sum
    1. Without resampling it is (1 - p) / (p (N - 1)), that of N independent draws of share p.

    Args:
        inside: Which of the N codes count, [N] booleans.
        eve: Which first draw each descends from, [N].
        resampled: How many times codes were copied, r.
    """
    N = len(eve)
    counted = max(1, int(np.count_nonzero(inside)))
    of_family = np.bincount(eve, weights=inside, minlength=N) / counted
    different = 1.0 - np.sum(of_family**2)
    return float(max(0.0, 1.0 - (N / (N - 1)) ** (resampled + 1) * different))


def split(
    start: Population,
    move: Callable[[Population, float], Population],
    rng: np.random.Generator,
    climbs: Array | None = None,
) -> Iterator[Stage]:
    """Split until the bands are reached.

    Args:
        start: Draws from the law of codes.
        move: (population, level) -> the population after moves within {score >= level}.
        rng: Draws who is copied.
        climbs: For a single target, [2] booleans: whether its lower or its upper end is climbed to;
            for the curve.

    Yields:
        A stage a level; the last one is `done` or `lost`.
    """
    now = start._replace(eve=np.arange(len(start.u)))
    reached, level, resampled, curve = 1.0, -np.inf, 0, []
    N, side = len(now.u), _side(climbs)
    while True:
        # What is not a number is as far from the bands as can be.
        scores = np.where(np.isnan(now.scores), -np.inf, now.scores)
        ordered = np.sort(scores)[::-1]
        following = min(0.0, float(ordered[max(1, math.ceil(SHARE * N)) - 1]))
        if side and level < -1.0:
            curve += _points(now.z[:, 0], side, reached, following >= -1.0)
        survivors = scores >= following
        reached *= float(np.mean(survivors))
        variance = relative_variance(survivors, now.eve, resampled)
        families = len(np.unique(now.eve[survivors]))
        found = now.taken(np.flatnonzero(survivors))
        done = following >= 0.0
        lost = not done and (reached < LEAST or following <= level or following == -np.inf)
        level = following
        stage = Stage(reached, level, variance, families, found, list(curve), done, lost)
        yield stage
        if done or lost:
            return
        chosen = rng.integers(len(found.u), size=N)
        now, resampled = move(found.taken(chosen), level), resampled + 1


def _side(climbs: Array | None) -> int:
    """Which way the curve goes: 1 up from typical activations, -1 down, 0 for no curve."""
    return 0 if climbs is None else int(climbs[0]) - int(climbs[1])


def _points(z: Array, side: int, reached: float, last: bool) -> list[tuple[float, float]]:
    """Points of the curve from one population: from all of it down to the next level.

    The last population before the bands tells of everything beyond them that it has met.
    """
    ordered = np.sort(np.where(np.isnan(z), -np.inf, side * z))[::-1]
    shares = [1.0, 0.6, 0.4, 0.25] + ([0.15, 0.1, 0.05, 0.02] if last else [])
    rows = [max(1, round(share * len(z))) for share in shares]
    return [(float(side * ordered[row - 1]), reached * row / len(z)) for row in rows]
