"""The graph of an ONNX file as a function of TensorFlow, one operator after another.

Operators run in scopes that are called as the file calls its nodes, so that the layers of PyTorch,
`layer1.0.conv1`, can be asked for by these names.
"""

from __future__ import annotations

import contextlib
import functools
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tf_inverse.adopt.onnx import control, file, open_shapes, quantised
from tf_inverse.errors import RefusedInput
from tf_inverse.tensors import Array, StrPath, Tensor

Sizes = dict[str, list[int | None]]
Placed = tuple[Any, str, dict[str, Any]]

SMALL = 1024
"""Numbers, at most, of a constant that is computed as the graph is built."""


def plain(name: str) -> str:
    """A name of the file's as TensorFlow takes it for an input or an output."""
    return re.sub(r"\W", "_", name, flags=re.ASCII)


def function(
    contents: file.Contents,
    path: StrPath,
    sizes: Sizes | None = None,
    seen: Sizes | None = None,
) -> Callable[..., dict[str, Tensor]]:
    """A function of the inputs by their `plain` names that gives the outputs by theirs.

    An output of one number for each image, [B], becomes [B, 1].

    The function raises RefusedInput for a graph that takes what is not there, or gives more numbers
    than `open_shapes.MOST`, and NotImplementedError for a form of an operator that is not known.

    Args:
        contents: Of the file.
        path: Of the file, for the words of refusals.
        sizes: Shapes of tensors by name, as far as they are known beforehand.
        seen: Takes the shapes that are known once the function is traced, where it is given.
    """
    nodes = _nodes(contents.proto.graph, path)
    names = {plain(name): name for name in contents.inputs}

    def run(**inputs: Tensor) -> dict[str, Tensor]:
        values: dict[str, Any] = dict(contents.weights)
        values |= {names[name]: x for name, x in inputs.items()}
        _run(nodes, values, {}, path, sizes or {})
        if seen is not None:
            seen.update({name: list(x.shape) for name, x in values.items() if tf.is_tensor(x)})
        if absent := [name for name in contents.outputs if name not in values]:
            raise RefusedInput(f"{path}: nothing computes its output {absent[0]:.120}")
        return {plain(name): _rows(values[name]) for name in contents.outputs}

    return run


def _rows(x: Any) -> Tensor:
    """An output with a row for each image, where the file gives a single number for each."""
    x = tf.convert_to_tensor(x)
    return tf.expand_dims(x, 1) if x.shape.rank == 1 else tf.identity(x)


def _nodes(own: Any, path: StrPath) -> list[Placed]:
    """(node, its scope, its attributes) of a graph of the file."""
    return [(node, scope_of(node), file.attributes(node, path)) for node in own.node]


def _run(
    nodes: list[Placed],
    values: dict[str, Any],
    places: dict[str, str],
    path: StrPath,
    sizes: Sizes,
) -> None:
    """Computes nodes one after another; what they give is put among the values.

    Args:
        nodes: Of a graph.
        values: What is there by name, and what comes of it.
        places: Scopes of what was computed, by its name.
        path: Of the file.
        sizes: As of `function`.
    """
    for node, scope, attributes in nodes:
        if absent := [name for name in node.input if name and name not in values]:
            if absent[0] in places:
                raise NotImplementedError(f"an output {absent[0]:.120} that is not given here")
            raise RefusedInput(f"{path}: {node.op_type} takes {absent[0]:.120}, which is absent")
        taken = [values[name] if name else None for name in node.input]
        if node.op_type in control.OPERATORS:
            inner = functools.partial(_inner, values, places, path, sizes, node.output[0])
            ends = control.OPERATORS[node.op_type](attributes, taken, inner)
            values |= {
                name: _sized(x, sizes.get(name)) for name, x in zip(node.output, ends, strict=False)
            }
            continue
        # What a quantised pair gives is what the layer before it gives, as those after take it.
        held = places.get(node.input[0]) if node.op_type in quantised.OPERATORS else None
        with tf.name_scope(held or scope) as place:
            places |= dict.fromkeys(node.output, place)
            try:
                given = _applied(node.op_type, attributes, taken)
            except OverflowError as error:
                raise _too_large(node, path) from error
            for name, one in zip(node.output, given, strict=False):
                values[name] = _sized(one, sizes.get(name))
                _expect_small(values[name], node, path)


