"""Sequences of ONNX, as PyTorch's exporters write lists: lists of Python, as the graph is built."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf_inverse.adopt.onnx import shapes
from tf_inverse.adopt.onnx.operators import Attributes, Operator
from tf_inverse.tensors import Array

Listed = list[Any]


def _place(at: Any) -> int:
    (place,) = shapes.whole(np.reshape(at, -1) if isinstance(at, np.ndarray) else at)
    return place


def _at(attributes: Attributes, items: Listed, at: Any) -> Any:
    return items[_place(at)]


def _inserted(attributes: Attributes, items: Listed, one: Any, at: Any = None) -> Listed:
    place = len(items) if at is None else _place(at)
    place += len(items) if place < 0 else 0
    return [*items[:place], one, *items[place:]]


def _erased(attributes: Attributes, items: Listed, at: Any = None) -> Listed:
    place = (-1 if at is None else _place(at)) % len(items)
    return items[:place] + items[place + 1 :]


def _split(attributes: Attributes, x: Any, sizes: Any = None) -> Listed:
    axis = attributes.get("axis", 0)
    side = x.shape[axis]
    if side is None:
        raise NotImplementedError("a split of an axis whose size is not known")
    each = np.ones((), np.int64) if sizes is None else sizes
    if np.ndim(each) == 0:
        step = _place(each)
        each = np.array([min(step, side - i) for i in range(0, side, step)])
    parts = shapes.OPERATORS["Split"]({"axis": axis}, x, each)
    if sizes is None and not attributes.get("keepdims", 1):
        return [shapes.OPERATORS["Squeeze"]({}, one, np.array([axis])) for one in parts]
    return list(parts)


def _joined(attributes: Attributes, items: Listed) -> Any:
    axis = attributes["axis"]
    if attributes.get("new_axis", 0):
        items = [shapes.OPERATORS["Unsqueeze"]({}, one, np.array([axis])) for one in items]
    return shapes.OPERATORS["Concat"]({"axis": axis}, *items)


def _length(attributes: Attributes, items: Listed) -> Array:
    return np.array(len(items))


OPERATORS: dict[str, Operator] = {
    "ConcatFromSequence": _joined,
    "SequenceAt": _at,
    "SequenceConstruct": lambda attributes, *items: list(items),
    "SequenceEmpty": lambda attributes: [],
    "SequenceErase": _erased,
    "SequenceInsert": _inserted,
    "SequenceLength": _length,
    "SplitToSequence": _split,
}
