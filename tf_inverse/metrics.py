"""How good a sample of an inverse set is: in range, diverse, and even over the range.

Everything here takes NumPy arrays and needs no TensorFlow. How different samples are from each
other is measured by `diversity`, whose functions have their names here too.
"""

from __future__ import annotations

import numpy as np

from tf_inverse.diversity import (
    ORDERS,
    evenly,
    matrix,
    nearest_distance,
    pair_distance,
    profile_at,
    square_blocks,
    vendi,
)
from tf_inverse.tensors import Array

__all__ = [
    "coverage",
    "evenly",
    "in_range",
    "nearest_distance",
    "pair_distance",
    "square_blocks",
    "summary",
    "vendi",
    "ways",
]

VENDI_LARGEST = 2000
"""Most rows that the Vendi score of a summary is taken of; its eigenvalues cost n**3."""

AS_DRAWN = 0.1
"""Standard deviations of codes, root mean square over entries, within which a code is another."""


def in_range(activations: Array, z1: Array, z2: Array) -> Array:
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
    z = matrix(activations, "activations")
    z1, z2 = np.atleast_1d(z1), np.atleast_1d(z2)
    if z1.shape != (z.shape[1],) or z2.shape != (z.shape[1],):
        raise ValueError(
            f"expected one z1 and z2 for each of {z.shape[1]} neurons, "
            f"got shapes {z1.shape} and {z2.shape}"
        )
    return np.all((z >= z1) & (z <= z2), axis=1)


def coverage(activations: Array, z1: Array, z2: Array) -> Array:
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
    z = np.sort(matrix(activations, "activations"), axis=0)
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


def summary(
    encodings: Array,
    activations: Array,
    z1: Array,
    z2: Array,
    *,
    asked: int,
    bandwidth: float | None = None,
    natural_encodings: Array | None = None,
) -> dict:
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
        sqrt(d)), nearest_distance, coverage (of the most uneven neuron); vendi, vendi_profile
        (the scores of the orders `diversity.ORDERS`) and vendi_count (samples they are of);
        bandwidth; natural (number m' = min(m, n) of natural images compared with), vendi_natural
        (their Vendi score) and vendi_equal_count (the samples' own Vendi score at m' of them), both
        with a profile. None where unknown.
    """
    e = matrix(encodings, "encodings")
    distance = pair_distance(e)
    uneven = coverage(activations, z1, z2)
    figures = {
        "found": len(e),
        "asked": int(asked),
        "in_range": float(in_range(activations, z1, z2).mean()) if len(e) else None,
        "pair_distance": distance,
        "pair_distance_per_dimension": distance / np.sqrt(max(e.shape[1], 1)),
        "nearest_distance": nearest_distance(e),
        "coverage": None if np.all(np.isnan(uneven)) else float(np.nanmax(uneven)),
        "bandwidth": None if bandwidth is None else float(bandwidth),
        "vendi_count": min(len(e), VENDI_LARGEST),
    }
    figures |= scores("vendi", evenly(e, VENDI_LARGEST), bandwidth, len(e))
    return figures | _beside_nature(e, natural_encodings, bandwidth)


def ways(from_start: Array | None = None, from_bank: Array | None = None) -> dict:
    """Figures of how far codes went, as an archive's columns of these names tell it.

    Args:
        from_start: Distance of each code from the one its search began at, [n], or None.
        from_bank: Distance from the nearest encoding of the network's bank, [n], or None.

    Returns:
        dict: from_start and from_bank, their medians; unmoved, how many never left their start;
        as_drawn, how many are natural images as the generator draws them: within `AS_DRAWN` of an
        encoding of the bank. None where unknown.
    """
    columns = (from_start, from_bank)
    start, bank = (None if a is None or not len(a) else np.asarray(a[:]) for a in columns)
    return {
        "from_start": None if start is None else float(np.median(start)),
        "unmoved": None if start is None else int(np.sum(start == 0)),
        "from_bank": None if bank is None else float(np.median(bank)),
        "as_drawn": None if bank is None else int(np.sum(bank <= AS_DRAWN)),
    }


def scores(name: str, encodings: Array, bandwidth: float | None, count: int) -> dict:
    """A Vendi score and its profile over orders, as two figures.

    Args:
        name: Of the score; the profile's is NAME_profile.
        encodings: [n, d].
        bandwidth: h, or None where it is unknown.
        count: Samples that are scored, at most n: see `diversity.profile_at`.
    """
    if bandwidth is None:
        return {name: None, f"{name}_profile": None}
    profile = profile_at(encodings, bandwidth, count)
    return {name: profile[ORDERS.index(1.0)], f"{name}_profile": list(profile)}


def _beside_nature(e: Array, natural_encodings: Array | None, bandwidth: float | None) -> dict:
    """Vendi scores of equally many natural images and samples."""
    nature = np.zeros((0, e.shape[1])) if natural_encodings is None else natural_encodings
    m = min(len(nature), len(e), VENDI_LARGEST)
    width = bandwidth if m else None
    figures = scores("vendi_natural", np.asarray(nature), width, m)
    return {"natural": m or None} | figures | scores("vendi_equal_count", e, width, m)
