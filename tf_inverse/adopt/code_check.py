"""Whether a generator learned from codes of another law than was said: nothing fails then.

A generator of uniform codes gives images for normal ones as well, but paler or wilder ones than it
learned to give. The means and variances that its first batch normalisation has kept of the training
codes tell, where it is a Keras model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tf_inverse.adopt import pixel_check
from tf_inverse.layers import taps
from tf_inverse.networks import codes
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.adopt.facts import Generator
    from tf_inverse.networks.networks import Networks

COUNT = 256
"""Codes that are looked at."""

APART, SHARE = 0.15, 0.25
"""Divergence from which on the law that was said is doubted, and the share of it that another law
has to stay below. Of codes that are normal, uniform ones on [-1, 1] have a third of the variance:
0.22 apart for who says uniform, and 0.45 for who says normal."""

FAR = 1.0
"""Divergence from which on the law that was said is doubted where no usual one fits either."""

USUAL: dict[str, Callable[[np.random.Generator, tuple[int, int]], Array]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "uniform": lambda rng, shape: rng.uniform(-1.0, 1.0, shape),
    "uniform --bounds=0:1": lambda rng, shape: rng.uniform(0.0, 1.0, shape),
}


def doubts(networks: Networks, G: Generator) -> list[str]:
    """A sentence that names the law of codes that fits better; none where what was said fits.

    Args:
        networks: A pair whose codes are of the kind that was said.
        G: Facts of its generator. What comes from a network's folder is not doubted.
    """
    own = networks.codes
    norm = pixel_check.first_normalisation(networks.generator, taps.shapes(networks.generator))
    if norm is None or G.entries or own.kind not in ("normal", "uniform"):
        return []
    path, layer = norm

    def apart(c: Array) -> float:
        (y,) = taps.run(networks.generator, tf.constant(c, tf.float32), (path,))
        return pixel_check.divergence(layer, np.asarray(y))

    said = apart(codes.draw(networks, COUNT, codes.generator(0, 0)))
    shape = COUNT, own.size
    others = {words: apart(law(codes.generator(0, 0), shape)) for words, law in USUAL.items()}
    best = min(others, key=lambda words: others[words])
    kept = f"the means and variances that {path} kept of its training are"
    if said > APART and others[best] < min(APART, SHARE * said):
        return [
            f"--codes={best} may be meant: {kept} those of such codes, and not of {own.kind} ones"
        ]
    if said > FAR:
        return [
            f"{kept} not those of {own.kind} codes: where the generator learned from others, as on "
            f"a sphere, save a model that makes them of {own.kind} ones by a layer at its beginning"
        ]
    return []
