"""A convolution of an image whose pixels were repeated, computed from the image before that.

Generators enlarge their maps (`UpSampling2D`) and convolve the result. With a factor of two each
pixel stands there four times, so that most of nine weights meet the same number twice or four
times. Their sums are a 4x4 kernel of a transposed convolution with stride 2, which multiplies 4 / 9
as often, and the larger map is never made. Likewise for other factors s and odd kernels k: their
sums have k + s - 1 rows, and stride s.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tf_inverse.tensors import Array, Tensor

BEFORE = "_tf_inverse_before_repetition"
"""Attribute of an enlarged tensor: the tensor that it was made of, and the factors."""


def repeats(layer: keras.layers.Layer) -> bool:
    """Whether a layer repeats each pixel."""
    return (
        type(layer) is keras.layers.UpSampling2D
        and layer.interpolation == "nearest"
        and layer.data_format == "channels_last"
    )


def takes_repeated(layer: keras.layers.Layer) -> bool:
    """Whether a layer is a convolution that `convolved` can compute, with fewer products."""
    return (
        type(layer) is keras.layers.Conv2D
        and all(k % 2 for k in layer.kernel_size)
        and max(layer.kernel_size) > 1
        and (layer.strides, layer.dilation_rate) == ((1, 1), (1, 1))
        and (layer.padding, layer.groups, layer.data_format) == ("same", 1, "channels_last")
    )


def repeated(layer: keras.layers.Layer, x: Tensor) -> Tensor:
    """What the layer gives, with a note of what it was made of; a graph drops what nobody uses.

    In two operations: Keras's own form takes thirty, which is much to trace for nothing.
    """
    if None in x.shape[1:]:
        return type(layer).call(layer, x)
    (_, height, width, channels), (down, across) = x.shape, layer.size
    pixels = x[:, :, tf.newaxis, :, tf.newaxis]
    many = tf.broadcast_to(pixels, (tf.shape(x)[0], height, down, width, across, channels))
    y = tf.reshape(many, (-1, down * height, across * width, channels))
    setattr(y, BEFORE, (x, layer.size))
    return y


def convolved(layer: keras.layers.Layer, x: Tensor, kernel: Any) -> Tensor:
    """Convolution of x [B, s H, t W, I] with a kernel [k, l, I, O]: [B, s H, t W, O].

    Args:
        layer: The convolution.
        x: Its input; as Keras convolves it, unless it comes from `repeated`.
        kernel: Its weights.
    """
    before, size = getattr(x, BEFORE, (x, (1, 1)))
    if size == (1, 1):
        return type(layer).convolution_op(layer, x, kernel)
    kernel = tf.convert_to_tensor(ops.convert_to_tensor(kernel))
    _, height, width, _ = before.shape
    shape = (tf.shape(before)[0], size[0] * height, size[1] * width, kernel.shape[3])
    return tf.nn.conv2d_transpose(before, _summed(kernel, size), shape, size, "SAME")


def _summed(kernel: Tensor, size: tuple[int, int]) -> Tensor:
    """The kernel [k + s - 1, l + t - 1, O, I] of the transposed convolution.

    The sums are a product, the quickest way to take them.
    """
    *sides, inputs, outputs = kernel.shape
    weights = tf.reshape(tf.transpose(kernel, (0, 1, 3, 2)), (-1, outputs * inputs))
    rows, columns = map(_sums, sides, size)
    sums = tf.matmul(tf.constant(np.kron(rows, columns), kernel.dtype), weights)
    return tf.reshape(sums, (len(rows), len(columns), outputs, inputs))


def _sums(k: int, s: int) -> Array:
    """Row r: which of k rows of a kernel meet a pixel, repeated s times, in row r of the sums.

    The sums come out flipped, since a transposed convolution spreads a pixel where a convolution
    gathers it.
    """
    repeat = np.arange(k + s - 1)[:, np.newaxis] - np.arange(k)[::-1]
    return ((repeat >= 0) & (repeat < s)).astype(np.float32)
