"""Where a neuron is in its layer's output, and its activation there."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tf_inverse.band import Neuron
from tf_inverse.tensors import Tensor

MEAN, MAX = -1, -2


def index(neurons: tuple[Neuron, ...]) -> Tensor:
    """Where each neuron is in its layer: a tensor, so that one graph serves every neuron.

    Returns:
        [p, 3] int32: unit, row, column; row is `MEAN` or `MAX` for one over the whole map.
    """
    over = {"mean": (MEAN, 0), "max": (MAX, 0), None: (0, 0)}
    rows = [(n.unit, *(n.at if isinstance(n.at, tuple) else over[n.at])) for n in neurons]
    return tf.constant(rows, tf.int32, (len(rows), 3))


def activations(h: Tensor, places: Tensor) -> Tensor:
    """The activations [K, p] of p neurons in their layer's output.

    Args:
        h: [K, units], [K, tokens, units] or [K, rows, columns, units].
        places: Rows of `index`, [p, 3]; or [K, p, 3] where every row has neurons of its own.
    """
    maps = of_unit(h, places[..., 0])
    return maps if len(h.shape) == 2 else chosen(maps, places)


def of_unit(h: Tensor, unit: Tensor) -> Tensor:
    """What a layer gives for some units alone: h with p entries on its last axis.

    Args:
        h: [K, ..., units].
        unit: [p], or [K, p] where every row has units of its own.
    """
    return tf.gather(h, unit, axis=-1, batch_dims=len(unit.shape) - 1)


def chosen(maps: Tensor, places: Tensor, mean: Callable[..., Tensor] = tf.reduce_mean) -> Tensor:
    """The entry [K, p] of each neuron's own map that its place asks for.

    Args:
        maps: [K, tokens, p] or [K, rows, columns, p].
        places: Rows of `index`, [p, 3] or [K, p, 3].
        mean: What "mean" means for a map, (maps [K, N, p], axis) -> [K, p].
    """
    row, column, columns = places[..., 1], places[..., 2], maps.shape[-2]
    maps = tf.reshape(maps, (tf.shape(maps)[0], -1, tf.shape(row)[-1]))
    at = tf.maximum(row, 0) * columns + column
    if len(at.shape) == 2:
        each = tf.transpose(maps, (0, 2, 1))
        point = tf.gather(each, at[..., tf.newaxis], axis=2, batch_dims=2)[..., 0]
    else:
        point = tf.gather(tf.transpose(maps, (2, 0, 1)), at[:, tf.newaxis], axis=2, batch_dims=1)
        point = tf.transpose(point[..., 0])
    average, most = mean(maps, axis=1), tf.reduce_max(maps, axis=1)
    return tf.where(row == MEAN, average, tf.where(row == MAX, most, point))
