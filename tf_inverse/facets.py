"""Facets of a sample: the groups that its images fall into, by k-medoids on their encodings.

A neuron may answer to several unlike things. Its sample then falls into groups, each of which a
medoid stands for: the sample that is nearest to all others of its group. The groups are found by
PAM, the number of groups by silhouettes. NumPy alone, in float64.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tf_inverse import diversity
from tf_inverse.errors import UsageError
from tf_inverse.tensors import Array

MOST_FACETS = 8
"""Largest number of facets that is tried."""

NULLS = 19
"""Samples without facets that a sample's silhouette has to beat: chance alone does so in 5 %."""

MOST_ROWS = 200
"""Rows that the medoids are chosen among: their distances and swaps cost the square of it."""


class Facets(NamedTuple):
    """The groups of a sample; the largest is the first.

    Attributes:
        members: Number of each sample's facet, [n] int64.
        medoids: Row of the sample that stands for each facet, [k] int64.
        shares: Share of the samples in each facet, [k].
        silhouette: Mean silhouette of the rows that medoids were chosen among; 0 for one facet.
        tried: Mean silhouette of every number of facets that was tried, {k: silhouette}.
    """

    members: Array
    medoids: Array
    shares: Array
    silhouette: float
    tried: dict[int, float]


def of(encodings: Array, k: int | None = None) -> Facets:
    """The facets of a sample.

    The number of facets is the one from 2 to `MOST_FACETS` with the largest mean silhouette, the
    smaller of equals. It counts only where that silhouette is larger than the largest of each of
    `NULLS` samples as large that have no facets: of one Gaussian with the same covariance. Else
    the sample is one facet. Of more than `MOST_ROWS` samples, medoids are chosen among so many,
    evenly spaced, and the others go to the nearest medoid (as in CLARA, with one choice).

    Args:
        encodings: Encodings e of the samples, [n, d], n at least 1.
        k: How many facets to make, whatever the silhouettes say; chosen by them if left out.

    Raises:
        UsageError: k is not from 1 to the number of samples, or there are no samples.

    Source: Kaufman and Rousseeuw, Finding Groups in Data, Wiley 1990, chapters 2 and 3; Rousseeuw,
    Silhouettes, J. Comput. Appl. Math. 20, 1987; one Gaussian as what has no facets: Liu et al.,
    Statistical Significance of Clustering for High-Dimension, Low-Sample Size Data, JASA 103, 2008.
    """
    e = diversity.centred(encodings)
    most = min(len(e), MOST_ROWS)
    if not len(e):
        raise UsageError("expected samples to look for facets in, got none")
    if k is not None and not 1 <= k <= most:
        raise UsageError(f"expected from 1 to {most} facets of {len(e)} samples, got {k}")
    rows = diversity.evenly(np.arange(len(e)), most)
    found, tried = _tries(e[rows], _counts(most) if k is None else [k])
    best = max(tried, key=lambda count: tried[count])
    if k is None and best > 1 and not _beats_chance(e[rows], tried[best]):
        best = 1
    return _ordered(e, rows[found[best]], tried)


def _counts(n: int) -> range:
    """The numbers of facets that are tried for n rows; that of n facets says nothing."""
    return range(1, max(2, min(MOST_FACETS + 1, n)))


def _tries(e: Array, counts: Iterable[int]) -> tuple[dict[int, Array], dict[int, float]]:
    """Medoids, and mean silhouette, of some numbers of facets; the silhouette of one is 0."""
    distances = np.sqrt(np.concatenate([part for _, part in diversity.square_blocks(e)]))
    found = {k: pam(distances, k) for k in counts}
    tried = {
        k: float(silhouettes(distances, _nearest(distances[:, medoids], medoids)).mean())
        for k, medoids in found.items()
    }
    return found, tried


def _beats_chance(e: Array, silhouette: float) -> bool:
    """Whether a silhouette is larger than the largest of every sample without facets."""
    rng = np.random.default_rng(0)
    for _ in range(NULLS):
        # Sums of the rows with normal weights: Gaussian, with the covariance of the rows.
        one = rng.standard_normal((len(e), len(e))) @ e / np.sqrt(len(e))
        if max(_tries(one, _counts(len(e)))[1].values()) >= silhouette:
            return False
    return True


def _nearest(to_medoids: Array, medoids: Array) -> Array:
    """Number of the nearest medoid of each row; a medoid is its own even where it has a twin."""
    members = np.argmin(to_medoids, axis=1)
    members[medoids] = np.arange(len(medoids))
    return members


