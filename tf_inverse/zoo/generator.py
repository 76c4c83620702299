"""The upconvolutional generators: images from the code of one layer of CaffeNet.

Dosovitskiy and Brox 2016, "Generating images with perceptual similarity metrics based on deep
networks" (DeePSiM), and Nguyen et al. 2017 (PPGN). Where a name says conv5_1 and the layer is a
transposed convolution, it is one in the original too. Every ReLU leaks with slope 0.3. The layers
and sizes of conv4 to norm1 are those of the public PyTorch versions of DeePSiM's release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import keras
import numpy as np

from tf_inverse.errors import UsageError
from tf_inverse.layers.convolution import convolution, deconvolution
from tf_inverse.layers.pixels import IMAGENET_MEAN, ToPixels, centre_crop

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from tf_inverse.tensors import Model, Tensor


class Layer(NamedTuple):
    """A convolution, or a transposed one, and whether a leaky ReLU follows it."""

    name: str
    transposed: bool
    filters: int
    kernel: int
    stride: int = 1
    pad: int = 1
    leaky: bool = True


class Architecture(NamedTuple):
    """A generator's layers.

    Attributes:
        shape: Of the code as its layer gives it: (d,) or [H, W, C].
        layers: Convolutions, in order.
        dense: Units of defc7, defc6 and defc5, before the convolutions; () where there are none.
        grid: [H, W, C] of the last dense layer's output, or None.
        bounded: Whether the image is tanh times 255; otherwise it is the last layer's output.
        encoder: Layer of CaffeNet whose output is the code.
        code_bounds: Smallest and largest entry of a code, or None.
    """

    shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    dense: tuple[int, ...] = ()
    grid: tuple[int, int, int] | None = None
    bounded: bool = False
    encoder: str = "relu6"
    code_bounds: tuple[float | None, float | None] | None = (0.0, None)


def _up(name: str, filters: int, leaky: bool = True) -> Layer:
    return Layer(name, True, filters, 4, 2, 1, leaky)


def _turned(name: str, filters: int) -> Layer:
    return Layer(name, True, filters, 3)


def _plain(
    name: str, filters: int, kernel: int = 3, stride: int = 1, pad: int = 1, leaky: bool = True
) -> Layer:
    return Layer(name, False, filters, kernel, stride, pad, leaky)


_FROM_4 = (
    _up("deconv5", 256),
    _turned("conv5_1", 512),
    _up("deconv4", 256),
    _turned("conv4_1", 256),
    _up("deconv3", 128),
    _turned("conv3_1", 128),
    _up("deconv2", 64),
    _up("deconv1", 32),
    _up("deconv0", 3, leaky=False),
)
_FROM_13 = (
    _plain("Rconv6", 384, pad=0),
    _plain("Rconv7", 512, pad=0),
    _plain("Rconv8", 512, kernel=2, pad=0),
    _up("deconv5", 256),
    _turned("conv5_1", 256),
    _up("deconv4", 128),
    _turned("conv4_1", 128),
    _up("deconv3", 128),
    _turned("conv3_1", 128),
    _up("deconv2", 64),
    _plain("conv2_1", 32),
    _up("deconv1", 16),
    _plain("conv1_1", 3, leaky=False),
)


def _from_norm(filters: int, stride: int) -> tuple[Layer, ...]:
    return (
        _plain("Rconv6", filters, stride=stride, pad=2),
        _plain("Rconv7", 128),
        _plain("Rconv8", 128),
        _up("deconv4", 128),
        _plain("conv4_1", 128),
        _up("deconv3", 64),
        _plain("conv3_1", 64),
        _up("deconv2", 32),
        _plain("conv2_1", 32),
        _up("deconv1", 16, leaky=False),
        _plain("conv1_1", 3, leaky=False),
    )


_DENSE = Architecture((4096,), _FROM_4, (4096, 4096, 4096), (4, 4, 256))
# PPGN keeps the codes of fc6 between 0 and 30. All other codes but fc8's come after a ReLU.
_FC6 = _DENSE._replace(code_bounds=(0.0, 30.0))
ARCHITECTURES = {
    "fc6": _FC6,
    "fc6_eucl": _FC6,
    "fc7": _DENSE._replace(encoder="relu7"),
    "fc8": _DENSE._replace(shape=(1000,), encoder="fc8", code_bounds=None),
    "pool5": Architecture(
        (6, 6, 256),
        (_plain("Rconv6", 512), _plain("Rconv7", 512), _plain("Rconv8", 512, pad=0), *_FROM_4),
        encoder="pool5",
    ),
    "conv4": Architecture((13, 13, 384), _FROM_13, bounded=True, encoder="relu4"),
    "conv3": Architecture((13, 13, 384), _FROM_13, bounded=True, encoder="relu3"),
    "norm2": Architecture((13, 13, 256), _from_norm(256, 1), bounded=True, encoder="norm2"),
    "norm1": Architecture((27, 27, 96), _from_norm(128, 2), bounded=True, encoder="norm1"),
}


def architecture(code: str) -> Architecture:
    """The layers of the generator of a layer's codes.

    Raises:
        UsageError: There is no generator of such codes.
    """
    if code not in ARCHITECTURES:
        raise UsageError(f"expected code {', '.join(ARCHITECTURES)}, got {code!r}")
    return ARCHITECTURES[code]


def generator(code: str = "fc6", mean: ArrayLike = IMAGENET_MEAN, name: str | None = None) -> Model:
    """The generator of a layer's codes; weights zero until loaded.

    Args:
        code: A key of `ARCHITECTURES`. Codes of a convolution, as pool5, are its flattened output
            [H, W, C].
        mean: Of the training images, blue first: three values, one, or an image [H, W, 3]. It is
            added, since the network's own output has it taken off.
        name: Of the model.

    Returns:
        Keras model: codes [B, d] -> RGB [B, H, W, 3], unclipped; H = W = 256, or 240 for norm2
        and norm1.

    Raises:
        UsageError: There is no generator of such codes.
    """
    built = architecture(code)
    feat = keras.Input((int(np.prod(built.shape)),), name="feat")
    x = _dense(feat, built) if built.dense else _grid(feat, built)
    for layer in built.layers:
        x = _convolved(x, layer)
    if built.bounded:
        x = keras.layers.Activation("tanh", name="tanh")(x)
    mean = centre_crop(mean, *x.shape[1:3])
    # What tanh gives is the network's image divided by 255.
    pixels = ToPixels("bgr", mean.shape, scale=1 / 255 if built.bounded else 1.0, name="pixels")
    model = keras.Model(feat, pixels(x), name=name or f"generator_{code}")
    pixels.mean.assign(mean)
    return model


def _dense(x: Tensor, built: Architecture) -> Tensor:
    for layer, units in zip(("defc7", "defc6", "defc5"), built.dense, strict=True):
        x = keras.layers.Dense(units, kernel_initializer="zeros", name=layer)(x)
        x = _leaky(f"relu_{layer}")(x)
    # Caffe's order: channel by channel.
    assert built.grid is not None, "a generator with dense layers has a grid"
    height, width, channels = built.grid
    x = keras.layers.Reshape((channels, height, width), name="reshape_chw")(x)
    return keras.layers.Permute((2, 3, 1), name="reshape")(x)


def _grid(x: Tensor, built: Architecture) -> Tensor:
    return keras.layers.Reshape(built.shape, name="feat_map")(x)


def _convolved(x: Tensor, layer: Layer) -> Tensor:
    make = deconvolution if layer.transposed else convolution
    x = make(
        layer.filters,
        (layer.kernel,) * 2,
        (layer.stride,) * 2,
        (layer.pad,) * 4,
        kernel_initializer="zeros",
        name=layer.name,
    )(x)
    if not layer.leaky:
        return x
    # DeePSiM's names: Rrelu6 follows Rconv6, relu_deconv5 follows deconv5.
    named = f"Rrelu{layer.name[-1]}" if layer.name.startswith("R") else f"relu_{layer.name}"
    return _leaky(named)(x)


def _leaky(name: str) -> keras.layers.Layer:
    return keras.layers.LeakyReLU(negative_slope=0.3, name=name)
