"""Graphs of ONNX, and those within them: the branches of an If, the bodies of loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def graphs(graph: Any) -> Iterator[Any]:
    """A graph and all that are within it, to any depth."""
    yield graph
    for node in graph.node:
        for one in node.attribute:
            if one.HasField("g"):
                yield from graphs(one.g)


def nodes(graph: Any) -> Iterator[Any]:
    """All nodes of a graph, and those of the graphs within it."""
    for one in graphs(graph):
        yield from one.node
