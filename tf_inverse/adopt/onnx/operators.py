"""Operators of ONNX in TensorFlow: arithmetic, activations, products, reductions.

Each function takes a node's attributes and then its inputs, absent ones as None, and gives what the
operator gives (a tuple where it gives several), as https://onnx.ai/onnx/operators says. Functions
of TensorFlow that open scopes of their own are not used, for a scope is a layer (`graph`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tf_inverse.layers import fast
from tf_inverse.tensors import Tensor

Attributes = dict[str, Any]
Operator = Callable[..., Any]


def _plain(function: Callable[..., Tensor]) -> Operator:
    """An operator without attributes."""
    return lambda attributes, *inputs: function(*inputs)


def _folded(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    """An operator of any number of inputs that takes them two by two."""

    def run(attributes: Attributes, x: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            x = function(x, other)
        return x

    return run


def _divide(attributes: Attributes, x: Tensor, y: Tensor) -> Tensor:
    x, y = tf.convert_to_tensor(x), tf.convert_to_tensor(y)
    return tf.truncatediv(x, y) if x.dtype.is_integer else x / y


def _power(attributes: Attributes, x: Tensor, y: Tensor) -> Tensor:
    x = tf.convert_to_tensor(x)
    return tf.pow(x, tf.cast(y, x.dtype))


def _modulo(attributes: Attributes, x: Tensor, y: Tensor) -> Tensor:
    if not attributes.get("fmod", 0):
        return tf.math.floormod(x, y)
    x, y = tf.convert_to_tensor(x), tf.convert_to_tensor(y)
    rest = tf.stop_gradient(tf.truncatemod(x, y))
    if not x.dtype.is_floating:
        return rest
    # TensorFlow has no gradient of this rest x - y trunc(x / y): what is added here is zero, and
    # has its slopes.
    times = tf.stop_gradient(tf.round((x - rest) / y))
    return rest + (x - tf.stop_gradient(x)) - times * (y - tf.stop_gradient(y))


def _clip(attributes: Attributes, x: Tensor, low: Any = None, high: Any = None) -> Tensor:
    low, high = attributes.get("min", low), attributes.get("max", high)
    x = x if low is None else tf.maximum(x, tf.cast(low, x.dtype))
    return x if high is None else tf.minimum(x, tf.cast(high, x.dtype))


def _gelu(attributes: Attributes, x: Tensor) -> Tensor:
    if attributes.get("approximate", b"none") == b"tanh":
        share = tf.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
    else:
        share = tf.math.erf(x / np.sqrt(2))
    return 0.5 * x * (1.0 + share)


def _elu(attributes: Attributes, x: Tensor) -> Tensor:
    return tf.where(x < 0, attributes.get("alpha", 1.0) * tf.math.expm1(tf.minimum(x, 0.0)), x)


def _selu(attributes: Attributes, x: Tensor) -> Tensor:
    alpha = attributes.get("alpha", 1.67326319217681884765625)
    return attributes.get("gamma", 1.05070102214813232421875) * _elu({"alpha": alpha}, x)


def _celu(attributes: Attributes, x: Tensor) -> Tensor:
    alpha = attributes.get("alpha", 1.0)
    return alpha * tf.nn.elu(x / alpha) if alpha > 0 else _elu({"alpha": alpha}, x / alpha)


def _hard_sigmoid(attributes: Attributes, x: Tensor) -> Tensor:
    slope, offset = attributes.get("alpha", 0.2), attributes.get("beta", 0.5)
    return tf.minimum(tf.maximum(slope * x + offset, 0.0), 1.0)


def _hard_swish(attributes: Attributes, x: Tensor) -> Tensor:
    return x * _hard_sigmoid({"alpha": 1 / 6}, x)


def _leaky(attributes: Attributes, x: Tensor) -> Tensor:
    return tf.where(x < 0, attributes.get("alpha", 0.01) * x, x)


def _product(A: Tensor, B: Tensor, **turned: bool) -> Tensor:
    """The product of two matrices: of a large one, that of a batch of one (`layers.fast`)."""
    if A.shape.rank != 2 or not fast.is_large(B):
        return tf.matmul(A, B, **turned)
    return tf.squeeze(tf.matmul(tf.expand_dims(A, 0), tf.expand_dims(B, 0), **turned), 0)


def _matmul(attributes: Attributes, A: Tensor, B: Tensor) -> Tensor:
    A, B = tf.convert_to_tensor(A), tf.convert_to_tensor(B)
    row, column = A.shape.rank == 1, B.shape.rank == 1
    y = _product(A[tf.newaxis] if row else A, B[:, tf.newaxis] if column else B)
    y = tf.squeeze(y, -1) if column else y
    return tf.squeeze(y, -1 if column else -2) if row else y


def _gemm(attributes: Attributes, A: Tensor, B: Tensor, C: Tensor | None = None) -> Tensor:
    turned = {f"transpose_{side.lower()}": bool(attributes.get(f"trans{side}", 0)) for side in "AB"}
    y = attributes.get("alpha", 1.0) * _product(A, B, **turned)
    return y if C is None else y + attributes.get("beta", 1.0) * C


def _einsum(attributes: Attributes, *inputs: Tensor) -> Tensor:
    return tf.einsum(attributes["equation"].decode(), *inputs)


def _softmax(attributes: Attributes, x: Tensor) -> Tensor:
    return tf.nn.softmax(x, axis=attributes.get("axis", -1))


def _log_softmax(attributes: Attributes, x: Tensor) -> Tensor:
    return tf.nn.log_softmax(x, axis=attributes.get("axis", -1))


def _is_infinite(attributes: Attributes, x: Tensor) -> Tensor:
    high = bool(attributes.get("detect_positive", 1)) & (x == float("inf"))
    return high | (bool(attributes.get("detect_negative", 1)) & (x == float("-inf")))


def _reduced(function: Callable[..., Tensor]) -> Operator:
    """A reduction; its axes are an attribute, or an input since opset 13 or 18."""

    def run(attributes: Attributes, x: Tensor, axes: Any = None) -> Tensor:
        axes = attributes.get("axes", axes)
        if axes is None or np.size(axes) == 0:
            if attributes.get("noop_with_empty_axes", 0):
                return x
            axes = None
        else:
            axes = [int(axis) for axis in axes]
        return function(x, axis=axes, keepdims=bool(attributes.get("keepdims", 1)))

    return run


def _l1(x: Tensor, **options: Any) -> Tensor:
    return tf.reduce_sum(tf.abs(x), **options)


def _l2(x: Tensor, **options: Any) -> Tensor:
    total = tf.reduce_sum(tf.square(x), **options)
    # The slope at zero is zero, as PyTorch has it, and not infinity times zero.
    return tf.where(total > 0, tf.sqrt(tf.where(total > 0, total, tf.ones_like(total))), total)


def _log_sum(x: Tensor, **options: Any) -> Tensor:
    return tf.math.log(tf.reduce_sum(x, **options))


def _sum_square(x: Tensor, **options: Any) -> Tensor:
    return tf.reduce_sum(tf.square(x), **options)


OPERATORS: dict[str, Operator] = {
    "Abs": _plain(tf.abs),
    "Add": _plain(tf.add),
    "And": _plain(tf.logical_and),
    "Ceil": _plain(tf.math.ceil),
    "Celu": _celu,
    "Clip": _clip,
    "Cos": _plain(tf.cos),
    "Div": _divide,
    "Einsum": _einsum,
    "Elu": _elu,
    "Equal": _plain(tf.equal),
    "Erf": _plain(tf.math.erf),
    "Exp": _plain(tf.exp),
    "Floor": _plain(tf.floor),
    "Gelu": _gelu,
    "Gemm": _gemm,
    "Greater": _plain(tf.greater),
    "GreaterOrEqual": _plain(tf.greater_equal),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "IsInf": _is_infinite,
    "IsNaN": _plain(tf.math.is_nan),
    "LeakyRelu": _leaky,
    "Less": _plain(tf.less),
    "LessOrEqual": _plain(tf.less_equal),
    "Log": _plain(tf.math.log),
    "LogSoftmax": _log_softmax,
    "MatMul": _matmul,
    "Max": _folded(tf.maximum),
    "Mean": lambda attributes, *inputs: _folded(tf.add)({}, *inputs) / len(inputs),
    "Min": _folded(tf.minimum),
    "Mish": _plain(lambda x: x * tf.tanh(tf.nn.softplus(x))),
    "Mod": _modulo,
    "Mul": _plain(tf.multiply),
    "Neg": _plain(tf.negative),
    "Not": _plain(tf.logical_not),
    "Or": _plain(tf.logical_or),
    "PRelu": _plain(lambda x, slope: tf.where(x < 0, slope * x, x)),
    "Pow": _power,
    "Reciprocal": _plain(tf.math.reciprocal),
    "ReduceL1": _reduced(_l1),
    "ReduceL2": _reduced(_l2),
    "ReduceLogSum": _reduced(_log_sum),
    "ReduceLogSumExp": _reduced(tf.reduce_logsumexp),
    "ReduceMax": _reduced(tf.reduce_max),
    "ReduceMean": _reduced(tf.reduce_mean),
    "ReduceMin": _reduced(tf.reduce_min),
    "ReduceProd": _reduced(tf.reduce_prod),
    "ReduceSum": _reduced(tf.reduce_sum),
    "ReduceSumSquare": _reduced(_sum_square),
    "Relu": _plain(tf.nn.relu),
    "Round": _plain(tf.round),
    "Selu": _selu,
    "Sigmoid": _plain(tf.sigmoid),
    "Sign": _plain(tf.sign),
    "Sin": _plain(tf.sin),
    "Softmax": _softmax,
    "Softplus": _plain(tf.nn.softplus),
    "Softsign": _plain(tf.nn.softsign),
    "Sqrt": _plain(tf.sqrt),
    "Sub": _plain(tf.subtract),
    "Sum": _folded(tf.add),
    "Swish": lambda attributes, x: x * tf.sigmoid(attributes.get("alpha", 1.0) * x),
    "Tan": _plain(tf.tan),
    "Tanh": _plain(tf.tanh),
    "Xor": _plain(tf.math.logical_xor),
}
