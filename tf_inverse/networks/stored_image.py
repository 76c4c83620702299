"""An image as it is stored: what the search looks at, what is scored, and what an archive holds.

One place for all of them, since a sample is true only if its stored 8 bits lie in the range. The
verifier (`run.verify`) works them out on its own, in NumPy: a second opinion.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tf_inverse.tensors import Array, Tensor


@tf.custom_gradient
def eight_bits(x: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Images as whole numbers 0..255, float32: clipped, then rounded, half to even.

    Gradients pass through both as if they were not there, so that a saturated pixel can come back.

    Args:
        x: [K, H, W, C] in 0..255 and beyond.
    """
    return tf.round(tf.clip_by_value(x, 0.0, 255.0)), lambda d: d


def stored(images: Array) -> Array:
    """The same images as an archive holds them: uint8 of the same shape."""
    return np.asarray(eight_bits(tf.constant(images, tf.float32))).astype(np.uint8)
