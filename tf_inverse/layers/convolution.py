"""Caffe's Convolution and Deconvolution over [B, H, W, C], in the forms that are quick.

`convolution` and `deconvolution` choose, in this one place, between the layer of Keras and ours.
The kernels have Keras's shapes either way, so weights fit both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from tf_inverse.layers.caffe_layers import register
from tf_inverse.tensors import Shape, Tensor


def convolution(
    filters: int,
    kernel: Sequence[int],
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
    **kw: Any,
) -> keras.layers.Layer:
    """Caffe's Convolution as the quickest layer that computes it.

    Args:
        filters: Output channels.
        kernel: (height, width).
        strides: (down, right).
        pads: Zeros added at (top, bottom, left, right).
        dilation: (down, right).
        groups: Blocks of channels that do not see each other.
        **kw: `name`, `use_bias`, `kernel_initializer`.
    """
    same = tuple((k - 1) * d // 2 for k, d in zip(kernel, dilation, strict=True))
    odd = all((k - 1) * d % 2 == 0 for k, d in zip(kernel, dilation, strict=True))
    plain = groups == 1 and not folds(strides, dilation) and (1, 1) in (strides, dilation)
    if plain and (not any(pads) or (odd and tuple(strides) == (1, 1) and pads == _twice(same))):
        return keras.layers.Conv2D(
            filters,
            kernel,
            strides,
            padding="same" if any(pads) else "valid",
            dilation_rate=dilation,
            **kw,
        )
    return Convolution(filters, kernel, strides, pads, dilation, groups, **kw)


def deconvolution(
    filters: int,
    kernel: Sequence[int],
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    groups: int = 1,
    **kw: Any,
) -> keras.layers.Layer:
    """Caffe's Deconvolution: the full transposed convolution with its border cut off."""
    same = tuple((k - s) // 2 for k, s in zip(kernel, strides, strict=True))
    even = all(k >= s and (k - s) % 2 == 0 for k, s in zip(kernel, strides, strict=True))
    if groups == 1 and even and pads == _twice(same):
        return keras.layers.Conv2DTranspose(filters, kernel, strides, padding="same", **kw)
    return Deconvolution(filters, kernel, strides, pads, groups, **kw)


def _twice(sides: Sequence[int]) -> tuple[int, int, int, int]:
    return (sides[0], sides[0], sides[1], sides[1])


def folds(strides: Sequence[int], dilation: Sequence[int]) -> bool:
    """Whether a stride is quicker folded into the channels."""
    return strides[0] == strides[1] >= 4 and tuple(dilation) == (1, 1)


@register
class Convolution(keras.layers.Layer):
    """Convolution with groups, explicit padding and stride, in its quick forms.

    Groups are split, convolved and joined: the gradient of one grouped convolution is seven
    times slower on a CPU. Groups of one channel each are one depthwise convolution. A stride of 4
    or more is folded into the channels (space to depth), which turns the 11x11 kernel with stride 4
    of AlexNet's first layer into a dense 3x3 one.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Sequence[int],
        strides: Sequence[int] = (1, 1),
        pads: Sequence[int] = (0, 0, 0, 0),
        dilation: Sequence[int] = (1, 1),
        groups: int = 1,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters, self.groups, self.use_bias = filters, groups, use_bias
        self.kernel_size, self.strides = tuple(kernel_size), tuple(strides)
        self.pads, self.dilation = tuple(pads), tuple(dilation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: Shape) -> None:
        """Make kernel [kh, kw, I / groups, O] and bias [O]."""
        shape = (*self.kernel_size, input_shape[-1] // self.groups, self.filters)
        self.kernel = self.add_weight(
            name="kernel", shape=shape, initializer=self.kernel_initializer
        )
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, x: Tensor) -> Tensor:
        """Convolve x [B, H, W, I]."""
        x = _pad(x, self.pads)
        if self.groups == x.shape[-1] > 1:
            y = depthwise(x, self.kernel, self.strides, self.dilation)
        else:
            fold = folds(self.strides, self.dilation)
            convolve = (lambda x, k: folded(x, k, self.strides[0])) if fold else self._strided
            y = grouped(x, self.kernel, self.groups, convolve)
        return y + ops.cast(self.bias, y.dtype) if self.use_bias else y

    def _strided(self, x: Tensor, kernel: Tensor) -> Tensor:
        if self.dilation == (1, 1):
            return ops.conv(x, kernel, self.strides, padding="valid")
        # TensorFlow has no stride together with a dilation.
        y = ops.conv(x, kernel, 1, padding="valid", dilation_rate=self.dilation)
        return y[:, :: self.strides[0], :: self.strides[1]]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape [B, H', W', O], rounded down as Caffe does."""
        sizes = [
            (n + sum(self.pads[2 * i : 2 * i + 2]) - (k - 1) * d - 1) // s + 1
            for i, (n, k, d, s) in enumerate(
                zip(input_shape[1:3], self.kernel_size, self.dilation, self.strides, strict=True)
            )
        ]
        return (input_shape[0], *sizes, self.filters)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        names = ("filters", "kernel_size", "strides", "pads", "dilation", "groups", "use_bias")
        initializer = keras.initializers.serialize(self.kernel_initializer)
        own = {name: getattr(self, name) for name in names} | {"kernel_initializer": initializer}
        return super().get_config() | own


@register
class Deconvolution(keras.layers.Layer):
    """Transposed convolution as Caffe defines it, with groups.

    The output has s * (n - 1) + k - pads pixels a side: all of the full transposed convolution
    but the border that the pads name.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Sequence[int],
        strides: Sequence[int] = (1, 1),
        pads: Sequence[int] = (0, 0, 0, 0),
        groups: int = 1,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters, self.groups, self.use_bias = filters, groups, use_bias
        self.kernel_size, self.strides = tuple(kernel_size), tuple(strides)
        self.pads = tuple(pads)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: Shape) -> None:
        """Make kernel [kh, kw, O / groups, I] and bias [O]."""
        shape = (*self.kernel_size, self.filters // self.groups, input_shape[-1])
        self.kernel = self.add_weight(
            name="kernel", shape=shape, initializer=self.kernel_initializer
        )
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, x: Tensor) -> Tensor:
        """Spread x [B, H, W, I] over its kernel."""
        parts = zip(
            ops.split(x, self.groups, axis=-1),
            ops.split(self.kernel, self.groups, axis=-1),
            strict=True,
        )
        spread = [ops.conv_transpose(*part, self.strides, padding="valid") for part in parts]
        top, _, left, _ = self.pads
        _, height, width, _ = self.compute_output_shape(x.shape)
        y = ops.concatenate(spread, axis=-1)[:, top : top + height, left : left + width]
        return y + ops.cast(self.bias, y.dtype) if self.use_bias else y

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape [B, H', W', O]."""
        sizes = [
            s * (n - 1) + k - sum(self.pads[2 * i : 2 * i + 2])
            for i, (n, k, s) in enumerate(
                zip(input_shape[1:3], self.kernel_size, self.strides, strict=True)
            )
        ]
        return (input_shape[0], *sizes, self.filters)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        names = ("filters", "kernel_size", "strides", "pads", "groups", "use_bias")
        initializer = keras.initializers.serialize(self.kernel_initializer)
        own = {name: getattr(self, name) for name in names} | {"kernel_initializer": initializer}
        return super().get_config() | own


def grouped(
    x: Tensor, kernel: Tensor, groups: int, convolve: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Each group of channels of x [B, H, W, I] by its part of the kernel [kh, kw, I / groups, O].

    Args:
        x: Images.
        kernel: As Keras has it.
        groups: How many.
        convolve: (x, kernel) -> y, for one group.
    """
    if groups == 1:
        return convolve(x, kernel)
    parts = zip(ops.split(x, groups, axis=-1), ops.split(kernel, groups, axis=-1), strict=True)
    return ops.concatenate([convolve(*part) for part in parts], axis=-1)


def depthwise(x: Tensor, kernel: Tensor, strides: Sequence[int], dilation: Sequence[int]) -> Tensor:
    """Each channel of x [B, H, W, C] by kernels of its own, [kh, kw, 1, C * m], all at once."""
    kh, kw, _, outputs = kernel.shape
    kernel = ops.reshape(kernel, (kh, kw, x.shape[-1], outputs // x.shape[-1]))
    if strides[0] == strides[1] and tuple(dilation) == (1, 1):
        return ops.depthwise_conv(x, kernel, strides, padding="valid")
    # TensorFlow has neither two different strides here nor a stride together with a dilation.
    y = ops.depthwise_conv(x, kernel, 1, padding="valid", dilation_rate=dilation)
    return y[:, :: strides[0], :: strides[1]]


def folded(x: Tensor, kernel: Tensor, s: int) -> Tensor:
    """Convolution of x [B, H, W, I] without padding and with stride s, as a dense one.

    Pixels and kernel [kh, kw, I, O] go from space to depth: blocks of s x s pixels are the channels
    of one, and the kernel covers ceil(kh / s) x ceil(kw / s) blocks.
    """
    kh, kw, inputs, outputs = kernel.shape
    tall, wide = -(-kh // s), -(-kw // s)
    kernel = ops.pad(kernel, [(0, tall * s - kh), (0, wide * s - kw), (0, 0), (0, 0)])
    kernel = ops.reshape(kernel, (tall, s, wide, s, inputs, outputs))
    kernel = ops.transpose(kernel, (0, 2, 1, 3, 4, 5))
    kernel = ops.reshape(kernel, (tall, wide, s * s * inputs, outputs))
    height, width = (
        ((n - k) // s + blocks) * s
        for n, k, blocks in zip(x.shape[1:3], (kh, kw), (tall, wide), strict=True)
    )
    x = _pad(x, (0, max(0, height - x.shape[1]), 0, max(0, width - x.shape[2])))
    if x.shape[1:3] != (height, width):
        x = x[:, :height, :width]
    return ops.conv(_fold(x, s), kernel, 1, padding="valid")


def _fold(x: Tensor, s: int) -> Tensor:
    """Space to depth: [B, H, W, C] -> [B, H / s, W / s, s * s * C]."""
    _, height, width, channels = x.shape
    x = ops.reshape(x, (-1, height // s, s, width // s, s, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, height // s, width // s, s * s * channels))


def _pad(x: Tensor, pads: Sequence[int]) -> Tensor:
    return ops.pad(x, [(0, 0), pads[:2], pads[2:], (0, 0)]) if any(pads) else x
