"""The best of many candidates: the very ones that determinants and plain Keras calls choose."""

import dataclasses

import drawing
import numpy as np
import pytest
import worlds
from drawing import equal, one_image

from tf_inverse import choosing
from tf_inverse.band import Band, Bands, Neuron
from tf_inverse.directions import Direction
from tf_inverse.errors import Stalled, UsageError
from tf_inverse.method import choice, normalization, quality
from tf_inverse.method.sampler import Samples, sample
from tf_inverse.method.settings import Settings

K, N, MANY = 4, 23, 2


WEIGHT = 0.5


def run(networks, bands, state=None, **options):
    asked = {"n": N, "K": K, "candidates": MANY, "quality": WEIGHT} | options
    return drawing.run(networks, bands, state, **asked)


@pytest.fixture(scope="module")
def bands(band):
    """An intersection across layers."""
    return Bands([band(worlds.NEURON, 0.4, 0.9), band(Neuron("conv1", 1, (2, 5)), 0.2, 0.8)])


@pytest.fixture(scope="module")
def pair():
    """The tiny pair, with what is natural of both layers."""
    networks = worlds.tiny_networks()
    natural = worlds.natural(networks)
    drawn = worlds.images(networks, np.random.default_rng(2).standard_normal((40, 6)))
    units = networks.layer_shape("conv1")[-1]
    maps = [
        worlds.activation(networks, drawn, Neuron("conv1", j, (2, 5)), 40) for j in range(units)
    ]
    percentiles = np.percentile(maps, natural.levels, axis=1).T
    known = natural.layers | {"conv1": (np.mean(maps, 1), np.std(maps, 1), percentiles)}
    return worlds.tiny_networks(natural=dataclasses.replace(natural, layers=known))


@pytest.fixture(scope="module")
def whole(pair, bands):
    return run(pair, bands)


def plain_share(z, percentiles, levels, images):
    """The share of natural images at z or above, from one known percentile to the next."""
    if z <= percentiles[0]:
        return 1.0
    for i in range(1, len(levels)):
        if z <= percentiles[i]:
            part = (percentiles[i] - z) / (percentiles[i] - percentiles[i - 1])
            level = levels[i] - part * (levels[i] - levels[i - 1])
            return max(1 - level / 100, 1 / images)
    return 1 / images


def plain_quality(networks, bands, image):
    """The rarest of the other units, a unit at a time; of two layers the geometric mean."""
    natural, q = networks.natural, 1.0
    for one in bands:
        layer, own, at = one.neuron
        known = natural.layers[layer][2]
        rarest = min(
            plain_share(
                worlds.activation(networks, image[np.newaxis], Neuron(layer, unit, at))[0],
                known[unit],
                natural.levels,
                natural.images,
            )
            for unit in range(len(known))
            if unit != own
        )
        q *= rarest ** (WEIGHT / len(bands))
    return q


def test_the_chosen_are_those_that_determinants_choose(pair, bands, whole):
    """Of the candidates, which a run without choice gives, block by block."""
    block, width = choice.BLOCK * MANY, normalization.measure(pair, (worlds.NEURON,)).bandwidth
    candidates = run(pair, bands, candidates=1, n=3 * block)[1]
    q = np.array([plain_quality(pair, bands, x) for x in candidates.images])
    assert np.ptp(np.log(q)) > 0.5
    e = candidates.encodings.astype(float)
    chosen: list[int] = []
    for first in range(0, len(e), block):
        for _ in range(choice.BLOCK):
            rest = [i for i in range(first, first + block) if i not in chosen]
            sets = [np.array([*chosen, i]) for i in rest]
            squares = [((e[s][:, None] - e[s][None]) ** 2).sum(axis=-1) for s in sets]
            volumes = [
                np.linalg.slogdet(q[s][:, None] * np.exp(-d / (2 * width**2)) * q[s])[1]
                for s, d in zip(sets, squares, strict=True)
            ]
            chosen.append(rest[int(np.argmax(volumes))])
    assert equal(whole[1], candidates.rows(chosen[:N]))
    assert whole[0][-1].info.found == N and len({x.tobytes() for x in whole[1].images}) == N


@pytest.mark.parametrize("inside", [True, False], ids=["many in range", "the nearest"])
def test_without_a_weight_the_chosen_are_as_typical_as_nature(pair, band, inside):
    """The first power whose choice excites other units no more rarely than natural images do."""
    networks = pair
    one, natural = band(worlds.NEURON, 0.5, 0.9), networks.natural
    z, known = natural.activations["fc3"], natural.layers["fc3"][2]
    if not inside:  # so that few natural images lie in the range, and the nearest count
        top = np.sort(z[:, one.neuron.unit])
        one = Band(one.neuron, float(top[-18]), float(top[-3]))
    own = z[:, one.neuron.unit]
    rows = [i for i in range(len(z)) if one.z1 <= own[i] <= one.z2]
    assert (len(rows) >= quality.ENOUGH) == inside
    if not inside:
        away = np.maximum(one.z1 - own, own - one.z2)
        rows = np.argsort(np.where(away < 0, 0, away), kind="stable")[: quality.ENOUGH]

    def rarest(values):
        others = [u for u in range(len(known)) if u != one.neuron.unit]
        return np.log(
            min(plain_share(values[u], known[u], natural.levels, natural.images) for u in others)
        )

    aim = np.mean([rarest(z[i]) for i in rows])
    bands, block = Bands([one]), choice.BLOCK * MANY
    candidates = run(networks, bands, candidates=1, n=2 * block)[1]
    logs = np.log([plain_quality(networks, bands, x) for x in candidates.images]) / WEIGHT
    width = normalization.measure(networks, (worlds.NEURON,)).bandwidth
    expected, powers = [], []
    for first in range(0, 2 * block, block):
        e, before = candidates.encodings, candidates.encodings[expected]
        for power in quality.WEIGHTS:
            q = np.exp(power * logs[first : first + block])
            order = first + choosing.varied(e[first : first + block], width, 10, q, before)
            if logs[order].mean() >= aim:
                break
        expected += order.tolist()
        powers.append(power)
    assert np.allclose(quality.natural(networks, bands), aim, atol=1e-4)
    found = run(networks, bands, n=2 * choice.BLOCK, quality=None)[1]
    assert equal(found, candidates.rows(expected)), powers


