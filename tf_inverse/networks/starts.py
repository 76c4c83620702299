"""Natural codes to start from, those whose activation is near where a row is to go.

A row that begins at a natural code whose activation is near its aim has little to change, so that
it takes few steps and little of what makes it natural is lost. From any other code a search that
may change fine structure makes the neuron content with whatever the code showed. Every row begins
at a code of its own, a natural one with noise: a code that lay in the range as it was would be
handed out as a sample again and again.

Activations are those of the natural images where the network stores them, as it does of its
output's units, and those of the images that G draws of the codes for any other neuron.

The codes are shuffled like a deck and dealt `HAND` a row; of those, each row takes the nearest that
no other row took. What a row gets depends on the seed and on the row's number alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tf_inverse.band import Bands
from tf_inverse.compute.precision import exact
from tf_inverse.networks import codes, rendering, unit_nature
from tf_inverse.networks.code_law import KERNEL

if TYPE_CHECKING:
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks.networks import Networks
    from tf_inverse.neuron import Neuron
    from tf_inverse.tensors import Array

Dealer = Callable[[int, Any], Any]

BATCH, MOST = 50, 1000
"""Codes that are drawn at a time, and altogether, to see what they excite."""
HAND = 4
"""Natural codes that are dealt a row: with more, rows begin nearer and more alike."""
PICKED = 2
"""Candidates a sample where starts are near: the two together cost no more than random starts."""
RARE = 50
"""Of so many random images one lies beyond where images chosen for their activations are dealt."""
DECK, NOISE = 10, 11
"""First words of the random numbers' counters: `codes.Stream` has 1."""


class Bank(NamedTuple):
    """The natural codes of a pair.

    Attributes:
        codes: [N, d] float32.
        typical: How many of them, the first ones, were chosen at random.
        sd: Standard deviation of the noise of each entry, [d].
    """

    codes: Array
    typical: int
    sd: Array


def settled(networks: Networks, settings: Settings) -> Settings:
    """The settings with the starts, and the candidates a sample, that "auto" stands for.

    Where the network starts from natural codes, starts are near and candidates `PICKED`.
    """
    if settings.starts == "auto" and settings.candidates is None and bank(networks):
        settings = dataclasses.replace(settings, candidates=PICKED)
    return alone(networks, settings)


def alone(networks: Networks, settings: Settings) -> Settings:
    """The same for rows that serve several neurons, each by itself: one candidate a sample."""
    if settings.starts != "auto":
        return settings
    starts = "random" if bank(networks) is None else "near"
    return dataclasses.replace(settings, starts=starts, candidates=settings.candidates or 1)


def lacking(networks: Networks, settings: Settings) -> str | None:
    """What to say where near starts are asked for that cannot be, or None."""
    if settings.starts != "near" or bank(networks) is not None:
        return None
    return f"starts are random: {networks.name} keeps no natural codes to start near"


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


def bank(networks: Networks) -> Bank | None:
    """The codes that rows begin near, or None where the network does not start from natural ones.

    The generator's codes are then what the classifier's encoder gives.
    """
    stored, size = networks.natural, networks.codes.size
    if networks.codes.kind != "bank" or stored is None or stored.encodings is None:
        return None
    random = stored.codes(size)
    if np.shape(stored.encodings)[1] != size or random is None:
        return None

    def made() -> Bank:
        c = np.asarray(stored.encodings, np.float32)
        typical = max(stored.typical, len(random))
        return Bank(c, typical, c[:typical].std(axis=0))

    return networks.compiled("starts", made)


def near(networks: Networks, bands: Bands, seed: int) -> Dealer | None:
    """A dealer of starting codes for `codes.Stream`.

    Args:
        networks: The pair.
        bands: Neurons with their ranges, p of them.
        seed: Of the run.

    Returns:
        (number of a block, aims as shares of the ranges [k, p]) -> codes [k, d] float32, within the
        bounds. None where the network does not start from natural codes.
    """
    if bank(networks) is None:
        return None
    z = unit_nature.encoded(networks, bands.neurons)
    if z is None:
        neurons = bands.neurons
        z = networks.compiled(("starts of", neurons), lambda: drawn(networks, neurons))
    return _dealer(networks, z, bands, seed)


def each(networks: Networks, bands: Bands, seed: int) -> list[Dealer]:
    """A dealer of its own for each of several neurons, of a network that has a `bank`.

    Args:
        networks: The pair.
        bands: Neurons with their ranges.
        seed: Of the run.
    """
    columns: dict[Neuron, Array] = {}
    for neuron in bands.neurons:
        z = unit_nature.encoded(networks, (neuron,))
        if z is not None:
            columns[neuron] = z
    others = tuple(one for one in dict.fromkeys(bands.neurons) if one not in columns)
    if others:
        columns |= dict(zip(others, drawn(networks, others).T[:, :, np.newaxis], strict=True))
    return [_dealer(networks, columns[one.neuron], Bands([one]), seed) for one in bands]


def drawn(networks: Networks, neurons: tuple[Neuron, ...]) -> Array:
    """Activations [N, p] of neurons over the images that G draws of the bank's first codes."""
    found = bank(networks)
    assert found is not None, "only networks with a bank start near"
    parts = []
    with exact():
        for first in range(0, min(MOST, len(found.codes)), BATCH):
            c = np.clip(found.codes[first : first + BATCH], *networks.codes.limits)
            # A short batch is filled up, so that one graph serves all.
            rows = np.concatenate([c, np.zeros((BATCH - len(c), c.shape[1]), np.float32)])
            x = rendering.drawn(networks, rows)
            parts.append(networks.activations(x, neurons, BATCH)[: len(c)])
    return np.concatenate(parts).astype(np.float64)


def _dealer(networks: Networks, z: Array, bands: Bands, seed: int) -> Dealer:
    found = bank(networks)
    assert found is not None, "only networks with a bank start near"
    cards = _deck(z, found.typical)
    shares = ((z - bands.z1) / (bands.z2 - bands.z1))[cards]

    def deal(block: int, t: Array) -> Array:
        hand = _hand(len(cards), seed, block, len(t))
        far = np.abs(shares[hand] - t[:, np.newaxis]).max(axis=2)
        noise = codes.generator(seed, NOISE, block).standard_normal((len(t), len(found.sd)))
        c = found.codes[cards[hand[_matched(far)]]] + KERNEL * found.sd * noise
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
