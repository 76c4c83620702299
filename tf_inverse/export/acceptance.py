"""What is kept of a run inside a SavedModel: as `sampler` does it, in tensors alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_inverse.method.buffer import Buffer
from tf_inverse.method.keeper import TOLERANCE
from tf_inverse.method.problem import Target
from tf_inverse.tensors import Tensor

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks


class Kept(NamedTuple):
    """True samples of a run: x [k, H, W, C] uint8, c, z, step and row of each, and a digest."""

    x: Any
    c: Any
    z: Any
    steps: Any
    chain: Any
    digest: Any


def nothing(networks: Networks, ranges: Tensor) -> Kept:
    """No samples yet, of a pair's images and codes and of p ranges [p, 2]."""
    return Kept(
        tf.zeros((0, *networks.image_shape), tf.uint8),
        tf.zeros((0, networks.codes.size)),
        tf.zeros((0, tf.shape(ranges)[0])),
        tf.zeros((0,), tf.int64),
        tf.zeros((0,), tf.int32),
        tf.zeros((0,), tf.int64),
    )


def any_rows(kept: Kept) -> Kept:
    """The shapes of samples, of which there may be any number."""
    return Kept(*(tf.TensorShape([None, *a.shape[1:]]) for a in kept))


def add(
    kept: Kept,
    buffer: Buffer,
    target: Target,
    rows: Tensor,
    read: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    bound: str,
) -> Kept:
    """Adds what `sampler` would keep: images scored as they are stored, in the range, and new.

    Args:
        kept: So far.
        buffer: From `renewal.make_advance`.
        target: `problem.Target`.
        rows: K, images to score at a time, as the library does.
        read: (images, neurons) -> e, z.
        bound: Of `settings.Settings`.
    """
    z = tf.zeros((0, tf.shape(target.z1)[0]))
    for i in tf.range(0, buffer.count, rows):
        tf.autograph.experimental.set_loop_options(
            shape_invariants=[(z, tf.TensorShape([None, None]))]
        )
        x = tf.cast(buffer.x[i : i + rows], tf.float32)
        z = tf.concat([z, read(x, target.index)[1]], axis=0)
    found = Kept(
        buffer.x[: buffer.count],
        buffer.c[: buffer.count],
        z[: buffer.count],
        buffer.steps[: buffer.count],
        buffer.chain[: buffer.count],
        digest(buffer.x[: buffer.count]),
    )
    inside = _inside(found.z, target, bound)
    twins = (found.digest[:, tf.newaxis] == found.digest) & inside
    earlier = tf.linalg.band_part(tf.cast(twins, tf.int32), -1, 0)
    twin = tf.reduce_sum(tf.linalg.set_diag(earlier, tf.zeros_like(found.chain)), axis=1) > 0
    seen = tf.reduce_any(found.digest[:, tf.newaxis] == kept.digest, axis=1)
    new = inside & ~twin & ~seen
    return Kept(
        *(tf.concat([a, tf.boolean_mask(b, new)], axis=0) for a, b in zip(kept, found, strict=True))
    )


def _inside(z: Tensor, target: Target, bound: str) -> Tensor:
    # As sampler has it: the ends drawn in by what scores may differ between batch sizes.
    z, z1, z2 = (tf.cast(a, tf.float64) for a in (z, target.z1, target.z2))
    slack = tf.minimum(TOLERANCE * tf.maximum(tf.abs(z1), tf.abs(z2)), (z2 - z1) / 4)
    inside = z >= z1 + slack
    if bound == "both":
        inside &= z <= z2 - slack
    return tf.reduce_all(inside, axis=1)


def digest(x: Tensor) -> Tensor:
    """64 bits of each image [k, H, W, C] uint8 that tell it from others: [k] int64.

    A sum with odd weights of which no two are alike, modulo 2^64; the weights are splitmix64's
    first outputs (Steele, Lea and Flood 2014), made here rather than stored with the model.
    """
    size = int(np.prod(x.shape[1:]))
    w = tf.range(1, size + 1, dtype=tf.int64) * np.int64(-7046029254386353131)
    for shift, factor in ((30, -4658895280553007687), (27, -7723592293110705685)):
        w = tf.bitwise.bitwise_xor(w, tf.bitwise.right_shift(w, np.int64(shift))) * np.int64(factor)
    w = tf.bitwise.bitwise_or(w, np.int64(1))
    return tf.reduce_sum(tf.cast(tf.reshape(x, (-1, size)), tf.int64) * w, axis=1)
