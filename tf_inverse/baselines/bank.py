"""The bank: natural codes whose images lie in every band, and the most varied of them.

No search at all. In a natural range a sampler has to do better than this to be worth its steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from tf_inverse import choosing, metrics
from tf_inverse.archive import Samples
from tf_inverse.band import Band, Bands
from tf_inverse.baselines import scoring
from tf_inverse.networks import codes, yardstick
from tf_inverse.run import verify

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

BATCH = 100


def sample(networks: Networks, bands: Iterable[Band], n: int) -> Samples:
    """Decodes the bank, keeps the images in every band, and chooses n of them by a greedy k-DPP.

    Args:
        networks: A pair whose statistics hold a bank of natural codes.
        bands: Neurons with their ranges.
        n: Samples to choose.

    Returns:
        At most n samples in the order of choice; `steps` are 0, `chain` is the row of the bank.

    Raises:
        UsageError: The networks have no bank.
    """
    bands = Bands(bands)
    bank = codes.stored(networks, "bank")
    parts = []
    for first in range(0, len(bank), BATCH):
        c = bank[first : first + BATCH]
        rows = np.arange(first, first + len(c))
        x = verify.render(networks, c)
        made = scoring.samples(networks, bands.neurons, x, c, np.zeros_like(rows), rows)
        parts.append(made.rows(metrics.in_range(made.activations, bands.z1, bands.z2)))
    found = Samples.joined(parts)
    width = yardstick.of(networks).bandwidth
    return found.rows(choosing.varied(found.encodings, width, n))
