"""Natural statistics of a classifier as a pair's folder has them, and codes to start from."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from tf_inverse.adopt import nature
from tf_inverse.networks import codes

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks


def described(networks: Networks, images: np.ndarray, seed: int, description: str) -> Networks:
    """The networks with statistics over images, and with codes that start as encodings of some.

    Args:
        networks: The generator takes the encoding.
        images: [N, H, W, C] uint8 of the generator's size.
        seed: Chooses the bank.
        description: What the images are.
    """
    natural = nature.statistics(networks, nature.Images(images, words=description), seed=seed)
    e = natural.encodings
    assert e is not None, "they have just been measured"
    natural = dataclasses.replace(natural, bank=e[: natural.random], random=None)
    bounds = (0.0, float(e.max())) if e.min() >= 0 else None
    return dataclasses.replace(
        networks, natural=natural, codes=codes.Codes("bank", e.shape[1], bounds)
    )
