"""Natural codes inside a SavedModel, and how it begins near them: `networks.starts` in tensors.

A graph has no generator of NumPy's: a block of rows gets other cards of the same deck than the
library gives it, by the same rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from tf_inverse.compute.device import looping
from tf_inverse.networks import starts, unit_nature
from tf_inverse.networks.code_law import KERNEL
from tf_inverse.neuron import Neuron
from tf_inverse.tensors import Array, Tensor

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

LEVELS = 255
DECK, NOISE, AIMS = 0, 1, 2
"""What random numbers are for: folded into the seed."""
PHILOX = "philox"
"""The same numbers on every device, where "auto_select" takes what is quick there."""


class Deck(NamedTuple):
    """The natural codes of a pair, in a byte an entry, and what they excite.

    A byte is a step of `step` from `low`: of the entry's whole width a 255th, which the noise of a
    start hides.

    Attributes:
        codes: [N, d] uint8.
        low: Smallest value of each entry, [d].
        step: Width of each entry, a 255th, [d].
        noise: Standard deviation of a start's noise, [d].
        typical: How many codes, the first ones, were chosen at random.
        activations: Of the units of each exported layer, [N, U] float32, or None of a layer of
            which nothing is stored.
    """

    codes: Array
    low: Array
    step: Array
    noise: Array
    typical: int
    activations: tuple[Array | None, ...]

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        known = [z.nbytes for z in self.activations if z is not None]
        return sum(known) + sum(a.nbytes for a in self[:4])


def deck(
    networks: Networks, layers: Sequence[str], directions: Sequence[Sequence[Neuron]]
) -> Deck | None:
    """The deck of a pair, or None where it does not start from natural codes.

    Args:
        networks: The pair.
        layers: Those of the export.
        directions: Further units of each of them.
    """
    bank = starts.bank(networks)
    if bank is None:
        return None
    low = bank.codes.min(axis=0)
    step = (bank.codes.max(axis=0) - low) / LEVELS
    packed = np.round((bank.codes - low) / np.where(step > 0, step, 1)).astype(np.uint8)
    activations = []
    for layer, along in zip(layers, directions, strict=True):
        units = [Neuron(layer, unit) for unit in range(networks.layer_shape(layer)[-1])]
        z = unit_nature.encoded(networks, [*units, *along])
        activations.append(None if z is None else z.astype(np.float32))
    noise = (KERNEL * bank.sd).astype(np.float32)
    return Deck(packed, low, step, noise, bank.typical, tuple(activations))


def codes(deck: Deck, limits: tuple[float, float]) -> Tensor:
    """The codes [N, d] float32 of a deck, within the bounds."""
    c = deck.low + tf.cast(tf.constant(deck.codes), tf.float32) * deck.step
    return tf.clip_by_value(c, *limits)


def stored(deck: Deck, neurons: Tensor) -> tuple[Tensor, Tensor]:
    """Whether activations of all these neurons are in a deck, and those that are: [N, p].

    Args:
        deck: The deck.
        neurons: Rows [layer, unit, row, column], [p, 4].
    """
    # Of the mean or the maximum over a map nothing is stored.
    known, z = neurons[:, 2] >= 0, []
    for layer, table in enumerate(deck.activations):
        mine = neurons[:, 0] == layer
        if table is None:
            known &= ~mine
            continue
        units = tf.where(mine, neurons[:, 1], 0)
        z.append(tf.where(mine, tf.gather(tf.constant(table), units, axis=1), 0.0))
    count = len(deck.codes)
    nothing = tf.zeros((count, tf.shape(neurons)[0]))
    return tf.reduce_all(known), tf.add_n([nothing, *z])


def looked(look: Callable[[Tensor, Tensor], Tensor], c: Tensor, neurons: Tensor) -> Tensor:
    """Activations [N, p] of codes that have to be drawn, `starts.BATCH` at a time.

    Args:
        look: (codes [k, d], neurons) -> activations [k, p].
        c: Codes, [N, d].
        neurons: Their rows, [p, 4].
    """
    z = tf.zeros((0, tf.shape(neurons)[0]))
    for i in tf.range(0, tf.shape(c)[0], starts.BATCH):
        tf.autograph.experimental.set_loop_options(
            shape_invariants=[(z, tf.TensorShape([None, None]))]
        )
        z = tf.concat([z, look(c[i : i + starts.BATCH], neurons)], axis=0)
    return z


def cards(z: Tensor, typical: int) -> Tensor:
    """Numbers of the codes that are dealt, as `starts._deck` chooses them from z [N, p]: [D]."""
    ordered = tf.sort(z[:typical], axis=0)
    at = np.array([1 / starts.RARE, 1 - 1 / starts.RARE]) * (typical - 1)
    below = np.floor(at).astype(np.int32)
    above = np.minimum(below + 1, typical - 1)
    part = tf.constant((at - below)[:, np.newaxis], tf.float32)
    low, high = tf.gather(ordered, below), tf.gather(ordered, above)
    ends = low + part * (high - low)
    rare = tf.reduce_any((z <= ends[0]) | (z >= ends[1]), axis=1)
    return tf.where(rare | (tf.range(tf.shape(z)[0]) < typical))[:, 0]


def dealt(share: Tensor, aims: Tensor, rows: Tensor, seed: Tensor) -> Tensor:
    """For each aim the number of the card that its row takes: [R] int32.

    Args:
        share: Activations of the cards as shares of the ranges, [D, p].
        aims: Uniform numbers, [R, p].
        rows: K, of a block that is dealt at a time.
        seed: [2].
    """
    size, hand = tf.shape(share)[0], starts.HAND * rows
    blocks = tf.maximum(size // hand, 1)
    taken = tf.zeros((0,), tf.int32)
    for first in tf.range(0, tf.shape(aims)[0], rows):
        tf.autograph.experimental.set_loop_options(
            shape_invariants=[(taken, tf.TensorShape([None]))]
        )
        number = first // rows
        order = _shuffled(size, _folded(seed, number // blocks))
        mine = tf.gather(order, ((number % blocks) * hand + tf.range(hand)) % size)
        t = aims[first : first + rows]
        far = tf.abs(tf.gather(share, mine)[tf.newaxis] - t[:, tf.newaxis])
        taken = tf.concat([taken, tf.gather(mine, matched(tf.reduce_max(far, axis=2)))], axis=0)
    return taken


@looping
def matched(far: Tensor) -> Tensor:
    """For each row the column that it takes, as `starts._matched` has it.

    Args:
        far: How far each column is from each row, [rows, columns], no fewer columns than rows.
    """
    shape = tf.shape(far)
    left = tf.where(tf.math.is_nan(far), far.dtype.max, far)
    taken = tf.zeros(shape[:1], tf.int32)
    for _ in tf.range(shape[0]):
        place = tf.argmin(tf.reshape(left, [-1]), output_type=tf.int32)
        row, column = place // shape[1], place % shape[1]
        here, there = tf.range(shape[0]) == row, tf.range(shape[1]) == column
        taken = tf.where(here, column, taken)
        left = tf.where(here[:, tf.newaxis] | there, np.float32(np.inf), left)
    return taken


def _shuffled(size: Tensor, seed: Tensor) -> Tensor:
    keys = tf.random.stateless_uniform(size[tf.newaxis], seed, alg=PHILOX)
    return tf.argsort(keys, stable=True)


def _folded(seed: Tensor, number: Tensor | int) -> Tensor:
    return tf.random.experimental.stateless_fold_in(seed, number, alg=PHILOX)


def make(
    deck: Deck, look: Callable[[Tensor, Tensor], Tensor], limits: tuple[float, float]
) -> Callable[..., tuple[Tensor, Tensor]]:
    """A function (neurons [p, 4], ranges [p, 2], seed, K, R) -> codes [R, d] and aims [R, p].

    Args:
        deck: From `deck`.
        look: (codes [k, d], neurons) -> activations [k, p].
        limits: Bounds of codes.
    """
    seen, choose = looping(looked), looping(dealt)

    def deal(
        neurons: Tensor, ranges: Tensor, seed: Tensor, rows: Tensor, count: Tensor
    ) -> tuple[Tensor, Tensor]:
        c, known, z = codes(deck, limits), *stored(deck, neurons)
        if not known:
            z = seen(look, c[: starts.MOST], neurons)
        key = tf.stack([seed, tf.zeros_like(seed)])
        # Whole blocks: what a row gets depends on its number alone.
        whole = rows * -(-count // rows)
        aims = tf.random.stateless_uniform(
            [whole, tf.shape(ranges)[0]], _folded(key, AIMS), alg=PHILOX
        )
        share = (z - ranges[:, 0]) / (ranges[:, 1] - ranges[:, 0])
        mine = cards(z, deck.typical)
        which = choose(tf.gather(share, mine), aims, rows, _folded(key, DECK))
        spread = tf.random.stateless_normal(
            [count, deck.codes.shape[1]], _folded(key, NOISE), alg=PHILOX
        )
        begun = tf.gather(c, tf.gather(mine, which[:count])) + deck.noise * spread
        return tf.clip_by_value(begun, *limits), aims[:count]

    return looping(deal)
