"""A 3x3 convolution of an image that was doubled in size, computed from the image before that.

Generators double their maps (`UpSampling2D`) and convolve the result. Each pixel stands there four
times, so that most of the nine weights meet the same number twice or four times. Their sums are a
4x4 kernel of a transposed convolution with stride 2, which multiplies 4 / 9 as often, and the
larger map is never made.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tf_inverse.tensors import Tensor

BEFORE = "_tf_inverse_before_doubling"
"""Attribute of a doubled tensor: the tensor that it was made of."""

# Row k: which rows of the 3x3 kernel meet a pixel in row k of the 4x4 one, which comes out flipped
# since a transposed convolution spreads a pixel where a convolution gathers it.
_SUMS = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], np.float32)


def doubles(layer: keras.layers.Layer) -> bool:
    """Whether a layer repeats each pixel twice in both directions."""
    return (
        type(layer) is keras.layers.UpSampling2D
        and (layer.size, layer.interpolation) == ((2, 2), "nearest")
        and layer.data_format == "channels_last"
    )


def takes_doubled(layer: keras.layers.Layer) -> bool:
    """Whether a layer is a convolution that `convolved` can compute."""
    return (
        type(layer) is keras.layers.Conv2D
        and (layer.kernel_size, layer.strides, layer.dilation_rate) == ((3, 3), (1, 1), (1, 1))
        and (layer.padding, layer.groups, layer.data_format) == ("same", 1, "channels_last")
    )


def doubled(layer: keras.layers.Layer, x: Tensor) -> Tensor:
    """What the layer gives, with a note of what it was made of; a graph drops what nobody uses.

    In two operations: Keras's own form takes thirty, which is much to trace for nothing.
    """
    if None in x.shape[1:]:
        return type(layer).call(layer, x)
    _, height, width, channels = x.shape
    pixels = x[:, :, tf.newaxis, :, tf.newaxis]
    fours = tf.broadcast_to(pixels, (tf.shape(x)[0], height, 2, width, 2, channels))
    y = tf.reshape(fours, (-1, 2 * height, 2 * width, channels))
    setattr(y, BEFORE, x)
    return y


def convolved(layer: keras.layers.Layer, x: Tensor, kernel: Any) -> Tensor:
    """Convolution of x [B, 2 H, 2 W, I] with a kernel [3, 3, I, O]: [B, 2 H, 2 W, O].

    Args:
        layer: The convolution.
        x: Its input; as Keras convolves it, unless it comes from `doubled`.
        kernel: Its weights.
    """
    before = getattr(x, BEFORE, None)
    if before is None:
        return type(layer).convolution_op(layer, x, kernel)
    kernel = tf.convert_to_tensor(ops.convert_to_tensor(kernel))
    _, height, width, _ = before.shape
    shape = (tf.shape(before)[0], 2 * height, 2 * width, kernel.shape[3])
    return tf.nn.conv2d_transpose(before, _summed(kernel), shape, 2, "SAME")


def _summed(kernel: Tensor) -> Tensor:
    """The kernel [4, 4, O, I] of the transposed convolution; a product, the quickest of sums."""
    _, _, inputs, outputs = kernel.shape
    weights = tf.reshape(tf.transpose(kernel, (0, 1, 3, 2)), (9, outputs * inputs))
    sums = tf.matmul(tf.constant(np.kron(_SUMS, _SUMS), kernel.dtype), weights)
    return tf.reshape(sums, (4, 4, outputs, inputs))
