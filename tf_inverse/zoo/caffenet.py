"""CaffeNet (BVLC reference CaffeNet, Places205-CNN) and BVLC AlexNet.

Krizhevsky, Sutskever and Hinton 2012, as trained with Caffe. CaffeNet pools before it normalises,
AlexNet after; the shapes of their weights are the same, so the order is part of the name here.
Layers have Caffe's names; ReLU is a layer of its own, so "conv5" is before it and "relu5" after.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import keras

from tf_inverse.layers.caffe_layers import LRN
from tf_inverse.layers.convolution import convolution
from tf_inverse.layers.pixels import IMAGENET_MEAN, FromPixels, centre_crop

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from tf_inverse.tensors import Model, Tensor

SIZE = 227
# Outputs of conv1 to conv5, fc6 and fc7.
WIDTHS = (96, 256, 384, 384, 256, 4096, 4096)


def caffenet(classes: int = 1000, mean: ArrayLike = IMAGENET_MEAN, name: str = "caffenet") -> Model:
    """CaffeNet: convolution, ReLU, pooling, normalisation; weights zero until loaded.

    Args:
        classes: Outputs of fc8: 1000 for ImageNet, 205 for Places205-CNN.
        mean: Of the training images, blue first: three values, one, or an image [H, W, 3].
        name: Of the model.

    Returns:
        Keras model: RGB 0..255 [B, 227, 227, 3] -> probabilities [B, classes].
    """
    return _network(classes, mean, name, (_pool, _norm))


def alexnet(classes: int = 1000, mean: ArrayLike = IMAGENET_MEAN, name: str = "alexnet") -> Model:
    """BVLC AlexNet: as `caffenet`, but normalisation comes before pooling."""
    return _network(classes, mean, name, (_norm, _pool))


def _network(
    classes: int, mean: ArrayLike, name: str, between: tuple[Callable[[Tensor, int], Tensor], ...]
) -> Model:
    image = keras.Input((SIZE, SIZE, 3), name="data")
    mean = centre_crop(mean, SIZE, SIZE)
    pixels = FromPixels("bgr", mean.shape, name="pixels")
    x = _conv(pixels(image), 1, 11, stride=4)
    for layer in between:
        x = layer(x, 1)
    x = _conv(x, 2, 5, pad=2, groups=2)
    for layer in between:
        x = layer(x, 2)
    x = _conv(x, 3, 3, pad=1)
    x = _conv(x, 4, 3, pad=1, groups=2)
    x = _conv(x, 5, 3, pad=1, groups=2)
    x = _pool(x, 5)
    # Caffe flattens channel by channel, and so do fc6's weights.
    x = keras.layers.Permute((3, 1, 2), name="fc6_chw")(x)
    x = keras.layers.Flatten(name="fc6_flatten")(x)
    x = _dense(x, 6)
    x = _dense(x, 7)
    x = keras.layers.Dense(classes, kernel_initializer="zeros", name="fc8")(x)
    model = keras.Model(image, keras.layers.Softmax(name="prob")(x), name=name)
    pixels.mean.assign(mean)
    return model


def _conv(x: Tensor, i: int, kernel: int, stride: int = 1, pad: int = 0, groups: int = 1) -> Tensor:
    x = convolution(
        WIDTHS[i - 1],
        (kernel, kernel),
        (stride, stride),
        (pad,) * 4,
        groups=groups,
        kernel_initializer="zeros",
        name=f"conv{i}",
    )(x)
    return keras.layers.ReLU(name=f"relu{i}")(x)


def _pool(x: Tensor, i: int) -> Tensor:
    # 55, 27 and 13 pixels: the windows fit, so Caffe's rounding up makes no difference.
    return keras.layers.MaxPooling2D(3, 2, name=f"pool{i}")(x)


def _norm(x: Tensor, i: int) -> Tensor:
    return LRN(size=5, alpha=1e-4, beta=0.75, name=f"norm{i}")(x)


def _dense(x: Tensor, i: int) -> Tensor:
    x = keras.layers.Dense(WIDTHS[i - 1], kernel_initializer="zeros", name=f"fc{i}")(x)
    x = keras.layers.ReLU(name=f"relu{i}")(x)
    return keras.layers.Dropout(0.5, name=f"drop{i}")(x)
