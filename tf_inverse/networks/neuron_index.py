"""Where a neuron is in its layer's output, and its activation there.

Directions stand as further units after those of their layer, so that whatever is done to units is
done to directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import tensorflow as tf

from tf_inverse.directions import Direction
from tf_inverse.neuron import Neuron
from tf_inverse.tensors import Tensor

MEAN, MAX = -1, -2


class Places(NamedTuple):
    """Where p neurons are of which some are directions.

    Attributes:
        rows: As `index` has them, [p, 3], or [K, p, 3] where every row has neurons of its own; the
            unit of a direction counts from behind: the last direction of a layer is -1.
        directions: Layer -> its directions: [units] over one place of a map, or [d] over all d
            numbers of its output.
    """

    rows: Tensor
    directions: dict[str, tuple[Tensor, ...]]

    def among(
        self, outputs: dict[str, Tensor], layers: tuple[str, ...]
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The outputs of layers with directions as units, and the rows that address them.

        Args:
            outputs: What each layer gives, by name.
            layers: Layer of each neuron.
        """
        outputs = outputs | {
            name: extended(outputs[name], along) for name, along in self.directions.items()
        }
        units = tf.constant([[outputs[name].shape[-1]] for name in layers], tf.int32)
        unit = tf.math.floormod(self.rows[..., :1], units)
        return outputs, tf.concat([unit, self.rows[..., 1:]], axis=-1)


Where = Tensor | Places
"""Rows of `index` where all neurons are units, else `Places`."""


def index(neurons: tuple[Neuron, ...]) -> Where:
    """Where each neuron is in its layer: tensors, so that one graph serves every neuron.

    Returns:
        [p, 3] int32: unit, row, column; row is `MEAN` or `MAX` for one over the whole map. With
        directions among the neurons, `Places` of such rows.
    """
    over = {"mean": (MEAN, 0), "max": (MAX, 0), None: (0, 0)}
    along: dict[str, list[Direction]] = {}
    for one in neurons:
        if isinstance(one.unit, Direction):
            along.setdefault(one.layer, []).append(one.unit)
    behind = {layer: -len(found) for layer, found in along.items()}
    rows = []
    for one in neurons:
        unit = one.unit
        if isinstance(unit, Direction):
            unit = behind[one.layer]
            behind[one.layer] += 1
        rows.append((unit, *(one.at if isinstance(one.at, tuple) else over[one.at])))
    places = tf.constant(rows, tf.int32, (len(rows), 3))
    if not along:
        return places
    values = {layer: tuple(tf.constant(d.values) for d in found) for layer, found in along.items()}
    return Places(places, values)


def of_rows(index: Where, owner: Tensor) -> Where:
    """Where the neuron of each of K rows is, [K, 1, 3]: `owner` [K] tells which of the index."""
    if isinstance(index, Places):
        return index._replace(rows=of_rows(index.rows, owner))
    return tf.gather(index, owner)[:, tf.newaxis]


def extended(h: Tensor, directions: Iterable[Tensor]) -> Tensor:
    """A layer's output with further units, which are directions of it.

    Args:
        h: [K, units], [K, tokens, units] or [K, rows, columns, units].
        directions: Each [units], or [d] over all d numbers that the layer gives of one image.
    """
    return tf.concat([h, *(_along(h, one) for one in directions)], axis=-1)


def _along(h: Tensor, direction: Tensor) -> Tensor:
    # A product of matrices would be rounded to ten bits where a GPU searches.
    if direction.shape[0] == h.shape[-1]:
        return tf.reduce_sum(h * direction, axis=-1, keepdims=True)
    z = tf.reduce_sum(h * tf.reshape(direction, h.shape[1:]), axis=range(1, len(h.shape)))
    every = tf.reshape(z, (-1, *(1 for _ in h.shape[1:])))
    return tf.zeros_like(h[..., :1]) + every


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
