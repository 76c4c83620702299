"""Natural codes to start from, those whose activation is near where a row is to go.

A pair that keeps natural codes keeps the activations of their images as well. A row that begins at
such an image has little to change, so that it takes few steps and little of what makes it natural
is lost. Every row begins at a code of its own, a natural one with noise: a code that lay in the
range as it was would be handed out as a sample again and again.

The codes are shuffled like a deck and dealt `HAND` a row; of those, each row takes the nearest that
no other row took. What a row gets depends on the seed and on the row's number alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tf_inverse.networks import codes, logits, unit_nature
from tf_inverse.networks.code_law import KERNEL

if TYPE_CHECKING:
    from tf_inverse.band import Bands
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks.networks import Networks
    from tf_inverse.tensors import Array

HAND = 4
"""Natural codes that are dealt a row: with more, rows begin nearer and more alike."""
PICKED = 2
"""Candidates a sample where starts are near: the two together cost no more than random starts."""
RARE = 50
"""Of so many random images one lies beyond where images chosen for their activations are dealt."""
DECK, NOISE = 10, 11
"""First words of the random numbers' counters: `codes.Stream` has 1."""


def settled(networks: Networks, bands: Bands, settings: Settings) -> Settings:
    """The settings with the starts, and the candidates a sample, that "auto" stands for.

    Starts are near, and candidates `PICKED`, for units of the classifier's output whose activations
    over natural codes the network keeps. That images are truer so was measured for those alone.
    """
    if settings.starts != "auto":
        return settings
    last = [logits.source(one) for one in networks.classifier.outputs]
    outputs = {*last, *(logits.before(networks.classifier, path) for path in last)}
    fit = all(
        neuron.direction is None and networks.layer_path(neuron.layer) in outputs
        for neuron in bands.neurons
    )
    fit = fit and near(networks, bands, settings.seed) is not None
    candidates = settings.candidates or (PICKED if fit else 1)
    return dataclasses.replace(settings, starts="near" if fit else "random", candidates=candidates)


def stream(networks: Networks, bands: Bands, seed: int, block: int, how: str) -> codes.Stream:
    """The fresh rows of a run.

    Args:
        networks: The pair.
        bands: Neurons with their ranges.
        seed: Of the run.
        block: Rows drawn at a time.
        how: `Settings.starts`, "near" or "random".
    """
    dealer = near(networks, bands, seed) if how == "near" else None
    return codes.Stream(networks, seed, len(bands), block, dealer)


def near(networks: Networks, bands: Bands, seed: int) -> Callable[[int, Array], Array] | None:
    """A dealer of starting codes for `codes.Stream`.

    Args:
        networks: The pair.
        bands: Neurons with their ranges, p of them.
        seed: Of the run.

    Returns:
        (number of a block, aims as shares of the ranges [k, p]) -> codes [k, d] float32, within the
        bounds. None where the network stores no natural codes with activations of these neurons.
    """
    stored, z = networks.natural, unit_nature.encoded(networks, bands.neurons)
    if networks.codes.kind != "bank" or stored is None or stored.encodings is None or z is None:
        return None
    if np.shape(stored.encodings)[1] != networks.codes.size:
        return None  # the generator's codes are not what the classifier's encoder gives
    random = stored.codes(networks.codes.size)
    if random is None:
        return None
    bank, shares = np.asarray(stored.encodings, np.float32), (z - bands.z1) / (bands.z2 - bands.z1)
    typical = max(stored.typical, len(random))
    sd, cards = KERNEL * bank[:typical].std(axis=0), _deck(z, typical)
    bank, shares = bank[cards], shares[cards]

    def deal(block: int, t: Array) -> Array:
        hand = _hand(len(bank), seed, block, len(t))
        far = np.abs(shares[hand] - t[:, np.newaxis]).max(axis=2)
        noise = codes.generator(seed, NOISE, block).standard_normal((len(t), bank.shape[1]))
        c = bank[hand[_matched(far)]] + sd * noise
        return np.clip(c, *networks.codes.limits).astype(np.float32)

    return deal


def _deck(z: Array, typical: int) -> Array:
    """Numbers of the natural codes that are dealt: those chosen at random, and rare ones.

    Images that were chosen for their activations are mostly the extremes of other neurons, and not
    what is natural of these. Where such images are as rare as one in `RARE` at either end, they are
    all that there is.

    Args:
        z: Activations of the stored images, [N, p].
        typical: How many of them, the first ones, were chosen at random.
    """
    ends = np.quantile(z[:typical], (1 / RARE, 1 - 1 / RARE), axis=0)
    rare = ((z <= ends[0]) | (z >= ends[1])).any(axis=1)
    return np.flatnonzero(rare | (np.arange(len(z)) < typical))


def _hand(size: int, seed: int, block: int, rows: int) -> Array:
    """Numbers of the cards that a block is dealt, `HAND` for each of its rows.

    Blocks take a deck from its top down; it is shuffled again when too few cards are left. Where
    there are fewer cards than a block is dealt, some are dealt it twice.
    """
    cards = HAND * rows
    if cards > size:
        return np.resize(codes.generator(seed, DECK, block).permutation(size), cards)
    deck, place = divmod(block, size // cards)
    shuffled = codes.generator(seed, DECK, deck).permutation(size)
    return shuffled[place * cards : (place + 1) * cards]


def _matched(far: Array) -> Array:
    """For each row the column that it takes: again and again the nearest free pair.

    Args:
        far: How far each column is from each row, [rows, columns], no fewer columns than rows.

    Returns:
        [rows], all different.
    """
    taken, left = np.zeros(len(far), int), np.nan_to_num(far, nan=np.finfo(np.float64).max)
    for _ in range(len(far)):
        row, column = np.unravel_index(np.argmin(left), left.shape)
        taken[row] = column
        left[row], left[:, column] = np.inf, np.inf
    return taken
