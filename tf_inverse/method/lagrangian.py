"""Equations 5 to 10: diversity, separation and the augmented Lagrangian, one function each.

Sums over pairs are written in the O(K) form sum_ij |e_i - e_j|^2 = 2 K sum_i |e_i|^2 -
2 |sum_i e_i|^2, and the slacks of eq. 8 are eliminated. The tests compare every function with the
paper's unsimplified form in float64. Conventions are Nocedal and Wright's (2006, section 17.4):
a constraint holds where its margin g >= 0, and multipliers are never negative.
"""

from __future__ import annotations

import tensorflow as tf

from tf_inverse.tensors import Tensor


def diversity(e: Tensor, own: Tensor | None = None) -> Tensor:
    """Eq. 5's objective: sum over i, j of |e_i - e_j|^2.

    Args:
        e: Encodings, [K, d_E].
        own: Which of G samples each row belongs to, [K, G] of zeros and a one a row, where only
            pairs of the same sample count; None where all rows are of one.

    Returns:
        Scalar, never negative but for rounding.

    >>> float(diversity(tf.constant([[0.0], [3.0]])))  # both orders count: 2 * 3^2
    18.0
    """
    if own is not None:
        rows = tf.matmul(own, tf.reduce_sum(own, axis=0)[:, tf.newaxis])
        sums = tf.matmul(own, e, transpose_a=True)
        return 2.0 * (tf.reduce_sum(rows * e**2) - tf.reduce_sum(sums**2))
    K = tf.cast(tf.shape(e)[0], e.dtype)
    return 2.0 * (K * tf.reduce_sum(e**2) - tf.reduce_sum(tf.reduce_sum(e, axis=0) ** 2))


def separation(e: Tensor, e0: Tensor, weights: Tensor) -> Tensor:
    """Eq. 6's second sum: sum over i, j of w_j |e_i - e0_j|^2.

    Args:
        e: Encodings of the new codes, [K, d_E].
        e0: Encodings to stay away from, [K0, d_E]; no gradient is sent to them.
        weights: w, [K0]: 1 for a feasible row, 0 for one that does not count; or [K, K0] where
            every new code has weights of its own.

    Returns:
        Scalar.
    """
    e0 = tf.stop_gradient(e0)
    if len(weights.shape) == 2:
        return (
            tf.reduce_sum(tf.reduce_sum(weights, axis=1, keepdims=True) * e**2)
            - 2.0 * tf.reduce_sum(e * tf.matmul(weights, e0))
            + tf.reduce_sum(weights * tf.reduce_sum(e0**2, axis=1))
        )
    weights = weights[:, tf.newaxis]
    K = tf.cast(tf.shape(e)[0], e.dtype)
    return (
        tf.reduce_sum(weights) * tf.reduce_sum(e**2)
        - 2.0 * tf.reduce_sum(tf.reduce_sum(e, axis=0) * tf.reduce_sum(weights * e0, axis=0))
        + K * tf.reduce_sum(weights * e0**2)
    )


def margins(
    z: Tensor,
    z1: Tensor,
    z2: Tensor,
    sd: Tensor,
    epsilon: Tensor | float = 0.0,
    bound: str = "both",
) -> Tensor:
    """How far inside its band each activation lies, in natural standard deviations.

    Args:
        z: Activations, [K, p].
        z1: Lower ends, [p] or [K, p].
        z2: Upper ends, likewise.
        sd: Natural standard deviations, [p].
        epsilon: How far inside the ends to aim (epsilon_0 of section 3.4), [p] or scalar.
        bound: "both" for a row a side; "paper" for the lower side alone, as eqs. 7-10 print it.

    Returns:
        g, [K, m] with m = 2 p or p; a row is feasible where all its g >= 0.
    """
    lower = (z - z1 - epsilon) / sd
    if bound == "paper":
        return lower
    return tf.concat([lower, (z2 - z - epsilon) / sd], axis=-1)


def penalty(g: Tensor, lam: Tensor, mu: Tensor) -> Tensor:
    """Constraint terms of the augmented Lagrangian, slack eliminated.

    The last two terms of eq. 8, -lam (g - s) + mu / 2 (g - s)^2, with s at its minimiser
    max(0, g - lam / mu).

    Args:
        g: Margins, [K, m].
        lam: Multipliers, [K, m], never negative.
        mu: Penalty weight, positive: a scalar, or [K, 1] where every row has its own.

    Returns:
        Scalar: sum((relu(lam - mu * g)**2 - lam**2) / (2 * mu)).

    >>> float(penalty(tf.constant([[1.0]]), tf.constant([[0.0]]), 10.0))  # feasible: no cost
    0.0
    """
    return tf.reduce_sum((next_multipliers(g, lam, mu) ** 2 - lam**2) / (2.0 * mu))


def next_multipliers(g: Tensor, lam: Tensor, mu: Tensor) -> Tensor:
    """The multipliers of the next round: relu(lam - mu * g), shapes as in `penalty`.

    >>> float(next_multipliers(tf.constant(-0.5), tf.constant(1.0), 10.0))
    6.0
    """
    return tf.nn.relu(lam - mu * g)


def seeds_lagrangian(
    e: Tensor, g: Tensor, lam: Tensor, mu: Tensor, own: Tensor | None = None
) -> Tensor:
    """Eq. 8: minus the diversity of K codes plus the constraint terms.

    Args:
        e: Encodings over the square root of d_E times their natural deviation, [K, d_E], so that
            the pair sum is per dimension and without scale.
        g: Margins, [K, m].
        lam: Multipliers, [K, m].
        mu: Penalty weight.
        own: As of `diversity`.

    Returns:
        Scalar, to be minimised over the codes.
    """
    return penalty(g, lam, mu) - diversity(e, own)


def walk_lagrangian(
    e: Tensor,
    g: Tensor,
    lam: Tensor,
    mu: Tensor,
    e0: Tensor,
    weights: Tensor,
    own: Tensor | None = None,
) -> Tensor:
    """Eq. 10: eq. 8, and away from the last feasible codes C_0 (arguments as above)."""
    return seeds_lagrangian(e, g, lam, mu, own) - separation(e, e0, weights)
