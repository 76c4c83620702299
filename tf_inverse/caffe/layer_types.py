"""The types of layer that are ported, and the settings and shapes of the simpler ones.

Each kind is two functions: `options(layer, shapes)` reads the settings with Caffe's defaults, and
`shapes(layer, options, shapes)` gives (shapes of tops, shapes of blobs).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tf_inverse.caffe import pooling, shape_layers, spatial_layers
from tf_inverse.caffe.blob_shape import BlobShape, Inferred, Options
from tf_inverse.caffe.spatial_layers import refuse

if TYPE_CHECKING:
    from tf_inverse.caffe.net_parameter import Layer


OptionsReader: TypeAlias = "Callable[[Layer, tuple[BlobShape, ...]], Options]"
"""The settings of a layer, given the shapes of its bottoms."""

ShapesOf: TypeAlias = "Callable[[Layer, Options, tuple[BlobShape, ...]], Inferred]"
"""The shapes of a layer's tops and blobs, given its settings and the shapes of its bottoms."""


class Kind(NamedTuple):
    """A type of layer: how many bottoms and tops it has, and its two functions."""

    options: OptionsReader
    shapes: ShapesOf
    bottoms: tuple[int, int] = (1, 1)
    tops: tuple[int, int] = (1, 1)


def expect_counts(layer: Layer, kind: Kind) -> None:
    """Refuse a layer with too few or too many bottoms or tops."""
    for word, names, (least, most) in (
        ("bottoms", layer.bottoms, kind.bottoms),
        ("tops", layer.tops, kind.tops),
    ):
        if not least <= len(names) <= most:
            raise refuse(layer, f"{least} to {most} {word}", len(names))


def _numbers(**defaults: float) -> OptionsReader:
    """Options that are numbers: each with its default."""

    def options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
        return {name: layer.param.number(name, value) for name, value in defaults.items()}

    return options


def _flags(**defaults: bool) -> OptionsReader:
    def options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
        return {name: layer.param.flag(name, value) for name, value in defaults.items()}

    return options


