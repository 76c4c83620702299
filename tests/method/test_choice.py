"""The best of many candidates: the very ones that determinants and plain Keras calls choose."""

import drawing
import numpy as np
import pytest
import worlds
from drawing import equal, one_image

from tf_inverse.band import Band, Bands, Neuron
from tf_inverse.errors import Stalled, UsageError
from tf_inverse.method import choice, normalization, quality
from tf_inverse.method.sampler import Samples, sample
from tf_inverse.method.settings import Settings

K, N, MANY = 4, 23, 2


def run(networks, bands, state=None, **options):
    return drawing.run(networks, bands, state, **{"n": N, "K": K, "candidates": MANY} | options)


@pytest.fixture(scope="module")
def bands(band):
    """An intersection across layers."""
    return Bands([band(worlds.NEURON, 0.4, 0.9), band(Neuron("conv1", 1, (2, 5)), 0.2, 0.8)])


@pytest.fixture(scope="module")
def whole(tiny, bands):
    return run(tiny, bands)


def plain_quality(networks, bands, image):
    """exp(-fall / 2) / sqrt(variation), a pixel and a view at a time."""
    x = image.astype(float)
    height, width, _ = x.shape
    across = np.mean([abs(x[i, j + 1] - x[i, j]) for i in range(height) for j in range(width - 1)])
    down = np.mean([abs(x[i + 1, j] - x[i, j]) for i in range(height - 1) for j in range(width)])
    views = [x[:, ::-1]]
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        rows = np.clip(np.arange(height) + dy, 0, height - 1)
        columns = np.clip(np.arange(width) + dx, 0, width - 1)
        views.append(x[rows][:, columns])
    falls = []
    for one in bands:
        z, *moved = worlds.activation(networks, np.stack([x, *views]), one.neuron)
        falls.append((z - np.mean(moved)) / (one.z2 - one.z1))
    return np.exp(-np.mean(falls) / 2) / (across + down) ** 0.5


def test_the_chosen_are_those_that_determinants_choose(tiny, bands, whole):
    """Of the candidates, which a run without choice gives, block by block."""
    block, width = choice.BLOCK * MANY, normalization.measure(tiny, (worlds.NEURON,)).bandwidth
    candidates = run(tiny, bands, candidates=1, n=3 * block)[1]
    q = np.array([plain_quality(tiny, bands, x) for x in candidates.images])
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


def test_resumed_from_any_batch_equals_uninterrupted(tiny, bands, whole):
    batches, found = whole
    assert sum(len(b.samples.steps) > 0 for b in batches) > 2
    for i, batch in enumerate(batches[:-1]):
        before = sum(len(b.samples.steps) for b in batches[: i + 1])
        assert equal(run(tiny, bands, batch.state)[1], found.rows(slice(before, None))), i


@pytest.mark.parametrize("n", [1, 10, 13])
def test_raised_n_continues_as_if_it_had_been_asked_for(tiny, bands, whole, n):
    """In the middle of a block, and at its end."""
    batches, first = run(tiny, bands, n=n)
    rest = run(tiny, bands, batches[-1].state)[1]
    assert len(first.steps) == n and equal(Samples.joined([first, rest]), whole[1])


def test_the_choice_sees_the_latest_samples_alone(tiny, bands, whole, monkeypatch):
    """What the state holds of them does not grow with n."""
    monkeypatch.setattr(choice, "WINDOW", 12)
    batches, found = run(tiny, bands)
    assert {len(b.state["choice.before"]) for b in batches} == {0, 10, 12}
    np.testing.assert_array_equal(batches[-1].state["choice.before"], found.encodings[8:20])
    assert not equal(found, run(tiny, bands, n=33)[1].rows(slice(N, None)))


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


def test_what_is_no_picture_has_one_quality(tiny, bands):
    numbers = np.random.default_rng(0).uniform(0, 9, (3, 1, 6, 1)).astype(np.float32)
    vectors = worlds.tiny_networks(stored="float32")
    np.testing.assert_array_equal(quality.of(vectors, bands, numbers, np.zeros((3, 2)), K), 1.0)


def test_an_image_without_variation_or_activation_has_a_quality(bands):
    flat = np.full((1, 8, 8, 3), 90, np.uint8)
    broken = worlds.tiny_networks()
    weights, biases = broken.classifier.get_layer("fc3").get_weights()
    broken.classifier.get_layer("fc3").set_weights([weights, biases * np.nan])
    for networks in (worlds.tiny_networks(), broken):
        (q,) = quality.of(networks, bands, flat, np.zeros((1, 2)), K)
        assert np.isfinite(q) and q > 0


def test_a_law_takes_no_choice():
    with pytest.raises(UsageError, match="candidates 1 for method langevin"):
        Settings(method="langevin", candidates=2)
