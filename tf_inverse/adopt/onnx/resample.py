"""Resize of ONNX: along each axis, what it gives is a product with a matrix of weights.

The matrix follows from the sizes alone, so that it is made before anything runs. Source:
https://onnx.ai/onnx/operators/onnx__Resize.html.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tf_inverse.adopt.onnx import open_shapes
from tf_inverse.adopt.onnx.operators import Attributes, Operator
from tf_inverse.tensors import Array, Tensor

REACH = {"linear": 1, "cubic": 2}
"""Pixels on either side that count, by mode."""


def _resize(
    attributes: Attributes, x: Any, roi: Any = None, scales: Any = None, sizes: Any = None
) -> Tensor:
    how = {key: one.decode() for key, one in attributes.items() if isinstance(one, bytes)}
    if how.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise NotImplementedError("Resize that keeps the aspect ratio")
    rank = len(x.shape)
    axes = [int(axis) % rank for axis in attributes.get("axes", range(rank))]
    wanted = scales if sizes is None or np.size(sizes) == 0 else sizes
    if not isinstance(wanted, np.ndarray):
        raise NotImplementedError("Resize to a size that is computed from the image")
    for axis, one in zip(axes, wanted, strict=True):
        own = x.shape[axis]
        same = one == 1 if wanted is scales else isinstance(one, open_shapes.Size) or one == own
        if same and how.get("coordinate_transformation_mode") != "tf_crop_and_resize":
            continue
        if own is None or isinstance(one, open_shapes.Size):
            raise NotImplementedError("Resize of an axis whose size is not known")
        size = math.floor(own * float(one)) if wanted is scales else int(one)
        open_shapes.few([own, max(size, 1)])
        scale = float(one) if wanted is scales else size / own
        x = _along(x, axis, weights(own, size, scale, attributes, how))
    return tf.identity(x)


def _along(x: Any, axis: int, matrix: Array) -> Tensor:
    """The product of a matrix [new, old] with one axis of a tensor."""
    order = list(range(len(x.shape)))
    order[axis], order[-1] = order[-1], order[axis]
    x = tf.convert_to_tensor(x)
    y = tf.matmul(tf.transpose(x, order), tf.constant(matrix.T, x.dtype))
    return tf.transpose(y, order)


def weights(old: int, new: int, scale: float, attributes: Attributes, how: dict[str, str]) -> Array:
    """The weights [new, old] with which pixels of a row become those of a resized one.

    Args:
        old: Pixels of the row.
        new: Pixels of the resized row.
        scale: Factor of its length, of which `new` is rounded.
        attributes: Of the node.
        how: Those of them that are words.

    Raises:
        NotImplementedError: A form that is not known.
    """
    mode, places = how.get("mode", "nearest"), _places(old, new, scale, how)
    matrix = np.zeros((new, old))
    if mode == "nearest":
        matrix[np.arange(new), np.clip(_nearest(places, how), 0, old - 1)] = 1.0
        return matrix
    stretch = min(scale, 1.0) if attributes.get("antialias", 0) else 1.0
    first = math.floor(-REACH[mode] / stretch) + 1
    # [new, taps]: the pixels that count for each, from the one on the left of its place on.
    taps = np.floor(places)[:, None].astype(int) + np.arange(first, 2 - first)
    kernel = _kernel(mode, (taps - places[:, None]) * stretch, attributes)
    if attributes.get("exclude_outside", 0):
        kernel[(taps < 0) | (taps >= old)] = 0.0
    kernel /= kernel.sum(axis=1, keepdims=True)
    # Beyond its ends the row goes on as it ends.
    rows = np.repeat(np.arange(new)[:, None], taps.shape[1], axis=1)
    np.add.at(matrix, (rows, np.clip(taps, 0, old - 1)), kernel)
    return matrix


def _places(old: int, new: int, scale: float, how: dict[str, str]) -> Array:
    """Where the resized row's pixels are in the row, in pixels from the middle of its first."""
    i, kind = np.arange(new), how.get("coordinate_transformation_mode", "half_pixel")
    if kind == "asymmetric":
        return i / scale
    if kind == "align_corners":
        return i * (old - 1) / max(new - 1, 1)
    half = (i + 0.5) / scale - 0.5
    if kind == "half_pixel":
        return half
    if kind == "pytorch_half_pixel":
        return half if new > 1 else np.zeros(new)
    if kind == "half_pixel_symmetric":
        return half + old / 2 * (1 - new / (old * scale))
    raise NotImplementedError(f"Resize with {kind}")


def _nearest(places: Array, how: dict[str, str]) -> Array:
    rounded = {
        "round_prefer_floor": np.ceil(places - 0.5),
        "round_prefer_ceil": np.floor(places + 0.5),
        "floor": np.floor(places),
        "ceil": np.ceil(places),
    }
    return rounded[how.get("nearest_mode", "round_prefer_floor")].astype(int)


def _kernel(mode: str, t: Array, attributes: Attributes) -> Array:
    """The weight of a pixel at a distance; Keys (1981) for the cubic one."""
    t = np.abs(t)
    if mode == "linear":
        return np.maximum(1.0 - t, 0.0)
    a = attributes.get("cubic_coeff_a", -0.75)
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * (t**3 - 5 * t**2 + 8 * t - 4)
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


OPERATORS: dict[str, Operator] = {"Resize": _resize}
