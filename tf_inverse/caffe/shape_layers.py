"""Layers that join, cut and move numbers: settings with Caffe's defaults, and shapes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tf_inverse.caffe.blob_shape import BlobShape, Inferred, Options
from tf_inverse.caffe.spatial_layers import expect_image, refuse

if TYPE_CHECKING:
    from tf_inverse.caffe.net_parameter import Layer


def _axis(layer: Layer, name: str, rank: int, default: int = 1) -> int:
    """An axis counted from the batch: 1 is the channels; the batch itself is refused."""
    axis = layer.param.integer(name, default, -4, 4)
    axis = axis + rank + 1 if axis < 0 else axis
    if not 1 <= axis <= rank:
        raise refuse(layer, f"{name} from 1 to {rank}", axis)
    return axis


def along(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    """The axis of Concat, Slice or Softmax; concat_dim and slice_dim are its old names."""
    old = {"Concat": "concat_dim", "Slice": "slice_dim"}.get(layer.type, "axis")
    name = old if old in layer.param.fields else "axis"
    return {"axis": _axis(layer, name, len(shapes[0]))}


def concat_shapes(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    """The shape of the bottoms, with their sides along the axis added up; no blobs."""
    i = options["axis"] - 1
    if len({shape[:i] + shape[i + 1 :] for shape in shapes}) > 1:
        raise refuse(layer, f"bottoms equal but for axis {i + 1}", shapes)
    return [(*shapes[0][:i], sum(shape[i] for shape in shapes), *shapes[0][i + 1 :])], []


def eltwise_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    """Settings of Eltwise."""
    operation = layer.param.choice("operation", ("PROD", "SUM", "MAX"), "SUM")
    coeff = layer.param.numbers("coeff")
    if len(coeff) not in (0, len(shapes)) or (coeff and operation != "SUM"):
        raise refuse(layer, "a coeff for each bottom, with SUM only", (operation, coeff))
    return {"operation": operation, "coeff": coeff}


def eltwise_shapes(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    """The one shape that all bottoms have; no blobs."""
    if len(set(shapes)) > 1:
        raise refuse(layer, "bottoms of one shape", shapes)
    return [shapes[0]], []


def slice_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    """Where Slice cuts; equal parts where no slice_point is given."""
    options = along(layer, shapes)
    total, points = shapes[0][options["axis"] - 1], layer.param.integers("slice_point")
    if not points and total % len(layer.tops) == 0:
        points = [total * i // len(layer.tops) for i in range(1, len(layer.tops))]
    bounds = [0, *points, total]
    if len(bounds) != len(layer.tops) + 1 or any(
        a >= b for a, b in zip(bounds, bounds[1:], strict=False)
    ):
        raise refuse(layer, f"{len(layer.tops)} parts of {total}", points)
    return options | {"bounds": bounds}


def slice_shapes(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    """The shape of each part; no blobs."""
    i, bounds = options["axis"] - 1, options["bounds"]
    sizes = [b - a for a, b in zip(bounds, bounds[1:], strict=False)]
    return [(*shapes[0][:i], size, *shapes[0][i + 1 :]) for size in sizes], []


def flatten_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    """The shape in which the axes from `axis` to `end_axis` are one, in the order C, H, W."""
    old = shapes[0]
    first, last = _axis(layer, "axis", len(old)), _axis(layer, "end_axis", len(old), -1)
    if last < first:
        raise refuse(layer, "end_axis not before axis", (first, last))
    return {"shape": (*old[: first - 1], math.prod(old[first - 1 : last]), *old[last:])}


def reshape_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    """The shape with 0 and -1 resolved."""
    dims = layer.param.message("shape").integers("dim", -1)
    axes = layer.param.integer("axis", 0, -4, 4), layer.param.integer("num_axes", -1, -4, 4)
    if axes == (0, -1) and dims:
        # The first dimension is the batch, whatever number stands there.
        dims = dims[1:]
    elif axes != (1, -1) or not dims:
        raise refuse(layer, "a shape for all axes", (dims, axes))
    old = shapes[0]
    if 0 in dims[len(old) :]:
        raise refuse(layer, "0 only for an axis of the input", dims)
    dims = [old[i] if n == 0 else n for i, n in enumerate(dims)]
    known = math.prod(n for n in dims if n != -1)
    if dims.count(-1) == 1 and math.prod(old) % known == 0:
        dims[dims.index(-1)] = math.prod(old) // known
    if -1 in dims or math.prod(dims) != math.prod(old):
        raise refuse(layer, f"a shape of {math.prod(old)} numbers", dims)
    return {"shape": tuple(dims)}


def reshape_shapes(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    """The shape that the settings hold; no blobs."""
    return [options["shape"]], []


def crop_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    """Where Crop begins and how much it keeps."""
    axis = layer.param.integer("axis", 2, -4, 4)
    rank = len(shapes[0])
    axis = axis + rank + 1 if axis < 0 else axis
    offsets = layer.param.integers("offset", 0) or [0]
    if axis < 1 or len(shapes[1]) != rank or len(offsets) not in (1, rank + 1 - axis):
        raise refuse(layer, f"axis from 1 to {rank} and an offset for each", (axis, offsets))
    offsets = offsets * (rank + 1 - axis) if len(offsets) == 1 else offsets
    starts = (0,) * (axis - 1) + tuple(offsets)
    sizes = shapes[0][: axis - 1] + shapes[1][axis - 1 :]
    if any(a + n > total for a, n, total in zip(starts, sizes, shapes[0], strict=True)):
        raise refuse(layer, f"a part of {shapes[0]}", (starts, sizes))
    return {"starts": starts, "sizes": sizes}


def crop_shapes(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    """The sizes that the settings hold; no blobs."""
    return [options["sizes"]], []


def permute_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    """The order of all axes, the batch first; axes that the layer leaves out follow as they are."""
    rank = len(shapes[0])
    order = layer.param.integers("order", 0, rank)
    order = [*order, *(axis for axis in range(rank + 1) if axis not in order)]
    if order[0] != 0 or len(order) != rank + 1:
        raise refuse(layer, f"order to begin with 0 and to name axes up to {rank} once", order)
    return {"order": tuple(order)}


def permute_shapes(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    """The sides of the bottom in the new order; no blobs."""
    return [tuple(shapes[0][axis - 1] for axis in options["order"][1:])], []


def tile_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    """Which axis Tile repeats, and how often."""
    tiles = layer.param.integer("tiles", None)
    if tiles is None:
        raise refuse(layer, "tiles", "none")
    return {"axis": _axis(layer, "axis", len(shapes[0])), "tiles": tiles}


def tile_shapes(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    """The shape of the bottom with one axis longer; no blobs."""
    i = options["axis"] - 1
    return [(*shapes[0][:i], shapes[0][i] * options["tiles"], *shapes[0][i + 1 :])], []


def interp_options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    """How much Interp cuts off each side, and the size to which it enlarges or shrinks the rest."""
    expect_image(layer, shapes[0])
    before, after = (-layer.param.integer(name, 0, -4096, 0) for name in ("pad_beg", "pad_end"))
    size = [n - before - after for n in shapes[0][1:]]
    if min(size) < 1:
        raise refuse(layer, f"to keep some of {shapes[0][1:]}", (-before, -after))
    whole = [layer.param.integer(name, None, 1, 4096) for name in ("height", "width")]
    zoom, shrink = (layer.param.integer(f"{n}_factor", None, 1, 4096) for n in ("zoom", "shrink"))
    if None in whole and (whole != [None, None] or zoom is shrink is None):
        raise refuse(layer, "height and width, or zoom_factor or shrink_factor", whole)
    if None not in whole and not zoom is shrink is None:
        raise refuse(layer, "height and width, or a factor, not both", (*whole, zoom, shrink))
    if None in whole:
        whole = [((n - 1) // (shrink or 1)) * (zoom or 1) + 1 for n in size]
    return {"before": before, "size": tuple(size), "to": tuple(whole)}


def interp_shapes(layer: Layer, options: Options, shapes: tuple[BlobShape, ...]) -> Inferred:
    """The channels of the bottom at the size that the settings hold; no blobs."""
    return [(shapes[0][0], *options["to"])], []
