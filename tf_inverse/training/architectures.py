"""The networks that are trained, of Keras's own layers, and how their sizes follow the images'.

Everything halves or doubles its map until about four rows are left, whatever the size of the
images: 32 pixels take three such stages, 64 take four. In mixed precision only convolutions
without a bias compute in bfloat16, for on a CPU the gradient of a bias is summed in the precision
of its layer, and a bfloat16 sum stops growing after 256 equal terms. Biases, batch normalisation,
dense layers and whatever gives a loss stay float32.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers

from tf_inverse.tensors import Array, Model, Tensor

if TYPE_CHECKING:
    from tf_inverse.training.appearance import Grid

COARSE = 4
"""Rows or columns of the smallest map, about."""

STAGES = ((32, 64), (64, 128), (128, 128))
"""Channels of the two convolutions of each stage of a classifier; further stages have `MORE`."""

MORE = (256, 256)
ENTRIES = 12
"""Entries of a classifier's code for each row of its images: 384 for 32 pixels, 768 for 64."""

SLOPE = 0.2


def stages(size: tuple[int, ...]) -> int:
    """How often the shorter side of images is halved until about `COARSE` rows are left.

    >>> stages((32, 32)), stages((64, 64)), stages((28, 40))
    (3, 4, 3)
    """
    return max(0, round(math.log2(min(size[:2]) / COARSE)))


def entries(size: tuple[int, ...]) -> int:
    """Entries of a new classifier's code, where the user does not say.

    >>> entries((64, 64))
    768
    """
    return ENTRIES * min(size[:2])


def convolution(
    x: Tensor, name: str, filters: int, strides: int = 1, dtype: str = "float32"
) -> Tensor:
    """A convolution without a bias, `convNAME`, its `normNAME` and `reluNAME`."""
    x = layers.Conv2D(
        filters, 3, strides, padding="same", use_bias=False, name=f"conv{name}", dtype=dtype
    )(x)
    # A layer's dtype is float32 where none is given: inputs in bfloat16 are cast.
    x = layers.BatchNormalization(momentum=0.95, name=f"norm{name}", dtype="float32")(x)
    return layers.ReLU(name=f"relu{name}")(x)


