"""ONNX files in half precision, put into float32, in which everything computes that decides."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf_inverse.adopt.onnx import within
from tf_inverse.tensors import Array

FLOAT = 1
HALVES = (10, 16)
"""Numbers of ONNX's types float16 and bfloat16."""


def has(proto: Any) -> bool:
    """Whether a model holds weights, or computes, in half precision."""
    return any(_holds(graph) for graph in within.graphs(proto.graph))


def _holds(graph: Any) -> bool:
    if any(one.data_type in HALVES for one in graph.initializer):
        return True
    values = (*graph.input, *graph.output, *graph.value_info)
    if any(one.type.tensor_type.elem_type in HALVES for one in values):
        return True
    return any(_is_half(one) for node in graph.node for one in node.attribute)


def _is_half(attribute: Any) -> bool:
    if attribute.HasField("t"):
        return attribute.t.data_type in HALVES
    return attribute.name in ("to", "dtype") and attribute.i in HALVES


def as_float32(onnx: Any, proto: Any, weights: dict[str, Array]) -> None:
    """Puts a model's weights, casts and declared types into float32, in place.

    Args:
        onnx: The package.
        proto: The `onnx.ModelProto`. All its weights are inside it afterwards.
        weights: Its weights by name, which are replaced likewise.
    """
    for name, one in weights.items():
        weights[name] = one.astype(np.float32) if _kind(one) in ("float16", "bfloat16") else one
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(one), name) for name, one in weights.items()
    )
    for graph in within.graphs(proto.graph):
        _declare(onnx, graph)


def _declare(onnx: Any, graph: Any) -> None:
    """Puts what a graph declares, and its constants, into float32."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type in HALVES:
            value.type.tensor_type.elem_type = FLOAT
    constants = [one.t for node in graph.node for one in node.attribute if one.HasField("t")]
    for tensor in (*graph.initializer, *constants):
        if tensor.data_type in HALVES:
            numbers = onnx.numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(numbers, tensor.name))
    for attribute in (one for node in graph.node for one in node.attribute if _is_half(one)):
        attribute.i = FLOAT


def _kind(one: Array) -> str:
    return np.asarray(one).dtype.name
