"""Pooling: settings with Caffe's defaults and those of its forks, and the shapes that follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tf_inverse.caffe.blob_shape import BlobShape, Inferred, Options
from tf_inverse.caffe.spatial_layers import expect_image, refuse, window
from tf_inverse.layers.pooled_size import pooled_size

if TYPE_CHECKING:
    from tf_inverse.caffe.net_parameter import Layer


# All that may be said of the window beside global_pooling, which makes it the whole map.
_WHOLE = {
    **dict.fromkeys(("kernel_size", "kernel_h", "kernel_w", "pad", "pad_h", "pad_w"), 0),
    **dict.fromkeys(("stride", "stride_h", "stride_w"), 1),
}


def options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    """Settings of Pooling."""
    mode = layer.param.choice("pool", ("MAX", "AVE", "STOCHASTIC"), "MAX")
    if mode == "STOCHASTIC":
        raise refuse(layer, "pool MAX or AVE", mode)
    mode = {"MAX": "max", "AVE": "average"}[mode]
    overhang = _rounds_up(layer)
    if layer.param.flag("global_pooling", False):
        _expect_whole(layer)
        return {"mode": mode, "global": True}
    # Caffe's average counts the padding however windows are counted; MatConvNet's does not.
    return window(layer) | {
        "mode": mode,
        "global": False,
        "overhang": overhang,
        "padding_counts": True,
    }


def _rounds_up(layer: Layer) -> bool:
    """Whether the number of windows is rounded up, as Caffe does unless its forks are told not to.

    NVIDIA's fork says round_mode: FLOOR, others ceil_mode: false.
    """
    up = layer.param.flag("ceil_mode", True)
    rounded = layer.param.choice("round_mode", ("CEIL", "FLOOR"), "CEIL" if up else "FLOOR")
    if "ceil_mode" in layer.param.fields and up != (rounded == "CEIL"):
        raise refuse(layer, "round_mode and ceil_mode to agree", (rounded, up))
    return rounded == "CEIL"


def _expect_whole(layer: Layer) -> None:
    for name, only in _WHOLE.items():
        values = layer.param.integers(name, 0)
        if set(values) - {only}:
            raise refuse(layer, f"{name} {only} beside global_pooling", values)


def shapes(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    """Shapes of the top; see `pooled_size`."""
    expect_image(layer, shapes[0])
    channels, *size = shapes[0]
    if options["global"]:
        return [(channels, 1, 1)], []
    pads = zip(options["pads"][::2], options["pads"][1::2], options["kernel"], strict=True)
    if any(max(before, after) >= kernel for before, after, kernel in pads):
        raise refuse(layer, "a pad smaller than the kernel", options["pads"])
    return [(channels, *_sizes(options, size))], []


def _sizes(options: Options, size: Sequence[int]) -> list[int]:
    pads = options["pads"]
    return [
        pooled_size(n, k, s, pads[2 * i], pads[2 * i + 1], options["overhang"])
        for i, (n, k, s) in enumerate(zip(size, options["kernel"], options["strides"], strict=True))
    ]


def empty_windows(options: Options, shape: BlobShape) -> str | None:
    """What to say of windows that hold no pixel, None where every window holds one.

    Where the kernel is smaller than the stride, rounding up may begin a window beyond the border.

    Args:
        options: Of a Pooling layer.
        shape: Of its bottom, (C, H, W).
    """
    if options["global"]:
        return None
    size = shape[1:]
    last = [
        (count - 1) * stride - options["pads"][2 * i]
        for i, (count, stride) in enumerate(
            zip(_sizes(options, size), options["strides"], strict=True)
        )
    ]
    if all(start < n for start, n in zip(last, size, strict=True)):
        return None
    filled = "-3e38" if options["mode"] == "max" else "0 or NaN"
    return (
        f"its last window holds no pixel (kernel {options['kernel']}, stride {options['strides']}, "
        f"input {size}): there it gives {filled}, as Caffe does"
    )
