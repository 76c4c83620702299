"""Caffe's layers without a counterpart in Keras; all [B, H, W, C]."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_inverse.layers.pooled_size import pooled_size
from tf_inverse.tensors import Array, Shape, Tensor

register = keras.saving.register_keras_serializable("tf_inverse")

# Below every activation, and finite in bfloat16.
LOWEST = -3e38


def pooling(
    mode: str,
    window: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int] = (0, 0, 0, 0),
    size: Sequence[int] | None = None,
    overhang: bool = True,
    padding_counts: bool | None = None,
    name: str | None = None,
) -> keras.layers.Layer:
    """Caffe's Pooling, by Keras's layer where the windows tile the input, else by ours.

    Args:
        mode: "max" or "average".
        window: (height, width).
        strides: (down, right).
        pads: (top, bottom, left, right).
        size: (height, width) of the input, where it is known.
        overhang: As of `Pooling`.
        padding_counts: As of `Pooling`.
        name: Of the layer.
    """
    sides = zip(size or (), window, strides, strict=size is not None)
    exact = not overhang or (size is not None and all((n - k) % s == 0 for n, k, s in sides))
    if exact and not any(pads):
        kinds = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}
        return kinds[mode](window, strides, padding="valid", name=name)
    return Pooling(mode, window, strides, pads, overhang, padding_counts, name=name)


@register
class Pooling(keras.layers.Layer):
    """Pooling with Caffe's ceil rule: the last window may hang over the border.

    Max ignores what lies outside. The average divides by the part of the window that lies in the
    padded input, so that padding counts and the overhang does not. Without `overhang` windows are
    counted down, as MatConvNet and some forks of Caffe do. Without `padding_counts`, MatConvNet's
    rule, the average divides by the pixels of the input only; None means the rule that goes with
    `overhang`, since files of older versions do not say.
    """

    def __init__(
        self,
        mode: str,
        window: Sequence[int],
        strides: Sequence[int],
        pads: Sequence[int] = (0, 0, 0, 0),
        overhang: bool = True,
        padding_counts: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mode, self.window, self.overhang = mode, tuple(window), overhang
        self.strides, self.pads = tuple(strides), tuple(pads)
        self.padding_counts = overhang if padding_counts is None else padding_counts

    def call(self, x: Tensor) -> Tensor:
        """Pool x [B, H, W, C]."""
        _, *sizes, _ = self.compute_output_shape(x.shape)
        axes = [self._axis(i, x.shape[1 + i], sizes[i]) for i in (0, 1)]
        margins, areas = zip(*axes, strict=True)
        outside = LOWEST if self.mode == "max" else 0.0
        x = ops.pad(x, [(0, 0), *margins, (0, 0)], constant_values=outside)
        if self.mode == "max":
            return ops.max_pool(x, self.window, self.strides, padding="valid")
        mean = ops.average_pool(x, self.window, self.strides, padding="valid")
        # A window beyond the border has no pixel to divide by; `convert` has said so.
        with np.errstate(divide="ignore"):
            weight = self.window[0] * self.window[1] / np.outer(*areas)
        return mean * ops.cast(weight[None, :, :, None], mean.dtype)

    def _axis(self, i: int, n: int, count: int) -> tuple[tuple[int, int], Array]:
        """Margins to add along an axis, and how many pixels of each window count."""
        k, s = self.window[i], self.strides[i]
        before, after = self.pads[2 * i : 2 * i + 2]
        starts = np.arange(count) * s
        beyond = max(0, (count - 1) * s + k - n - before - after)
        first, last = (0, n + before + after) if self.padding_counts else (before, n + before)
        inside = np.minimum(starts + k, last) - np.maximum(starts, first)
        return (before, after + beyond), inside

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape [B, H', W', C]."""
        sizes = [
            pooled_size(n, k, s, self.pads[2 * i], self.pads[2 * i + 1], self.overhang)
            for i, (n, k, s) in enumerate(
                zip(input_shape[1:3], self.window, self.strides, strict=True)
            )
        ]
        return (input_shape[0], *sizes, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        names = ("mode", "window", "strides", "pads", "overhang", "padding_counts")
        return super().get_config() | {name: getattr(self, name) for name in names}


@register
class LRN(keras.layers.Layer):
    """Local response normalisation: x / (k + alpha / n * sum of x^2 over n channels)^beta.

    `alpha` is Caffe's, before the division by n. With `across` false the sum runs over an n x n
    window of pixels of the same channel. The sum over channels is a product with a band matrix,
    quicker than the op of TensorFlow and available on every device; it is computed in float32
    whatever the policy, since x^2 overflows and loses digits in 16 bits.
    """

    def __init__(
        self,
        size: int = 5,
        alpha: float = 1e-4,
        beta: float = 0.75,
        k: float = 1.0,
        across: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.size, self.alpha, self.beta, self.k, self.across = size, alpha, beta, k, across

    def build(self, input_shape: Shape) -> None:
        """Make the band matrix [C, C], or the window."""
        half = self.size // 2
        if self.across:
            place = np.arange(input_shape[-1])
            self.band = (abs(place[:, None] - place) <= half).astype("float32")
        else:
            self.window = Pooling("average", (self.size,) * 2, (1, 1), (half,) * 4, dtype="float32")

    def call(self, x: Tensor) -> Tensor:
        """Normalise x [B, H, W, C]."""
        wide = ops.cast(x, "float32")
        square = ops.square(wide)
        if self.across:
            scale = self.k + ops.matmul(square, self.band) * (self.alpha / self.size)
        else:
            scale = self.k + self.window(square) * self.alpha
        return ops.cast(wide * _power_of(scale, -self.beta), x.dtype)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        names = ("size", "alpha", "beta", "k", "across")
        return super().get_config() | {name: getattr(self, name) for name in names}


def _power_of(x: Tensor, exponent: float) -> Tensor:
    """Power of positive x; two square roots are several times quicker for the usual -0.75."""
    if exponent != -0.75:
        return ops.power(x, exponent)
    root = ops.rsqrt(x)
    return root * ops.sqrt(root)


@register
class Scale(keras.layers.Layer):
    """A factor and a shift for each channel: Caffe's Scale, and Bias with `use_scale` false."""

    def __init__(self, use_scale: bool = True, use_bias: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.use_scale, self.use_bias = use_scale, use_bias

    def build(self, input_shape: Shape) -> None:
        """Make scale [C] and bias [C]."""
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=input_shape[-1:], initializer="ones")
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=input_shape[-1:], initializer="zeros")

    def call(self, x: Tensor) -> Tensor:
        """Scale and shift x [B, ..., C]."""
        x = x * ops.cast(self.scale, x.dtype) if self.use_scale else x
        return x + ops.cast(self.bias, x.dtype) if self.use_bias else x

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return super().get_config() | {"use_scale": self.use_scale, "use_bias": self.use_bias}


@register
class Power(keras.layers.Layer):
    """Caffe's Power: (shift + scale * x) ** power."""

    def __init__(
        self, power: float = 1.0, scale: float = 1.0, shift: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.power, self.scale, self.shift = power, scale, shift

    def call(self, x: Tensor) -> Tensor:
        """Apply to every element of x."""
        x = self.shift + self.scale * x
        return x if self.power == 1 else ops.power(x, self.power)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        names = ("power", "scale", "shift")
        return super().get_config() | {name: getattr(self, name) for name in names}


@register
class Log(keras.layers.Layer):
    """Caffe's Log: the logarithm of shift + scale * x; base -1 means e."""

    def __init__(
        self, base: float = -1.0, scale: float = 1.0, shift: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.base, self.scale, self.shift = base, scale, shift

    def call(self, x: Tensor) -> Tensor:
        """Apply to every element of x."""
        y = ops.log(self.shift + self.scale * x)
        return y if self.base == -1 else y / math.log(self.base)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        names = ("base", "scale", "shift")
        return super().get_config() | {name: getattr(self, name) for name in names}


@register
class Slice(keras.layers.Layer):
    """The part of x from `starts`, of `sizes`: one entry each for every axis but the batch."""

    def __init__(self, starts: Sequence[int], sizes: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.starts, self.sizes = tuple(starts), tuple(sizes)

    def call(self, x: Tensor) -> Tensor:
        """Cut the part out of x [B, ...]."""
        parts = [slice(a, a + n) for a, n in zip(self.starts, self.sizes, strict=True)]
        return x[(slice(None), *parts)]

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return super().get_config() | {"starts": self.starts, "sizes": self.sizes}
