"""How long a step each row of the pool takes, and when it is given up.

One step beta cannot suit every network and every place: where the activation is steep, a step too
long throws a row from one side of its band to the other for ever; where an image is white or black
all over, no step changes anything.
"""

from __future__ import annotations

import tensorflow as tf

from tf_inverse.tensors import Tensor


def strides(
    short: Tensor, off: Tensor, before: Tensor, stride: Tensor, new: Tensor, shortest: float
) -> Tensor:
    """The length of every row's next step, as a share of beta.

    A row steps shorter within a band's width of its aim, and never farther than would take it there
    by the secant of its last step.

    Args:
        short: How far short of its aims a row is, in bands, [K, p].
        off: The largest of those of a row, without sign, [K].
        before: `short` at the last look, [K, p].
        stride: The last step as a share of beta, [K].
        new: Rows that had no last step, [K].
        shortest: Least share, but for the secant.

    Returns:
        Shares of beta, [K].
    """
    worst = tf.argmax(tf.abs(short), axis=1)
    came = tf.gather(tf.abs(short - before), worst, batch_dims=1)
    plain = tf.clip_by_value(off, shortest, 1.0)
    known = ~new & (came > 0.0)
    secant = tf.math.divide_no_nan(stride * off, came)
    return tf.where(known, tf.minimum(plain, secant), plain)


def landing(short: Tensor, before: Tensor, stride: Tensor, new: Tensor, room: float) -> Tensor:
    """The length of every row's next step, as a share of beta, so that it does not jump its band.

    By the secant of its last step a row lands at most `room` bands beyond its aim. All other steps
    have the full length, however near the aim is.

    Args:
        short: As of `strides`.
        before: As of `strides`.
        stride: As of `strides`.
        new: As of `strides`.
        room: How far beyond its aim a row may land, in bands.

    Returns:
        Shares of beta, [K].
    """
    off = tf.abs(short)
    worst = tf.argmax(off, axis=1)
    came = tf.gather(tf.abs(short - before), worst, batch_dims=1)
    farthest = tf.math.divide_no_nan(stride * (tf.reduce_max(off, axis=1) + room), came)
    return tf.where(new | (came == 0.0), 1.0, tf.minimum(1.0, farthest))


def progress(
    off: Tensor, nearest: Tensor, since: Tensor, new: Tensor, nearer: float
) -> tuple[Tensor, Tensor]:
    """How near every row has come, and how long ago.

    Args:
        off: How far every row is off its aim, in bands, [K].
        nearest: What counts as its nearest so far, [K].
        since: Steps since then, [K] int32.
        new: Rows of which nothing is known yet, [K].
        nearer: Share to which the way must shrink to count as coming nearer.

    Returns:
        The same two, after this step.
    """
    came = new | (off < nearer * nearest)
    return tf.where(came, off, nearest), tf.where(came, 0, since + 1)