def _inner(
    values: dict[str, Any],
    places: dict[str, str],
    path: StrPath,
    sizes: Sizes,
    at: str,
    own: Any,
    given: list[Any],
    mark: str,
) -> list[Any]:
    """What a graph within the graph gives; its values are kept with a mark before their names."""
    mark = f"{at}:{mark}"
    inside = values | {one.name: file.array(one, path) for one in own.initializer}
    inside |= {one.name: x for one, x in zip(own.input, given, strict=True)}
    known = {key[len(mark) :]: one for key, one in sizes.items() if key.startswith(mark)}
    _run(_nodes(own, path), inside, places, path, known)
    values |= {mark + name: x for name, x in inside.items() if name not in values}
    return [inside[one.name] for one in own.output]


def of_any_number(
    contents: file.Contents, path: StrPath, specs: dict[str, tf.TensorSpec]
) -> Callable[..., dict[str, Tensor]]:
    """The same function for any number of images, with the sizes of all that it computes.

    A file computes shapes of the number of images, and from then on TensorFlow knows none. What two
    images and three give tells which sizes follow that number; all others are known. One image is
    not asked for: an axis of one may be stretched, or taken away.

    Args:
        contents: Of the file.
        path: Of the file.
        specs: Of the inputs by their `plain` names.
    """
    traces: list[Sizes] = []
    for rows in (2, 3):
        traces.append({})
        taken = {
            key: tf.TensorSpec((rows, *one.shape[1:]), one.dtype) for key, one in specs.items()
        }
        run = function(contents, path, seen=traces[-1])
        tf.function(run, autograph=False).get_concrete_function(**taken)
    two, three = traces
    same = [name for name in two if len(two[name]) == len(three.get(name, ()))]
    sizes = {
        name: [a if a == b else None for a, b in zip(two[name], three[name], strict=True)]
        for name in same
    }
    return function(contents, path, sizes)


def _applied(kind: str, attributes: dict[str, Any], taken: list[Any]) -> tuple[Any, ...]:
    """What an operator gives; shapes and other small constants are computed at once."""
    now = bool(taken) and all(_is_small(x) for x in taken)
    if any(open_shapes.is_open(x) for x in taken) and kind in open_shapes.OPEN:
        given: Any = open_shapes.OPEN[kind](*taken)
    else:
        with tf.init_scope() if now else contextlib.nullcontext():
            given = file.OPERATORS[kind](attributes, *_tensors(kind, taken))
    found = given if isinstance(given, tuple) else (given,)
    return tuple(
        _known(x) if (now or not tf.is_tensor(x)) and not isinstance(x, list) else x for x in found
    )


def _tensors(kind: str, taken: list[Any]) -> list[Any]:
    """What an operator takes: weights as tensors where it takes no arrays of NumPy's."""
    if kind not in file.OF_TENSORS:
        return taken
    is_float = (isinstance(x, np.ndarray) and x.dtype.kind == "f" for x in taken)
    pairs = zip(taken, is_float, strict=True)
    return [tf.convert_to_tensor(x) if own else x for x, own in pairs]


def _sized(x: Any, shape: list[int | None] | None) -> Any:
    """A tensor whose sizes the graph knows, as far as they are known beforehand."""
    if shape is None or not tf.is_tensor(x) or x.shape.as_list() == shape:
        return x
    return tf.ensure_shape(x, shape)


def _is_small(x: Any) -> bool:
    if x is None:
        return True
    return isinstance(x, np.ndarray) and x.dtype.kind in "biuf" and x.size <= SMALL


def _known(x: Any) -> Array:
    return open_shapes.settled(np.asarray(x.numpy() if tf.is_tensor(x) else x))


def _expect_small(x: Any, node: Any, path: StrPath) -> None:
    sides = [side for side in getattr(x, "shape", None) or () if isinstance(side, int)]
    if math.prod(sides) > open_shapes.MOST:
        raise _too_large(node, path)


def _too_large(node: Any, path: StrPath) -> RefusedInput:
    return RefusedInput(
        f"{path}: {node.op_type} {node.name:.120} gives more than {open_shapes.MOST} numbers"
    )


def scope_of(node: Any) -> str:
    """A scope's name: the path that PyTorch's older exporter gives a node, or its output's name."""
    name = node.name if "/" in node.name else node.output[0]
    parts = [re.sub(r"[^\w.-]", "_", part, flags=re.ASCII) for part in name.split("/") if part]
    return "/".join(part if part[0].isalnum() else f"x{part}" for part in parts) or node.op_type
