"""Layers of Caffe's forks and of its last version, without a counterpart in Keras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_inverse.layers.caffe_layers import register
from tf_inverse.tensors import Tensor


@register
class Clip(keras.layers.Layer):
    """Every element of x kept between `low` and `high`."""

    def __init__(self, low: float, high: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.low, self.high = low, high

    def call(self, x: Tensor) -> Tensor:
        """Clip every element of x."""
        return ops.clip(x, self.low, self.high)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return super().get_config() | {"low": self.low, "high": self.high}


@register
class Absolute(keras.layers.Layer):
    """Caffe's AbsVal: |x|."""

    def call(self, x: Tensor) -> Tensor:
        """Take the absolute value of every element of x."""
        return ops.absolute(x)


@register
class Swish(keras.layers.Layer):
    """Caffe's Swish: x * sigmoid(beta * x)."""

    def __init__(self, beta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.beta = beta

    def call(self, x: Tensor) -> Tensor:
        """Apply to every element of x."""
        return x * ops.sigmoid(self.beta * x)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return super().get_config() | {"beta": self.beta}


@register
class Tile(keras.layers.Layer):
    """Copies of x one after the other: `repeats` holds how many, for every axis but the batch."""

    def __init__(self, repeats: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.repeats = tuple(repeats)

    def call(self, x: Tensor) -> Tensor:
        """Repeat x [B, ...]."""
        return ops.tile(x, (1, *self.repeats))

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return super().get_config() | {"repeats": self.repeats}


@register
class Interpolation(keras.layers.Layer):
    """Bilinear interpolation from corner to corner, as DeepLab's and PSPNet's Interp computes it.

    The first and the last pixel of a side stay where they are and the others are spread evenly
    between them; the resizing of TensorFlow aligns the borders of pixels instead.
    """

    def __init__(self, height: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height, self.width = height, width

    def call(self, x: Tensor) -> Tensor:
        """Resize x [B, H, W, C] to [B, height, width, C]."""
        return _along(_along(x, 1, self.height), 2, self.width)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return super().get_config() | {"height": self.height, "width": self.width}


def _along(x: Tensor, axis: int, count: int) -> Tensor:
    """Interpolate x [B, H, W, C] at `count` places of an axis."""
    size = x.shape[axis]
    places = np.linspace(0, size - 1, count)
    low = places.astype(np.int32)
    high = np.minimum(low + 1, size - 1)
    share = np.reshape(places - low, [-1 if i == axis else 1 for i in range(4)])
    share = ops.cast(share, x.dtype)
    return ops.take(x, low, axis) * (1 - share) + ops.take(x, high, axis) * share