def test_resumed_from_any_batch_equals_uninterrupted(pair, bands, whole):
    batches, found = whole
    assert sum(len(b.samples.steps) > 0 for b in batches) > 2
    for i, batch in enumerate(batches[:-1]):
        before = sum(len(b.samples.steps) for b in batches[: i + 1])
        assert equal(run(pair, bands, batch.state)[1], found.rows(slice(before, None))), i


@pytest.mark.parametrize("n", [1, 10, 13])
def test_raised_n_continues_as_if_it_had_been_asked_for(pair, bands, whole, n):
    """In the middle of a block, and at its end."""
    batches, first = run(pair, bands, n=n)
    rest = run(pair, bands, batches[-1].state)[1]
    assert len(first.steps) == n and equal(Samples.joined([first, rest]), whole[1])


def test_the_choice_sees_the_latest_samples_alone(pair, bands, whole, monkeypatch):
    """What the state holds of them does not grow with n."""
    monkeypatch.setattr(choice, "WINDOW", 12)
    batches, found = run(pair, bands)
    assert {len(b.state["choice.before"]) for b in batches} == {0, 10, 12}
    np.testing.assert_array_equal(batches[-1].state["choice.before"], found.encodings[8:20])
    assert not equal(found, run(pair, bands, n=33)[1].rows(slice(N, None)))


def test_candidates_that_fill_no_block_are_not_lost(tiny):
    """A generator with a single image: no block is ever full."""
    one = one_image(tiny.classifier)
    image = np.full((1, 8, 8, 3), 90, np.uint8)
    z = float(worlds.activation(tiny, image, worlds.NEURON)[0])
    kept, settings = [], Settings(n=3, K=2, patience=5, candidates=MANY)
    with pytest.raises(Stalled, match="found 1. fc3:2") as stalled:
        for batch in sample(one, (Band(worlds.NEURON, z - 1, z + 1),), settings):
            kept.extend(batch.samples.images)
    assert stalled.value.found == 1 and np.array_equal(kept, image)


def test_shares_are_those_of_images_that_excite_a_unit_as_much():
    """A hundred and one images, each of which is a percentile; many of them are silent."""
    nature = np.maximum(np.random.default_rng(0).standard_normal((101, 3)), 0).astype(np.float32)
    levels, percentiles = np.arange(101), np.sort(nature, axis=0).T
    z = np.concatenate([nature, [[-1.0, 9.0, np.nan]]])
    counted = np.array(
        [[max((nature[:, j] >= one).sum() - 1, 1) for j, one in enumerate(row)] for row in z]
    )
    np.testing.assert_allclose(
        quality.shares(z, percentiles, levels, 100), counted / 100, atol=1e-9
    )


ALONE = Neuron("fc3", Direction("two", np.array([1.0, 0.0, -1.0, 0.0], np.float32)))


def test_the_units_that_a_direction_weighs_are_its_own(pair):
    """Units 1 and 3 are left, as where both others are targets."""
    drawn = worlds.images(pair, np.random.default_rng(3).standard_normal((5, 6)))
    both = Bands([Band(Neuron("fc3", unit), 0.0, 1.0) for unit in (0, 2)])
    one = np.exp(quality.logs(pair, Bands([Band(ALONE, 0.0, 1.0)]), drawn, K))
    np.testing.assert_array_equal(one, np.exp(quality.logs(pair, both, drawn, K)))
    assert np.ptp(one) > 0 and (one > 0).all() and (one <= 1).all()


@pytest.mark.parametrize(
    ("neuron", "weight"),
    [
        (Neuron("fc2", 0), 1.0),
        (Neuron("conv1", 0, "mean"), 1.0),
        (Neuron("fc3", Direction("all", np.ones(4, np.float32))), 1.0),
        (worlds.NEURON, 0.0),
    ],
    ids=["nothing natural is known", "over a map", "no other unit", "no weight"],
)
def test_where_other_units_do_not_count_all_qualities_are_one(pair, neuron, weight):
    drawn = worlds.images(pair, np.random.default_rng(3).standard_normal((5, 6)))
    found = np.exp(weight * quality.logs(pair, Bands([Band(neuron, 0.0, 1.0)]), drawn, K))
    np.testing.assert_array_equal(found, np.ones(5))


def test_a_law_takes_no_choice():
    with pytest.raises(UsageError, match="candidates 1 for method langevin"):
        Settings(method="langevin", candidates=2)


def test_candidates_are_two_where_starts_are_near_of_their_own_accord():
    assert Settings().candidates is None and Settings(starts="near").candidates == 1
    for method in ("paper", "langevin"):
        assert (Settings(method=method).starts, Settings(method=method).candidates) == ("random", 1)
    with pytest.raises(UsageError, match="expected quality >= 0, got -1"):
        Settings(quality=-1)
