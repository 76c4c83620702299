"""The inside of a SavedModel's function: what its layers give, by the names of their scopes.

A SavedModel holds operations, not layers, and hides them in functions that call one another. With
all calls put in place of their names the operations lie open, `block1/conv/Conv2D`,
`block1/conv/BiasAdd`, `block1/conv/Relu`, and the last of a scope is what the layer
`block1/conv` gives.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from tf_inverse import private
from tf_inverse.errors import reason
from tf_inverse.tensors import Tensor

LARGE = 1024
"""Numbers from which on a constant is kept outside of the graph, so that graphs share it."""

CARRIED = {"Identity", "StopGradient", "PreventGradient", "CheckNumerics"}
"""Operations that give what they take, and so are no layer."""

CLOSED = {"PartitionedCall", "StatefulPartitionedCall", "XlaCallModule"}
"""Calls that stay calls: of functions that XLA compiles (`jit_compile=True`, JAX's programs)."""

GRADIENT = "_gradient_op_type"
"""Attribute of an operation that names the gradient which a program gave it."""

CALL = re.compile(r"(Stateful)?PartitionedCall(_\d+)?")
"""What TensorFlow calls the place where a function was called."""

PROBABILITIES = {"Softmax": "softmax", "Sigmoid": "sigmoid"}


class Inside(NamedTuple):
    """A function whose layers can be asked for.

    Attributes:
        graph: GraphDef.
        feeds: Input's name -> name of its tensor in the graph.
        tensors: Likewise of what the layers give, in running order, and then the function.
        specs: Shape without the batch axis, and type, of each of these by name.
        ends: Names of those that the function itself gives; "" where it is just one.
        final: "softmax" or "sigmoid" where the function's one output is that of the tensor "",
            the logits; else None.
    """

    graph: Any
    feeds: dict[str, str]
    tensors: dict[str, str]
    specs: dict[str, tuple[list[int | None], str]]
    ends: list[str]
    final: str | None

    def runner(self) -> Callable[..., dict[str, Tensor]]:
        """A function of inputs by name that gives `tensors`.

        Large constants become variables, which every trace of the function shares.
        """
        feeds, tensors, values = self.feeds, self.tensors, {}
        graph = graph_pb2.GraphDef(versions=self.graph.versions, library=self.graph.library)
        for node in self.graph.node:
            value = tf.make_ndarray(node.attr["value"].tensor) if node.op == "Const" else None
            if value is None or value.size < LARGE or not np.issubdtype(value.dtype, np.floating):
                graph.node.append(node)
                continue
            values[f"{node.name}:0"] = tf.Variable(value, trainable=False)
            kept = graph.node.add(name=node.name, op="Placeholder")
            kept.attr["dtype"].CopyFrom(node.attr["dtype"])

        def run(**inputs: Tensor) -> dict[str, Tensor]:
            fed = {feeds[name]: value for name, value in inputs.items()}
            fed |= {name: variable.read_value() for name, variable in values.items()}
            got = tf.graph_util.import_graph_def(
                graph, input_map=fed, return_elements=list(tensors.values()), name="inside"
            )
            return dict(zip(tensors, got, strict=True))

        return tf.function(run, autograph=False)


def opened(function: Any, inputs: dict[str, tf.TensorSpec]) -> Inside | str:
    """The inside of a function, or why it cannot be had.

    Args:
        function: Of a SavedModel: it takes tensors by name, and gives tensors by name.
        inputs: What it takes, with all sizes but the batch's known; that where it is fixed.
    """
    try:
        traced = tf.function(function, autograph=False).get_concrete_function(**inputs)
        frozen = private.inlined(traced)
    except Exception as error:  # TensorFlow raises almost anything for a graph it cannot rewrite
        return reason(error)
    operations = frozen.graph.get_operations()
    if closed := [one.name for one in operations if one.type in CLOSED]:
        # Its gradient is the function's own, and lost where the call is taken out of it.
        return f"{closed[0]} is a function that XLA compiles, and cannot be opened"
    names = sorted(traced.structured_outputs)
    ends = dict(zip(names if len(names) > 1 else [""], frozen.outputs, strict=True))
    last = _carried(ends[""]).op if "" in ends else None
    final = PROBABILITIES.get(last.type) if last is not None else None
    given = {_carried(tensor).name for tensor in ends.values()}
    if last is not None and final:
        ends[""] = last.inputs[0]
        given.add(_carried(ends[""]).name)
    (rows,) = {one.shape[0] for one in inputs.values()}
    found = _layers(operations, given, rows)
    tensors = {name: h for name, h in found.items() if name not in ends} | ends
    feeds = dict(zip(sorted(inputs), (h.name for h in frozen.inputs), strict=True))
    specs = {name: (list(h.shape[1:]), h.dtype.name) for name, h in tensors.items()}
    places = {name: h.name for name, h in tensors.items()}
    return Inside(_derived(frozen.graph), feeds, places, specs, list(ends), final)


def _derived(graph: tf.Graph) -> Any:
    """The GraphDef of a graph, with plain gradients where its own cannot be had in another graph.

    `tf.nn.silu`, of EfficientNets for one, brings a gradient that takes tensors of the function
    which it was traced in; here their place is another. What the forward operations have by the
    rules of calculus is the same gradient.
    """
    definition = graph.as_graph_def()
    for node in definition.node:
        own = node.attr[GRADIENT].s.decode() if GRADIENT in node.attr else ""
        if own and private.is_bound(own):
            del node.attr[GRADIENT]
    return definition


def _carried(tensor: Any) -> Any:
    """The tensor that a chain of operations hands on unchanged."""
    while tensor.op.type in CARRIED:
        tensor = tensor.op.inputs[0]
    return tensor


def _layers(operations: list[Any], given: set[str], rows: int | None) -> dict[str, Any]:
    """The last tensor of each scope that has a row for each image, in running order.

    Args:
        operations: Of a graph, in running order.
        given: Names of tensors that are outputs already.
        rows: Images that the graph takes at a time, None for any number.
    """
    found: dict[str, Any] = {}
    for operation in _of_images(operations):
        if operation.type in CARRIED or operation.type == "Placeholder" or not operation.outputs:
            continue
        name = _layer(operation.name)
        found.pop(name, None)  # so that a layer stands where its last operation does
        if _is_map(operation.outputs[0], rows):
            found[name] = operation.outputs[0]
    kept = {name: tensor for name, tensor in found.items() if tensor.name not in given}
    return dict(zip(_short(list(kept)), kept.values(), strict=True))


def _of_images(operations: list[Any]) -> list[Any]:
    """Operations that an input reaches: a constant may have as many rows as a fixed batch."""
    reached: set[Any] = set()
    for operation in operations:
        if operation.type == "Placeholder" or any(h.op in reached for h in operation.inputs):
            reached.add(operation)
    return [operation for operation in operations if operation in reached]


def _layer(operation: str) -> str:
    """The scope of an operation, or its own name where it has none.

    Keras computes batch normalisation in a scope within that of the layer.
    """
    own = "/".join(part for part in operation.split("/") if not CALL.fullmatch(part))
    scope = own.rpartition("/")[0] or own
    return scope.removesuffix("/batchnorm")


def _short(names: list[str]) -> list[str]:
    """The names without the scopes that all begin with, and without the number of the trace.

    Keras numbers the scopes of a model that is traced again: `net_1/conv_1`.
    """
    parts = [name.split("/") for name in names]
    most = min(map(len, parts), default=1) - 1
    start = next((i for i in range(most) if len({part[i] for part in parts}) > 1), most)
    parts = [part[start:] for part in parts]
    numbers = {re.search(r"(_\d+)?$", part[0])[0] for part in parts}  # type: ignore[index]
    number = numbers.pop() if len(numbers) == 1 else ""
    bare = ["/".join(one.removesuffix(number) for one in part) for part in parts]
    return bare if len(set(bare)) == len(bare) else ["/".join(part) for part in parts]


def _is_map(tensor: Any, rows: int | None) -> bool:
    """Whether a tensor is a row of numbers, a sequence or a map for each image of a batch."""
    shape = tensor.shape
    return (
        tensor.dtype.is_floating
        and shape.rank is not None
        and 2 <= shape.rank <= 4
        and shape[0] == rows
        and None not in shape[1:]
        and int(np.prod(shape[1:])) > 1
    )
