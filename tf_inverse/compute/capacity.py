"""How many codes at a time: as many as pay, and as a device's memory holds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import tensorflow as tf

from tf_inverse.tensors import Tensor

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

    An upper bound, for most of them are freed on the way: seven to twelve times what CaffeNet with
    its generator and the shipped pair take on a CPU.

    Args:
        networks: `networks.Networks`.
        layers: Layers of the target neurons.
    """

    @tf.function(autograph=False)
    def both_ways(c: Tensor) -> Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(c)
            view = networks.look(c, layers, tf.zeros((len(layers), 3), tf.int32))
        seen = (view.e, view.s)
        ones = [tf.ones_like(one) for one in seen]
        return tape.gradient(seen, c, ones, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    code = tf.TensorSpec((1, networks.codes.size), tf.float32)
    graph = both_ways.get_concrete_function(code).graph.as_graph_def(add_shapes=True)
    nodes = [*graph.node, *(node for one in graph.library.function for node in one.node_def)]
    shapes = [shape for node in nodes for shape in node.attr["_output_shapes"].list.shape]
    extents = [[side.size for side in one.dim] for one in shapes if not one.unknown_rank]
    # What does not begin with the row is a weight or a number.
    rows = [sides for sides in extents if len(sides) > 1 and sides[0] == 1 and min(sides) > 0]
    return tf.float32.size * sum(map(math.prod, rows))
