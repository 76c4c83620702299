"""The most varied of many samples: a greedy choice under a determinantal point process.

NumPy alone, in float64, so that the same rows are chosen on every machine.
"""

from __future__ import annotations

import numpy as np

from tf_inverse.diversity import matrix
from tf_inverse.errors import UsageError
from tf_inverse.tensors import Array

LEAST = 1e-10
"""Share of a row that must be new for it to be chosen by the determinant; below it is rounding."""


def varied(
    encodings: Array,
    bandwidth: float,
    count: int,
    quality: Array | None = None,
    before: Array | None = None,
) -> np.ndarray:
    """Rows whose kernel has nearly the largest determinant of all choices of this many.

    The kernel is L_ij = q_i exp(-|e_i - e_j|^2 / (2 h^2)) q_j. A row is added at a time, the one
    that multiplies the determinant most. Only the chosen rows' part of the kernel is ever made:
    memory is O(m count), work O(m count (count + d)).

    Args:
        encodings: Encodings e, [m, d].
        bandwidth: h, in units of the encoding, positive: see `networks.yardstick`.
        count: Rows to choose; all of them where there are no more.
        quality: q, [m] positive; a row of twice the quality is chosen before one that differs as
            much from those chosen. None for equal qualities.
        before: Encodings of rows that were chosen earlier, [b, d]: the new ones are to differ from
            these as well. None where the choice is the first.

    Returns:
        Indices of the chosen rows in the order of choice, [min(count, m)]. Once no row differs
        from those chosen, the best of the rest follow, each index once.

    Raises:
        UsageError: The bandwidth or a quality is not a positive number.

    Source: Chen, Zhang and Zhou, Fast Greedy MAP Inference for Determinantal Point Process to
    Improve Recommendation Diversity, NeurIPS 2018 (arXiv 1709.05135), algorithm 1.

    >>> varied(np.array([[0.0], [0.1], [9.0]]), bandwidth=1.0, count=2).tolist()
    [0, 2]
    """
    e = matrix(encodings, "encodings")
    q = np.ones(len(e)) if quality is None else np.asarray(quality, np.float64)
    if not (np.isfinite(bandwidth) and bandwidth > 0):
        raise UsageError(f"expected a positive bandwidth, got {bandwidth}")
    if q.shape != (len(e),) or not (np.isfinite(q) & (q > 0)).all():
        raise UsageError(f"expected a positive quality for each of {len(e)} rows, got {q}")
    count, early = min(count, len(e)), 0
    if before is not None and len(before):
        early = len(before)
        e, q = np.concatenate([matrix(before, "before"), e]), np.append(np.ones(early), q)
    # Row i of the Cholesky factor holds what choice i explains of every row; `left` holds the rest.
    factor = np.zeros((early + count, len(e)))
    left, chosen = q**2, np.zeros(early + count, int)
    free = np.arange(len(e)) >= early
    for i in range(early + count):
        new = free & (left > LEAST * q**2)
        likely = np.where(new if new.any() else free, left, -np.inf)
        chosen[i] = best = i if i < early else int(np.argmax(likely))
        free[best] = False
        if left[best] <= LEAST * q[best] ** 2:
            continue
        kernel = q[best] * q * np.exp(np.square(e - e[best]).sum(axis=1) / (-2.0 * bandwidth**2))
        factor[i] = (kernel - factor[:i].T @ factor[:i, best]) / np.sqrt(left[best])
        left = left - factor[i] ** 2
    return chosen[early:] - early
