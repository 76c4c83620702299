"""What is fixed at export, and how neurons are addressed in it: as rows of numbers.

A neuron is a row [layer, unit, row, column], where `layer` counts within the layers chosen at
export, and `row` is -1 (-2) for the mean (maximum) over a map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import tensorflow as tf

from tf_inverse.export import checks
from tf_inverse.method.problem import Target
from tf_inverse.networks.neuron_index import activations, extended
from tf_inverse.networks.odds import of_units
from tf_inverse.tensors import Array, Tensor

if TYPE_CHECKING:
    from tf_inverse.export.dealing import Deck
    from tf_inverse.method.normalization import Scale
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks.networks import Networks
    from tf_inverse.neuron import Neuron


class Exported(NamedTuple):
    """What is fixed when a model is written.

    Attributes:
        networks: The pair.
        layers: Layers whose units can be asked for.
        settings: Of method renewal.
        scale: Its deviations of codes and encodings count.
        sd: Deviations of the units of each layer, arrays [U]: of their log-odds, where they are
            probabilities.
        directions: Neurons of each layer that are directions: further units after its own.
        deck: Natural codes to begin near, or None where starts are random.
    """

    networks: Networks
    layers: tuple[str, ...]
    settings: Settings
    scale: Scale
    sd: tuple[Array, ...]
    directions: tuple[tuple[Neuron, ...], ...]
    deck: Deck | None

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of what each layer gives, without the batch axis; directions count among the units."""
        pairs = zip(self.layers, self.directions, strict=True)
        shapes = ((self.networks.layer_shape(layer), along) for layer, along in pairs)
        return tuple((*shape[:-1], shape[-1] + len(along)) for shape, along in shapes)


def read(exported: Exported, x: Tensor, neurons: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Encodings, activations, and what the search goes by, of images.

    Args:
        exported: What is fixed.
        x: Images, [K, H, W, C] float32.
        neurons: Rows [layer, unit, row, column], [p, 4].

    Returns:
        (e [K, d_E], z [K, p], s [K, p]).
    """
    e, outputs = exported.networks.outputs(x, exported.layers)
    for layer, along in zip(exported.layers, exported.directions, strict=True):
        if along:
            values = [tf.constant(one.direction.values) for one in along if one.direction]
            outputs[layer] = extended(outputs[layer], values)
    likely = _likely(exported)
    z = _looked_up(exported, outputs, neurons, [activations] * len(likely))
    if not any(likely):
        return e, z, z
    readers = [of_units if one else activations for one in likely]
    return e, z, _looked_up(exported, outputs, neurons, readers)


def _looked_up(
    exported: Exported,
    outputs: Mapping[str, Tensor],
    neurons: Tensor,
    readers: Sequence[Callable[[Tensor, Tensor], Tensor]],
) -> Tensor:
    z = []
    for i, (layer, read) in enumerate(zip(exported.layers, readers, strict=True)):
        mine = neurons[:, 0] == i
        places = tf.where(mine[:, tf.newaxis], neurons[:, 1:], 0)
        z.append(tf.where(mine, read(outputs[layer], places), 0.0))
    return tf.add_n(z)


def _likely(exported: Exported) -> tuple[bool, ...]:
    return exported.networks.probabilities(exported.layers)


def target(
    exported: Exported,
    neurons: Tensor,
    ranges: Tensor,
    sd: Tensor,
    codes: Tensor,
    aims: Tensor,
    rows: Tensor,
) -> Target:
    """The bands of a search as tensors, once its inputs are checked; arguments as of `sample`."""
    with tf.control_dependencies(checks.question(exported, neurons, ranges, sd, codes, aims, rows)):
        neurons = tf.identity(neurons)
    stored = []
    for i, table in enumerate(exported.sd):
        mine = neurons[:, 0] == i
        units = tf.where(mine, neurons[:, 1], 0)
        stored.append(tf.where(mine, tf.gather(tf.constant(table, tf.float32), units), 0.0))
    sd = tf.where(sd > 0.0, sd, tf.add_n(stored))
    probable = _likely(exported)
    likely = tf.gather(tf.constant(probable), neurons[:, 0]) if any(probable) else None
    return Target(neurons, ranges[:, 0], ranges[:, 1], sd, likely)
