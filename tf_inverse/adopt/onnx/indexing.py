"""Operators of ONNX that choose numbers by their place: gathers, triangles, sums along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tf_inverse.adopt.onnx.operators import Attributes, Operator
from tf_inverse.tensors import Tensor


def _arg_max(attributes: Attributes, x: Tensor) -> Tensor:
    axis = attributes.get("axis", 0)
    if attributes.get("select_last_index", 0):
        raise NotImplementedError("the last of several largest numbers")
    found = tf.argmax(x, axis, output_type=tf.int64)
    return tf.expand_dims(found, axis) if attributes.get("keepdims", 1) else found


def _cumulated(attributes: Attributes, x: Tensor, axis: Any) -> Tensor:
    options = {key: bool(attributes.get(key, 0)) for key in ("exclusive", "reverse")}
    return tf.cumsum(x, int(np.reshape(axis, ())), **options)


def _gather_elements(attributes: Attributes, x: Tensor, index: Any) -> Tensor:
    axis = attributes.get("axis", 0) % len(x.shape)
    if None in x.shape[axis:]:
        raise NotImplementedError("a gather along an axis whose size is not known")
    x, index = tf.convert_to_tensor(x), tf.cast(index, tf.int64)
    index = tf.where(index < 0, index + x.shape[axis], index)
    # Along the last axis, every other one is a batch's.
    order = [*(i for i in range(x.shape.rank) if i != axis), axis]
    others = [i for i in order[:-1] if index.shape[i] != x.shape[i]]
    if others:
        raise NotImplementedError("a gather of fewer places than there are on other axes")
    batch = x.shape.rank - 1
    found = tf.gather(tf.transpose(x, order), tf.transpose(index, order), batch_dims=batch, axis=-1)
    return tf.transpose(found, np.argsort(order))


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
    "ArgMax": _arg_max,
    "CumSum": _cumulated,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Trilu": _triangle,
}
