"""Starts near the aims: natural codes of the deck, each row another one, whoever asks when."""

import dataclasses

import numpy as np
import pytest
import worlds

from tf_inverse.band import Band, Bands, Neuron
from tf_inverse.directions import Direction
from tf_inverse.method import loops
from tf_inverse.method.group_rows import GroupRows
from tf_inverse.method.settings import Settings
from tf_inverse.networks import starts
from tf_inverse.networks.code_law import KERNEL
from tf_inverse.networks.codes import Codes, Stream

BANDS = Bands([Band(worlds.NEURON, 0.2, 0.6), Band(Neuron("fc3", 0), -0.1, 0.3)])
ROWS, TYPICAL, STORED = 4, 80, 87


def pair(count=STORED, typical=TYPICAL, **changes):
    """The tiny pair with natural codes, the first of which were chosen at random."""
    rng = np.random.default_rng(5)
    codes = rng.standard_normal((count, 6)).astype(np.float32)
    z = rng.normal(0.2, 0.4, (count, 4)).astype(np.float32)
    z[TYPICAL::2] *= 40.0  # so far out that no random one is
    natural = dataclasses.replace(
        worlds.natural(worlds.tiny_networks()),
        encodings=codes,
        bank=codes[:typical],
        random=typical,
    )
    natural = dataclasses.replace(natural, **{"activations": {"fc3": z}} | changes)
    return worlds.tiny_networks(codes=Codes("bank", 6, (-1.5, 2.0)), natural=natural)


def stream(networks, bands=BANDS, seed=3, block=ROWS):
    return Stream(networks, seed, len(bands), block, starts.near(networks, bands, seed))


def test_each_row_starts_at_the_nearest_free_card_with_noise(monkeypatch):
    """Without noise the very codes: the nearest pair first, by a search over all pairs."""
    networks = pair()
    stored, shares = networks.natural, []
    for band in BANDS:
        z = stored.activations["fc3"][:, band.neuron.unit]
        shares.append((z - band.z1) / (band.z2 - band.z1))
    ends = [np.percentile(s[:TYPICAL], (2, 98)) for s in shares]
    rare = [
        any(not low < s[i] < high for s, (low, high) in zip(shares, ends, strict=True))
        for i in range(TYPICAL, STORED)
    ]
    assert any(rare) and not all(rare)
    deck = [*range(TYPICAL), *(TYPICAL + np.flatnonzero(rare)).tolist()]
    c, t = stream(networks).rows(0, 3 * ROWS)
    sd = KERNEL * stored.encodings[:TYPICAL].std(axis=0)
    assert 0.5 < np.std((c - still(networks, monkeypatch)[0]) / sd) < 1.1  # some entries are cut
    c, again = still(networks, monkeypatch)
    np.testing.assert_array_equal(t, again)
    kept = np.clip(stored.encodings, -1.5, 2.0)
    which = [int(np.flatnonzero((kept == row).all(axis=1))[0]) for row in c]
    assert len(set(which)) == 3 * ROWS  # one deck: no card comes twice
    for block in range(3):
        rows = range(block * ROWS, (block + 1) * ROWS)
        hand = [deck[i] for i in starts._hand(len(deck), 3, block, ROWS)]
        far = {
            (r, h): max(abs(s[h] - t[r, j]) for j, s in enumerate(shares))
            for r in rows
            for h in hand
        }
        while far:
            row, card = min(far, key=far.get)
            assert which[row] == card
            far = {(r, h): d for (r, h), d in far.items() if r != row and h != card}


