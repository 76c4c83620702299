"""Attention of ONNX, of opset 23 and later: one operator for what others write as products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tf_inverse.adopt.onnx.operators import Attributes, Operator
from tf_inverse.tensors import Tensor

KNOWN = {"outputs", "is_causal", "kv_num_heads", "q_num_heads", "scale", "softcap"}
KNOWN |= {"softmax_precision", "qk_matmul_output_mode"}


def _attention(
    attributes: Attributes, Q: Tensor, K: Tensor, V: Tensor, mask: Any = None, *more: Any
) -> Tensor:
    """Softmax(s Q K' + mask) V, of [B, heads, tokens, units] or [B, tokens, heads units]."""
    others = set(attributes) - KNOWN
    if any(one is not None for one in more) or attributes["outputs"] > 1 or others:
        words = f" {', '.join(sorted(others))}," if others else ""
        raise NotImplementedError(f"Attention with{words} keys of before, or more outputs")
    flat = Q.shape.rank == 3
    q_heads: int = attributes["q_num_heads"] if flat else Q.shape[1]
    kv_heads: int = attributes["kv_num_heads"] if flat else K.shape[1]
    if flat:
        Q, K, V = _by_head(Q, q_heads), _by_head(K, kv_heads), _by_head(V, kv_heads)
    if q_heads != kv_heads:
        K, V = (tf.repeat(one, q_heads // kv_heads, axis=1) for one in (K, V))
    scale = attributes.get("scale") or 1 / math.sqrt(Q.shape[-1])
    scores = tf.matmul(Q * math.sqrt(scale), K * math.sqrt(scale), transpose_b=True)
    if cap := attributes.get("softcap", 0.0):
        scores = cap * tf.tanh(scores / cap)
    scores = _masked(scores, mask, bool(attributes.get("is_causal", 0)))
    # The file may ask for softmax in another precision; here all are computed in float32.
    Y = tf.matmul(tf.nn.softmax(scores), V)
    if not flat:
        return Y
    return tf.reshape(tf.transpose(Y, (0, 2, 1, 3)), (-1, Y.shape[2], q_heads * Y.shape[3]))


def _by_head(x: Tensor, heads: int) -> Tensor:
    """[B, heads, tokens, units] of [B, tokens, heads units]."""
    parts = tf.reshape(x, (-1, x.shape[1], heads, x.shape[2] // heads))
    return tf.transpose(parts, (0, 2, 1, 3))


def _masked(scores: Tensor, mask: Any, causal: bool) -> Tensor:
    least = scores.dtype.min
    if mask is not None:
        mask = tf.convert_to_tensor(mask)
        if scores.shape[-1] != mask.shape[-1]:
            raise NotImplementedError("Attention with a mask of fewer keys")
        scores = tf.where(mask, scores, least) if mask.dtype == tf.bool else scores + mask
    if causal:
        allowed = np.tri(scores.shape[-2], scores.shape[-1], dtype=bool)
        scores = tf.where(allowed, scores, least)
    return scores


OPERATORS: dict[str, Operator] = {"Attention": _attention}
