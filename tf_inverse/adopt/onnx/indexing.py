"""Operators of ONNX that go by places: gathers, the largest, triangles, sums along an axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tf_inverse.adopt.onnx import placing
from tf_inverse.adopt.onnx.operators import Attributes, Operator
from tf_inverse.tensors import Tensor


def _place_of(function: Callable[..., Tensor]) -> Operator:
    """The place of the largest or of the smallest number along an axis."""

    def run(attributes: Attributes, x: Tensor) -> Tensor:
        axis = attributes.get("axis", 0)
        if attributes.get("select_last_index", 0):
            raise NotImplementedError("the last of several equal numbers")
        found = function(x, axis, output_type=tf.int64)
        return tf.expand_dims(found, axis) if attributes.get("keepdims", 1) else found

    return run


def _top(attributes: Attributes, x: Tensor, count: Any) -> tuple[Tensor, Tensor]:
    """The largest numbers along an axis, or the smallest, and their places; in order."""
    if tf.is_tensor(count):
        raise NotImplementedError("as many of the largest numbers as the image tells")
    axis, sign = attributes.get("axis", -1), 1 if attributes.get("largest", 1) else -1
    order = list(range(len(x.shape)))
    order[axis], order[-1] = order[-1], order[axis]
    values, places = tf.math.top_k(sign * tf.transpose(x, order), int(np.reshape(count, ())))
    return sign * tf.transpose(values, order), tf.cast(tf.transpose(places, order), tf.int64)


def _one_hot(attributes: Attributes, index: Any, depth: Any, values: Any) -> Tensor:
    if tf.is_tensor(depth):
        raise NotImplementedError("as many places as the image tells")
    count = int(np.reshape(depth, ()))
    places = tf.cast(index, tf.int64)
    places = tf.where(places < 0, places + count, places)
    off, on = tf.unstack(tf.convert_to_tensor(values), 2)
    return tf.one_hot(places, count, on, off, attributes.get("axis", -1) % (len(index.shape) + 1))


def _cumulated(function: Callable[..., Tensor]) -> Operator:
    def run(attributes: Attributes, x: Tensor, axis: Any) -> Tensor:
        options = {key: bool(attributes.get(key, 0)) for key in ("exclusive", "reverse")}
        return function(x, int(np.reshape(axis, ())), **options)

    return run


def _gather_elements(attributes: Attributes, x: Any, index: Any) -> Tensor:
    return tf.gather_nd(x, placing.every_place(x, index, attributes.get("axis", 0)))


def _gather_nd(attributes: Attributes, x: Tensor, index: Any) -> Tensor:
    return tf.gather_nd(x, index, batch_dims=attributes.get("batch_dims", 0))


def _triangle(attributes: Attributes, x: Any, k: Any = 0) -> Any:
    rows, columns = x.shape[-2:]
    offset = int(np.reshape(k, ()))
    if attributes.get("upper", 1):
        kept = ~np.tri(rows, columns, offset - 1, dtype=bool)
    else:
        kept = np.tri(rows, columns, offset, dtype=bool)
    return tf.where(kept, x, tf.zeros((), tf.convert_to_tensor(x).dtype))


OPERATORS: dict[str, Operator] = {
    "ArgMax": _place_of(tf.argmax),
    "ArgMin": _place_of(tf.argmin),
    "CumProd": _cumulated(tf.math.cumprod),
    "CumSum": _cumulated(tf.cumsum),
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "OneHot": _one_hot,
    "TopK": _top,
    "Trilu": _triangle,
}
