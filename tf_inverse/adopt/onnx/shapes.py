"""Operators of ONNX that move numbers without changing them, and those that compute shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tf_inverse.adopt.onnx import open_shapes
from tf_inverse.adopt.onnx.operators import Attributes, Operator
from tf_inverse.tensors import Array, Tensor

TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 11: "float64"}
TYPES |= {5: "int16", 10: "float16", 12: "uint32", 13: "uint64", 16: "bfloat16", 4: "uint16"}


def _library(x: Any) -> Any:
    """NumPy for values that are known, or in part; TensorFlow for tensors."""
    return np if isinstance(x, np.ndarray) else tf


def whole(values: Any) -> list[int]:
    """Axes or sizes, which the file has to tell, as whole numbers."""
    if not isinstance(values, np.ndarray | list):
        raise NotImplementedError("axes or sizes that are computed from the image")
    return [int(one) for one in np.asarray(values).reshape(-1)]


def _shape(attributes: Attributes, x: Any) -> Array:
    known = list(x.shape)
    if None in known:
        now = tf.shape(x, out_type=tf.int64)
        sizes = np.array(
            [open_shapes.Size(now[i]) if one is None else one for i, one in enumerate(known)]
        )
    else:
        sizes = np.array(known, np.int64)
    return sizes[attributes.get("start", 0) : attributes.get("end", len(known))]


def _reshape(attributes: Attributes, x: Any, shape: Any) -> Any:
    sizes = open_shapes.listed(shape)
    if not attributes.get("allowzero", 0):
        now = open_shapes.listed(_shape({}, x))
        sizes = [
            now[i] if isinstance(one, int) and one == 0 else one for i, one in enumerate(sizes)
        ]
    return _library(x).reshape(x, sizes)


def _flatten(attributes: Attributes, x: Any) -> Any:
    rank = len(x.shape)
    axis = attributes.get("axis", 1)
    axis = axis + rank if axis < 0 else axis
    before, after = list(x.shape[:axis]), list(x.shape[axis:])
    # Where the images are not on the first axis any more, their number is after the cut.
    sides = (math.prod(before), -1) if None in after else (-1, math.prod(after))
    return _library(x).reshape(x, sides)


def _transpose(attributes: Attributes, x: Any) -> Any:
    return _library(x).transpose(x, attributes.get("perm", list(range(len(x.shape)))[::-1]))


def _squeeze(attributes: Attributes, x: Any, axes: Any = None) -> Any:
    axes = attributes.get("axes", axes)
    if axes is None:
        # The number of images is no side of one, though there may be one image.
        axes = np.array([i for i, side in enumerate(x.shape) if side == 1])
        return _library(x).squeeze(x, axis=tuple(whole(axes))) if len(axes) else x
    return _library(x).squeeze(x, axis=tuple(whole(axes)))


def _unsqueeze(attributes: Attributes, x: Any, axes: Any = None) -> Any:
    axes = whole(attributes.get("axes", axes))
    rank = len(x.shape) + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = _library(x).expand_dims(x, axis)
    return x


def _concat(attributes: Attributes, *inputs: Any) -> Any:
    if all(isinstance(x, np.ndarray) for x in inputs):
        return np.concatenate(inputs, attributes["axis"])
    kind = next(x.dtype for x in inputs if not isinstance(x, np.ndarray))
    return tf.concat([tf.cast(x, kind) for x in inputs], attributes["axis"])


def _split(attributes: Attributes, x: Tensor, sizes: Any = None) -> tuple[Any, ...]:
    axis = attributes.get("axis", 0)
    sizes = attributes.get("split", sizes)
    if sizes is None:
        count, side = attributes["outputs"], x.shape[axis]
        each = -(-side // count)
        sizes = [each] * (count - 1) + [side - each * (count - 1)]
    if isinstance(x, np.ndarray):
        return tuple(np.split(x, np.cumsum(whole(sizes))[:-1], axis))
    return tuple(tf.split(x, whole(sizes), axis))


def _slice(
    attributes: Attributes,
    x: Any,
    starts: Any = None,
    ends: Any = None,
    axes: Any = None,
    steps: Any = None,
) -> Any:
    first = whole(attributes.get("starts", starts))
    last = _ends(attributes.get("ends", ends))
    axes = attributes.get("axes", axes)
    every = range(len(first)) if axes is None else whole(axes)
    by = [1] * len(first) if steps is None else whole(steps)
    cut = [slice(None)] * len(x.shape)
    for axis, a, b, step in zip(every, first, last, by, strict=True):
        if tf.is_tensor(b):
            cut[axis] = slice(a, b, step)
            continue
        # The largest and smallest whole numbers stand for the end: TensorFlow counts in 32 bits.
        most = (1 << 31) - 1
        end = None if abs(b) >= most else b
        cut[axis] = slice(None if a < -most else min(a, most), end, step)
    return x[tuple(cut)]


def _ends(values: Any) -> list[Any]:
    """Where slices end: whole numbers, or one for the number of images."""
    if open_shapes.is_open(values):
        return open_shapes.listed(values.reshape(-1))
    return whole(values)


def _gather(attributes: Attributes, x: Any, index: Any) -> Any:
    axis = attributes.get("axis", 0)
    if isinstance(x, np.ndarray):
        return np.take(x, np.asarray(index), axis)
    if isinstance(index, np.ndarray):
        index = np.where(index < 0, index + (x.shape[axis] or 0), index)
    return tf.gather(x, index, axis=axis)


def _expand(attributes: Attributes, x: Any, shape: Any) -> Any:
    sizes = open_shapes.listed(shape)
    now = [1] * (len(sizes) - len(x.shape)) + open_shapes.listed(_shape({}, x))
    sizes = [1] * (len(now) - len(sizes)) + sizes
    # A side of one is stretched, from either of the two.
    sizes = [a if not tf.is_tensor(b) and b == 1 else b for a, b in zip(now, sizes, strict=True)]
    return tf.broadcast_to(x, open_shapes.few(sizes))


def _tile(attributes: Attributes, x: Tensor, repeats: Any) -> Tensor:
    times = open_shapes.listed(repeats)
    open_shapes.few([*times, *(one for one in x.shape if one is not None)])
    return tf.tile(x, times)


def _cast(attributes: Attributes, x: Any) -> Any:
    if open_shapes.is_open(x):
        return x
    kind = TYPES[attributes["to"]]
    return x.astype(kind) if isinstance(x, np.ndarray) and kind != "bfloat16" else tf.cast(x, kind)


def _cast_like(attributes: Attributes, x: Any, like: Any) -> Any:
    return x if open_shapes.is_open(x) else tf.cast(x, like.dtype)


def _constant(attributes: Attributes) -> Array:
    (value,) = (v for name, v in attributes.items() if name.startswith("value"))
    kind = {float: np.float32, int: np.int64}
    first = value[0] if isinstance(value, list) and value else value
    return value if isinstance(value, np.ndarray) else np.array(value, kind.get(type(first)))


def _constant_of_shape(attributes: Attributes, shape: Any) -> Any:
    value = np.asarray(attributes.get("value", np.zeros(1, np.float32))).reshape(())
    sizes = open_shapes.few(open_shapes.listed(shape))
    return tf.fill(sizes, value) if open_shapes.is_open(shape) else np.full(sizes, value)


def _range(attributes: Attributes, start: Any, limit: Any, step: Any) -> Any:
    ends = (start, limit, step)
    if not all(isinstance(one, np.ndarray) for one in ends):
        raise NotImplementedError("a range that is computed from the image")
    if any(open_shapes.is_open(one) for one in ends):
        # As many numbers as there are images, of the type that shapes have.
        return tf.range(*(tf.cast(open_shapes.listed(one.reshape(1))[0], tf.int64) for one in ends))
    kind = start.dtype  # NumPy counts in 64 bits, and TensorFlow joins no numbers of two types
    start, limit, step = (one.item() for one in ends)
    open_shapes.few([abs(limit - start) // max(abs(step), 1e-9)])
    return np.arange(start, limit, step).astype(kind)


def _equal(attributes: Attributes, x: Any, y: Any) -> Any:
    """Of shapes: a size that is not known yet is none of the numbers below zero."""
    if not (open_shapes.is_open(x) or open_shapes.is_open(y)):
        return tf.equal(x, y)
    pairs = list(np.broadcast(x, y))
    found = [_alike(*pair) for pair in pairs]
    return np.array(found).reshape(np.broadcast_shapes(x.shape, y.shape))


def _alike(a: Any, b: Any) -> bool:
    if not (isinstance(a, open_shapes.Size) or isinstance(b, open_shapes.Size)):
        return bool(a == b)
    known = b if isinstance(a, open_shapes.Size) else a
    if isinstance(known, open_shapes.Size) or known >= 0:
        raise NotImplementedError("a comparison with the number of images")
    return False


def _where(attributes: Attributes, condition: Any, x: Any, y: Any) -> Any:
    if open_shapes.is_open(x) or open_shapes.is_open(y):
        return np.where(condition, x, y)
    return tf.where(condition, x, y)


OPERATORS: dict[str, Operator] = {
    "Cast": _cast,
    "CastLike": _cast_like,
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Dropout": lambda attributes, x, *others: x,
    "Equal": _equal,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": lambda attributes, x: x,
    "Range": _range,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
