"""Maps that stand beside a classifier's layer in a code: what the layer forgets of an image.

The layer tells what an image shows, and little of how: where things are, their colours, their
texture. A generator that has the layer alone draws the mean of all images of such a code, which is
blurred. Here a few convolutions, which are learned together with the generator, give a coarse grid
of further numbers. They are learned under noise, so that codes near each other give images near
each other, and a search may move them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import keras
from keras import layers, ops

from tf_inverse.networks.natural import MAPS
from tf_inverse.tensors import Model, Tensor
from tf_inverse.training import architectures

WIDTHS = (48, 96, 128)
"""Channels of the convolutions that halve the map; further ones have the last."""

NOISE = 0.3
"""Standard deviation of the noise that maps are learned under, where that of the maps is 1.
Starting codes have a noise of a quarter (`networks.code_law.KERNEL`)."""

MOST = 48
"""Channels of maps at most, where the user does not say."""

RECTIFIED = math.sqrt(0.5 - 0.5 / math.pi)
"""Standard deviation of a standard normal number that is 0 where it is negative."""


class Grid(NamedTuple):
    """Where the maps stand in a code, and what they are multiplied with there.

    Attributes:
        layer: Entries of the classifier's layer, which come first.
        shape: Rows, columns and channels of the maps, which follow, flattened.
        scale: Factor of the maps.
    """

    layer: int
    shape: tuple[int, int, int]
    scale: float

    @property
    def size(self) -> int:
        """Entries of the whole code."""
        return self.layer + math.prod(self.shape)


def grid(layer: int, sd: float, size: tuple[int, ...], channels: int) -> Grid:
    """Maps of about twice as many rows as a generator's smallest map has.

    They are scaled to vary as much, all together, as the classifier's layer: then both count alike
    in a distance of codes.

    Args:
        layer: Entries of the classifier's layer.
        sd: Standard deviation of one of them.
        size: Height and width of images.
        channels: Of the maps.
    """
    halvings = _halvings(size)
    rows, columns = (side >> halvings for side in architectures.drawn(size))
    shape = (rows, columns, channels)
    return Grid(layer, shape, sd * math.sqrt(layer / math.prod(shape)) / RECTIFIED)


def channels(size: tuple[int, ...]) -> int:
    """Channels of maps where the user does not say: a quarter of an image's numbers, 48 at most.

    Args:
        size: Height, width and channels of images.

    >>> channels((32, 32, 3)), channels((64, 64, 3)), channels((224, 224, 3))
    (12, 48, 48)
    """
    rows, columns, _ = grid(1, 1.0, size, 1).shape
    return min(MOST, max(1, round(math.prod(size) / (4 * rows * columns))))


def _halvings(size: tuple[int, ...]) -> int:
    return max(0, architectures.stages(size) - 1)


class Appearance:
    """The maps of images, while they are learned.

    Args:
        grid: From `grid`.
        size: Height, width and channels of images.
        dtype: Keras's policy of convolutions without a bias, as "mixed_bfloat16".

    Attributes:
        network: Images RGB 0..255 -> the maps before they are rectified, [B, *grid.shape].
    """

    def __init__(self, grid: Grid, size: tuple[int, int, int], dtype: str = "float32"):
        self.grid = grid
        images = keras.Input(size, name="x")
        x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(images)
        if edges := architectures.edges(size):
            # As much as the generator cuts off: places in the maps are places in its image.
            x = layers.ZeroPadding2D(edges, name="edges")(x)
        for i in range(_halvings(size)):
            width = WIDTHS[min(i, len(WIDTHS) - 1)]
            x = architectures.convolution(x, f"_a{i + 1}", width, strides=2, dtype=dtype)
        x = architectures.convolution(x, "_b", WIDTHS[-1], dtype=dtype)
        options = {"use_bias": False, "dtype": dtype, "name": "conv_maps"}
        x = layers.Conv2D(grid.shape[-1], 1, **options)(x)
        # Without a scale of its own: else maps would grow until no noise is felt.
        options = {"center": False, "scale": False, "dtype": "float32", "name": "norm_maps"}
        x = layers.BatchNormalization(momentum=0.98, **options)(x)
        self.network = keras.Model(images, x, name="maps")

    def __call__(self, x: Tensor, noise: Tensor | float = 0.0, training: bool = False) -> Tensor:
        """The maps of images x, flattened as they stand in a code: [B, entries].

        Args:
            x: [B, H, W, C] of pixels 0..255.
            noise: [B, *grid.shape], of standard deviation `NOISE`.
            training: Whether the normalisation learns.
        """
        maps = ops.relu(self.network(x, training=training) + noise) * self.grid.scale
        return ops.reshape(maps, (-1, math.prod(self.grid.shape)))

    def finished(self) -> keras.Model:
        """Images RGB 0..255 -> the maps, flattened, in float32 and without normalisation."""
        plain = architectures.folded(self.network)
        h = layers.ReLU(name="relu_maps")(plain.output)
        h = layers.Rescaling(self.grid.scale, name="scale_maps")(h)
        h = layers.Flatten(name="flat_maps")(h)
        return keras.Model(plain.input, h, name="appearance")


def beside(
    f: Model, outputs: list[Tensor], h: Tensor, maps: Model, layer: str
) -> tuple[keras.Model, str]:
    """A classifier with one more output: what a layer gives, flattened, and then the maps.

    Maps are of an image in the size that the generator draws. A classifier of another size comes
    back as one of that size, within which it sees the image resized, as a search shows it.

    Args:
        f: Takes images, as one tensor.
        outputs: What it gives.
        h: What its layer gives.
        maps: From `Appearance.finished`.
        layer: Name of the layer.

    Returns:
        The classifier, and the name of the new output.
    """
    name = layer + MAPS
    x = f.inputs[0]
    if x.shape != maps.inputs[0].shape:
        x = keras.Input(maps.input_shape[1:], name="image")
        *outputs, h = keras.Model(f.inputs[0], [*outputs, h], name=f.name)(_fitted(x, f))
    h = layers.Flatten(name=f"{name}_flat")(h)
    both = layers.Concatenate(name=name)([h, maps(x)])
    return keras.Model(x, [*outputs, both], name=f.name), name


def _fitted(x: keras.KerasTensor, f: Model) -> keras.KerasTensor:
    """Images at the classifier's size, as `Networks.fitted` brings them there."""
    size = f.input_shape[1:3]
    if None in size or size == x.shape[1:3]:
        return x
    shrinks = any(to < side for to, side in zip(size, x.shape[1:3], strict=True))
    return layers.Resizing(*size, antialias=shrinks, name="to_classifier")(x)
