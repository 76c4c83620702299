"""How good a sample of an inverse set is: in range, diverse, and even over the range.

Everything here takes NumPy arrays and needs no TensorFlow. Distances are Euclidean, between
encodings e = E(x).
"""

from __future__ import annotations

import numpy as np

from tf_inverse.errors import UsageError

VENDI_LARGEST = 2000
"""Most rows that the Vendi score of a summary is taken of; its eigenvalues cost n**3."""

_BLOCK_ELEMENTS = 1 << 22


def in_range(activations, z1, z2):
    """Which samples lie in every band, ends included.

    Args:
        activations: Activations z, [n, p].
        z1: Lower ends, [p]; may be -inf.
        z2: Upper ends, [p]; may be inf.

    Returns:
        Booleans, [n]. An activation that is not a number is in no band.

    >>> in_range(np.array([[1.0], [2.5], [np.nan]]), [1], [2]).tolist()
    [True, False, False]
    """
    z = _matrix(activations, "activations")
    z1, z2 = np.atleast_1d(z1), np.atleast_1d(z2)
    if z1.shape != (z.shape[1],) or z2.shape != (z.shape[1],):
        raise ValueError(
            f"expected one z1 and z2 for each of {z.shape[1]} neurons, "
            f"got shapes {z1.shape} and {z2.shape}"
        )
    return np.all((z >= z1) & (z <= z2), axis=1)


def pair_distance(encodings):
    """Mean distance over all pairs i < j; the paper's Table 1.

    Args:
        encodings: Encodings e, [n, d].

    Returns:
        Float in units of the encoding; 0 for fewer than two samples. Memory is O(n), never n * n.

    >>> pair_distance(np.array([[0.0], [3.0], [6.0]]))
    4.0
    """
    e = _centred(encodings)
    n = len(e)
    if n < 2:
        return 0.0
    total = sum(float(np.sqrt(squares).sum()) for _, squares in square_blocks(e))
    return total / (n * (n - 1))


def nearest_distance(encodings):
    """Mean over the samples of the distance to the nearest other sample; 0 where all are twins.

    The mean pair distance does not notice a sample that repeats itself; this does.

    Args:
        encodings: Encodings e, [n, d].

    Returns:
        Float in units of the encoding; 0 for fewer than two samples.

    >>> nearest_distance(np.array([[0.0], [3.0], [4.0]]))
    1.6666666666666667
    """
    e = _centred(encodings)
    if len(e) < 2:
        return 0.0
    nearest = []
    for start, squares in square_blocks(e):
        rows = np.arange(len(squares))
        squares[rows, start + rows] = np.inf
        nearest.append(np.sqrt(squares.min(axis=1)))
    return float(np.concatenate(nearest).mean())


def vendi(encodings, bandwidth):
    """Vendi score: the effective number of different samples, between 1 and n.

    exp(-sum(l * log(l))) over the eigenvalues l of k / n, k_ij = exp(-|e_i - e_j|^2 / (2 h^2)).
    The project's convention for h: half the mean pair distance of the encodings of random codes.

    Args:
        encodings: Encodings e, [n, d].
        bandwidth: h, in units of the encoding, positive.

    Returns:
        Float; 0 for no samples.

    Raises:
        UsageError: The bandwidth is not a positive number.

    Source: Friedman and Dieng, The Vendi Score, TMLR 2023 (arXiv 2210.02410), definition 3.1.

    >>> round(vendi(np.array([[0.0], [0.0], [99.0]]), bandwidth=1.0), 4)  # eigenvalues 2/3, 1/3
    1.8899
    """
    if not (np.isfinite(bandwidth) and bandwidth > 0):
        raise UsageError(f"expected a positive bandwidth, got {bandwidth}")
    e = _centred(encodings)
    if not len(e):
        return 0.0
    k = np.empty((len(e), len(e)))
    for start, squares in square_blocks(e):
        k[start : start + len(squares)] = np.exp(squares / (-2.0 * bandwidth**2))
    eigenvalues = np.linalg.eigvalsh(k / len(e))
    eigenvalues = eigenvalues[eigenvalues > 0]  # those that rounding made negative are zeros
    return float(np.exp(-np.sum(eigenvalues * np.log(eigenvalues))))


