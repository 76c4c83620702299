"""Convolutions of ONNX in TensorFlow, on maps [B, C, rows, columns].

TensorFlow computes them on every machine with channels last alone, so that each turns its maps
around and back.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from tf_inverse.adopt.onnx.operators import Attributes, Operator
from tf_inverse.tensors import Tensor

Ends = list[tuple[int, int]]


def last(x: Tensor) -> Tensor:
    """Maps [B, rows, columns, C] of [B, C, rows, columns]."""
    return tf.transpose(x, (0, 2, 3, 1))


def first(x: Tensor) -> Tensor:
    """Maps [B, C, rows, columns] of [B, rows, columns, C]."""
    return tf.transpose(x, (0, 3, 1, 2))


def expect_maps(x: Tensor) -> None:
    """Refuses what is no map [B, C, rows, columns] of a known size."""
    if x.shape.rank != 4 or None in x.shape[1:]:
        raise NotImplementedError(f"maps of shape {list(x.shape)}, not [B, C, rows, columns]")


def in_plane(run: Operator) -> Operator:
    """An operator of maps [B, C, rows, columns] that takes sequences [B, C, places] as well."""

    def running(attributes: Attributes, x: Tensor, *others: Tensor) -> Tensor:
        if x.shape.rank != 3:
            return run(attributes, x, *others)
        wide = {key: _in_plane(key, one) for key, one in attributes.items()}
        # A kernel has three axes as well; its bias has one.
        others = tuple(
            one if one is None or len(one.shape) < 3 else one[:, :, None] for one in others
        )
        return tf.squeeze(run(wide, x[:, :, tf.newaxis], *others), 2)

    return running


def _in_plane(name: str, value: Any) -> Any:
    """An attribute of one axis, for two of which the first has a single place."""
    if name in ("kernel_shape", "strides", "dilations"):
        return [1, *value]
    if name == "pads":
        return [0, value[0], 0, value[1]]
    return [0, *value] if name == "output_padding" else value


def pads_of(attributes: Attributes, x: Tensor, window: list[int], strides: list[int]) -> Ends:
    """Rows and columns to add before and after those of x [B, C, rows, columns]."""
    kind, sides = attributes.get("auto_pad", b"NOTSET"), x.shape[2:]
    if kind == b"VALID":
        return [(0, 0), (0, 0)]
    if kind in (b"SAME_UPPER", b"SAME_LOWER"):
        found = []
        for side, size, stride in zip(sides, window, strides, strict=True):
            total = max((math.ceil(side / stride) - 1) * stride + size - side, 0)
            small, large = total // 2, total - total // 2
            found.append((small, large) if kind == b"SAME_UPPER" else (large, small))
        return found
    pads = attributes.get("pads", [0, 0, 0, 0])
    return [(pads[0], pads[2]), (pads[1], pads[3])]


def padded(x: Tensor, ends: Ends, value: float = 0.0) -> Tensor:
    """Maps [B, rows, columns, C] with rows and columns added, or, where negative, cut off."""
    if any(end < 0 for pair in ends for end in pair):
        raise NotImplementedError("negative padding")
    if ends == [(0, 0), (0, 0)]:
        return x
    return tf.pad(x, [(0, 0), *ends, (0, 0)], constant_values=value)


def _conv(attributes: Attributes, x: Tensor, W: Tensor, b: Tensor | None = None) -> Tensor:
    expect_maps(x)
    groups, strides = attributes.get("group", 1), attributes.get("strides", [1, 1])
    dilations = attributes.get("dilations", [1, 1])
    window = [(n - 1) * d + 1 for n, d in zip(W.shape[2:], dilations, strict=True)]
    h = padded(last(x), pads_of(attributes, x, window, strides))
    kernel = tf.transpose(W, (2, 3, 1, 0))
    if groups > 1 and groups == x.shape[1] and strides[0] == strides[1]:
        # ONNX orders outputs by their input's channel, as TensorFlow does.
        times = W.shape[0] // groups
        kernel = tf.reshape(kernel, (*W.shape[2:], groups, times))
        # Of dilations and strides together TensorFlow makes other numbers, and warns at most.
        after = strides[0] if max(dilations) > 1 else 1
        step = strides[0] // after
        h = tf.nn.depthwise_conv2d(h, kernel, [1, step, step, 1], "VALID", dilations=dilations)
        h = h[:, ::after, ::after]
    else:
        # On a CPU TensorFlow has no gradient of a convolution in groups.
        parts = zip(tf.split(h, groups, 3), tf.split(kernel, groups, 3), strict=True)
        done = [tf.nn.conv2d(h, k, strides, "VALID", dilations=dilations) for h, k in parts]
        h = done[0] if groups == 1 else tf.concat(done, axis=3)
    return first(h if b is None else tf.nn.bias_add(h, b))


def _response_norm(attributes: Attributes, x: Tensor) -> Tensor:
    size = attributes["size"]
    if size % 2 == 0:
        raise NotImplementedError("LRN over an even number of channels")
    h = tf.nn.local_response_normalization(
        last(x),
        depth_radius=size // 2,
        bias=attributes.get("bias", 1.0),
        alpha=attributes.get("alpha", 1e-4) / size,
        beta=attributes.get("beta", 0.75),
    )
    return first(h)


def _depth_to_space(attributes: Attributes, x: Tensor) -> Tensor:
    expect_maps(x)
    n, (_, channels, rows, columns) = attributes["blocksize"], x.shape
    if attributes.get("mode", b"DCR") == b"DCR":
        h = tf.reshape(x, (-1, n, n, channels // n**2, rows, columns))
        h = tf.transpose(h, (0, 3, 4, 1, 5, 2))
    else:
        h = tf.reshape(x, (-1, channels // n**2, n, n, rows, columns))
        h = tf.transpose(h, (0, 1, 4, 2, 5, 3))
    return tf.reshape(h, (-1, channels // n**2, rows * n, columns * n))


def _space_to_depth(attributes: Attributes, x: Tensor) -> Tensor:
    expect_maps(x)
    n, (_, channels, rows, columns) = attributes["blocksize"], x.shape
    h = tf.reshape(x, (-1, channels, rows // n, n, columns // n, n))
    blocks_first = attributes.get("mode", b"DCR") == b"DCR"
    h = tf.transpose(h, (0, 3, 5, 1, 2, 4) if blocks_first else (0, 1, 3, 5, 2, 4))
    return tf.reshape(h, (-1, n**2 * channels, rows // n, columns // n))


OPERATORS: dict[str, Operator] = {
    "Conv": in_plane(_conv),
    "DepthToSpace": _depth_to_space,
    "LRN": _response_norm,
    "SpaceToDepth": _space_to_depth,
}
