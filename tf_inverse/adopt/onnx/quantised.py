"""Quantisation of ONNX in its QDQ form: pairs of QuantizeLinear and DequantizeLinear.

Whole numbers are kept as floats that hold them exactly, so that all between two pairs is computed
in float32, as ONNX Runtime does it without its optimisations. Rounding has no slope: its gradient
is taken to be that of a straight line, and zero beyond the ends of the numbers' type (the
straight-through estimator of Bengio et al. 2013, arXiv 1308.3432).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tf_inverse.adopt.onnx.operators import Attributes, Operator
from tf_inverse.tensors import Array, Tensor

KINDS = {0: "uint8", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16"}
"""Types of whole numbers that an activation may become, by ONNX's number; 0 where none is told."""

WHOLE = (
    "ConvInteger",
    "DynamicQuantizeLinear",
    "MatMulInteger",
    "QLinearConv",
    "QLinearMatMul",
)
"""Operators of the other forms, dynamic and of whole operators, which compute in whole numbers."""


def _quantised(attributes: Attributes, x: Any, scale: Any, zero: Any = None) -> Tensor:
    """The whole numbers of x, as floats: round(x / scale) + zero within the ends of their type."""
    told = None if zero is None else np.asarray(zero).dtype.name
    kind = told or KINDS.get(attributes.get("output_dtype", 0), "another type")
    if kind not in KINDS.values():
        raise NotImplementedError(f"quantisation to {kind}")
    middle, limits = _along(0 if zero is None else zero, x, attributes), np.iinfo(kind)
    y = tf.cast(x, tf.float32) / _along(scale, x, attributes)
    y = tf.minimum(tf.maximum(y, limits.min - middle), limits.max - middle)
    # The difference is exact in floats, and so is its sum with y, which is the rounded number.
    return y + tf.stop_gradient(tf.round(y) - y) + middle


def _dequantised(attributes: Attributes, x: Any, scale: Any, zero: Any = None) -> Any:
    x = x.astype(np.float32) if isinstance(x, np.ndarray) else tf.cast(x, tf.float32)
    return (x - _along(0 if zero is None else zero, x, attributes)) * _along(scale, x, attributes)


def _along(values: Any, x: Any, attributes: Attributes) -> Array:
    """A float for all of x, or one for each place of an axis, in a shape that goes with x.

    Raises:
        NotImplementedError: There is one for each block of an axis, or it depends on the image.
    """
    if attributes.get("block_size", 0) or tf.is_tensor(values):
        raise NotImplementedError("quantisation in blocks, or by a scale that is computed")
    found = np.asarray(values).astype(np.float32)
    sides = [1] * len(x.shape)
    if found.size > 1:
        sides[attributes.get("axis", 1)] = -1
    return found.reshape(sides)


OPERATORS: dict[str, Operator] = {
    "DequantizeLinear": _dequantised,
    "QuantizeLinear": _quantised,
}
