"""The samples that a compiled loop finds, as tensors of a fixed size."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from tf_inverse.tensors import Tensor


class Buffer(NamedTuple):
    """Samples found by a compiled loop, in the order found; one row more than it holds.

    Attributes:
        x: Images, [R + 1, H, W, C] in the type in which they are stored.
        c: Codes, [R + 1, d].
        steps: Step at which each was found, [R + 1] int64.
        chain: Row of the pool that found it, [R + 1] int32.
        count: How many there are, int32.
        start: What else is kept of their rows: (codes that they began at, [R + 1, d]), and the
            neuron that each serves, [R + 1], where every row has its own; or ().
    """

    x: Any
    c: Any
    steps: Any
    chain: Any
    count: Any
    start: tuple = ()


def empty(
    rows: int | Tensor,
    image: tuple[int, ...],
    c: Tensor,
    stored: tf.DType = tf.uint8,
    start: tuple = (),
) -> Buffer:
    """A buffer for `rows` samples with images of this shape and codes like c [K, d].

    It has room for each of the tensors of `start`, which have a row for each of c.
    """
    return Buffer(
        tf.zeros((rows + 1, *image), stored),
        tf.zeros((rows + 1, c.shape[1])),
        tf.zeros((rows + 1,), tf.int64),
        tf.zeros((rows + 1,), tf.int32),
        tf.constant(0),
        tuple(tf.zeros((rows + 1, *one.shape[1:]), one.dtype) for one in start),
    )


def put(
    buffer: Buffer, x: Tensor, c: Tensor, step: Tensor, keep: Tensor, start: tuple = ()
) -> Buffer:
    """Add the rows of a batch that are to be kept.

    Args:
        buffer: With room for all of them.
        x: Images, [K, H, W, C].
        c: Codes, [K, d].
        step: Scalar int64.
        keep: [K] booleans.
        start: What else is kept of the rows, [K, ...] each, as of the buffer.
    """
    K = tf.shape(c)[0]
    kept = tf.cast(keep, tf.int32)
    # Rows not kept all land on the spare last row, which nobody reads.
    spare = tf.shape(buffer.chain)[0] - 1
    at = tf.where(keep, buffer.count + tf.cumsum(kept) - 1, spare)[:, tf.newaxis]
    new = (tf.cast(x, buffer.x.dtype), c, tf.fill((K,), step), tf.range(K), *start)
    old = (buffer.x, buffer.c, buffer.steps, buffer.chain, *buffer.start)
    arrays = [tf.tensor_scatter_nd_update(o, at, n) for o, n in zip(old, new, strict=True)]
    x, c, steps, chain, *more = arrays
    return Buffer(x, c, steps, chain, buffer.count + tf.reduce_sum(kept), tuple(more))
