"""Operators of ONNX that few networks have, each a function of single numbers."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tf_inverse.adopt.onnx.operators import Attributes, Operator
from tf_inverse.tensors import Tensor


def _alone(function: Callable[[Tensor], Tensor]) -> Operator:
    return lambda attributes, x: function(x)


def _shrunk(attributes: Attributes, x: Tensor) -> Tensor:
    limit, bias = attributes.get("lambd", 0.5), attributes.get("bias", 0.0)
    inner = tf.where(x > limit, x - bias, tf.zeros_like(x))
    return tf.where(x < -limit, x + bias, inner)


def _above(attributes: Attributes, x: Tensor) -> Tensor:
    return tf.where(x > attributes.get("alpha", 1.0), x, tf.zeros_like(x))


OPERATORS: dict[str, Operator] = {
    "Acos": _alone(tf.acos),
    "Acosh": _alone(tf.acosh),
    "Asin": _alone(tf.asin),
    "Asinh": _alone(tf.asinh),
    "Atan": _alone(tf.atan),
    "Atanh": _alone(tf.atanh),
    "Cosh": _alone(tf.cosh),
    "Shrink": _shrunk,
    "Sinh": _alone(tf.sinh),
    "ThresholdedRelu": _above,
}