def coverage(activations, z1, z2):
    """How unevenly activations cover their bands: Kolmogorov-Smirnov distance to uniform.

    Args:
        activations: Activations z, [n, p].
        z1: Lower ends, [p].
        z2: Upper ends, [p].

    Returns:
        Floats, [p], from 0 (perfectly even) to 1 (all at one end); nan for a band with an infinite
        end or without width, and for no samples.

    >>> coverage(np.array([[1.0], [2.0], [3.0]]), [0], [4])
    array([0.25])
    """
    z = np.sort(_matrix(activations, "activations"), axis=0)
    z1, z2 = np.asarray(z1, np.float64), np.asarray(z2, np.float64)
    n = len(z)
    usable = np.isfinite(z1) & np.isfinite(z2) & (z2 > z1)
    if not n:
        return np.full(z.shape[1], np.nan)
    width = np.where(usable, z2 - z1, 1.0)
    uniform = np.clip((z - np.where(usable, z1, 0.0)) / width, 0.0, 1.0)
    below, above = np.arange(n)[:, None] / n, np.arange(1, n + 1)[:, None] / n
    distance = np.maximum(above - uniform, uniform - below).max(axis=0)
    return np.where(usable, distance, np.nan)


def summary(encodings, activations, z1, z2, *, asked, bandwidth=None, natural_encodings=None):
    """Every figure of a sample in one dictionary, ready for JSON.

    Args:
        encodings: Encodings e of the samples, [n, d].
        activations: Activations z, [n, p].
        z1: Lower ends, [p].
        z2: Upper ends, [p].
        asked: Number of samples asked for.
        bandwidth: h of the Vendi score; without it the Vendi scores are None.
        natural_encodings: Encodings of the natural images in the same bands, [m, d], where known.

    Returns:
        dict: found, asked (counts), in_range (share of found); pair_distance,
        pair_distance_per_dimension (the root mean square of a single dimension: pair_distance /
        sqrt(d)), nearest_distance, vendi, coverage (of the most uneven neuron); bandwidth; natural
        (number m' = min(m, n) of natural images compared with), vendi_natural (their Vendi score)
        and vendi_equal_count (the samples' own Vendi score at m' of them). None where unknown.
    """
    e = _matrix(encodings, "encodings")
    distance = pair_distance(e)
    uneven = coverage(activations, z1, z2)
    figures = {
        "found": len(e),
        "asked": int(asked),
        "in_range": float(in_range(activations, z1, z2).mean()) if len(e) else None,
        "pair_distance": distance,
        "pair_distance_per_dimension": distance / np.sqrt(max(e.shape[1], 1)),
        "nearest_distance": nearest_distance(e),
        "vendi": None if bandwidth is None else vendi(evenly(e, VENDI_LARGEST), bandwidth),
        "coverage": None if np.all(np.isnan(uneven)) else float(np.nanmax(uneven)),
        "bandwidth": None if bandwidth is None else float(bandwidth),
    }
    return figures | _beside_nature(e, natural_encodings, bandwidth)


def square_blocks(e):
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


def evenly(rows, count):
    """At most `count` of the rows, evenly spaced in their order."""
    if len(rows) <= count:
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]


def _beside_nature(e, natural_encodings, bandwidth):
    """Vendi scores of equally many natural images and samples."""
    m = 0 if natural_encodings is None else min(len(natural_encodings), len(e), VENDI_LARGEST)
    if not m or bandwidth is None:
        return {"natural": m or None, "vendi_natural": None, "vendi_equal_count": None}
    return {
        "natural": m,
        "vendi_natural": vendi(evenly(np.asarray(natural_encodings), m), bandwidth),
        "vendi_equal_count": vendi(evenly(e, m), bandwidth),
    }


def _matrix(values, name):
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"expected {name} as [samples, values], got shape {matrix.shape}")
    return matrix


def _centred(encodings):
    """Encodings in float64 about their mean, [n, d]."""
    e = _matrix(encodings, "encodings")
    return e - e.mean(axis=0) if len(e) else e
