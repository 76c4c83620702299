"""What is natural for a neuron of a pair, a unit or a direction, and over which images."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tf_inverse.band import Band, Bands
from tf_inverse.compute.precision import exact
from tf_inverse.networks import codes
from tf_inverse.networks.natural import LEVELS, MAPS, UnitStatistics
from tf_inverse.networks.neuron_index import index

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks
    from tf_inverse.neuron import Neuron
    from tf_inverse.tensors import Array

COUNT = 500
"""Random codes that stand for nature where nothing natural is known of a direction."""
BATCH = 10
SEED = 0


def statistics(networks: Networks, neuron: Neuron) -> UnitStatistics | None:
    """Statistics of a neuron over natural images, or None where there are none.

    Of a unit they are over all images that the network was measured on. Of a direction they are
    over those images, chosen at random, of which the network keeps activations or encodings.
    """
    natural = networks.natural
    if natural is None:
        return None
    if neuron.direction is None:
        return natural.unit(neuron)
    z = kept(networks, neuron)
    if z is None or natural.typical < 2:
        return None
    # Encodings of another folder's images have lost their numbers.
    of = "other natural images" if natural.indices is None else _words(natural.description)
    said = f"those of {of} that the network keeps at random"
    return UnitStatistics.measured(z[: natural.typical], natural.levels, said)


def kept(networks: Networks, neuron: Neuron) -> Array | None:
    """Activations [N] of a neuron over the natural images that the network keeps, or None.

    A direction of the encoder is read from the encodings, and so is one of the layer that an
    encoder with maps begins with.
    """
    natural, direction = networks.natural, neuron.direction
    if natural is None or isinstance(neuron.at, str):
        return None
    encoder = networks.layer_path(networks.encoder)
    parts = (encoder, encoder.removesuffix(MAPS))
    # Where no activations are kept, the encodings are codes that came from another network.
    own = natural.encodings if natural.activations else None
    if direction is None or own is None or neuron.layer not in parts:
        return natural.kept(neuron)
    shape = networks.layer_shape(neuron.layer)
    e = own[:, : math.prod(shape)].astype(np.float64)
    if len(direction.values) == e.shape[1]:
        return e @ direction.values
    row, column = neuron.at or (0, 0)
    maps = e.reshape(len(e), -1, shape[-1])
    return maps[:, row * shape[-2] + column] @ direction.values


def encoded(networks: Networks, neurons: Iterable[Neuron]) -> Array | None:
    """Activations [N, p] over the natural images whose encodings are kept, or None if unknown."""
    columns = [kept(networks, neuron) for neuron in neurons]
    known = [z for z in columns if z is not None]
    if networks.natural is None or networks.natural.encodings is None:
        return None
    return np.stack(known, axis=1) if known and len(known) == len(columns) else None


def within(networks: Networks, bands: Iterable[Band]) -> Array | None:
    """Which of the kept natural images lie in all bands: numbers, or None where that is unknown."""
    bands = Bands(bands)
    z = encoded(networks, bands.neurons)
    if z is None:
        return None
    return np.flatnonzero(((z >= bands.z1) & (z <= bands.z2)).all(axis=1))


def told(networks: Networks, bands: Iterable[Band]) -> dict[str, Any] | None:
    """What an archive tells of natural images, and of each band's neuron among them.

    Returns:
        images (how many), of (what they are), levels (of percentiles), and targets: mean, sd and
        percentiles of each band's neuron, or None, with images and of where they are others; None
        where nothing is known of any neuron.
    """
    natural = networks.natural
    units = [statistics(networks, band.neuron) for band in bands]
    if natural is None or not any(units) or not natural.images:
        return None
    return {
        "images": natural.images,
        "of": _words(natural.description),
        "levels": natural.levels.tolist(),
        "targets": [one and one.told() for one in units],
    }


def _words(text: str) -> str:
    return " ".join(text.split())[:200]


def generated(networks: Networks, neuron: Neuron) -> UnitStatistics:
    """Statistics of a neuron over the images of random codes, always the same ones."""
    look, where = networks.looking((neuron.layer,)), index((neuron,))
    c = codes.draw(networks, COUNT, codes.generator(SEED, 0))
    with exact():
        parts = [look(tf.constant(c[i : i + BATCH]), where).z for i in range(0, COUNT, BATCH)]
    z = np.concatenate(parts)[:, 0]
    return UnitStatistics.measured(z, np.array(LEVELS), f"the images of {COUNT} random codes")
