"""The stored images that a generator draws of codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tf_inverse.compute.device import traced

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

PIXELS = 1 << 18
"""Pixels that are drawn at a time."""


def drawn(networks: Networks, c: np.ndarray) -> np.ndarray:
    """G of codes [N, d] as stored images: [N, H, W, C] uint8."""
    shape = networks.image_shape
    draw = networks.compiled("drawn", lambda: traced(networks.images, reduce_retracing=True))
    batch = int(np.clip(PIXELS // (shape[0] * shape[1]), 4, 250))
    parts = [draw(tf.constant(c[i : i + batch])).numpy() for i in range(0, len(c), batch)]
    return np.concatenate(parts).astype(np.uint8)
