"""A generator without the finest grain of its images, by a Gaussian inside its last convolution.

What a generator learns from a discriminator has a grain that few people see. Classifiers that
never met the generator do notice it: they then name classes whose photographs are as grainy. A
Gaussian of about half a pixel takes the grain away and leaves what the images show.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from tf_inverse import private
from tf_inverse.adopt import adapters
from tf_inverse.errors import UsageError
from tf_inverse.tensors import Array, Model

LARGEST = 1.0
"""Pixels; of a wider Gaussian the three taps on each axis would cut off too much."""

PLACELESS = (layers.Rescaling, layers.Cropping2D)
"""Layers that may follow the last convolution: they treat all pixels alike."""

PLAIN = {
    "strides": (1, 1),
    "dilation_rate": (1, 1),
    "padding": "same",
    "groups": 1,
    "data_format": "channels_last",
    "activation": "linear",
}
"""Settings of a convolution that a Gaussian after it can be part of."""


def gaussian(sigma: float) -> Array:
    """Weights [3, 3] of a Gaussian, which sum to 1.

    Args:
        sigma: Its standard deviation, in pixels.

    >>> gaussian(0.5).round(4).tolist()[1]
    [0.0838, 0.6193, 0.0838]
    """
    taps = np.exp(-(np.arange(-1, 2) ** 2) / (2.0 * sigma**2))
    taps /= taps.sum()
    return np.outer(taps, taps)


def smoothed(G: Model, sigma: float) -> keras.Model:
    """The generator whose images are smoothed: its last convolution is two rows and columns larger.

    At an edge the Gaussian reaches to what the convolution would have drawn beyond it.

    Args:
        G: A functional or sequential model whose last layer with weights is a plain convolution.
        sigma: Standard deviation of the Gaussian, in pixels, above 0 and up to `LARGEST`.

    Raises:
        UsageError: Another sigma, or a generator that ends in another way.
    """
    if not 0.0 < sigma <= LARGEST:
        raise UsageError(f"expected --smooth above 0 and up to {LARGEST:g} pixels, got {sigma:g}")
    last, after = _end(G)
    rows, columns = last.kernel_size
    config = last.get_config() | {"kernel_size": (rows + 2, columns + 2)}
    wider = layers.Conv2D.from_config(config)
    x = wider(last.input)
    kernel, *bias = last.get_weights()
    wider.set_weights([_convolved(kernel, gaussian(sigma)), *bias])
    for layer in after:
        # Of layers without weights another one of the same settings does the same.
        x = layer.__class__.from_config(layer.get_config())(x)
    return keras.Model(adapters.inputs(G), x, name=G.name)


def _end(G: Model) -> tuple[Any, list[keras.layers.Layer]]:
    """The last convolution of a generator, and the layers that follow it."""
    after: list[keras.layers.Layer] = []
    last = _before(G.outputs[0]) if private.is_functional(G) else G
    while isinstance(last, PLACELESS):
        after.insert(0, last)
        last = _before(last.input)
    config = last.get_config() if type(last) is layers.Conv2D else {}
    if any(config.get(name) != value for name, value in PLAIN.items()):
        raise UsageError(
            f"expected a generator for --smooth that ends in a convolution of stride 1, padding "
            f"same and no activation, as those of train generator do; {G.name} ends in "
            f"{last.name} ({type(last).__name__})"
        )
    return last, after


def _before(tensor: keras.KerasTensor) -> Any:
    """The layer that gives a tensor."""
    return private.history(tensor).operation


def _convolved(kernel: Array, window: Array) -> Array:
    """The kernel [h + 2, w + 2, in, out] of a convolution that is followed by a window [3, 3]."""
    h, w = kernel.shape[:2]
    whole = np.zeros((h + 2, w + 2, *kernel.shape[2:]))
    for i in range(3):
        for j in range(3):
            whole[i : i + h, j : j + w] += window[i, j] * kernel
    return whole
