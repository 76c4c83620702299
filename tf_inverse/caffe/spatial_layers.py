"""Convolution, Deconvolution and InnerProduct: settings with Caffe's defaults, shapes.

`..._options(layer, shapes)` reads the settings; `..._shapes(layer, options, shapes)` gives
(shapes of tops, shapes of blobs).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tf_inverse.caffe import layer_names
from tf_inverse.caffe.blob_shape import BlobShape, Inferred, Options
from tf_inverse.errors import ConversionError

if TYPE_CHECKING:
    from tf_inverse.caffe.net_parameter import Layer


def refuse(layer: Layer, expected: str, got: object) -> ConversionError:
    """The error of a layer that does not fit."""
    return ConversionError(f"layer {layer.name!r} ({layer.type}): expected {expected}, got {got}")


def expect_channels(layer: Layer) -> None:
    """Refuse an axis other than the channels, or all that follows the batch."""
    axis = layer.param.integer("axis", 1, -4, 4)
    if axis != 1:
        raise refuse(layer, "axis 1", axis)


def expect_image(layer: Layer, shape: BlobShape) -> None:
    """Refuse an input that is not (C, H, W)."""
    if len(shape) != 3:
        raise refuse(layer, "an input (C, H, W)", shape)


def _pair(
    layer: Layer,
    field: str,
    least: int,
    default: int | None = None,
    short: str | None = None,
    absent: int | None = None,
) -> tuple[int, int]:
    """A setting for height and width: field_h and field_w, or one or two values of field.

    Where one of field_h and field_w is there alone, the other is `absent`; None refuses that.
    """
    short = short or field
    height, width = (layer.param.integer(f"{short}_{s}", None, least, 4096) for s in "hw")
    found = layer.param.integers(field, least, 4096)
    if (height is None) != (width is None) and absent is not None:
        height, width = (absent if side is None else side for side in (height, width))
    if height is not None and width is not None and not found:
        return height, width
    values = found or ([] if default is None else [default])
    if not height is width is None or not 1 <= len(values) <= 2:
        expected = f"one or two values of {field}, or {short}_h and {short}_w"
        raise refuse(layer, expected, (*found, height, width))
    return values[0], values[-1]


def window(layer: Layer) -> Options:
    """Kernel, strides and pads of a Convolution or Pooling."""
    # Of a convolution, Caffe takes pad_w: 1 without pad_h; of a pooling it wants both.
    pad = _pair(layer, "pad", 0, 0, absent=None if layer.type == "Pooling" else 0)
    return {
        "kernel": _pair(layer, "kernel_size", 1, short="kernel"),
        "strides": _pair(layer, "stride", 1, 1),
        "pads": (pad[0], pad[0], pad[1], pad[1]),
    }


def _axis_pads(pads: Sequence[int], i: int) -> int:
    return pads[2 * i] + pads[2 * i + 1]


def convolution_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    """Settings of Convolution and Deconvolution."""
    expect_image(layer, shapes[0])
    expect_channels(layer)
    options = window(layer) | {
        "filters": _filters(layer),
        "groups": _groups(layer, shapes[0][0]),
        "dilation": _pair(layer, "dilation", 1, 1),
        "bias": layer.param.flag("bias_term", True),
    }
    if layer.type == "Deconvolution" and options["dilation"] != (1, 1):
        raise refuse(layer, "no dilation", options["dilation"])
    return options


def _groups(layer: Layer, channels: int) -> int:
    """How many blocks of channels do not see each other: of a depthwise type, every channel."""
    depthwise = layer.type in layer_names.DEPTHWISE
    groups = layer.param.integer("group", channels if depthwise else 1)
    if depthwise and groups != channels:
        raise refuse(layer, f"group {channels}, one for each channel", groups)
    return groups


def convolution_shapes(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    """Caffe: floor((n + pads - dilated kernel) / stride) + 1; blobs (O, I/g, kh, kw) and (O,)."""
    expect_image(layer, shapes[0])
    channels, *size = shapes[0]
    filters = _expect_groups(layer, options, channels)
    sides = [
        (n + _axis_pads(options["pads"], i) - (k - 1) * d - 1) // s + 1
        for i, (n, k, d, s) in enumerate(
            zip(size, options["kernel"], options["dilation"], options["strides"], strict=True)
        )
    ]
    weights = [(filters, channels // options["groups"], *options["kernel"])]
    return [(filters, *sides)], weights + [(filters,)] * options["bias"]


def deconvolution_shapes(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    """Caffe: s * (n - 1) + k - pads; blobs (I, O/g, kh, kw) and (O,)."""
    expect_image(layer, shapes[0])
    channels, *size = shapes[0]
    filters = _expect_groups(layer, options, channels)
    sides = [
        s * (n - 1) + k - _axis_pads(options["pads"], i)
        for i, (n, k, s) in enumerate(zip(size, options["kernel"], options["strides"], strict=True))
    ]
    weights = [(channels, filters // options["groups"], *options["kernel"])]
    return [(filters, *sides)], weights + [(filters,)] * options["bias"]


def _expect_groups(layer: Layer, options: Options, channels: int) -> int:
    groups, filters = options["groups"], options["filters"]
    if channels % groups or filters % groups:
        raise refuse(layer, f"{channels} and {filters} channels to divide by group", groups)
    return filters


def _filters(layer: Layer) -> int:
    filters = layer.param.integer("num_output", None)
    if filters is None:
        raise refuse(layer, "num_output", "none")
    return filters


def product_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    """Settings of InnerProduct."""
    expect_channels(layer)
    if layer.param.flag("transpose", False):
        raise refuse(layer, "transpose: false", "true")
    return {"filters": _filters(layer), "bias": layer.param.flag("bias_term", True)}


def product_shapes(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    """InnerProduct flattens (C, H, W); blobs (N, K) and (N,)."""
    n, k = options["filters"], math.prod(shapes[0])
    return [(n,)], [(n, k)] + [(n,)] * options["bias"]