def _ordered(e: Array, medoids: Array, tried: dict[int, float]) -> Facets:
    """All rows given to their medoids, the largest facet first."""
    to_medoids = np.stack([np.linalg.norm(e - e[row], axis=1) for row in medoids], axis=1)
    members = _nearest(to_medoids, medoids)
    counts = np.bincount(members, minlength=len(medoids))
    order = np.lexsort((medoids, -counts))
    place = np.argsort(order)
    return Facets(
        place[members], medoids[order], counts[order] / len(e), tried[len(medoids)], tried
    )


def pam(distances: Array, k: int) -> Array:
    """Rows of k medoids: no exchange of a medoid for another row makes the facets tighter.

    Partitioning around medoids: medoids are added greedily (BUILD), then the best exchange of all
    is made while one lowers the sum of distances to the nearest medoid (SWAP). All exchanges are
    weighed at once from the nearest and second nearest medoid of each row.

    Args:
        distances: Of every pair of rows, [n, n].
        k: From 1 to n.

    Returns:
        Row numbers, [k], rising.

    Source: Kaufman and Rousseeuw 1990, chapter 2; what an exchange changes: Schubert and
    Rousseeuw, Fast and eager k-medoids clustering, Information Systems 101, 2021 (arXiv
    2008.05171), section 4.

    >>> pam(np.abs(np.subtract.outer([0, 1, 2, 9, 10, 11], [0, 1, 2, 9, 10, 11])), 2).tolist()
    [1, 4]
    """
    d = np.asarray(distances, np.float64)
    medoids = [int(np.argmin(d.sum(axis=0)))]
    while len(medoids) < k:
        closest = d[:, medoids].min(axis=1)
        after = np.minimum(d, closest[:, None]).sum(axis=0)
        after[medoids] = np.inf
        medoids.append(int(np.argmin(after)))
    chosen = np.array(medoids)
    while True:
        change = _exchanges(d, chosen)
        i, row = np.unravel_index(np.argmin(change), change.shape)
        # Rounding alone must not exchange twins for each other for ever.
        if change[i, row] >= -1e-12 * d[:, chosen].min(axis=1).sum():
            return np.sort(chosen)
        chosen[i] = row


def _exchanges(d: Array, medoids: Array) -> Array:
    """What the sum of distances changes by where medoid i gives way to row j, [k, n]."""
    to_medoids = d[:, medoids]
    order = np.argsort(to_medoids, axis=1, kind="stable")
    rows = np.arange(len(d))
    first = to_medoids[rows, order[:, 0]][:, None]
    # Without its medoid a row of the only facet has nowhere else to go.
    second = to_medoids[rows, order[:, 1]][:, None] if len(medoids) > 1 else np.inf
    kept = np.minimum(d - first, 0.0)
    lost = np.minimum(d, second) - first - kept
    own = np.equal.outer(np.arange(len(medoids)), order[:, 0]).astype(np.float64)
    change = kept.sum(axis=0) + own @ lost
    change[:, medoids] = 0.0
    return change


def silhouettes(distances: Array, members: Array) -> Array:
    """How much nearer each row is to its own facet than to the next one, [n], from -1 to 1.

    (b - a) / max(a, b) of the mean distance a to the others of its facet and the least mean
    distance b to another facet; 0 for a row that is alone in its facet, where both are 0, and
    where there is one facet.

    Args:
        distances: Of every pair of rows, [n, n].
        members: Number of each row's facet, [n]; no facet is empty.

    Source: Rousseeuw 1987.
    """
    own = np.equal.outer(members, np.arange(members.max() + 1))
    counts, sums = own.sum(axis=0), distances @ own.astype(np.float64)
    a = sums[own] / np.maximum(counts[members] - 1, 1)
    if len(counts) == 1:
        return np.zeros(len(a))
    b = np.where(own, np.inf, sums / counts).min(axis=1)
    larger = np.maximum(a, b)
    values = np.divide(b - a, larger, out=np.zeros(len(a)), where=larger > 0)
    return np.where(counts[members] > 1, values, 0.0)


def polysemanticity(encodings: Array, found: Facets, bandwidth: float) -> float:
    """Effective number of facets: how many unlike things the neuron answers to.

    The Vendi score of the medoids, each weighted with its facet's share, by the network's own
    yardstick: 1 for one facet and for facets that are all alike; k for k equal facets of which no
    two are alike.

    Args:
        encodings: Encodings e of the samples, [n, d].
        found: Their facets.
        bandwidth: h, in units of the encoding, positive: see `networks.yardstick`.

    Raises:
        UsageError: The bandwidth is not a positive number.
    """
    return diversity.vendi(np.asarray(encodings)[found.medoids], bandwidth, shares=found.shares)


def apart(encodings: Array, found: Facets) -> float | None:
    """Mean distance of two facets' medoids, in units of the encoding; None for one facet."""
    medoids = np.asarray(encodings)[found.medoids]
    return diversity.pair_distance(medoids) if len(medoids) > 1 else None
