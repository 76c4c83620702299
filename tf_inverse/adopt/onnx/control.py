"""If, Loop and Scan of ONNX: a branch is taken, and a loop unrolled, as the graph is built.

What decides must not depend on the image: a condition of shapes, a count that the file tells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tf_inverse.adopt.onnx import open_shapes
from tf_inverse.adopt.onnx.operators import Attributes

MOST = 1000
"""Steps, at most, of a loop."""

Run = Callable[[Any, list[Any], str], list[Any]]
"""What a graph gives for its inputs; the text marks the step, so that names are told apart."""


def _if(attributes: Attributes, taken: list[Any], run: Run) -> list[Any]:
    (condition,) = taken
    branch = "then_branch" if _decided(condition, "an If whose condition") else "else_branch"
    return run(attributes[branch], [], "")


def _loop(attributes: Attributes, taken: list[Any], run: Run) -> list[Any]:
    most, going, *state = taken
    count = MOST + 1
    if most is not None:
        _decided(most, "a Loop whose count")
        count = min(int(np.reshape(most, ())), count)
    rows: list[list[Any]] = []
    for i in range(count):
        if going is not None and not _decided(going, "a Loop whose end"):
            break
        _expect_few(i)
        given = [np.array(i), np.array(True) if going is None else going, *state]
        going, *rest = run(attributes["body"], given, f"step {i}:")
        state, more = rest[: len(state)], rest[len(state) :]
        rows.append(more)
    if not rows and attributes["outputs"] > len(state):
        raise NotImplementedError("a Loop that stacks what no step gives")
    return [*state, *(_stacked(list(parts), 0) for parts in zip(*rows, strict=True))]


def _scan(attributes: Attributes, taken: list[Any], run: Run) -> list[Any]:
    many = attributes["num_scan_inputs"]
    state, over = taken[: len(taken) - many], taken[len(taken) - many :]
    axes = attributes.get("scan_input_axes", [0] * many)
    back = attributes.get("scan_input_directions", [0] * many)
    lines = [
        _unstacked(x, axis)[:: -1 if turned else 1]
        for x, axis, turned in zip(over, axes, back, strict=True)
    ]
    rows: list[list[Any]] = []
    for i, parts in enumerate(zip(*lines, strict=True)):
        _expect_few(i)
        given = run(attributes["body"], [*state, *parts], f"step {i}:")
        state = given[: len(state)]
        rows.append(given[len(state) :])
    columns = [list(parts) for parts in zip(*rows, strict=True)]
    axes = attributes.get("scan_output_axes", [0] * len(columns))
    back = attributes.get("scan_output_directions", [0] * len(columns))
    return [
        *state,
        *(
            _stacked(parts[:: -1 if turned else 1], axis)
            for parts, axis, turned in zip(columns, axes, back, strict=True)
        ),
    ]


def _decided(x: Any, what: str) -> bool:
    """A condition, which follows from the shapes of a network of images."""
    if not isinstance(x, np.ndarray) or open_shapes.is_open(x):
        raise NotImplementedError(f"{what} is computed from the image")
    return bool(x.reshape(()))


def _expect_few(step: int) -> None:
    if step >= MOST:
        raise NotImplementedError(f"a loop of more than {MOST} steps")


def _unstacked(x: Any, axis: int) -> list[Any]:
    if x.shape[axis] is None:
        raise NotImplementedError("a Scan over an axis whose size is not known")
    _expect_few(x.shape[axis] - 1)
    return list(np.moveaxis(x, axis, 0)) if isinstance(x, np.ndarray) else tf.unstack(x, axis=axis)


def _stacked(parts: list[Any], axis: int) -> Any:
    if all(isinstance(one, np.ndarray) for one in parts):
        return np.stack(parts, axis)
    return tf.stack(parts, axis)


OPERATORS: dict[str, Callable[[Attributes, list[Any], Run], list[Any]]] = {
    "If": _if,
    "Loop": _loop,
    "Scan": _scan,
}
