"""From RGB pixels to what a Caffe network takes, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from tf_inverse.errors import UsageError
from tf_inverse.layers.caffe_layers import register
from tf_inverse.tensors import Array, Shape, Tensor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Mean of the training images of ILSVRC 2012, blue first; the documented stand-in for the mean
# image of the same data.
IMAGENET_MEAN = (104.0, 117.0, 123.0)


@register
class FromPixels(keras.layers.Layer):
    """RGB 0..255 to a network's input: channels in its order, minus its mean, times its scale.

    The mean is a weight, [C] or [H, W, C], in the network's order of channels. The arithmetic is
    float32 whatever the policy: 16 bits cannot hold a pixel minus a mean.
    """

    def __init__(
        self,
        channels: str = "bgr",
        mean_shape: Sequence[int] = (3,),
        scale: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.channels, self.mean_shape, self.scale = channels, tuple(mean_shape), scale

    def build(self, input_shape: Shape) -> None:
        """Make the mean."""
        self.mean = self.add_weight(
            name="mean", shape=self.mean_shape, initializer="zeros", trainable=False
        )

    def call(self, x: Tensor) -> Tensor:
        """Turn x [B, H, W, C], RGB 0..255, into the input of a network."""
        mean = ops.cast(self.mean, "float32")
        x = _plus(_ordered(ops.cast(x, "float32"), self.channels), -mean)
        return ops.cast(x if self.scale == 1 else x * self.scale, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        names = ("channels", "mean_shape", "scale")
        return super().get_config() | {name: getattr(self, name) for name in names}


@register
class ToPixels(keras.layers.Layer):
    """A generator's output to RGB 0..255, unclipped: the inverse of `FromPixels`, in float32."""

    def __init__(
        self,
        channels: str = "bgr",
        mean_shape: Sequence[int] = (3,),
        scale: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.channels, self.mean_shape, self.scale = channels, tuple(mean_shape), scale

    def build(self, input_shape: Shape) -> None:
        """Make the mean."""
        self.mean = self.add_weight(
            name="mean", shape=self.mean_shape, initializer="zeros", trainable=False
        )

    def call(self, x: Tensor) -> Tensor:
        """Turn x [B, H, W, C] in a network's convention into RGB 0..255."""
        x, mean = ops.cast(x, "float32"), ops.cast(self.mean, "float32")
        x = x if self.scale == 1 else x / self.scale
        mean = ops.flip(mean, axis=-1) if self.channels == "bgr" else mean
        return _plus(_ordered(x, self.channels), mean)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        names = ("channels", "mean_shape", "scale")
        return super().get_config() | {name: getattr(self, name) for name in names}


def _ordered(x: Tensor, channels: str) -> Tensor:
    # A convolution, and the mean added as its bias, go through the pixels once: three times as
    # quick on a CPU as reversing, then adding over, a last axis of 3. Ones and zeros are exact.
    if channels != "bgr":
        return x
    turned = np.eye(x.shape[-1], dtype=np.float32)[::-1]
    return ops.conv(x, ops.reshape(turned, (1, 1, *turned.shape)), 1)


def _plus(x: Tensor, mean: Tensor) -> Tensor:
    if len(mean.shape) > 1 or keras.backend.backend() != "tensorflow":
        return x + mean
    import tensorflow as tf

    return tf.nn.bias_add(x, mean)


def centre_crop(mean: ArrayLike, height: int, width: int, channels: int = 3) -> Array:
    """The middle of a mean image [H, W, C]; of one value a channel, or of a single one, all values.

    Rounded down as Caffe and PPGN do: 227 of 256 begins at pixel 14.

    Args:
        mean: Of the training images: an image, a value for each channel, or one for all.
        height: Of the images.
        width: Likewise.
        channels: Likewise.

    Raises:
        UsageError: It is smaller, or of another number of channels.
    """
    mean = np.asarray(mean, np.float32)
    mean = np.repeat(mean, channels) if mean.shape == (1,) else mean
    if mean.shape[-1:] != (channels,):
        raise UsageError(f"expected a mean of {channels} channels, got {list(mean.shape)}")
    if mean.ndim == 1:
        return mean
    if mean.shape[0] < height or mean.shape[1] < width:
        raise UsageError(
            f"expected a mean image of at least {height} x {width} pixels, "
            f"got {mean.shape[0]} x {mean.shape[1]}"
        )
    top, left = (mean.shape[0] - height) // 2, (mean.shape[1] - width) // 2
    return mean[top : top + height, left : left + width]
