"""How different samples are from each other: distances, and Vendi scores of every order.

Everything here takes NumPy arrays of encodings e = E(x) and needs no TensorFlow. Distances are
Euclidean.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tf_inverse.errors import UsageError
from tf_inverse.tensors import Array

ORDERS = (0.5, 1.0, 2.0, math.inf)
"""Orders q of a profile: a low one counts rare samples, a high one the most common alone."""

DRAWS = 5
"""Random choices of which a score at a smaller count is the mean."""

DIGITS = 6
"""Digits of a bandwidth: so many are the same on every machine."""

_BLOCK_ELEMENTS = 1 << 22


def pair_distance(encodings: Array) -> float:
    """Mean distance over all pairs i < j; the paper's Table 1.

    Args:
        encodings: Encodings e, [n, d].

    Returns:
        Float in units of the encoding; 0 for fewer than two samples. Memory is O(n), never n * n.

    >>> pair_distance(np.array([[0.0], [3.0], [6.0]]))
    4.0
    """
    e = centred(encodings)
    n = len(e)
    if n < 2:
        return 0.0
    total = sum(float(np.sqrt(squares).sum()) for _, squares in square_blocks(e))
    return total / (n * (n - 1))


def nearest_distance(encodings: Array) -> float:
    """Mean over the samples of the distance to the nearest other sample; 0 where all are twins.

    The mean pair distance does not notice a sample that repeats itself; this does.

    Args:
        encodings: Encodings e, [n, d].

    Returns:
        Float in units of the encoding; 0 for fewer than two samples.

    >>> nearest_distance(np.array([[0.0], [3.0], [4.0]]))
    1.6666666666666667
    """
    e = centred(encodings)
    if len(e) < 2:
        return 0.0
    nearest = []
    for start, squares in square_blocks(e):
        rows = np.arange(len(squares))
        squares[rows, start + rows] = np.inf
        nearest.append(np.sqrt(squares.min(axis=1)))
    return float(np.concatenate(nearest).mean())


def distances_to(points: Array, others: Array) -> Array:
    """Distance of each point to the nearest of some others.

    Args:
        points: [n, d].
        others: [m, d], at least one.

    Returns:
        [n] float64. Memory is bounded, never n * m * d.
    """
    a, b = matrix(points, "points"), matrix(others, "others")
    middle = b.mean(axis=0)
    a, b = a - middle, b - middle
    norms, rows = np.einsum("ij,ij->i", b, b), max(1, _BLOCK_ELEMENTS // len(b))
    nearest = np.empty(len(a))
    for start in range(0, len(a), rows):
        part = a[start : start + rows]
        # The product finds the nearest; the difference itself tells a distance of 0 exactly.
        found = b[np.argmin(norms - 2.0 * (part @ b.T), axis=1)]
        nearest[start : start + rows] = np.linalg.norm(part - found, axis=1)
    return nearest


def unlike(samples: list[Array]) -> Array:
    """How unlike each two of several samples are: 0 for the same points, 1 for nothing in common.

    The energy coefficient of inhomogeneity, (2 a - b - c) / (2 a): a is the mean distance of a
    point of one to a point of the other, b and c are those of two points of one and the same
    sample, a point and itself included.

    Args:
        samples: Points of each, [n_i, d], at least one.

    Returns:
        [len(samples), len(samples)], symmetric; memory is bounded beside that and the points.

    Source: Szekely and Rizzo, Energy statistics, J. Stat. Plan. Inference 143, 2013.

    >>> unlike([np.array([[0.0], [2.0]]), np.array([[1.0]])])  # a 1, b 1, c 0
    array([[0. , 0.5],
           [0.5, 0. ]])
    """
    points = centred(np.concatenate(samples))
    starts = np.cumsum([0, *(len(one) for one in samples)])
    counts = np.diff(starts)
    means = np.empty((len(samples), len(samples)))
    at_a_time = max(1, int(_BLOCK_ELEMENTS // (len(points) * counts.max())))
    norms = np.einsum("ij,ij->i", points, points)
    for first in range(0, len(samples), at_a_time):
        last = min(first + at_a_time, len(samples))
        part = slice(starts[first], starts[last])
        squares = norms[part, None] + norms - 2.0 * (points[part] @ points.T)
        rows = np.arange(len(squares))
        squares[rows, starts[first] + rows] = 0.0
        sums = np.add.reduceat(np.sqrt(np.maximum(squares, 0.0)), starts[:-1], axis=1)
        means[first:last] = np.add.reduceat(sums, starts[first:last] - starts[first], axis=0)
    means /= np.outer(counts, counts)
    within = np.diag(means)
    energy = np.maximum(2 * means - within[:, None] - within, 0.0)
    found = np.divide(energy, 2 * means, out=np.zeros_like(means), where=means > 0)
    np.fill_diagonal(found, 0.0)
    return (found + found.T) / 2


def bandwidth(encodings: Array) -> float:
    """Half the mean distance of two encodings: the width h of the Vendi score's kernel.

    Args:
        encodings: Those that serve as a yardstick, [n, d]: natural images', say.

    Returns:
        Float in units of the encoding, of `DIGITS` digits; 0 where all are one.
    """
    return float(f"{pair_distance(encodings) / 2:.{DIGITS}g}")


def vendi(
    encodings: Array, bandwidth: float, order: float = 1.0, shares: Array | None = None
) -> float:
    """Vendi score: the effective number of different samples, between 1 and n.

    exp(-sum(l * log(l))) over the eigenvalues l of k / n, k_ij = exp(-|e_i - e_j|^2 / (2 h^2)); of
    another order q, sum(l**q) ** (1 / (1 - q)), and of order infinity 1 / max(l).

    Args:
        encodings: Encodings e, [n, d].
        bandwidth: h, in units of the encoding, positive: see `networks.yardstick`.
        order: q, not negative.
        shares: Weight p_i of each sample, [n], summing to 1, in place of 1 / n: the eigenvalues
            are then those of k_ij * sqrt(p_i * p_j).

    Returns:
        Float; 0 for no samples.

    Raises:
        UsageError: The bandwidth is not a positive number, or the order is negative.

    Source: Friedman and Dieng, The Vendi Score, TMLR 2023 (arXiv 2210.02410), definition 3.1; its
    orders: Pasarkar and Dieng, Cousins of the Vendi Score, AISTATS 2024 (arXiv 2310.12952).

    >>> round(vendi(np.array([[0.0], [0.0], [99.0]]), bandwidth=1.0), 4)  # eigenvalues 2/3, 1/3
    1.8899
    """
    return profile(encodings, bandwidth, (order,), shares)[0]


def profile(
    encodings: Array,
    bandwidth: float,
    orders: tuple[float, ...] = ORDERS,
    shares: Array | None = None,
) -> tuple[float, ...]:
    """Vendi scores of several orders, from one decomposition; they fall as the order rises.

    Args:
        encodings: Encodings e, [n, d].
        bandwidth: h, as of `vendi`.
        orders: q of each score.
        shares: As of `vendi`.

    Raises:
        UsageError: As of `vendi`.
    """
    # Its square has to be a number as well.
    if not (bandwidth > 0 and 0 < bandwidth * bandwidth < math.inf):
        raise UsageError(f"expected a positive bandwidth, got {bandwidth}")
    if not all(order >= 0 for order in orders):
        raise UsageError(f"expected orders of the Vendi score from 0 up, got {orders}")
    e = centred(encodings)
    if not len(e):
        return (0.0,) * len(orders)
    k = np.empty((len(e), len(e)))
    for start, squares in square_blocks(e):
        k[start : start + len(squares)] = np.exp(squares / (-2.0 * bandwidth**2))
    eigenvalues = np.linalg.eigvalsh(k / len(e) if shares is None else k * _roots(shares))
    # Those that rounding made negative are zeros.
    eigenvalues = eigenvalues[eigenvalues > 0]
    return tuple(_hill(eigenvalues, order) for order in orders)


def _roots(shares: Array) -> Array:
    """sqrt(p_i * p_j) of the weights of samples, [n, n]."""
    roots = np.sqrt(np.asarray(shares, np.float64))
    return np.outer(roots, roots)


def _hill(shares: Array, order: float) -> float:
    """The Hill number of an order: the effective number of kinds of which these are the shares."""
    if order == 1.0:
        return float(np.exp(-np.sum(shares * np.log(shares))))
    if order == math.inf:
        return float(1.0 / shares.max())
    if order == 0.0:
        # Rounding leaves shares of kinds that are not there: as of a rank, they do not count.
        return float(np.sum(shares > shares.max() * len(shares) * np.finfo(np.float64).eps))
    return float(np.sum(shares**order) ** (1.0 / (1.0 - order)))


def profile_at(
    encodings: Array,
    bandwidth: float,
    count: int,
    orders: tuple[float, ...] = ORDERS,
    draws: int = DRAWS,
) -> tuple[float, ...]:
    """Vendi scores that sets of another size can be compared with: at `count` of the samples.

    Args:
        encodings: Encodings e, [n, d].
        bandwidth: h, as of `vendi`.
        count: Samples that are scored, at most n; of fewer than n, random choices.
        orders: q of each score.
        draws: Choices of which the scores are means; always the same ones.
    """
    e = matrix(encodings, "encodings")
    if count >= len(e):
        return profile(e, bandwidth, orders)
    chosen = (np.random.default_rng(seed).choice(len(e), count, False) for seed in range(draws))
    scores = [profile(e[np.sort(rows)], bandwidth, orders) for rows in chosen]
    return tuple(np.mean(scores, axis=0).tolist())


def square_blocks(e: Array) -> Iterator[tuple[int, Array]]:
    """Squared distances of all pairs, a block of rows at a time, so that memory stays bounded.

    Args:
        e: Encodings in float64, best about their mean: |a|^2 + |b|^2 - 2 a.b cancels less, [n, d].

    Yields:
        (number of the block's first row, squared distances [rows, n]); exactly 0 on the diagonal.
    """
    norms = np.einsum("ij,ij->i", e, e)
    rows = max(1, _BLOCK_ELEMENTS // len(e))
    for start in range(0, len(e), rows):
        block = slice(start, start + rows)
        squares = norms[block, None] + norms[None, :] - 2.0 * (e[block] @ e.T)
        np.maximum(squares, 0.0, out=squares)
        own = np.arange(len(squares))
        squares[own, start + own] = 0.0
        yield start, squares


def evenly(rows: Array, count: int) -> Array:
    """At most `count` of the rows, evenly spaced in their order."""
    if len(rows) <= count:
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]


def matrix(values: Array, name: str) -> Array:
    """The values in float64.

    Raises:
        ValueError: They are not [samples, values].
    """
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 2:
        raise ValueError(f"expected {name} as [samples, values], got shape {found.shape}")
    return found


def finite(rows: Array) -> Array:
    """Which of the rows [n, ...] are finite numbers, [n] booleans; all of them where none is.

    A network may overflow for a few inputs, which are not to spoil what is measured on the others.
    """
    sound = np.isfinite(rows).all(axis=tuple(range(1, np.ndim(rows))))
    return sound if sound.any() else ~sound


def centred(encodings: Array) -> Array:
    """Encodings in float64 about their mean, [n, d]."""
    e = matrix(encodings, "encodings")
    return e - e.mean(axis=0) if len(e) else e
