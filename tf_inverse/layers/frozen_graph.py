"""Frozen graphs of TensorFlow 1 (`.pb`, a GraphDef with its weights as constants) as SavedModels.

Such a file has no signature: its one input is the placeholder, and its output what nothing else
in the graph takes.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import graph_pb2

from tf_inverse import private
from tf_inverse.errors import RefusedInput, UsageError, reason
from tf_inverse.tensors import StrPath, Tensor

LARGEST = 2 << 30
"""Bytes that Protocol Buffers can read."""


def write(path: StrPath, folder: StrPath, size: tuple[int, ...] | None = None) -> None:
    """Writes a SavedModel that gives what a frozen graph gives.

    Args:
        path: Of the `.pb` file. Its graph is trusted: operations can read and write files.
        folder: To be made.
        size: (H, W, C) of the image, where the file leaves it open.

    Raises:
        RefusedInput: The file holds no GraphDef, or one that TensorFlow cannot import.
        UsageError: Its input or its output cannot be told, or its input is no image, or one
            without a fixed size.
    """
    graph = _read(path)
    feed = _placeholder(graph, path)
    shape = sized(_picture(feed, path), size)[1:]
    if None in shape:
        raise UsageError(f"expected --size=ROWS,COLUMNS,CHANNELS for {path}, whose input has none")
    taken = tf.TensorSpec((None, *shape), tf.dtypes.as_dtype(feed.attr["dtype"].type), "image")
    found: list[str] = []
    try:
        # Only a graph tells the shapes, and so which of the last operations is the output.
        traced = tf.function(_imported(graph, feed.name, found), autograph=False)
        traced.get_concrete_function(taken)
    except Exception as error:  # TensorFlow raises almost anything for a graph that does not fit
        raise RefusedInput(
            f"{path}: TensorFlow cannot import the graph ({reason(error)})"
        ) from error
    if not found:
        raise UsageError(
            f"expected a graph with a row of numbers for each image in {path}, its last operations "
            f"give none: a graph for one image at a time, or one that is no classifier's"
        )
    module = tf.Module()
    run = _imported(graph, feed.name, found[-1:])
    module.run = tf.function(run, input_signature=[taken], autograph=False)
    tf.saved_model.save(module, str(folder), signatures=module.run)


def _read(path: StrPath) -> Any:
    if pathlib.Path(path).stat().st_size > LARGEST:
        raise RefusedInput(f"{path}: is larger than {LARGEST} bytes")
    graph = graph_pb2.GraphDef()
    try:
        graph.ParseFromString(pathlib.Path(path).read_bytes())
    except DecodeError as error:
        raise RefusedInput(f"{path}: no frozen graph ({reason(error)})") from error
    return graph


def _placeholder(graph: Any, path: StrPath) -> Any:
    found = [node for node in graph.node if node.op == "Placeholder"]
    if len(found) != 1:
        names = ", ".join(node.name for node in found[:5]) or "none"
        raise UsageError(
            f"expected one placeholder, the image, in the frozen graph {path}, there is {names}; "
            f"write a SavedModel with one input where it was made"
        )
    return found[0]


def _picture(node: Any, path: StrPath) -> tf.TensorShape:
    """Shape of a placeholder of images, [B, rows, columns, channels] or grey [B, rows, columns].

    Raises:
        UsageError: It takes something else, which no size makes an image.
    """
    shape = tf.TensorShape(node.attr["shape"].shape if "shape" in node.attr else None)
    grey = shape.rank == 3 and shape[0] is None and None not in shape[1:]
    if shape.rank in (None, 4) or grey:
        return shape
    raise UsageError(
        f"expected a frozen graph of images [B, rows, columns, channels] or [B, rows, columns], "
        f"the placeholder {node.name} of {path} takes {shape.as_list()}; where it was made, write "
        f"a SavedModel that takes images"
    )


def sized(shape: tf.TensorShape, size: tuple[int, ...] | None) -> tf.TensorShape:
    """Shape of an input with its batch axis; a size is taken where the input leaves its own open.

    Args:
        shape: As the file has it.
        size: Without the batch axis, or None where the user gives none.
    """
    if shape.rank is not None and (size is None or None not in shape[1:]):
        return shape
    return tf.TensorShape((None, *(size or (None,))))


def _imported(graph: Any, feed: str, fetch: list[str]) -> Callable[[Tensor], dict[str, Tensor]]:
    """A function of images that runs the graph; it notes the outputs there are, if none is asked.

    Args:
        graph: GraphDef.
        feed: Name of the placeholder.
        fetch: Names of outputs; an empty list gets those that nothing in the graph takes.
    """

    def run(image: Tensor) -> dict[str, Tensor]:
        tf.graph_util.import_graph_def(graph, input_map={f"{feed}:0": image}, name="")
        here = private.default_graph()
        if not fetch:
            fetch.extend(_ends(here.get_operations()))
        return {name: here.get_tensor_by_name(f"{name}:0") for name in fetch}

    return run


def _ends(operations: list[Any]) -> list[str]:
    """Names of operations that nothing takes and that give a row of numbers for each image."""
    ran = [one for one in operations if one.outputs and one.type != "Placeholder"]
    last = [one for one in ran if not one.outputs[0].consumers()]
    tensors = [one.outputs[0] for one in last if one.outputs[0].dtype.is_floating]
    rows = [h for h in tensors if h.shape.rank in (2, 3, 4) and h.shape[0] is None]
    return [h.op.name for h in rows if None not in h.shape[1:]]
