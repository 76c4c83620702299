"""Keras's own layers in the forms that are quick: the same weights, the same outputs.

In one place, for ported and users' models alike, at the top of a model or anywhere within it. What
is changed is how a layer computes while a graph is traced; the model itself stays as it was.

- Conv2D with groups: Keras hands it to XLA, whose gradient on a CPU takes tens of times as long as
  that of the groups convolved one by one.
- Dense: where oneDNN computes, a large one is the product of a batch of one, for which oneDNN takes
  less time, forward and backward, than for a product of matrices with its bias. Else the gradient
  d W^T of a few rows d is quicker as (W d^T)^T, which goes through W as it lies in memory.
- Conv2D with a stride of 4 or more: the stride is folded into the channels.
- Conv2D after UpSampling2D: one transposed convolution (`upsampled`).
- Conv2DTranspose with few filters, as an image's last layer: the places of a stride are channels
  of a convolution, since a processor computes 16 channels even where there are three.

`tools/dev/bench.py layers` times them.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import platform
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf
from keras import ops

from tf_inverse.layers import convolution, taps, transposed, upsampled
from tf_inverse.tensors import Tensor

# Weights of a dense layer from which on it is a product of a batch of one; smaller ones take as
# long either way.
LARGE = 2**22


@contextlib.contextmanager
def forms(model: keras.Model) -> Iterator[None]:
    """While open, the layers of a model that have a quick form compute in it.

    Args:
        model: Of any kind; its layers are left as they were at the end.
    """
    changed = []
    try:
        for _, layer in taps.walk(model):
            name, form = _form(layer)
            if form is not None and name not in layer.__dict__:
                # Into the instance itself: Keras's own setattr would track it as part of the model.
                layer.__dict__[name] = functools.partial(form, layer)
                changed.append((layer, name))
        yield
    finally:
        for layer, name in changed:
            layer.__dict__.pop(name, None)


def _form(layer: keras.layers.Layer) -> tuple[str, Callable[..., Tensor]] | tuple[None, None]:
    # By exact type: a subclass may mean another thing.
    if type(layer) is keras.layers.Dense and layer.quantization_mode is None and layer.built:
        return "call", _dense
    if upsampled.repeats(layer):
        return "call", upsampled.repeated
    if type(layer) is keras.layers.Conv2DTranspose and layer.data_format == "channels_last":
        plain = layer.output_padding is None and tuple(layer.dilation_rate) == (1, 1)
        if plain and transposed.interleaves(layer.filters, layer.kernel_size, layer.strides):
            return "call", _interleaved
    if upsampled.takes_repeated(layer):
        return "convolution_op", upsampled.convolved
    if type(layer) is keras.layers.Conv2D and layer.data_format == "channels_last":
        if layer.groups > 1:
            return "convolution_op", _grouped
        if layer.padding == "valid" and convolution.folds(layer.strides, layer.dilation_rate):
            return "convolution_op", _folded
    return None, None


def _grouped(layer: keras.layers.Layer, x: Tensor, kernel: Tensor) -> Tensor:
    options = (layer.strides, layer.padding, "channels_last", layer.dilation_rate)
    return convolution.grouped(x, kernel, layer.groups, lambda x, k: ops.conv(x, k, *options))


def _folded(layer: keras.layers.Layer, x: Tensor, kernel: Tensor) -> Tensor:
    if None in x.shape[1:3]:
        return ops.conv(x, kernel, layer.strides)
    return convolution.folded(x, kernel, layer.strides[0])


def _interleaved(layer: keras.layers.Layer, x: Tensor) -> Tensor:
    if None in x.shape[1:3]:
        return type(layer).call(layer, x)
    weights = [layer.kernel, *([layer.bias] if layer.use_bias else [])]
    kernel, *bias = (tf.convert_to_tensor(ops.convert_to_tensor(one)) for one in weights)
    y = transposed.interleaved(x, kernel, *bias, s=layer.strides[0], padding=layer.padding)
    return y if layer.activation is None else layer.activation(y)


def _dense(layer: keras.layers.Layer, x: Tensor, training: bool | None = None) -> Tensor:
    kernel = tf.convert_to_tensor(ops.convert_to_tensor(layer.kernel))
    if len(x.shape) == 2 and is_large(kernel):
        y = ops.matmul(x[None], kernel[None])[0]
    elif len(x.shape) == 2 and kernel.dtype == tf.float32:
        y = product(x, kernel)
    else:
        y = ops.matmul(x, kernel)
    if layer.bias is not None:
        y = ops.add(y, layer.bias)
    return y if layer.activation is None else layer.activation(y)


def is_large(kernel: Tensor) -> bool:
    """Whether few rows times this matrix [I, O] are quicker as the product of a batch of one."""
    known = kernel.shape.rank == 2 and None not in kernel.shape
    return known and math.prod(kernel.shape) >= LARGE and onednn()


def onednn() -> bool:
    """Whether TensorFlow computes with oneDNN: on these processors, unless told not to."""
    off = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1").lower() in ("0", "false")
    return platform.machine().lower() in ("x86_64", "amd64") and not off


@tf.custom_gradient
def product(x: Tensor, kernel: Tensor) -> tuple[Tensor, Callable[..., tuple[Tensor, Tensor]]]:
    """Product of x [B, I] and a kernel [I, O], whose gradient to x is quick for small B."""

    def gradient(d: Tensor) -> tuple[Tensor, Tensor]:
        to_x = tf.transpose(tf.matmul(kernel, d, transpose_b=True))
        return to_x, tf.matmul(x, d, transpose_a=True)

    return tf.matmul(x, kernel), gradient