def still(networks, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(starts, "KERNEL", 0.0)
        return stream(networks).rows(0, 3 * ROWS)


def test_rows_depend_on_their_number_and_the_seed_alone():
    networks = pair()
    whole, pieces = stream(networks).rows(0, 30), stream(networks)
    for start, count in ((0, 4), (4, 8), (3, 2), (11, 9), (29, 1)):
        for part, all_ in zip(pieces.rows(start, count), whole, strict=True):
            np.testing.assert_array_equal(part, all_[start : start + count])
    assert len(np.unique(whole[0], axis=0)) == 30
    assert whole[0].min() >= -1.5 and whole[0].max() <= 2.0
    assert not np.isin(whole[0], stream(networks, seed=4).rows(0, 30)[0]).all()


def test_a_deck_of_few_codes_is_dealt_twice():
    c, _ = stream(pair(count=20, typical=20), block=9).rows(0, 18)
    assert np.isfinite(c).all() and len(np.unique(c, axis=0)) == 18


@pytest.mark.parametrize(
    "networks",
    [
        pair(bank=None),
        worlds.tiny_networks(),
        worlds.tiny_networks(natural=pair().natural),
    ],
    ids=["no bank", "no statistics", "codes of another kind"],
)
def test_where_no_natural_codes_are_known_starts_are_random(networks):
    assert starts.near(networks, BANDS, 0) is None
    near = Settings(starts="near")
    assert "starts are random: tiny keeps no" in starts.lacking(networks, near)
    assert starts.lacking(networks, Settings()) is starts.lacking(pair(), near) is None
    settled = starts.settled(networks, Settings())
    assert settled == Settings(starts="random")


def test_starts_are_near_and_candidates_two_where_there_are_natural_codes():
    networks = pair()

    def settled(**options):
        found = starts.settled(networks, Settings(**options))
        return found.starts, found.candidates

    assert settled() == ("near", 2) and settled(candidates=3) == ("near", 3)
    assert settled(starts="random") == ("random", 1) and settled(starts="near") == ("near", 1)
    one = starts.alone(networks, Settings())
    assert (one.starts, one.candidates) == ("near", 1)
    assert starts.alone(worlds.tiny_networks(), Settings()) == Settings(starts="random")


HIDDEN = Neuron("fc2", 1)
ALONG = Neuron("fc3", Direction("two", np.array([1.0, 0.0, -1.0, 0.0], np.float32)))


@pytest.mark.parametrize("most", [1000, 50])
def test_activations_that_are_not_stored_are_those_of_the_images_of_the_codes(monkeypatch, most):
    """Of the first codes of a large bank."""
    monkeypatch.setattr(starts, "MOST", most)
    networks = pair()
    kept = np.clip(networks.natural.encodings[:most], -1.5, 2.0)
    x = worlds.images(networks, kept)
    units = [worlds.activation(networks, x, Neuron("fc3", unit)) for unit in (0, 2)]
    expected = [worlds.activation(networks, x, HIDDEN), units[0] - units[1]]
    found = starts.drawn(networks, (HIDDEN, ALONG))
    np.testing.assert_allclose(found, np.transpose(expected), rtol=1e-5, atol=1e-5)
    assert starts.near(networks, Bands([Band(HIDDEN, 0.0, 1.0)]), 0)(0, np.zeros((4, 1))).any()


def test_each_neuron_of_a_group_has_the_rows_that_it_has_alone():
    """Of stored and of other neurons, in whatever order the group's rows go to them."""
    networks = pair()
    one = Band(HIDDEN, *np.quantile(starts.drawn(networks, (HIDDEN,)), (0.5, 0.8)))
    bands = Bands([BANDS[0], one])
    alone = [stream(networks, Bands([band])).rows(0, 12) for band in bands]
    rows = GroupRows(networks, bands, Settings(K=ROWS, seed=3, starts="near"))
    turns, at = np.random.default_rng(0).integers(0, 2, 12), [0, 0]
    for first in range(0, 12, 3):
        owner = turns[first : first + 3]
        c, t = rows.next(owner)
        for g, code, aim in zip(owner, c, t, strict=True):
            np.testing.assert_array_equal(code, alone[g][0][at[g]])
            np.testing.assert_array_equal(aim, alone[g][1][at[g]])
            at[g] += 1
        rows.took(owner)


def test_a_run_starts_where_it_is_told_to():
    networks = pair()
    first = {}
    for how in ("near", "random"):
        settings = Settings(K=ROWS, starts=how, seed=3).sized(6)
        scale = loops_scale(networks)
        chunk = next(loops.renew(networks, BANDS, settings, scale))
        first[how] = chunk.before["c"]
    np.testing.assert_array_equal(first["near"], stream(networks).rows(0, ROWS)[0])
    np.testing.assert_array_equal(first["random"], Stream(networks, 3, 2, ROWS).rows(0, ROWS)[0])


def loops_scale(networks):
    from tf_inverse.method.normalization import measure

    return measure(networks, BANDS.neurons)
