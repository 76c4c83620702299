"""Operators of ONNX that put numbers into places: scatters, folds, turns of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tf_inverse.adopt.onnx import open_shapes, shapes
from tf_inverse.adopt.onnx.operators import Attributes, Operator
from tf_inverse.tensors import Array, Tensor

SCATTERS = {
    "none": tf.tensor_scatter_nd_update,
    "add": tf.tensor_scatter_nd_add,
    "max": tf.tensor_scatter_nd_max,
    "min": tf.tensor_scatter_nd_min,
}


def _placed(attributes: Attributes, x: Any, index: Any, updates: Any) -> Tensor:
    kind = attributes.get("reduction", b"none").decode()
    if kind not in SCATTERS:
        raise NotImplementedError(f"a scatter by {kind}")
    x = tf.convert_to_tensor(x)
    return SCATTERS[kind](x, index, tf.cast(updates, x.dtype))


def _scatter_nd(attributes: Attributes, x: Any, index: Any, updates: Any) -> Tensor:
    index = tf.cast(index, tf.int64)
    sides = open_shapes.listed(shapes.OPERATORS["Shape"]({"end": int(index.shape[-1])}, x))
    return _placed(attributes, x, _from_the_end(index, tf.stack(sides)), updates)


def _scatter_elements(attributes: Attributes, x: Any, index: Any, updates: Any) -> Tensor:
    return _placed(attributes, x, every_place(x, index, attributes.get("axis", 0)), updates)


def _from_the_end(index: Tensor, side: Any) -> Tensor:
    return tf.where(index < 0, index + tf.cast(side, tf.int64), index)


def every_place(x: Any, index: Any, axis: int) -> Tensor:
    """Places [..., rank] in x: along an axis those of an index [...], along others its own."""
    rank = len(x.shape)
    own = open_shapes.listed(shapes.OPERATORS["Shape"]({}, x))[axis % rank]
    index = _from_the_end(tf.cast(index, tf.int64), own)
    sides = tf.shape(index, out_type=tf.int64)
    places = []
    for i in range(rank):
        if i == axis % rank:
            places.append(index)
            continue
        line = tf.reshape(tf.range(sides[i]), [-1 if i == j else 1 for j in range(rank)])
        places.append(tf.broadcast_to(line, sides))
    return tf.stack(places, -1)


def _non_zero(attributes: Attributes, x: Any) -> Array:
    if not isinstance(x, np.ndarray):
        raise NotImplementedError("places of an image's numbers that are not zero")
    return np.stack(np.nonzero(x)).astype(np.int64)


def _eye_like(attributes: Attributes, x: Any) -> Array:
    kind = shapes.TYPES[attributes["dtype"]] if "dtype" in attributes else x.dtype
    if None in x.shape:
        raise NotImplementedError("EyeLike of an open size")
    kind = kind if isinstance(kind, str | np.dtype) else kind.as_numpy_dtype
    rows, columns = open_shapes.few([int(side) for side in x.shape])
    return np.eye(rows, columns, int(attributes.get("k", 0)), np.dtype(kind))


def _size(attributes: Attributes, x: Any) -> Array:
    return np.array(shapes.OPERATORS["Shape"]({}, x).prod())


def _folded(attributes: Attributes, x: Tensor, sides: Any, window: Any) -> Tensor:
    """Maps [B, C, rows, columns] of patches [B, C taps, places], which add up where they meet.

    Along each axis that is a product with a matrix of zeros and ones [taps places, side].
    """
    sides, window = shapes.whole(sides), shapes.whole(window)
    if len(sides) != 2:
        raise NotImplementedError("Col2Im in other than two dimensions")
    strides, dilations = (attributes.get(name, [1, 1]) for name in ("strides", "dilations"))
    pads = attributes.get("pads", [0, 0, 0, 0])
    matrices, counts = [], []
    for i, (side, k, s, d) in enumerate(zip(sides, window, strides, dilations, strict=True)):
        count = (side + pads[i] + pads[i + 2] - d * (k - 1) - 1) // s + 1
        open_shapes.few([k, max(count, 1), side])
        places = np.arange(k)[:, None] * d + np.arange(count) * s - pads[i]
        matrices.append((places.reshape(-1, 1) == np.arange(side)).astype(float))
        counts.append(count)
    (down, across), channels = matrices, x.shape[1] // (window[0] * window[1])
    h = tf.reshape(x, (-1, channels, *window, *counts))
    h = tf.reshape(tf.transpose(h, (0, 1, 2, 4, 3, 5)), (-1, channels, len(down), len(across)))
    h = tf.matmul(h, tf.constant(across, h.dtype))
    return tf.matmul(tf.constant(down.T, h.dtype), h)


def _turned(attributes: Attributes, x: Tensor, lengths: Any) -> Tensor:
    batch, time = attributes.get("batch_axis", 1), attributes.get("time_axis", 0)
    return tf.reverse_sequence(x, lengths, time, batch)


OPERATORS: dict[str, Operator] = {
    "Col2Im": _folded,
    "EyeLike": _eye_like,
    "NonZero": _non_zero,
    "ReverseSequence": _turned,
    "Scatter": _scatter_elements,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Size": _size,
}
