"""How much chains of draws are worth: effective sample size and R-hat.

After Vehtari, Gelman, Simpson, Carpenter and Buerkner, Rank-normalization, folding, and
localization: an improved R-hat for assessing convergence of MCMC (Bayesian Analysis 16, 2021). Both
are of ranks turned into normal scores, so that no moment has to exist, and of chains split in
halves, so that a trend counts as disagreement. NumPy alone.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tf_inverse.tensors import Array

DIRECTIONS = 8
LEAST_DRAWS = 8
"""Draws a chain needs: autocorrelations of halves of fewer than four draws say nothing."""


def effective_size(x: Array) -> float:
    """The bulk effective sample size: how many independent draws would tell as much.

    Args:
        x: One number a draw, [chains, draws].

    Returns:
        More than the number of draws where they alternate; NaN for fewer than `LEAST_DRAWS` draws a
        chain, for draws that are not finite, and for draws that are all equal.
    """
    if not _told(x):
        return float("nan")
    return _effective_size(_normal_scores(_halves(x)))


def r_hat(x: Array) -> float:
    """How far chains disagree: near 1 where all of them visit the same places equally often.

    Args:
        x: One number a draw, [chains, draws].

    Returns:
        The larger one of the R-hat of ranks and of ranks of the distance from the median, which
        tells of unequal spreads; NaN where `effective_size` is.
    """
    if not _told(x):
        return float("nan")
    halves = _halves(x)
    folded = np.abs(halves - np.median(halves))
    return max(_r_hat(_normal_scores(halves)), _r_hat(_normal_scores(folded)))


def of_sample(z: Array, e: Array, chain: Array) -> dict[str, float | None]:
    """What the rows of several chains are worth together, by the worst of several statistics.

    They are the activations and `DIRECTIONS` random directions of the encodings.

    Args:
        z: Activations, [n, p].
        e: Encodings, [n, d_E].
        chain: Which chain each row is of, [n]; rows of a chain stand in its order.

    Returns:
        `ess` of all n rows, and `r_hat`; None where they cannot be told, as of short chains.
    """
    along = np.random.default_rng(0).standard_normal((e.shape[1], DIRECTIONS))
    rows = [np.flatnonzero(chain == one) for one in np.unique(chain)]
    draws = min(map(len, rows), default=0)
    figures: dict[str, float | None] = {"ess": None, "r_hat": None}
    if draws < LEAST_DRAWS:
        return figures
    # Chains of unlike lengths count as the shortest one; each row is worth the same.
    even = np.stack([some[:draws] for some in rows])
    told = np.concatenate([z, e.astype(np.float64) @ along], axis=1)[even]
    each = np.moveaxis(told, 2, 0)
    sizes = [effective_size(one) for one in each]
    if all(map(np.isnan, sizes)):
        return figures
    share = float(np.nanmin(sizes)) / even.size
    return {"ess": share * len(chain), "r_hat": float(np.nanmax([r_hat(one) for one in each]))}


def _told(x: Array) -> bool:
    enough = x.shape[1] >= LEAST_DRAWS
    return bool(enough and np.isfinite(x).all() and np.ptp(x) > 0)


def _halves(x: Array) -> Array:
    """Each chain as two; of an odd number of draws the middle one is left out."""
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, -half:]])


def _normal_scores(x: Array) -> Array:
    """Eq. 14: quantiles of the normal distribution at (rank - 3/8) / (S + 1/4)."""
    values, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = last - (counts - 1) / 2.0  # equal draws share their mean rank
    quantile = statistics.NormalDist().inv_cdf
    scores = np.array([quantile((rank - 0.375) / (x.size + 0.25)) for rank in ranks])
    return scores[place].reshape(x.shape)


def _r_hat(x: Array) -> float:
    """Eqs. 1-4 of [chains, draws]."""
    draws = x.shape[1]
    within = x.var(axis=1, ddof=1).mean()
    between = x.mean(axis=1).var(ddof=1)
    if within == 0:
        return float("inf") if between else float("nan")
    return float(np.sqrt((draws - 1) / draws + between / within))


def _autocovariance(x: Array) -> Array:
    """Of each chain at all lags, [chains, draws], over the number of draws."""
    draws = x.shape[1]
    centred = x - x.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, 2 * draws, axis=1)
    return np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :draws] / draws


def _effective_size(x: Array) -> float:
    """Eqs. 10-13: autocorrelations over all chains, summed by Geyer's initial monotone sequence."""
    chains, draws = x.shape
    covariance = _autocovariance(x).mean(axis=0)
    within = covariance[0] * draws / (draws - 1)
    total = covariance[0] + x.mean(axis=1).var(ddof=1)
    rho = 1.0 - (within - covariance) / total
    rho[0] = 1.0
    # Geyer 1992: sums of neighbouring pairs are positive and do not grow; the rest is noise.
    even, odd = rho[0::2][: draws // 2], rho[1::2][: draws // 2]
    pairs = even + odd
    # As in Stan and ArviZ, the last three lags are not looked at.
    most = max(0, -((4 - draws) // 2))
    ends = np.flatnonzero(pairs[:most] < 0)
    count = int(ends[0]) if len(ends) else most
    tau = -1.0 + 2.0 * np.minimum.accumulate(pairs[:count]).sum()
    # The pair that ended the sum may have had a positive first half.
    if count < len(even):
        tau += max(0.0, even[count])
    size = chains * draws
    return float(size / max(tau, 1.0 / np.log10(size)))
