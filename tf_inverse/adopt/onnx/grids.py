"""Operators of ONNX that look between pixels: spatial transformers, deformable convolutions.

Sources: https://onnx.ai/onnx/operators, and Keys (1981) for the cubic kernel.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import tensorflow as tf

from tf_inverse.adopt.onnx import open_shapes, shapes, spatial
from tf_inverse.adopt.onnx.operators import Attributes, Operator
from tf_inverse.tensors import Tensor

MODES = {"bilinear": "linear", "bicubic": "cubic"}
"""Names of opset 16 for those of opset 20."""

Taps = list[tuple[Tensor, Tensor]]


def _looked_up(h: Tensor, rows: Taps, columns: Taps, padding: str, align: bool) -> Tensor:
    """Weighted sums [B, N, C] of the pixels of maps [B, rows, columns, C].

    Args:
        h: The maps.
        rows: For each tap the rows and their weights, [B, N] each.
        columns: Likewise.
        padding: What lies beyond the maps: zeros, border or reflection.
        align: Whether a reflection is at the middle of the outermost pixels.
    """
    height, width, channels = h.shape[1:]
    pixels = tf.reshape(h, (-1, height * width, channels))
    total: Any = 0.0
    for (i, a), (j, b) in itertools.product(rows, columns):
        weight = a * b
        if padding == "zeros":
            inside = (i >= 0) & (i < height) & (j >= 0) & (j < width)
            weight *= tf.cast(inside, weight.dtype)
        elif padding == "reflection":
            i, j = _reflected(i, height, align), _reflected(j, width, align)
        places = _clipped(i, height) * width + _clipped(j, width)
        found = tf.gather(pixels, tf.cast(places, tf.int32), batch_dims=1)
        total += weight[..., tf.newaxis] * found
    return total


def _clipped(place: Tensor, side: int) -> Tensor:
    return tf.minimum(tf.maximum(place, 0.0), side - 1.0)


def _reflected(place: Tensor, side: int, align: bool) -> Tensor:
    low, span = (0.0, side - 1.0) if align else (-0.5, float(side))
    if span == 0:
        return tf.zeros_like(place)
    within = tf.math.floormod(place - low, 2 * span)
    return low + tf.minimum(within, 2 * span - within)


def _taps(place: Tensor, mode: str) -> Taps:
    """The pixels on a side that count for places on it, and their weights."""
    if mode == "nearest":
        return [(tf.round(place), tf.ones_like(place))]
    left = tf.floor(place)
    t = place - left
    if mode == "linear":
        return [(left, 1.0 - t), (left + 1.0, t)]
    a = -0.75
    near = [(a + 2) * d**3 - (a + 3) * d**2 + 1 for d in (t, 1.0 - t)]
    far = [a * (d**3 - 5 * d**2 + 8 * d - 4) for d in (t + 1.0, 2.0 - t)]
    kernel = [far[0], near[0], near[1], far[1]]
    return [(left + float(i), weight) for i, weight in enumerate(kernel, -1)]


def _grid_sample(attributes: Attributes, x: Tensor, grid: Any) -> Tensor:
    """What maps hold at the places of a grid [B, rows, columns, 2], of x and y within (-1, 1)."""
    spatial.expect_maps(x)
    mode = attributes.get("mode", b"linear").decode()
    mode, align = MODES.get(mode, mode), bool(attributes.get("align_corners", 0))
    padding = attributes.get("padding_mode", b"zeros").decode()
    grid = tf.cast(grid, x.dtype)
    sides = grid.shape[1:3]
    across, down = tf.unstack(tf.reshape(grid, (-1, math.prod(sides), 2)), axis=-1)
    found = []
    for place, side in ((down, x.shape[2]), (across, x.shape[3])):
        at = (place + 1.0) / 2.0 * (side - 1.0) if align else ((place + 1.0) * side - 1.0) / 2.0
        if mode != "cubic" and padding != "zeros":
            at = _reflected(at, side, align) if padding == "reflection" else at
            at = _clipped(at, side)
        found.append(_taps(at, mode))
    y = _looked_up(spatial.last(x), found[0], found[1], padding, align)
    return spatial.first(tf.reshape(y, (-1, *sides, x.shape[1])))


def _affine_grid(attributes: Attributes, theta: Tensor, size: Any) -> Tensor:
    """The grid [B, rows, columns, 2] of affine maps [B, 2, 3]."""
    rows, columns = shapes.whole(size[-2:])
    if len(size) != 4:
        raise NotImplementedError("AffineGrid in three dimensions")
    open_shapes.few([rows, columns])
    ends = [1.0 if attributes.get("align_corners", 0) else 1 - 1 / n for n in (rows, columns)]
    y, x = (np.linspace(-end, end, n) for end, n in zip(ends, (rows, columns), strict=True))
    places = np.stack([*np.meshgrid(x, y), np.ones((rows, columns))], -1).reshape(-1, 3)
    grid = tf.matmul(tf.constant(places, theta.dtype), theta, transpose_b=True)
    return tf.reshape(grid, (-1, rows, columns, 2))


def _deform_conv(
    attributes: Attributes,
    x: Tensor,
    W: Tensor,
    offset: Tensor,
    b: Tensor | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """A convolution whose kernel looks for each place where the offsets tell, between pixels."""
    spatial.expect_maps(x)
    strides, dilations = (attributes.get(name, [1, 1]) for name in ("strides", "dilations"))
    pads, window = attributes.get("pads", [0, 0, 0, 0]), W.shape[2:]
    sides, taps, sets = offset.shape[2:], math.prod(window), attributes.get("offset_group", 1)
    base = [
        np.arange(k)[:, None] * d + np.arange(n)[None] * s - pad
        for k, d, n, s, pad in zip(window, dilations, sides, strides, pads[:2], strict=True)
    ]
    # [taps, places], each of rows and columns.
    down = np.broadcast_to(base[0][:, None, :, None], (*window, *sides)).reshape(taps, -1)
    across = np.broadcast_to(base[1][None, :, None, :], (*window, *sides)).reshape(taps, -1)
    moved = tf.reshape(offset, (-1, sets, taps, 2, math.prod(sides)))
    found = []
    for i, part in enumerate(tf.split(spatial.last(x), sets, 3)):
        places = [down + moved[:, i, :, 0], across + moved[:, i, :, 1]]
        flat = (tf.reshape(one, (-1, taps * math.prod(sides))) for one in places)
        rows, columns = (_taps(one, "linear") for one in flat)
        seen = _looked_up(part, rows, columns, "zeros", False)
        seen = tf.reshape(seen, (-1, taps, math.prod(sides), part.shape[3]))
        if mask is not None:
            seen *= tf.reshape(mask, (-1, sets, taps, math.prod(sides), 1))[:, i]
        found.append(seen)
    # [B, channels, taps, places], as the kernel [O, channels, taps] has them.
    seen = tf.transpose(tf.concat(found, 3), (0, 3, 1, 2))
    groups = attributes.get("group", 1)
    done = [
        tf.matmul(
            tf.reshape(w, (w.shape[0], -1)),
            tf.reshape(part, (-1, w.shape[1] * taps, seen.shape[3])),
        )
        for part, w in zip(tf.split(seen, groups, 1), tf.split(W, groups, 0), strict=True)
    ]
    y = tf.reshape(tf.concat(done, 1), (-1, W.shape[0], *sides))
    return y if b is None else y + tf.reshape(b, (-1, 1, 1))


OPERATORS: dict[str, Operator] = {
    "AffineGrid": _affine_grid,
    "DeformConv": _deform_conv,
    "GridSample": _grid_sample,
}
