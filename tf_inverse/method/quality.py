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
from tf_inverse.directions import Direction
from tf_inverse.networks import unit_nature
from tf_inverse.networks.neuron_index import activations, index
from tf_inverse.neuron import Neuron
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.band import Bands
    from tf_inverse.networks.networks import Networks

Place = tuple[str, tuple[int, int] | None]


WEIGHTS = (0.1, 0.15, 0.2, 0.3)
"""Powers that are tried in turn where the choice is to be as in nature. With less than the first,
samples are hardly more varied and less true (docs/experiments.md)."""

PLAIN = 0.05
"""The power where nothing is known of natural images in the range."""

ENOUGH = 20
"""Natural images that tell what is natural of a range; the nearest where fewer lie in it."""


def logs(networks: Networks, bands: Bands, images: Array, batch: int) -> Array:
    """Logarithms of the shares of natural images that excite a unit as much as each candidate.

    A candidate's quality is the share to some power w: exp(w log share).

    The unit is the one, of those that no target means, whose activation is the rarest in nature. Of
    targets in several layers or places the mean counts.

    Args:
        networks: The pair.
        bands: Neurons with their ranges.
        images: As they are stored, [k, H, W, C].
        batch: Images to look at in one go.

    Returns:
        [k], at most 0; all 0 where nothing natural is known of a layer, or it has no other units.
    """
    parts = [
        _rarest(networks, units, _look(networks, images, units, batch))
        for units in _others(networks, bands)
    ]
    return np.mean(parts, axis=0) if parts else np.zeros(len(images))


def natural(networks: Networks, bands: Bands) -> float | None:
    """The mean of `logs` over natural images in the range, or None where that is unknown.

    They are those that the network keeps at random. Where too few of them lie in the range, they
    are all in it that the network keeps, and then the nearest.
    """
    z, stored = unit_nature.encoded(networks, bands.neurons), networks.natural
    others = _others(networks, bands)
    if z is None or stored is None or not others:
        return None
    columns = [unit_nature.encoded(networks, units) for units in others]
    beyond = np.maximum(np.maximum(bands.z1 - z, z - bands.z2), 0.0) / (bands.z2 - bands.z1)
    far = beyond.max(axis=1)
    rows = np.flatnonzero(far[: stored.typical] == 0.0)
    if len(rows) < ENOUGH:
        rows = np.argsort(far, kind="stable")[: max(ENOUGH, int((far == 0.0).sum()))]
    parts = [
        _rarest(networks, units, found[rows])
        for units, found in zip(others, columns, strict=True)
        if found is not None
    ]
    return float(np.mean(parts)) if len(parts) == len(others) else None


def _others(networks: Networks, bands: Bands) -> list[tuple[Neuron, ...]]:
    """For each layer and place of targets the units that none of them means.

    Left out are layers of which nothing natural is known, or that have no other units.
    """
    found, layers = [], networks.natural.layers if networks.natural else {}
    for (layer, at), own in _targets(bands).items():
        count = len(layers[layer][0]) if layer in layers else 0
        units = tuple(Neuron(layer, unit, at) for unit in range(count) if unit not in own)
        if units:
            found.append(units)
    return found


def _rarest(networks: Networks, units: tuple[Neuron, ...], z: Array) -> Array:
    """The logarithm [k] of the share of the rarest activation among units' z [k, U]."""
    stored = networks.natural
    assert stored is not None, "units come from the layers that natural statistics know"
    percentiles = stored.layers[units[0].layer][2][np.array([one.unit for one in units], int)]
    return np.log(shares(z, percentiles, stored.levels, stored.images).min(axis=1))


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
            unit, own = neuron.unit, found.setdefault((neuron.layer, neuron.at), set())
            if isinstance(unit, Direction):
                own |= set(np.flatnonzero(unit.values).tolist())
            else:
                own.add(unit)
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