def _same(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    return [shapes[0]] * len(layer.tops), []


def _lrn_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    regions = ("ACROSS_CHANNELS", "WITHIN_CHANNEL")
    across = layer.param.choice("norm_region", regions, regions[0]) == regions[0]
    size = layer.param.integer("local_size", 5, 1, 4096)
    numbers = _numbers(alpha=1.0, beta=0.75, k=1.0)(layer, shapes)
    # Caffe's sum within a channel ignores k.
    return numbers | {"size": size, "across": across, "k": numbers["k"] if across else 1.0}


def _lrn_shapes(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    spatial_layers.expect_image(layer, shapes[0])
    if options["size"] % 2 == 0 or not 1 <= options["size"] <= 4096:
        raise refuse(layer, "an odd local_size from 1", options["size"])
    return _same(layer, options, shapes)


def _relu_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    return {"negative_slope": layer.param.number("negative_slope", 0.0, least=0.0)}


def _dropout_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    return {
        "dropout_ratio": layer.param.number("dropout_ratio", 0.5, least=0.0, most=1.0),
        "scale_train": layer.param.flag("scale_train", True),
    }


def _log_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    numbers = _numbers(base=-1.0, scale=1.0, shift=0.0)(layer, shapes)
    if numbers["base"] != -1 and (numbers["base"] <= 0 or numbers["base"] == 1):
        raise refuse(layer, "a positive base other than 1, or -1 for e", numbers["base"])
    return numbers


def _expect_channels_last(layer: Layer, shape: BlobShape) -> None:
    """Refuse a blob whose channels are not the last axis in Keras, as those of (C, K) are not."""
    if len(shape) not in (1, 3):
        raise refuse(layer, "an input (C,) or (C, H, W)", shape)


def _prelu_shapes(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    if not options["channel_shared"]:
        _expect_channels_last(layer, shapes[0])
    return [shapes[0]], [() if options["channel_shared"] else shapes[0][:1]]


def _batch_norm_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    if not layer.param.flag("use_global_stats", True):
        raise refuse(layer, "use_global_stats: true", "false")
    return {"eps": layer.param.number("eps", 1e-5, least=0.0)}


def _batch_norm_shapes(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    _expect_channels_last(layer, shapes[0])
    return [shapes[0]], [shapes[0][:1], shapes[0][:1], (1,)]


def _scale_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    bias = layer.type == "Bias" or layer.param.flag("bias_term", False)
    # Of two bottoms the second is the factor, and it begins with the batch.
    first = layer.param.integer("axis", 1, -4, 4)
    axes = layer.param.integer("num_axes", 1, -4, 4)
    if len(shapes) == 1:
        if (first, axes) != (1, 1):
            raise refuse(layer, "one value a channel (axis 1, num_axes 1)", (first, axes))
        return {"bias": bias}
    if first not in (0, -1 - len(shapes[0])) or shapes[1] not in (shapes[0], shapes[0][:1]):
        raise refuse(layer, f"axis 0 and a second bottom {shapes[0][:1]}", (first, shapes[1]))
    if bias and layer.type == "Scale":
        raise refuse(layer, "no bias_term beside a second bottom", "true")
    return {"bias": bias}


def _scale_shapes(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    if shapes[1:] != shapes[:1]:
        _expect_channels_last(layer, shapes[0])
    if len(shapes) == 2:
        return [shapes[0]], []
    count = 2 if layer.type == "Scale" and options["bias"] else 1
    return [shapes[0]], [shapes[0][:1]] * count


def _axpy_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    factor, x, y = shapes
    if len(x) != 3 or x != y or factor not in (x[:1], (x[0], 1, 1)):
        raise refuse(layer, "bottoms (C,) or (C, 1, 1), and twice (C, H, W)", shapes)
    return {}


def _axpy_shapes(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    return [shapes[1]], []


def _clip_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    if missing := [name for name in ("min", "max") if name not in layer.param.fields]:
        raise refuse(layer, "min and max", f"no {missing[0]}")
    limits = layer.param.number("min", 0.0), layer.param.number("max", 0.0)
    if limits[0] > limits[1]:
        raise refuse(layer, "min not above max", limits)
    return {"low": limits[0], "high": limits[1]}


_MANY = (1, 1000)

KINDS = {
    "Convolution": Kind(spatial_layers.convolution_options, spatial_layers.convolution_shapes),
    "Deconvolution": Kind(spatial_layers.convolution_options, spatial_layers.deconvolution_shapes),
    "InnerProduct": Kind(spatial_layers.product_options, spatial_layers.product_shapes),
    "DepthwiseConvolution": Kind(
        spatial_layers.convolution_options, spatial_layers.convolution_shapes
    ),
    "ConvolutionDepthwise": Kind(
        spatial_layers.convolution_options, spatial_layers.convolution_shapes
    ),
    "Pooling": Kind(pooling.options, pooling.shapes),
    "LRN": Kind(_lrn_options, _lrn_shapes),
    "ReLU": Kind(_relu_options, _same),
    "ReLU6": Kind(_relu_options, _same),
    "Clip": Kind(_clip_options, _same),
    "AbsVal": Kind(_numbers(), _same),
    "Swish": Kind(_numbers(beta=1.0), _same),
    "PReLU": Kind(_flags(channel_shared=False), _prelu_shapes),
    "ELU": Kind(_numbers(alpha=1.0), _same),
    "Sigmoid": Kind(_numbers(), _same),
    "TanH": Kind(_numbers(), _same),
    "Log": Kind(_log_options, _same),
    "Power": Kind(_numbers(power=1.0, scale=1.0, shift=0.0), _same),
    "Dropout": Kind(_dropout_options, _same),
    "Softmax": Kind(shape_layers.along, _same),
    "BatchNorm": Kind(_batch_norm_options, _batch_norm_shapes),
    "Scale": Kind(_scale_options, _scale_shapes, bottoms=(1, 2)),
    "Bias": Kind(_scale_options, _scale_shapes, bottoms=(1, 2)),
    "Axpy": Kind(_axpy_options, _axpy_shapes, bottoms=(3, 3)),
    "Concat": Kind(shape_layers.along, shape_layers.concat_shapes, bottoms=_MANY),
    "Eltwise": Kind(shape_layers.eltwise_options, shape_layers.eltwise_shapes, bottoms=_MANY),
    "Slice": Kind(shape_layers.slice_options, shape_layers.slice_shapes, tops=_MANY),
    "Split": Kind(_numbers(), _same, tops=_MANY),
    "Flatten": Kind(shape_layers.flatten_options, shape_layers.reshape_shapes),
    "Reshape": Kind(shape_layers.reshape_options, shape_layers.reshape_shapes),
    "Permute": Kind(shape_layers.permute_options, shape_layers.permute_shapes),
    "Tile": Kind(shape_layers.tile_options, shape_layers.tile_shapes),
    "Interp": Kind(shape_layers.interp_options, shape_layers.interp_shapes),
    "Crop": Kind(shape_layers.crop_options, shape_layers.crop_shapes, bottoms=(2, 2)),
}
