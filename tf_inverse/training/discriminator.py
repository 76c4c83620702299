"""The discriminator of a generator's training, and what it is shown.

It has spectral normalisation (Miyato et al. 2018) and a projection of the code (Miyato and Koyama
2018). What it sees may be changed at random (`augmented`), real and generated images alike, so that
it cannot learn a small set of images by heart.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from tf_inverse import grammar
from tf_inverse.errors import UsageError
from tf_inverse.tensors import Array, Shape, Tensor
from tf_inverse.training.architectures import SLOPE, standardized

WAYS = ("color", "translation", "cutout")


class Spectral(layers.Layer):
    """A linear layer over its largest singular value, with a bias: y = W x / sigma + b.

    Sigma comes from one step of power iteration a training step, and gradients go through it. The
    bias and the division are float32 whatever the precision of the layer itself.

    Args:
        layer: `Dense` or `Conv2D` without a bias.
    """

    def __init__(self, layer: layers.Layer):
        super().__init__(name=f"spectral_{layer.name}", dtype="float32")
        self.layer = layer

    def build(self, input_shape: Shape) -> None:
        """Make the bias and the right singular vector."""
        self.layer.build(input_shape)
        self.units = self.layer.kernel.shape[-1]
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        normal = keras.initializers.RandomNormal(1.0)
        self.u = self.add_weight(shape=(self.units,), initializer=normal, name="u", trainable=False)

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        """Outputs [B, ..., units], float32, of inputs [B, ..., channels]."""
        kernel = ops.reshape(self.layer.kernel, (-1, self.units))
        v = ops.stop_gradient(_unit(ops.matmul(kernel, self.u)))
        u = ops.stop_gradient(_unit(ops.matmul(v, kernel)))
        if training:
            self.u.assign(u)
        sigma = ops.dot(v, ops.matmul(kernel, u))
        return ops.cast(self.layer(x), "float32") / sigma + self.bias

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """As of the layer."""
        return self.layer.compute_output_shape(input_shape)


def _unit(x: Tensor) -> Tensor:
    return x / (ops.sqrt(ops.sum(x**2)) + 1e-12)


def discriminator(
    code: int,
    size: tuple[int, int, int],
    widths: tuple[int, ...] = (64, 128, 256),
    spread: tuple[float, float] = (0.0, 1.0),
    dtype: str = "float32",
) -> keras.Model:
    """How real images [B, *size] of pixels 0..255 look, given the codes they show: [B, 1].

    Args:
        code: Entries of a code.
        size: Height, width and channels of an image.
        widths: Channels of the convolutions, each of which halves the map.
        spread: As of `architectures.generator`.
        dtype: Keras's policy of convolutions, as "mixed_bfloat16".
    """
    images, codes = keras.Input(size, name="x"), keras.Input((code,), name="code")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    for width in widths:
        convolution = layers.Conv2D(width, 4, 2, padding="same", use_bias=False, dtype=dtype)
        x = layers.LeakyReLU(SLOPE)(Spectral(convolution)(x))
    x = layers.GlobalAveragePooling2D()(x)
    y = Spectral(layers.Dense(widths[-1], use_bias=False))(standardized(spread)(codes))
    realism = Spectral(layers.Dense(1, use_bias=False))(x)
    match = layers.Dot(axes=1)([x, y])
    return keras.Model([images, codes], layers.Add()([realism, match]), name="discriminator")


def ways(text: str | None) -> tuple[str, ...]:
    """The ways of changing images that a flag names.

    Raises:
        UsageError: There is none of that name.

    >>> ways("color, cutout")
    ('color', 'cutout')
    """
    found = grammar.names(text)
    unknown = [one for one in found if one not in WAYS]
    if unknown:
        raise UsageError(f"expected --augment of {', '.join(WAYS)}, got {unknown[0]!r}")
    return found


def changes(rng: np.random.Generator, batch: int, names: tuple[str, ...]) -> dict[str, Array]:
    """Random numbers in [0, 1) by which `augmented` changes a batch, by name.

    Args:
        rng: Where they come from.
        batch: Images.
        names: Of `WAYS`.
    """
    counts = {"color": 3, "translation": 2, "cutout": 2}
    return {name: rng.random((batch, counts[name]), np.float32) for name in names}


def augmented(x: Tensor, numbers: dict[str, Tensor]) -> Tensor:
    """Images changed as DiffAugment does (Zhao et al. 2020); gradients go through.

    color: brightness by up to a quarter of the range, saturation by a factor below 2, contrast by
    0.5 to 1.5. translation: up to an eighth of each side, black comes in. cutout: a square of half
    of each side is set to the middle of the range.

    Args:
        x: [B, H, W, C] of pixels 0..255.
        numbers: From `changes`.
    """
    h, w = x.shape[1:3]
    if "color" in numbers:
        r = ops.reshape(numbers["color"], (-1, 3, 1, 1, 1))
        x = x + 255.0 * (r[:, 0] - 0.5) / 2
        grey = ops.mean(x, axis=3, keepdims=True)
        x = grey + (x - grey) * 2.0 * r[:, 1]
        middle = ops.mean(x, axis=(1, 2, 3), keepdims=True)
        x = middle + (x - middle) * (0.5 + r[:, 2])
    if "translation" in numbers:
        for axis, side in ((1, h), (2, w)):
            x = _moved(x, numbers["translation"][:, axis - 1], axis, side)
    if "cutout" in numbers:
        rows, columns = (_within(numbers["cutout"][:, i], side) for i, side in enumerate((h, w)))
        hole = rows[:, :, None, None] * columns[:, None, :, None]
        x = x * (1.0 - hole) + 127.5 * hole
    return x


def _moved(x: Tensor, r: Tensor, axis: int, side: int) -> Tensor:
    """Images moved along an axis by up to an eighth of it, each by its number in [0, 1)."""
    most = max(1, side // 8)
    shift = ops.cast(ops.floor(r * (2 * most + 1)), "int32") - most
    places = ops.arange(side, dtype="int32")[None] + shift[:, None]
    there = ops.cast(ops.logical_and(places >= 0, places < side), "float32")
    shape = (-1, side, 1, 1) if axis == 1 else (-1, 1, side, 1)
    chosen = ops.reshape(ops.clip(places, 0, side - 1), shape)
    return ops.take_along_axis(x, chosen, axis=axis) * ops.reshape(there, shape)


def _within(r: Tensor, side: int) -> Tensor:
    """1 for the rows within half a side around a random one, else 0: [B, side] float32."""
    centre = ops.floor(r * side)[:, None]
    places = ops.arange(side, dtype="float32")[None]
    inside = ops.logical_and(places >= centre - side // 4, places < centre + side // 4)
    return ops.cast(inside, "float32")
