"""Which layers of an ONNX file give maps with channels first, as ONNX has them."""

from __future__ import annotations

from collections.abc import Callable

from tf_inverse.adopt.onnx import file, graph, within
from tf_inverse.tensors import StrPath


def channels_first(contents: file.Contents, path: StrPath) -> Callable[[str], bool]:
    """Whether a layer, by the end of its scope, gives maps with channels first, as ONNX has them.

    Some networks turn their maps around and go on with channels last. "" stands for the output.

    Args:
        contents: Of the file.
        path: Of the file.
    """
    last: set[str] = set()
    scopes: set[str] = set()
    for node in within.nodes(contents.proto.graph):
        order = file.attributes(node, path).get("perm") if node.op_type == "Transpose" else None
        turned = any(name in last for name in node.input) and node.op_type not in file.OF_MAPS
        if order in ([0, 2, 3, 1], [0, 3, 1, 2]):
            turned = order == [0, 2, 3, 1]
        if turned:
            last.update(node.output)
            scopes.add(graph.scope_of(node))
    outputs = any(name in last for name in contents.outputs)

    def is_first(layer: str) -> bool:
        if not layer:
            return not outputs
        return not any(f"/{scope}".endswith(f"/{layer}") for scope in scopes)

    return is_first
