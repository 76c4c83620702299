"""Whether a model gives the same numbers for the same input, alone and among others.

Augmentation, noise and dropout that run outside of training give others each time; a batch
normalisation that runs as in training gives each image what its neighbours in the batch make of
it. Nothing fails then, but no sample could be verified, and no run repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tf_inverse.adopt import check, defaults
from tf_inverse.errors import UsageError
from tf_inverse.networks import codes
from tf_inverse.networks.stored_image import stored
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

COUNT = check.COUNT
"""Inputs that are looked at, and half of them again."""

SHARE, ROUNDING = 1e-2, 1e-4
"""Numbers may differ by this share of their spread, and by this share of the largest: sums of
other batches come in another order."""


def expect_generator(networks: Networks, seen: check.Seen) -> None:
    """Refuses a generator whose images are others each time.

    Args:
        networks: The pair.
        seen: From `check.images`.

    Raises:
        UsageError: With what may be the cause.
    """
    c = codes.draw(networks, COUNT, codes.generator(0, 0))[: COUNT // 2]
    x = np.asarray(networks.cropped(check.tried(networks.generator, c)), np.float32)
    name = f"the generator {networks.generator.name}"
    expect_same(name, "codes", seen.images, x, "; of a variational autoencoder give the decoder")


def expect_classifier(networks: Networks, images: Array) -> None:
    """Refuses a classifier that gives others for the same images.

    Args:
        networks: The pair.
        images: Some, [N, H, W, C] in 0..255.

    Raises:
        UsageError: With what may be the cause.
    """
    name, layer = f"the classifier {networks.name}", defaults.output(networks)
    x = tf.constant(stored(np.asarray(images, np.float32)), tf.float32)
    whole, half = (networks.outputs(part, (layer,)) for part in (x, x[: len(images) // 2]))
    for before, after in ((whole[0], half[0]), (whole[1][layer], half[1][layer])):
        expect_same(name, "images", before.numpy(), after.numpy())


def expect_same(name: str, inputs: str, before: Array, after: Array, way: str = "") -> None:
    """Refuses numbers that are not those which the same inputs gave before.

    Args:
        name: Of the model, in words.
        inputs: What it takes, in words.
        before: What it gave, [N, ...].
        after: What it gave for the first of the same inputs, [n, ...].
        way: What else can be done, as the end of a sentence.

    Raises:
        UsageError: They are others.
    """
    before, after = (np.asarray(a, np.float64).reshape(len(a), -1) for a in (before, after))
    allowed = SHARE * before.std(axis=0).max() + ROUNDING * np.abs(before).max()
    apart = np.abs(before[: len(after)] - after).max()
    if apart <= allowed or not np.isfinite(apart):
        return
    raise UsageError(
        f"expected {name} to give the same for the same {inputs}, it gave numbers {apart:.2g} "
        f"apart: something in it is random, or looks at the whole batch, outside of training. "
        f"Call Dropout, noise and BatchNormalization without training=True, and export "
        f"augmentation with training=False (docs/own_network.md){way}"
    )
