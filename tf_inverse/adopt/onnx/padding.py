"""Pad of ONNX in its four modes: a constant, a reflection, the edge, and what lies across."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_inverse.adopt.onnx import open_shapes, shapes
from tf_inverse.adopt.onnx.operators import Attributes, Operator
from tf_inverse.tensors import Tensor


def _pad(
    attributes: Attributes, x: Tensor, pads: Any = None, value: Any = None, axes: Any = None
) -> Tensor:
    sizes = shapes.whole(attributes.get("pads", pads))
    rank, mode = len(x.shape), attributes.get("mode", b"constant")
    every = list(range(rank)) if axes is None else [axis % rank for axis in shapes.whole(axes)]
    open_shapes.few([2 + max(sizes, default=0)] * 2)
    ends = [(0, 0)] * rank
    for i, axis in enumerate(every):
        ends[axis] = (sizes[i], sizes[i + len(every)])
    negative = any(end < 0 for pair in ends for end in pair)
    if negative and mode != b"constant":
        raise NotImplementedError("padding that is negative, of another mode than constant")
    if negative:
        x = x[tuple(slice(max(-a, 0), b if b < 0 else None) for a, b in ends)]
        ends = [(max(a, 0), max(b, 0)) for a, b in ends]
    if mode in (b"edge", b"wrap"):
        for axis, pair in enumerate(ends):
            x = _going_on(x, axis, pair, mode) if any(pair) else x
        return x
    value = attributes.get("value", 0 if value is None else value)
    return tf.pad(x, ends, mode.decode(), tf.reshape(tf.cast(value, x.dtype), ()))


def _going_on(x: Tensor, axis: int, ends: tuple[int, int], mode: bytes) -> Tensor:
    """A tensor made longer at both ends of an axis: by its last numbers, or those across."""
    side, (before, after) = x.shape[axis], ends
    if side is None or (mode == b"wrap" and max(ends) > side):
        raise NotImplementedError("padding of an open size, or by more than there is to wrap")

    def part(first: int, last: int) -> Tensor:
        return x[(slice(None),) * axis + (slice(first, last),)]

    if mode == b"edge":
        return tf.concat([part(0, 1)] * before + [x] + [part(side - 1, side)] * after, axis)
    return tf.concat([part(side - before, side), x, part(0, after)], axis)


OPERATORS: dict[str, Operator] = {"Pad": _pad}
