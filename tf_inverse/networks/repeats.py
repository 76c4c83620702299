"""Whether networks give the same numbers for the same input, alone and among others.

Augmentation, noise and dropout that run outside of training give others each time; a batch
normalisation that runs as in training gives each image what its neighbours in the batch make of
it. Nothing fails then, but no sample could be verified, and no run repeated.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tf_inverse.errors import UsageError
from tf_inverse.networks import codes
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks
    from tf_inverse.neuron import Neuron

COUNT = 10
"""Random codes that are looked at."""

SHARE, ROUNDING = 1e-2, 1e-4
"""Numbers may differ by this share of their spread, and by this share of the largest: sums of
other batches come in another order."""

EXACT = 1e-3
"""That share of the spread for activations, which decide what is a sample."""


def apart(before: Array, after: Array, share: float = SHARE) -> float | None:
    """Largest difference of numbers [N, ...] from those that the same inputs gave before.

    Args:
        before: What some inputs gave, [N, ...].
        after: What the first of the same inputs gave, [n, ...]. What is no number counts nothing.
        share: Of their spread, by which they may differ.

    Returns:
        None where they differ no more than sums in another order do.
    """
    before, after = (np.asarray(a, np.float64).reshape(len(a), -1) for a in (before, after))
    with np.errstate(invalid="ignore"):  # of what overflows, nothing is told here
        off = np.abs(before[: len(after)] - after)
        off = np.where(np.isfinite(off), off, 0.0)
        sound = np.where(np.isfinite(before), before, 0.0)
    spread, largest = (a.max(initial=0.0) for a in (sound.std(axis=0), np.abs(sound)))
    allowed = share * spread + ROUNDING * largest
    return float(off.max()) if off.max(initial=0.0) > allowed else None


def expect_same(name: str, inputs: str, before: Array, after: Array, way: str = "") -> None:
    """Refuses numbers that are not those which the same inputs gave before.

    Args:
        name: Of the model, in words.
        inputs: What it takes, in words.
        before: As of `apart`, as is after.
        after: Likewise.
        way: What else can be done, as the end of a sentence.

    Raises:
        UsageError: They are others.
    """
    off = apart(before, after)
    if off is not None:
        raise UsageError(
            f"expected {name} to give the same for the same {inputs}, it gave numbers {off:.2g} "
            f"apart: something in it is random, or looks at the whole batch, outside of training. "
            f"Call Dropout, noise and BatchNormalization without training=True, and export "
            f"augmentation with training=False (docs/own_network.md){way}"
        )


def expect_neurons(networks: Networks, neurons: tuple[Neuron, ...], batch: int) -> None:
    """Refuses networks whose images, encodings or activations of neurons are others each time.

    What was found of neurons in some layers holds for every neuron in them: it is asked once.

    Args:
        networks: `networks.Networks`.
        neurons: p neurons.
        batch: Images that the caller scores at a time: the graph is the one that the caller needs.

    Raises:
        UsageError: With what may be the cause.
    """
    layers = tuple(dict.fromkeys(n.layer for n in neurons))

    def look() -> None:
        x = _images(networks)
        e, z = networks.score(x, neurons, batch)
        # Each image among other neighbours.
        moved = networks.score(np.roll(x, 1, axis=0), neurons, batch)
        e_again, z_again = (np.roll(a, -1, axis=0) for a in moved)
        _expect_encodings(networks, e, e_again)
        for i, neuron in enumerate(neurons):
            _expect_layer(networks, neuron.layer, z[:, i], z_again[:, i])

    networks.compiled(("repeats", layers), look)


def expect_layers(networks: Networks, layers: Iterable[str]) -> None:
    """Refuses networks whose images, encodings or layers are others each time.

    Args:
        networks: `networks.Networks`.
        layers: Names of layers, all of whose units are looked at.

    Raises:
        UsageError: With what may be the cause.
    """
    x, layers = tf.constant(_images(networks).astype(np.float32)), tuple(layers)
    (e, h), (e_again, again) = (networks.outputs(part, layers) for part in (x, x[: COUNT // 2]))
    _expect_encodings(networks, e, e_again)
    for layer in layers:
        _expect_layer(networks, layer, h[layer], again[layer])


def _images(networks: Networks) -> Array:
    """Images of random codes as they are stored, [COUNT, H, W, C], of a generator that is sound."""

    def look() -> None:
        again = networks.decode(c[: COUNT // 2])
        expect_same(f"the generator of {networks.name}", "codes", networks.decode(c), again)

    c = tf.constant(codes.draw(networks, COUNT, codes.generator(0, 0)))
    networks.compiled(("repeats",), look)
    return np.asarray(networks.images(c)).astype(networks.stored)


def _expect_encodings(networks: Networks, before: Array, after: Array) -> None:
    name = f"layer {networks.encoder} of {networks.name}, which gives encodings,"
    expect_same(name, "images", before, after)


def _expect_layer(networks: Networks, layer: str, before: Array, after: Array) -> None:
    if apart(before, after, EXACT) is not None:
        raise UsageError(
            f"expected a layer that gives an image the same numbers each time, {layer} "
            f"of {networks.name} gives others, as layers do that draw random numbers: take "
            f"a layer before it"
        )
