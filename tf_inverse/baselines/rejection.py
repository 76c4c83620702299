"""Rejection: random codes, kept where their images lie in every band. Slow, and without a bias."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from tf_inverse import metrics
from tf_inverse.archive import Samples
from tf_inverse.band import Band, Bands
from tf_inverse.baselines import scoring
from tf_inverse.networks import codes
from tf_inverse.run import verify

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks


def sample(
    networks: Networks, bands: Iterable[Band], *, draws: int = 2000, seed: int = 0, K: int = 100
) -> Iterator[tuple[Samples, int]]:
    """Draw from the pair's own code distribution.

    Args:
        networks: `networks.Networks`.
        bands: Neurons with their ranges.
        draws: Codes to draw.
        seed: Of the codes.
        K: Codes at a time.

    Yields:
        Samples in every band, `steps` the number of the draw; and how many codes were drawn: looks
        forward, without a gradient.
    """
    bands = Bands(bands)
    for first in range(0, draws, K):
        count = min(K, draws - first)
        c = codes.draw(networks, count, codes.generator(seed, 5, first))
        rows = np.arange(count)
        made = scoring.samples(
            networks, bands.neurons, verify.render(networks, c), c, first + rows, rows
        )
        yield made.rows(metrics.in_range(made.activations, bands.z1, bands.z2)), count
