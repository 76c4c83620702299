"""Poolings of ONNX in TensorFlow, on maps [B, C, rows, columns] and in one dimension."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tf_inverse.adopt.onnx import spatial
from tf_inverse.adopt.onnx.operators import Attributes, Operator
from tf_inverse.tensors import Tensor


class Windows(NamedTuple):
    """Where the windows of a pooling lie.

    Attributes:
        size: Rows and columns of a window.
        strides: From one to the next.
        dilations: From one pixel of a window to the next.
        own: Rows and columns that the file adds at the ends.
        ends: The same, and what `ceil_mode` adds for windows that stick out.
    """

    size: Sequence[int]
    strides: Sequence[int]
    dilations: Sequence[int]
    own: spatial.Ends
    ends: spatial.Ends


def _windows(attributes: Attributes, x: Tensor) -> Windows:
    spatial.expect_maps(x)
    size, strides = attributes["kernel_shape"], attributes.get("strides", [1, 1])
    dilations = attributes.get("dilations", [1, 1])
    spans = [(n - 1) * d + 1 for n, d in zip(size, dilations, strict=True)]
    own = spatial.pads_of(attributes, x, spans, strides)
    if not attributes.get("ceil_mode", 0):
        return Windows(size, strides, dilations, own, own)
    found = []
    for side, span, stride, (before, after) in zip(x.shape[2:], spans, strides, own, strict=True):
        count = math.ceil((side + before + after - span) / stride) + 1
        if (count - 1) * stride >= side + before:
            count -= 1  # a window that begins beyond the map is none
        found.append((before, max((count - 1) * stride + span - side - before, after)))
    return Windows(size, strides, dilations, own, found)


def _max_pool(attributes: Attributes, x: Tensor) -> Tensor:
    at = _windows(attributes, x)
    h = spatial.padded(spatial.last(x), at.ends, float("-inf"))
    if max(at.dilations) > 1:
        return spatial.first(functools.reduce(tf.maximum, _taps(h, at)))
    return spatial.first(tf.nn.max_pool2d(h, at.size, at.strides, "VALID"))


def _average_pool(attributes: Attributes, x: Tensor) -> Tensor:
    at, h = _windows(attributes, x), spatial.last(x)
    counted = tf.ones((1, *h.shape[1:3], 1), h.dtype)
    if attributes.get("count_include_pad", 0):
        # What the padding holds counts, what ceil_mode adds does not.
        counted = spatial.padded(counted, at.own, 1.0)
        rest = [(0, b - a) for (_, a), (_, b) in zip(at.own, at.ends, strict=True)]
        counted = spatial.padded(counted, rest)
    else:
        counted = spatial.padded(counted, at.ends)
    return spatial.first(_mean(spatial.padded(h, at.ends), at) / _mean(counted, at))


def _mean(h: Tensor, at: Windows) -> Tensor:
    if max(at.dilations) > 1:
        return tf.add_n(list(_taps(h, at))) / math.prod(at.size)
    return tf.nn.avg_pool2d(h, at.size, at.strides, "VALID")


def _taps(h: Tensor, at: Windows) -> list[Tensor]:
    """For each place within a window, the pixels of h [B, rows, columns, C] that lie there."""
    steps = zip(h.shape[1:3], at.size, at.strides, at.dilations, strict=True)
    places = [
        [slice(i * d, side - (k - 1 - i) * d, s) for i in range(k)] for side, k, s, d in steps
    ]
    return [h[:, down, across] for down, across in itertools.product(*places)]


def _in_line(run: Operator) -> Operator:
    """A pooling that takes [B, C, depth, rows, columns] as well, along the depth alone.

    PyTorch writes the sums of LocalResponseNorm over neighbouring channels so.
    """

    def running(attributes: Attributes, x: Tensor) -> Tensor:
        if x.shape.rank != 5:
            return run(attributes, x)
        flat = {key: _first_of(key, one) for key, one in attributes.items()}
        if None in x.shape[1:] or None in flat.values():
            raise NotImplementedError("a pooling in three dimensions")
        y = run(flat, tf.reshape(x, (-1, *x.shape[1:3], math.prod(x.shape[3:]))))
        return tf.reshape(y, (-1, *y.shape[1:3], *x.shape[3:]))

    return running


def _first_of(name: str, value: Any) -> Any:
    """An attribute of three axes for two, or None where the last two do not rest."""
    if name in ("kernel_shape", "strides"):
        return [value[0], 1] if list(value[1:]) == [1, 1] else None
    if name == "dilations":
        return [value[0], 1]
    if name == "pads":
        return [value[0], 0, value[3], 0] if not any(value[1:3]) and not any(value[4:]) else None
    return value


def _whole(function: Callable[..., Tensor]) -> Operator:
    """A pooling over whole maps [B, C, ...]."""

    def run(attributes: Attributes, x: Tensor) -> Tensor:
        return function(x, axis=list(range(2, x.shape.rank)), keepdims=True)

    return run


OPERATORS: dict[str, Operator] = {
    "AveragePool": _in_line(spatial.in_plane(_average_pool)),
    "GlobalAveragePool": _whole(tf.reduce_mean),
    "GlobalMaxPool": _whole(tf.reduce_max),
    "MaxPool": _in_line(spatial.in_plane(_max_pool)),
}