def classifier(
    classes: int,
    size: tuple[int, int] = (32, 32),
    code: int | None = None,
    width: float = 1.0,
    pooled: int = 0,
    dtype: str = "float32",
) -> keras.Model:
    """Two convolutions a stage and three dense layers, with the names of their likes in CaffeNet.

    Takes RGB 0..255, [B, H, W, 3]; gives logits [B, classes]. `relu6`, [B, code], is meant as the
    encoding; with pooled maps it is `code`, which has these maps beside `relu6`. Batch
    normalisation is for training only: `folded` removes it.

    Args:
        classes: Units of the output.
        size: Height and width of images.
        code: Entries of `relu6`; `entries` of the size if None.
        width: Factor of the channels of all convolutions.
        pooled: Rows and columns, at most, to which the maps of `relu1_2` are averaged: they keep
            colours and places that a class does not need. None with 0.
        dtype: Keras's policy of convolutions, as "mixed_bfloat16".
    """
    images = keras.Input((*size, 3), name="data")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(images)
    code = code or entries(size)
    first_maps: Any = None
    for i in range(max(1, stages(size))):
        first, second = (_channels(width * one) for one in (STAGES[i] if i < len(STAGES) else MORE))
        x = convolution(x, f"{i + 1}_1", first, dtype=dtype)
        x = convolution(x, f"{i + 1}_2", second, strides=2, dtype=dtype)
        first_maps = x if first_maps is None else first_maps
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.1, name="drop5")(x)
    x = layers.ReLU(name="relu6")(layers.Dense(code, name="fc6")(x))
    if pooled:
        window = tuple(math.ceil(side / pooled) for side in first_maps.shape[1:3])
        y = layers.AveragePooling2D(window, name="pool1")(first_maps)
        x = layers.Concatenate(name="code")([x, layers.Flatten(name="flatten1")(y)])
    x = layers.ReLU(name="relu7")(layers.Dense(code // 2, name="fc7")(x))
    return keras.Model(images, layers.Dense(classes, name="fc8")(x), name="classifier")


def _channels(count: float) -> int:
    return max(1, round(count))


def judge(classes: int, size: tuple[int, int] = (32, 32), dtype: str = "float32") -> keras.Model:
    """A residual network without dense hidden layers: as unlike `classifier` as its size allows.

    Args:
        classes: Units of the output.
        size: Height and width of images.
        dtype: As of `classifier`.
    """
    images = keras.Input((*size, 3), name="data")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(images)
    x = convolution(x, "1", 48, strides=2, dtype=dtype)
    blocks = [(48, 1), (96, 2), (192, 2), *[(256, 2)] * (stages(size) - len(STAGES))]
    for stage, (filters, strides) in enumerate(blocks, start=2):
        x = convolution(x, f"{stage}_in", filters, strides, dtype)
        y = convolution(x, f"{stage}_a", filters, dtype=dtype)
        y = convolution(y, f"{stage}_b", filters, dtype=dtype)
        x = layers.Add(name=f"add{stage}")([x, y])
    x = layers.GlobalMaxPooling2D(name="pool")(x)
    return keras.Model(images, layers.Dense(classes, name="fc")(x), name="judge")


def widths_for(size: tuple[int, ...], width: float = 1.0) -> tuple[int, ...]:
    """Channels of a generator of images whose shorter side is `min(size[:2])`; see `generator`.

    >>> widths_for((32, 32)), widths_for((64, 64))
    ((128, 256, 160, 80, 40), (128, 256, 160, 80, 40, 32))
    """
    doublings = [max(32, 320 >> i) for i in range(1, stages(size) + 1)]
    return tuple(_channels(width * one) for one in (128, 256, *doublings))


def generator(
    code: int,
    size: tuple[int, int, int],
    widths: tuple[int, ...] | None = None,
    spread: tuple[float, float] = (0.0, 1.0),
    dtype: str = "float32",
    grid: Grid | None = None,
) -> keras.Model:
    """A code of `code` entries -> RGB 0..255, unclipped, [B, *size].

    The resolution doubles by resizing and a convolution: strided transposed convolutions leave a
    checkerboard.

    Args:
        code: d, entries of a code.
        size: Height, width and channels of an image. What doubling gives beyond it is cut off.
        widths: Channels after the dense layer, after the first convolution, and after each
            doubling of the resolution; `widths_for` the size if left out.
        spread: Mean and standard deviation of the entries of a code: layers learn at the same pace
            whatever the scale of the encoding is.
        dtype: Keras's policy of convolutions without a bias, as "mixed_bfloat16".
        grid: The maps that a code has beside a layer: they join where the resolution is theirs.
    """
    widths = widths or widths_for(size)
    doublings = len(widths) - 2
    h, w = (side >> doublings for side in drawn(size, doublings))
    codes = keras.Input((code,), name="code")
    x, maps = codes, None
    if grid:
        x, maps = _parts(codes, grid)
    x = standardized(spread)(x)
    x = layers.Dense(h * w * widths[0], name="fc")(x)
    x = layers.Reshape((h, w, widths[0]), name="map")(x)
    x = layers.LeakyReLU(SLOPE, name="relu")(x)
    for i, width in enumerate(widths[1:]):
        if i:
            x = layers.UpSampling2D(name=f"up{i}")(x)
        if maps is not None and x.shape[1:3] == maps.shape[1:3]:
            x, maps = layers.Concatenate(name="both")([x, maps]), None
        x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"conv{i}", dtype=dtype)(x)
        x = layers.BatchNormalization(momentum=0.98, name=f"norm{i}", dtype="float32")(x)
        x = layers.LeakyReLU(SLOPE, name=f"relu{i}")(x)
    x = layers.Conv2D(size[2], 3, padding="same", name="image")(x)
    if cut := edges(size, doublings):
        x = layers.Cropping2D(cut, name="edges")(x)
    return keras.Model(codes, layers.Rescaling(127.5, offset=127.5, name="pixels")(x), name="G")


def drawn(size: tuple[int, ...], doublings: int | None = None) -> tuple[int, ...]:
    """Height and width that a generator draws before it cuts the edges off.

    Args:
        size: Height and width of images.
        doublings: Of its smallest map; the stages of the size if None.

    >>> drawn((28, 40))
    (32, 40)
    """
    doublings = stages(size) if doublings is None else doublings
    return tuple(-(-side // 2**doublings) << doublings for side in size[:2])


def edges(size: tuple[int, ...], doublings: int | None = None) -> tuple[tuple[int, int], ...]:
    """Rows above and below, and columns left and right, that are drawn and cut off; () for none.

    >>> edges((28, 40))
    ((2, 2), (0, 0))
    """
    beyond = [all_ - side for all_, side in zip(drawn(size, doublings), size, strict=False)]
    return tuple((extra // 2, extra - extra // 2) for extra in beyond) if any(beyond) else ()


def _parts(codes: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """What a code has of the classifier's layer, and its maps divided by their scale."""
    x = layers.Reshape((grid.size, 1), name="entries")(codes)
    layer = layers.Cropping1D((0, grid.size - grid.layer), name="of_layer")(x)
    maps = layers.Cropping1D((grid.layer, 0), name="of_maps")(x)
    maps = layers.Reshape(grid.shape, name="maps")(maps)
    maps = layers.Rescaling(1.0 / grid.scale, name="scaled_maps")(maps)
    return layers.Reshape((grid.layer,), name="layer")(layer), maps


def standardized(spread: tuple[float, float]) -> keras.layers.Layer:
    """A layer after which numbers of a mean and a standard deviation have 0 and 1."""
    mean, sd = spread
    return layers.Rescaling(1.0 / sd, offset=-mean / sd, name="standardized")


def folded(model: Model) -> keras.Model:
    """The same function in float32 without batch normalisation and dropout.

    Args:
        model: Each layer `convX` without a bias is followed by `normX`, whose scale goes into the
            kernel.
    """
    absent = (layers.BatchNormalization, layers.Dropout)

    def plain(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config() | {"dtype": "float32"}
        if isinstance(layer, layers.Conv2D):
            config["use_bias"] = True
        return layer.__class__.from_config(config)

    def call(layer: keras.layers.Layer, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return x if isinstance(layer, absent) else layer(x, *args, **kwargs)

    made = keras.models.clone_model(model, clone_function=plain, call_function=call)
    for layer in made.layers:
        source = model.get_layer(layer.name)
        weights = source.get_weights()
        if isinstance(layer, layers.Conv2D) and not source.use_bias:
            weights = _scaled(source, model.get_layer(layer.name.replace("conv", "norm")))
        layer.set_weights(weights)
    return made


def _scaled(convolution: keras.layers.Layer, norm: keras.layers.Layer) -> list[Array]:
    *learned, mean, variance = norm.get_weights()
    gamma, beta = learned or (1.0, 0.0)
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return [convolution.get_weights()[0] * scale, beta - mean * scale]
