"""What every method has in common: one look with its gradient, one test, one move, one buffer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tf_inverse.networks import View

STEP_FLOOR = 1e-30


class Target(NamedTuple):
    """The bands as tensors, so that one graph serves every neuron and range.

    Attributes:
        index: Where the p neurons are, [p, 3] int32.
        z1: Lower ends, [p].
        z2: Upper ends, [p].
        sd: Natural standard deviations, [p].
    """

    index: Any
    z1: Any
    z2: Any
    sd: Any


class Problem(NamedTuple):
    """What a step needs to know of the networks.

    Attributes:
        look: (c [K, d], index [p, 3]) -> View, differentiable.
        image: Shape (H, W, C) of an image.
        c_sd: Standard deviation of starting codes: the unit of beta.
        e_sd: Standard deviation of their encodings, over all entries.
        low: Smallest value of a code's entry.
        high: Largest value of a code's entry.
        bound: "both" or "paper"; see `lagrangian.margins`.
    """

    look: Callable[[Any, Any], View]
    image: tuple[int, ...]
    c_sd: float
    e_sd: float
    low: float
    high: float
    bound: str

    def descend(self, c, target: Target, lagrangian):
        """One look, and the gradient of a Lagrangian of it.

        Args:
            c: Codes, [K, d].
            target: The bands.
            lagrangian: (e, z) -> scalar; e comes scaled, so that squared distances are per
                dimension and 2 on average between starting codes.

        Returns:
            View, gradient [K, d], and which rows [K] had a finite one (the others get zero).
        """
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(c)
            view = self.look(c, target.index)
            cost = lagrangian(self.scaled(view.e), view.z)
        g = tape.gradient(cost, c)
        finite = tf.reduce_all(tf.math.is_finite(g), axis=1)
        return view, tf.where(finite[:, tf.newaxis], g, 0.0), finite

    def scaled(self, e):
        """Encodings per dimension and per natural standard deviation."""
        return e / (self.e_sd * tf.sqrt(tf.cast(tf.shape(e)[-1], e.dtype)))

    def feasible(self, z, target: Target):
        """Which rows [K] lie in every band, each end included."""
        inside = z >= target.z1
        if self.bound == "both":
            inside &= z <= target.z2
        return tf.reduce_all(inside, axis=1)

    def move(self, c, g, beta):
        """c - beta g / mean|g|, a row at a time, kept within the bounds of codes.

        Args:
            c: Codes, [K, d].
            g: Gradient, [K, d].
            beta: Step in units of the codes' standard deviation: a scalar or [K, 1].
        """
        size = tf.reduce_mean(tf.abs(g), axis=1, keepdims=True)
        return self.bounded(c - beta * self.c_sd * g / tf.maximum(size, STEP_FLOOR))

    def bounded(self, c):
        """The nearest codes within the bounds."""
        return tf.clip_by_value(c, self.low, self.high)


class Buffer(NamedTuple):
    """Samples found by a compiled loop, in the order found; one row more than it holds.

    Attributes:
        x: Images, [R + 1, H, W, C] uint8.
        c: Codes, [R + 1, d].
        steps: Step at which each was found, [R + 1] int64.
        chain: Row of the pool that found it, [R + 1] int32.
        count: How many there are, int32.
    """

    x: Any
    c: Any
    steps: Any
    chain: Any
    count: Any


def empty(rows: int, image: tuple[int, ...], c) -> Buffer:
    """A buffer for `rows` samples with images of this shape and codes like c [K, d]."""
    return Buffer(
        tf.zeros((rows + 1, *image), tf.uint8),
        tf.zeros((rows + 1, c.shape[1])),
        tf.zeros((rows + 1,), tf.int64),
        tf.zeros((rows + 1,), tf.int32),
        tf.constant(0),
    )


def put(buffer: Buffer, x, c, step, keep) -> Buffer:
    """Add the rows of a batch that are to be kept.

    Args:
        buffer: With room for all of them.
        x: Images, [K, H, W, C].
        c: Codes, [K, d].
        step: Scalar int64.
        keep: [K] booleans.
    """
    K = tf.shape(c)[0]
    kept = tf.cast(keep, tf.int32)
    # Rows not kept all land on the spare last row, which nobody reads.
    spare = tf.shape(buffer.chain)[0] - 1
    at = tf.where(keep, buffer.count + tf.cumsum(kept) - 1, spare)[:, tf.newaxis]
    new = (tf.cast(x, tf.uint8), c, tf.fill((K,), step), tf.range(K))
    old = (buffer.x, buffer.c, buffer.steps, buffer.chain)
    arrays = (tf.tensor_scatter_nd_update(o, at, n) for o, n in zip(old, new, strict=True))
    return Buffer(*arrays, buffer.count + tf.reduce_sum(kept))
