"""Antialiased bilinear resizing as two matrix products.

`tf.image.resize(antialias=True)` is TensorFlow's ScaleAndTranslate, which has kernels for the CPU
alone, its gradient too, and none under XLA: on a GPU every step would carry all images there and
back. Resizing is linear and separable, so a matrix for the rows and one for the columns do the
same anywhere, gradient included; on a CPU they take no longer.
"""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from tf_inverse.tensors import Tensor


@functools.lru_cache
def weights(size: int, to: int) -> np.ndarray:
    """What each old place gives to each new one, [to, size]; each row sums to 1.

    A triangle of half width max(1, size / to) about the centre of the new place: bilinear where an
    image grows, wide enough to average where it shrinks. In float32 throughout, as TensorFlow
    places its triangles: in double precision they would lie up to 2e-5 off its.

    Args:
        size: Old number of rows, or columns.
        to: New number of them.
    """
    one, half = np.float32(1), np.float32(0.5)
    ratio = one / (np.float32(to) / np.float32(size))
    centres = (np.arange(to, dtype=np.float32) + half) * ratio
    off = np.abs(np.arange(size, dtype=np.float32) + half - centres[:, np.newaxis])
    triangle = np.maximum(0, one - off * (one / max(ratio, one)))
    return triangle / triangle.sum(axis=1, keepdims=True)


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Images [B, H, W, C] at another size: [B, *size, C].

    Args:
        x: float32; H, W and C known.
        size: New height and width.
    """
    _, h, w, channels = x.shape
    # Channels first: each product is then of two plain matrices, an image's rows side by side.
    x = tf.reshape(tf.transpose(x, (0, 3, 1, 2)), (-1, w))
    x = tf.matmul(x, weights(w, size[1]), transpose_b=True)
    x = tf.matmul(weights(h, size[0]), tf.reshape(x, (-1, h, size[1])))
    return tf.transpose(tf.reshape(x, (-1, channels, *size)), (0, 2, 3, 1))
