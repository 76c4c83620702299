"""Normalisations of ONNX: by statistics of the training, or by those of what is normalised."""

from __future__ import annotations

import tensorflow as tf

from tf_inverse.adopt.onnx.operators import Attributes, Operator
from tf_inverse.tensors import Tensor


def _by_channel(values: Tensor, x: Tensor) -> Tensor:
    """A value for each channel [C], to be multiplied with x [B, C, ...]."""
    return tf.reshape(values, (-1, *[1] * (x.shape.rank - 2)))


def _batch_norm(
    attributes: Attributes, x: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, var: Tensor
) -> Tensor:
    if attributes.get("training_mode", 0):
        raise NotImplementedError(
            "BatchNormalization at training, so that images change each other: export it at "
            "inference, after model.eval()"
        )
    factor = scale / tf.sqrt(var + attributes.get("epsilon", 1e-5))
    return x * _by_channel(factor, x) + _by_channel(shift - mean * factor, x)


def _normalised(x: Tensor, axes: list[int], epsilon: float) -> Tensor:
    x -= tf.reduce_mean(x, axes, keepdims=True)
    return x / tf.sqrt(tf.reduce_mean(tf.square(x), axes, keepdims=True) + epsilon)


def _layer_norm(
    attributes: Attributes, x: Tensor, scale: Tensor, shift: Tensor | None = None
) -> Tensor:
    rank = x.shape.rank
    axes = list(range(attributes.get("axis", -1) % rank, rank))
    y = _normalised(x, axes, attributes.get("epsilon", 1e-5)) * scale
    return y if shift is None else y + shift


def _instance_norm(attributes: Attributes, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    y = _normalised(x, list(range(2, x.shape.rank)), attributes.get("epsilon", 1e-5))
    return y * _by_channel(scale, x) + _by_channel(shift, x)


def _group_norm(attributes: Attributes, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    groups, shape = attributes["num_groups"], x.shape
    parts = tf.reshape(x, (-1, groups, shape[1] // groups, *shape[2:]))
    axes = list(range(2, parts.shape.rank))
    y = _normalised(parts, axes, attributes.get("epsilon", 1e-5))
    y = tf.reshape(y, (-1, *shape[1:]))
    if scale.shape[0] != shape[1]:
        # Until opset 21 there is one for each group.
        scale, shift = (tf.repeat(one, shape[1] // groups) for one in (scale, shift))
    return y * _by_channel(scale, x) + _by_channel(shift, x)


def _rms_norm(attributes: Attributes, x: Tensor, scale: Tensor) -> Tensor:
    rank = x.shape.rank
    axes = list(range(attributes.get("axis", -1) % rank, rank))
    mean = tf.reduce_mean(tf.square(x), axes, keepdims=True)
    return x / tf.sqrt(mean + attributes.get("epsilon", 1e-5)) * scale


def _mean_variance(attributes: Attributes, x: Tensor) -> Tensor:
    return _normalised(x, attributes.get("axes", [0, 2, 3]), 1e-9)


def _lp_norm(attributes: Attributes, x: Tensor) -> Tensor:
    axis = attributes.get("axis", -1)
    if attributes.get("p", 2) == 1:
        total = tf.reduce_sum(tf.abs(x), axis, keepdims=True)
    else:
        square = tf.reduce_sum(tf.square(x), axis, keepdims=True)
        # The root's slope at zero is infinite; of nothing but zeros, nothing comes.
        total = tf.sqrt(tf.where(square > 0, square, tf.ones_like(square)))
    return tf.math.divide_no_nan(x, total)


OPERATORS: dict[str, Operator] = {
    "BatchNormalization": _batch_norm,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "LpNormalization": _lp_norm,
    "MeanVarianceNormalization": _mean_variance,
    "RMSNormalization": _rms_norm,
}
