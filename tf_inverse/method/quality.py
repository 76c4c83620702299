"""How much a candidate shows its own neuron and no other one, by no judge.

A search changes fine structure until the neuron is content, and what is easiest to change often
excites other units of the layer more than almost any natural image does. Other classifiers then
see what those units stand for. A candidate on which the other units are as quiet as on many
natural images is likelier to show what its own neuron responds to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tf_inverse.compute.device import traced
from tf_inverse.compute.precision import exact
from tf_inverse.networks.neuron_index import activations, index
from tf_inverse.neuron import Neuron
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.band import Bands
    from tf_inverse.networks.networks import Networks

Place = tuple[str, tuple[int, int] | None]


def of(networks: Networks, bands: Bands, images: Array, weight: float, batch: int) -> Array:
    """The quality of candidates: the share of natural images that excite a unit as much, powered.

    The unit is the one, of those that no target means, whose activation is the rarest in nature. Of
    targets in several layers or places the geometric mean counts. All qualities are 1 where nothing
    natural is known of a layer, or it has no other units.

    Args:
        networks: The pair.
        bands: Neurons with their ranges.
        images: As they are stored, [k, H, W, C].
        weight: The power, not negative; with 0 all qualities are 1.
        batch: Images to look at in one go.

    Returns:
        [k], positive, at most 1.
    """
    logs = []
    for (layer, at), own in _targets(bands).items():
        known = networks.natural and networks.natural.layers.get(layer)
        if not weight or not known:
            continue
        units = [unit for unit in range(len(known[0])) if unit not in own]
        if units:
            z = _look(networks, images, tuple(Neuron(layer, unit, at) for unit in units), batch)
            rare = shares(z, known[2][units], networks.natural.levels, networks.natural.images)
            logs.append(np.log(rare.min(axis=1)))
    return np.exp(weight * np.mean(logs, axis=0)) if logs else np.ones(len(images))


def shares(z: Array, percentiles: Array, levels: Array, images: int) -> Array:
    """Shares of natural images that excite units at least as much, [k, U].

    Args:
        z: Activations, [k, U].
        percentiles: Of each unit over natural images, [U, P], rising.
        levels: Of the percentiles, [P], 0 to 100.
        images: How many natural images there are: the smallest share is that of one of them, and so
            is that of an activation that is no number.

    >>> shares(np.array([[0.0], [1.5], [9.0]]), np.array([[0.0, 0.0, 2.0]]), [0, 50, 100], 100).T
    array([[1.   , 0.125, 0.01 ]])
    """
    above = 1.0 - np.asarray(levels, np.float64) / 100.0
    # From above, so that the many images on which a unit is silent all count for a silent one.
    columns = [
        np.interp(-one, -values[::-1], above[::-1])
        for one, values in zip(z.T.astype(np.float64), percentiles.astype(np.float64), strict=True)
    ]
    return np.maximum(np.nan_to_num(np.stack(columns, axis=1), nan=0.0), 1.0 / images)


def _targets(bands: Bands) -> dict[Place, set[int]]:
    """Layer and place -> units that targets there mean, or weigh as directions."""
    found: dict[Place, set[int]] = {}
    for neuron in bands.neurons:
        # Nothing natural is known of a map's mean or max.
        if not isinstance(neuron.at, str):
            direction, own = neuron.direction, found.setdefault((neuron.layer, neuron.at), set())
            weighed = None if direction is None else np.flatnonzero(direction.values)
            own |= {neuron.unit} if weighed is None else set(weighed.tolist())
    return found


def _look(networks: Networks, images: Array, units: tuple[Neuron, ...], batch: int) -> Array:
    """Activations [k, U] of units of one layer at one place."""
    layer, where, parts = units[0].layer, index(units), []
    look = networks.compiled(
        ("units", layer),
        lambda: traced(
            lambda x, at: activations(networks.outputs(x, (layer,))[1][layer], at),
            reduce_retracing=True,
        ),
    )
    for first in range(0, len(images), batch):
        part = images[first : first + batch].astype(np.float32)
        # A short batch is filled up, so that one graph serves all.
        rows = np.concatenate([part, np.zeros((batch - len(part), *part.shape[1:]), "f4")])
        with exact():
            parts.append(look(tf.constant(rows), where).numpy()[: len(part)])
    return np.concatenate([np.zeros((0, len(units)), np.float32), *parts])
