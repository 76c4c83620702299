"""Convolutions and poolings of ONNX in TensorFlow, on maps [B, C, rows, columns].

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


def _last(x: Tensor) -> Tensor:
    return tf.transpose(x, (0, 2, 3, 1))


def _first(x: Tensor) -> Tensor:
    return tf.transpose(x, (0, 3, 1, 2))


def _expect_maps(x: Tensor) -> None:
    if x.shape.rank != 4 or None in x.shape[1:]:
        raise NotImplementedError(f"maps of shape {list(x.shape)}, not [B, C, rows, columns]")


def _pads(attributes: Attributes, x: Tensor, window: list[int], strides: list[int]) -> Ends:
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


def _padded(x: Tensor, ends: Ends, value: float = 0.0) -> Tensor:
    """Maps [B, rows, columns, C] with rows and columns added, or, where negative, cut off."""
    if any(end < 0 for pair in ends for end in pair):
        raise NotImplementedError("negative padding")
    if ends == [(0, 0), (0, 0)]:
        return x
    return tf.pad(x, [(0, 0), *ends, (0, 0)], constant_values=value)


def _conv(attributes: Attributes, x: Tensor, W: Tensor, b: Tensor | None = None) -> Tensor:
    _expect_maps(x)
    groups, strides = attributes.get("group", 1), attributes.get("strides", [1, 1])
    dilations = attributes.get("dilations", [1, 1])
    window = [(n - 1) * d + 1 for n, d in zip(W.shape[2:], dilations, strict=True)]
    h = _padded(_last(x), _pads(attributes, x, window, strides))
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
    return _first(h if b is None else tf.nn.bias_add(h, b))


def _conv_transpose(
    attributes: Attributes, x: Tensor, W: Tensor, b: Tensor | None = None
) -> Tensor:
    _expect_maps(x)
    plain = attributes.get("group", 1) == 1 and "output_shape" not in attributes
    if not plain or attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise NotImplementedError("a transposed convolution in groups, or with output_shape")
    strides, dilations = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    if dilations != [1, 1]:
        raise NotImplementedError("a dilated transposed convolution")
    extra, pads = attributes.get("output_padding", [0, 0]), attributes.get("pads", [0, 0, 0, 0])
    sides = [(n - 1) * s + k for n, s, k in zip(x.shape[2:], strides, W.shape[2:], strict=True)]
    shape = (tf.shape(x)[0], sides[0] + extra[0], sides[1] + extra[1], W.shape[1])
    shape = (*shape[:1], *[max(a, 1) for a in shape[1:3]], shape[3])
    kernel = tf.transpose(W, (2, 3, 1, 0))
    # Rows that output_padding adds are reached by no input: they are zeros before the bias.
    grown = (shape[0], sides[0], sides[1], shape[3])
    h = tf.nn.conv2d_transpose(_last(x), kernel, grown, strides, "VALID")
    h = _padded(h, [(0, extra[0]), (0, extra[1])])
    ends = (h.shape[1] - pads[2], h.shape[2] - pads[3])
    h = h[:, pads[0] : ends[0], pads[1] : ends[1]]
    return _first(h if b is None else tf.nn.bias_add(h, b))


def _windows(attributes: Attributes, x: Tensor) -> tuple[list[int], list[int], Ends]:
    """Window, strides and padding of a pooling; `ceil_mode` adds rows for windows that stick out.

    The rows that it adds are told apart by `_pads`, which knows nothing of them.
    """
    _expect_maps(x)
    if set(attributes.get("dilations", [1])) != {1}:
        raise NotImplementedError("a dilated pooling")
    window, strides = attributes["kernel_shape"], attributes.get("strides", [1, 1])
    ends = _pads(attributes, x, window, strides)
    if not attributes.get("ceil_mode", 0):
        return window, strides, ends
    found = []
    for side, size, stride, (before, after) in zip(x.shape[2:], window, strides, ends, strict=True):
        count = math.ceil((side + before + after - size) / stride) + 1
        if (count - 1) * stride >= side + before:
            count -= 1  # a window that begins beyond the map is none
        found.append((before, max((count - 1) * stride + size - side - before, after)))
    return window, strides, found


def _max_pool(attributes: Attributes, x: Tensor) -> Tensor:
    window, strides, ends = _windows(attributes, x)
    h = _padded(_last(x), ends, float("-inf"))
    return _first(tf.nn.max_pool2d(h, window, strides, "VALID"))


def _average_pool(attributes: Attributes, x: Tensor) -> Tensor:
    window, strides, ends = _windows(attributes, x)
    h = _last(x)
    counted = tf.ones((1, *h.shape[1:3], 1), h.dtype)
    if attributes.get("count_include_pad", 0):
        # What the padding holds counts, what ceil_mode adds does not.
        own = _pads(attributes, x, window, strides)
        counted = _padded(counted, own, 1.0)
        rest = [(0, b - a) for (_, a), (_, b) in zip(own, ends, strict=True)]
        counted = _padded(counted, rest)
    else:
        counted = _padded(counted, ends)
    h = tf.nn.avg_pool2d(_padded(h, ends), window, strides, "VALID")
    return _first(h / tf.nn.avg_pool2d(counted, window, strides, "VALID"))


def _whole(function: Any) -> Operator:
    """A pooling over whole maps [B, C, ...]."""

    def run(attributes: Attributes, x: Tensor) -> Tensor:
        return function(x, axis=list(range(2, x.shape.rank)), keepdims=True)

    return run


def _response_norm(attributes: Attributes, x: Tensor) -> Tensor:
    size = attributes["size"]
    if size % 2 == 0:
        raise NotImplementedError("LRN over an even number of channels")
    h = tf.nn.local_response_normalization(
        _last(x),
        depth_radius=size // 2,
        bias=attributes.get("bias", 1.0),
        alpha=attributes.get("alpha", 1e-4) / size,
        beta=attributes.get("beta", 0.75),
    )
    return _first(h)


def _depth_to_space(attributes: Attributes, x: Tensor) -> Tensor:
    _expect_maps(x)
    n, (_, channels, rows, columns) = attributes["blocksize"], x.shape
    if attributes.get("mode", b"DCR") == b"DCR":
        h = tf.reshape(x, (-1, n, n, channels // n**2, rows, columns))
        h = tf.transpose(h, (0, 3, 4, 1, 5, 2))
    else:
        h = tf.reshape(x, (-1, channels // n**2, n, n, rows, columns))
        h = tf.transpose(h, (0, 1, 4, 2, 5, 3))
    return tf.reshape(h, (-1, channels // n**2, rows * n, columns * n))


def _space_to_depth(attributes: Attributes, x: Tensor) -> Tensor:
    _expect_maps(x)
    n, (_, channels, rows, columns) = attributes["blocksize"], x.shape
    h = tf.reshape(x, (-1, channels, rows // n, n, columns // n, n))
    blocks_first = attributes.get("mode", b"DCR") == b"DCR"
    h = tf.transpose(h, (0, 3, 5, 1, 2, 4) if blocks_first else (0, 1, 3, 5, 2, 4))
    return tf.reshape(h, (-1, n**2 * channels, rows // n, columns // n))


OPERATORS: dict[str, Operator] = {
    "AveragePool": _average_pool,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "GlobalAveragePool": _whole(tf.reduce_mean),
    "GlobalMaxPool": _whole(tf.reduce_max),
    "LRN": _response_norm,
    "MaxPool": _max_pool,
    "SpaceToDepth": _space_to_depth,
}
