"""A SavedModel's graph without what TensorFlow works out again as it loads."""

from __future__ import annotations

import pathlib

from tensorflow.core.protobuf import saved_model_pb2

from tf_inverse import private

SHAPES = "_output_shapes"
# Shapes of what these give do not follow from what goes in.
CALLS = (
    "PartitionedCall",
    "StatefulPartitionedCall",
    "While",
    "StatelessWhile",
    "If",
    "StatelessIf",
)


def make(folder: pathlib.Path) -> None:
    """Drops from every node of every function the note of its shape: a sixth of the graph.

    Args:
        folder: Of the SavedModel, changed in place, its fingerprint too.
    """
    path = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in model.meta_graphs:
        for function in graph.graph_def.library.function:
            for node in function.node_def:
                if node.op not in CALLS:
                    node.attr.pop(SHAPES, None)
    path.write_bytes(model.SerializeToString(deterministic=True))
    private.write_fingerprint(folder)
