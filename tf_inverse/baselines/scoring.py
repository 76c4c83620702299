"""What the rivals have in common: images as they are stored, scored, as `Samples`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tf_inverse.archive import Samples
from tf_inverse.band import Neuron
from tf_inverse.tensors import Array, Tensor

if TYPE_CHECKING:
    from tf_inverse.method.normalization import Scale
    from tf_inverse.networks.networks import Networks


# Mean over the 4096 entries of CaffeNet's fc6 code of their standard deviation over natural images:
# act_range's files 1x, 2x and 3x have means 4.37, 8.11 and 11.85, so 0.63 + 3.74 a deviation.
CAFFENET_SD = 3.74


def unit(scale: Scale) -> float:
    """How many units of another pair's code a unit of CaffeNet's fc6 code is.

    The rivals' steps and bounds were chosen for that code; this carries them over.

    Args:
        scale: `normalization.Scale` of the pair.
    """
    return scale.c_sd / CAFFENET_SD


def place(h: Tensor, at: Tensor) -> Tensor:
    """All units [K, U] of a layer at one position.

    Args:
        h: [K, U], [K, tokens, U] or [K, rows, columns, U].
        at: Of a `band.Neuron`: row and column, "mean" or "max" over the map, or None.
    """
    if len(h.shape) == 2:
        return h
    maps = tf.reshape(h, (-1, int(np.prod(h.shape[1:-1])), h.shape[-1]))
    if isinstance(at, str):
        return tf.reduce_mean(maps, axis=1) if at == "mean" else tf.reduce_max(maps, axis=1)
    return maps[:, at[0] * h.shape[-2] + at[1]]


def samples(
    networks: Networks, neurons: tuple[Neuron, ...], x: Array, c: Array, steps: Array, chain: Array
) -> Samples:
    """Scores images in float32, as the sampler does, but keeps all of them that are numbers.

    A chain that overflowed has codes that are none, which no archive holds.

    Args:
        networks: `networks.Networks`.
        neurons: Of the bands.
        x: Images with the numbers that are stored, [k, H, W, C].
        c: Codes, [k, d].
        steps: Step of each, [k].
        chain: Chain of each, [k].
    """
    sound = np.isfinite(c).all(axis=1)
    images = x[sound].astype(networks.stored, copy=False)
    e, z = networks.score(images, neurons)
    columns = np.asarray(steps, np.int64)[sound], np.asarray(chain, np.int32)[sound]
    rows = np.isfinite(e).all(axis=1) & np.isfinite(z).all(axis=1)
    return Samples(images, c[sound], e, z, *columns).rows(rows)
