"""Endpoints that begin near natural codes, of an export whose pair starts from such."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import tensorflow as tf

from tf_inverse.compute.device import traced
from tf_inverse.export import checks, dealing
from tf_inverse.export.addressed import Exported
from tf_inverse.export.checks import Endpoint
from tf_inverse.method import loops
from tf_inverse.tensors import Tensor

if TYPE_CHECKING:
    from tf_inverse.export.endpoints import Shared

INPUTS = {
    "starts": ("neurons", "ranges", "rows", "count", "seed"),
    "draw": ("neurons", "ranges", "sd", "rows", "count", "limit", "seed"),
}
ENOUGH = 4
"""Codes for each sample and each row of the pool."""


def runs(
    exported: Exported, shared: Shared, sample: Endpoint, specs: Mapping[str, tf.TensorSpec]
) -> dict[str, Endpoint]:
    """The endpoints, not yet traced; none where the export has no deck.

    Args:
        exported: What is fixed.
        shared: Parts of the endpoints.
        sample: The endpoint of that name, traced.
        specs: Of every input by name, from `endpoints.specs`.
    """
    networks = exported.networks
    if exported.deck is None:
        return {}

    def look(c: Tensor, neurons: Tensor) -> Tensor:
        return shared.read(shared.images(c), neurons)[1]

    made = dealing.make(exported.deck, look, networks.codes.limits)
    # Traced once for both endpoints: its graph, and the codes in it, are in the file once.
    wanted = [specs[name] for name in ("neurons", "ranges", "seed", "rows", "count")]
    deal = traced(made, input_signature=wanted)

    def asked(
        neurons: Tensor, ranges: Tensor, seed: Tensor, rows: Tensor, count: Tensor
    ) -> list[Tensor]:
        """What `deal` is told before the number of codes, once it is known to be sound."""
        with tf.control_dependencies(checks.asked(exported, neurons, ranges, rows, count)):
            return [tf.identity(one) for one in (neurons, ranges, seed, rows)]

    def starts(
        neurons: Tensor, ranges: Tensor, rows: Tensor, count: Tensor, seed: Tensor
    ) -> dict[str, Tensor]:
        told = asked(neurons, ranges, seed, rows, count)
        c, aims = deal(*told, ENOUGH * (count + rows))
        return {"codes": c, "aims": aims}

    def draw(
        neurons: Tensor,
        ranges: Tensor,
        sd: Tensor,
        rows: Tensor,
        count: Tensor,
        limit: Tensor,
        seed: Tensor,
    ) -> dict[str, Tensor]:
        told = asked(neurons, ranges, seed, rows, count)
        # No more than so many steps can take: a request for many samples and few steps is small.
        chunks = tf.maximum(limit, 0) // loops.STEPS + 2
        most = 2 * tf.cast(rows, tf.int64) * tf.minimum(chunks, 1 << 20)
        number = tf.minimum(ENOUGH * tf.cast(count + rows, tf.int64), most)
        c, aims = deal(*told, tf.cast(number, tf.int32))
        return sample(neurons, ranges, sd, c, aims, rows, count, limit)

    return {"starts": starts, "draw": draw}
