"""Each step of the rivals against NumPy, and what their samples promise."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracles import baselines_numpy as oracle

import tf_inverse
from tf_inverse import diversity
from tf_inverse.band import Band, Neuron
from tf_inverse.baselines import activation_maximisation, bank, ppgn, rejection, scoring
from tf_inverse.errors import UsageError
from tf_inverse.networks import domains, yardstick

CLASS, HIDDEN = Neuron("fc8", 1), Neuron("conv1", 2, (4, 1))


@pytest.fixture(scope="module")
def pair():
    return oracle.networks()


@pytest.fixture(scope="module")
def world(pair):
    return oracle.World(pair)


def start(K=3, seed=0):
    return np.random.default_rng(seed).standard_normal((K, oracle.D))


def published(rule, eps1):
    names = ("eps2", "eps3", "lr", "lr_end", "n_iters", "low", "high")
    return {name: getattr(rule, name) for name in names} | {"eps1": eps1}


@pytest.mark.parametrize("neuron", [CLASS, HIDDEN])
def test_ppgn_steps_as_published(pair, world, neuron):
    # A prior and a noise large enough to be seen.
    rule = ppgn.CLASS._replace(eps1=0.05, eps3=0.01, lr=0.3, lr_end=0.1, n_iters=12, high=2.0)
    step = ppgn.make_step(pair, neuron.layer, neuron.at, rule)
    h, rng = start(), np.random.default_rng(1)
    eps1 = tf.fill((3, 1), 0.05)
    state = ppgn.State(tf.constant(h, tf.float32), eps1, tf.constant(0, tf.int64))
    for i in range(12):
        noise = rng.standard_normal(h.shape)
        before = np.array([world.image(row) for row in h])
        outcomes = [
            oracle.ppgn_step(world, row, i, neuron, noise=v, **published(rule, 0.05))
            for row, v in zip(h, noise, strict=True)
        ]
        state, info = step(state, neuron.unit, tf.constant(noise, tf.float32), state.h, eps1)
        h = np.array([row for row, _, _ in outcomes])
        np.testing.assert_allclose(state.h, h, atol=2e-4)
        np.testing.assert_allclose(info.p, [p for _, p, _ in outcomes], rtol=2e-3)
        # The image is the one before the step, as it would be stored.
        assert np.abs(info.x - np.clip(before, 0, 255)).max() <= 0.51
    assert h.min() >= 0 and h.max() <= 2


def test_ppgn_in_other_units_is_the_same_chain(pair, world):
    unit, rule = 0.25, ppgn.CLASS._replace(eps1=0.05, lr=0.4, lr_end=0.4)
    rule = rule._replace(unit=unit, n_iters=8)

    class Rescaled(oracle.World):
        """A pair whose codes are 1 / unit times as large: G'(h') = G(unit h'), E' = E / unit."""

        def image(self, h):
            return super().image(unit * h)

        def see(self, x):
            conv1, pre, e, logits = super().see(x)
            return conv1, pre, e / unit, logits

        def to_code(self, image_gradient):
            return unit * super().to_code(image_gradient)

    rescaled, h = Rescaled(pair), start(1)[0]
    step = ppgn.make_step(pair, "fc8", None, rule)
    eps1 = tf.fill((1, 1), 0.05)
    state = ppgn.State(tf.constant([unit * h], tf.float32), eps1, tf.constant(0, tf.int64))
    for i in range(8):
        h, _, _ = oracle.ppgn_step(rescaled, h, i, CLASS, noise=0.0, **published(rule, 0.05))
        state, _ = step(state, 1, tf.zeros((1, oracle.D)), state.h, eps1)
        np.testing.assert_allclose(state.h[0], unit * h, atol=1e-4)


def test_ppgn_starts_afresh_with_another_prior(pair):
    rule = ppgn.CLASS._replace(reset_every=2)
    step = ppgn.make_step(pair, "fc8", None, rule)
    fresh, other = tf.fill((2, oracle.D), 0.7), tf.fill((2, 1), 0.003)
    state = ppgn.State(tf.zeros((2, oracle.D)), tf.fill((2, 1), 1e-5), tf.constant(0, tf.int64))
    for i in range(4):
        state, _ = step(state, 1, tf.zeros((2, oracle.D)), fresh, other)
        # At i = 0 nothing starts afresh, though 0 is a multiple of everything.
        assert bool(np.all(state.h == fresh)) == (i == 2)
        assert bool(np.all(state.eps1 == other)) == (i >= 2)


def test_ppgn_keeps_what_it_says(pair, world):
    def kept_by(threshold):
        rule = ppgn.CLASS._replace(n_iters=30, threshold=threshold)
        batches = list(ppgn.sample(pair, CLASS, rule, chains=5, seed=1, K=4))
        assert sum(passes for _, passes in batches) == 5 * 30
        names = ("steps", "chain", "codes", "images")
        return [np.concatenate([getattr(s, a) for s, _ in batches]) for a in names]

    steps, chain, codes, images = kept_by(-1.0)
    assert sorted(zip(chain, steps, strict=True)) == [
        (k, i) for k in range(5) for i in range(0, 30, 5)
    ]
    drawn = np.array([world.image(c) for c in codes.astype(np.float64)])
    assert np.abs(images - np.clip(drawn, 0, 255)).max() <= 0.51
    logits = np.array([world.see(x)[3] for x in drawn])
    p = np.exp(logits[:, 1]) / np.exp(logits).sum(axis=1)
    # Above a threshold that lies between two of them, a third of the images are left.
    ordered = np.sort(p)
    steps, *_ = kept_by(float(ordered[19:21].mean()))
    assert len(steps) == 10


def test_ppgn_needs_encodings_of_the_codes_size(tiny):
    with pytest.raises(UsageError, match="code's size 6.*eps1 = 0"):
        next(ppgn.sample(tiny, Neuron("fc3", 0)))
    assert next(ppgn.sample(tiny, Neuron("fc3", 0), ppgn.CLASS._replace(eps1=0.0), K=2))[1] == 40


@pytest.mark.parametrize("neuron", [CLASS, HIDDEN])
def test_activation_maximisation_steps_as_published(pair, world, neuron):
    rule = activation_maximisation.Rule(n_iters=10, lr=0.5)
    step = activation_maximisation.make_step(pair, neuron.layer, neuron.at, rule)
    low, high = np.full(oracle.D, -1.0, np.float32), np.linspace(0.5, 2, oracle.D, dtype=np.float32)
    c = start()
    now = tf.constant(c, tf.float32)
    for i in range(10):
        given = {"lr": rule.lr, "lr_end": rule.lr_end, "n_iters": 10, "low": low, "high": high}
        z = [world.acts(world.image(row), neuron)[neuron.unit] for row in c]
        c = np.array([oracle.am_step(world, row, i, neuron, **given) for row in c])
        now, seen = step(now, neuron.unit, tf.constant(i), low, high)
        np.testing.assert_allclose(now, c, atol=2e-4)
        np.testing.assert_allclose(seen, z, atol=2e-3)


def test_activation_maximisation_climbs(pair):
    rule = activation_maximisation.Rule(n_iters=40, lr=0.2)
    batches = list(activation_maximisation.sample(pair, CLASS, rule, starts=5, K=3))
    assert [passes for _, passes in batches] == [120, 80]
    last = np.concatenate([s.activations for s, _ in batches])
    first = list(activation_maximisation.sample(pair, CLASS, rule._replace(n_iters=1), starts=5))
    assert len(last) == 5 and last.mean() > first[0][0].activations.mean()


def test_bounds_are_mean_plus_three_deviations(pair):
    low, high = activation_maximisation.bounds(pair)
    np.testing.assert_allclose(low, -3.0, atol=0.35)  # codes are N(0, 1); 500 of them
    np.testing.assert_allclose(high, 3.0, atol=0.35)


def test_rejection_keeps_all_in_range_and_nothing_else(pair, world):
    band = Band(CLASS, -0.1, 0.4)
    batches = list(rejection.sample(pair, (band,), draws=150, seed=2, K=60))
    assert [drawn for _, drawn in batches] == [60, 60, 30]
    z = np.concatenate([s.activations[:, 0] for s, _ in batches])
    assert 0 < len(z) < 150 and z.min() >= -0.1 and z.max() <= 0.4
    everything = list(rejection.sample(pair, (Band(CLASS, -1e9, 1e9),), draws=150, seed=2, K=60))
    z = np.concatenate([s.activations[:, 0] for s, _ in everything])
    inside = np.sum((z >= -0.1) & (z <= 0.4))
    assert len(z) == 150 and inside == sum(len(s.codes) for s, _ in batches)


def test_the_bank_gives_its_own_codes_in_range_and_a_varied_choice_of_them():
    networks = tf_inverse.load("cifar10")
    networks.natural = dataclasses.replace(networks.natural, bank=networks.natural.bank[:400])
    bands = tf_inverse.parse("fc8:ship@p90:p98", networks)
    everything = bank.sample(networks, bands, 500)
    # Where each came from, looked at again without the baseline's own decoding.
    codes = networks.natural.bank
    _, z = networks.score(np.asarray(networks.images(codes)).astype(np.uint8), bands.neurons)
    inside = np.flatnonzero((z[:, 0] >= bands.z1[0]) & (z[:, 0] <= bands.z2[0]))
    assert sorted(everything.chain) == inside.tolist() and len(inside) > 20
    np.testing.assert_array_equal(everything.codes, codes[everything.chain])
    few = bank.sample(networks, bands, 10)
    assert few.chain.tolist() == everything.chain[:10].tolist()
    h = yardstick.of(networks).bandwidth
    others = [np.random.default_rng(i).permutation(len(inside))[:10] for i in range(20)]
    scores = [diversity.vendi(everything.encodings[rows], h) for rows in others]
    assert diversity.vendi(few.encodings, h) > max(scores)


def test_what_overflowed_is_no_sample(pair):
    """Codes that are no numbers, and images that the network makes none of."""
    c = np.zeros((3, oracle.D), np.float32)
    c[1, 2] = np.nan
    x = np.zeros((3, *pair.image_shape), np.float32)
    x[1] = np.nan
    found = scoring.samples(pair, (CLASS,), x, c, np.arange(3), np.arange(3))
    assert found.steps.tolist() == [0, 2] == found.chain.tolist()
    assert found.images.dtype == np.uint8 and np.isfinite(found.activations).all()


def test_rivals_of_a_network_of_vectors_store_its_inputs():
    v = keras.Input((4,), name="v")
    networks = domains.vectors(keras.Model(v, keras.layers.Dense(2, name="f")(v)))
    neuron = Neuron("f", 0)
    rule = activation_maximisation.Rule(n_iters=3, lr=0.1)
    ((found, _),) = activation_maximisation.sample(networks, neuron, rule, starts=2)
    chains = ppgn.sample(networks, neuron, ppgn.Rule(n_iters=6, eps1=0.0, high=1.0), chains=2)
    for samples in (found, *(some for some, _ in chains)):
        assert samples.images.dtype == np.float32 and (samples.images % 1 > 0).any()
        drawn = networks.generator(samples.codes).numpy()
        np.testing.assert_allclose(samples.images, drawn, rtol=1e-5)


def test_place_is_the_naive_one():
    h = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(scoring.place(tf.constant(h), (2, 1)), h[:, 2, 1])
    np.testing.assert_allclose(scoring.place(tf.constant(h), "max"), h.max(axis=(1, 2)))
    np.testing.assert_array_equal(scoring.place(tf.constant(h[:, 0, 0]), None), h[:, 0, 0])


def test_cma_mega_fills_cells_of_a_plane_with_what_lies_there():
    """Of two linear neurons whose activations are a parallelogram: nothing beyond it, and most."""
    pytest.importorskip("ribs", reason="needs the extra rivals")
    from planes import box, reachable

    from tf_inverse import grid
    from tf_inverse.baselines import cma_mega
    from tf_inverse.method.normalization import measure

    networks, neurons = box(), (Neuron("f", 0), Neuron("f", 1))
    cells = grid.between((0, 1), (0, 2), rows=8, columns=4)
    scale = measure(networks, neurons)
    found = cma_mega.fill(networks, neurons, cells, scale, passes=4000)
    x = found.samples.images.reshape(-1, 6) / 255.0
    z = np.stack([x[:, 0], x[:, 0] + x[:, 1]], axis=1)
    assert np.abs(found.samples.activations - z).max() < 1e-6
    at = cells.cell_of(found.samples.activations)
    wanted = reachable(8, 4).ravel()
    assert len(set(at)) == len(at) and wanted[at].all() and len(at) >= wanted.sum() / 2
    assert 4000 - (cma_mega.BATCH + cma_mega.GRADIENT) < found.passes <= 4000
