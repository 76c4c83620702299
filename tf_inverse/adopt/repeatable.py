"""Refuses adopted models that give others each time for the same input: see `networks.repeats`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tf_inverse.adopt import check, defaults
from tf_inverse.networks import codes
from tf_inverse.networks.repeats import expect_same
from tf_inverse.networks.stored_image import stored
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

COUNT = check.COUNT
"""Inputs that are looked at, and half of them again."""


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
