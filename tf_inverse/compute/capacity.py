"""How many codes at a time: as many as pay, and as a device's memory holds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import tensorflow as tf

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks


LEAST = 10
# The first n that come are the sample: with few of them a row, quick ones would be preferred.
EACH = 10
SHARE = 0.5


def suggest(networks: Networks, layers: tuple[str, ...], n: int, memory: int) -> int:
    """K for `--K=auto`: a tenth of the samples, at least ten, in at most half of the memory.

    Args:
        networks: `networks.Networks`.
        layers: Layers of the target neurons.
        n: Samples asked for.
        memory: Bytes of the device.
    """
    if n // EACH <= LEAST:
        return LEAST
    fit = int(SHARE * memory / row_bytes(networks, layers))
    return max(LEAST, min(n // EACH, fit))


def row_bytes(networks: Networks, layers: tuple[str, ...]) -> int:
    """Bytes of all float32 tensors of one code's way there and back.

    An upper bound, for most of them are freed on the way. The graph is the one that `normalization`
    looks at random codes with, so that none is traced for this alone; the way back has a gradient
    for each tensor of the way there.

    Args:
        networks: `networks.Networks`.
        layers: Layers of the target neurons.
    """
    codes = tf.TensorSpec((LEAST, networks.codes.size), tf.float32)
    where = tf.TensorSpec((len(layers), 3), tf.int32)
    look = networks.looking(layers).get_concrete_function(codes, where)
    graph = look.graph.as_graph_def(add_shapes=True)
    nodes = [*graph.node, *(node for one in graph.library.function for node in one.node_def)]
    shapes = [shape for node in nodes for shape in node.attr["_output_shapes"].list.shape]
    extents = [[side.size for side in one.dim] for one in shapes if not one.unknown_rank]
    # What does not begin with the rows is a weight or a number.
    rows = [one[1:] for one in extents if len(one) > 1 and one[0] == LEAST and min(one) > 0]
    return 2 * tf.float32.size * sum(map(math.prod, rows))
