"""How likely a candidate is to be an image rather than a trick of the classifier, by no judge.

A search changes fine structure until the neuron is content. Two things tell such an image from one
that shows something: its activation falls when it is mirrored or moved a little, and its total
variation is large. Neither asks another classifier, and both are cheap.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.band import Bands
    from tf_inverse.networks.networks import Networks

FALL = 0.5
"""Weight of the fall of an activation, in widths of its range, in the logarithm of the quality."""
VARIATION = 0.5
"""Weight of the logarithm of the total variation, likewise."""
SHIFT = 1 / 16
"""How far an image is moved, as a share of its height and width."""


def views(images: Array) -> Array:
    """Each image mirrored, and moved down, up, right and left with its edge repeated.

    Args:
        images: [k, H, W, C].

    Returns:
        [5, k, H, W, C], of the images' type.
    """
    height, width = images.shape[1:3]
    down, right = (max(1, round(SHIFT * size)) for size in (height, width))
    margins = ((0, 0), (down, down), (right, right), (0, 0))
    padded = np.pad(images, margins, mode="edge")
    corners = ((0, right), (2 * down, right), (down, 0), (down, 2 * right))
    moved = [padded[:, y : y + height, x : x + width] for y, x in corners]
    return np.stack([images[:, :, ::-1], *moved])


def variation(images: Array) -> Array:
    """Mean difference of neighbouring pixels of each image [k, H, W, C], in pixel values: [k]."""
    x = images.astype(np.float64)
    sides = [np.abs(np.diff(x, axis=axis)) for axis in (1, 2)]
    return sum(d.mean(axis=(1, 2, 3)) for d in sides if math.prod(d.shape[1:])) + np.zeros(len(x))


def of(networks: Networks, bands: Bands, images: Array, activations: Array, batch: int) -> Array:
    """The quality of candidates: exp(-`FALL` fall) / variation^`VARIATION`, 1 where nothing counts.

    Args:
        networks: The pair.
        bands: Neurons with their ranges, p of them.
        images: As they are stored, [k, H, W, C]; all qualities are 1 where they are no pictures.
        activations: z, [k, p].
        batch: Images to look at in one go.

    Returns:
        [k], positive. The fall is the mean over views and neurons of z - z(view), in widths of the
        range.
    """
    if networks.stored != "uint8" or not len(images):
        return np.ones(len(images))
    seen = views(images)
    z = networks.activations(seen.reshape(-1, *images.shape[1:]), bands.neurons, batch=batch)
    z = z.reshape(len(seen), *activations.shape).astype(np.float64)
    fall = ((activations - z) / (bands.z2 - bands.z1)).mean(axis=(0, 2))
    # A flat image has no variation at all: one pixel value in all stands in.
    rough = np.log(np.maximum(variation(images), 1 / images[0].size))
    # An activation that is no number in some view is the worst of falls.
    return np.exp(np.clip(np.nan_to_num(-FALL * fall - VARIATION * rough, nan=-30.0), -30.0, 30.0))
