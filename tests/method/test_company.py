"""A pool whose rows serve several neurons: each neuron's rows are a pool of their own."""

import numpy as np
import oracle
import pytest
import tensorflow as tf
import worlds

from tf_inverse.band import Band
from tf_inverse.compute.device import traced
from tf_inverse.method import company, group, lagrangian, renewal
from tf_inverse.method import pool as pools
from tf_inverse.method.rule import RULE
from tf_inverse.method.settings import Settings
from tf_inverse.networks import neuron_index, odds
from tf_inverse.networks.networks import View
from tf_inverse.neuron import Neuron

RNG = np.random.default_rng
W = np.array([[1.0, -0.5, 0.25, 0.0], [0.0, 1.0, 1.0, -1.0], [0.5, 0.5, -1.0, 1.0]])
E = RNG(0).standard_normal((5, 4)).round(3)
Z1, Z2, SD = np.array([1.0, -1.0, 0.5]), np.array([2.0, 1.0, 0.9]), np.array([0.5, 2.0, 1.0])
# Nobody serves the last neuron at first.
OWNER = np.array([0, 1, 0, 1, 1, 0, 0, 1])


def own(G=3):
    return np.eye(G)[OWNER]


def test_pairs_and_means_of_several_samples_are_sums_over_each():
    rng = RNG(1)
    e, e0, weights = (
        rng.standard_normal((8, 5)),
        rng.standard_normal((3, 5)),
        rng.uniform(size=(8, 3)),
    )
    found = lagrangian.diversity(tf.constant(e), tf.constant(own()))
    assert float(found) == pytest.approx(
        sum(oracle.pair_sum(e[OWNER == g], e[OWNER == g]) for g in (0, 1))
    )
    found = lagrangian.separation(tf.constant(e), tf.constant(e0), tf.constant(weights))
    naive = sum(weights[i, j] * np.sum((e[i] - e0[j]) ** 2) for i in range(8) for j in range(3))
    assert float(found) == pytest.approx(naive)


def problem():
    """Three linear neurons, of which an index chooses: [p, 3] for all rows, [K, p, 3] for each."""
    base = worlds.linear_problem(W, E=E)

    def look(c, index):
        x, e, z, _ = base.look(c, None)
        z = neuron_index.activations(z, index)
        return View(x, e, z, z)

    return base._replace(look=look)


def target(*g):
    index = tf.constant([(i, 0, 0) for i in g], tf.int32)
    return worlds.target(*zip(Z1[[*g]], Z2[[*g]], strict=True), sd=SD[[*g]])._replace(index=index)


def test_each_neurons_rows_step_as_a_pool_of_their_own():
    """Twenty steps of eight rows for two neurons, beside the pools of each neuron alone."""
    rng, posed, rule = RNG(2), problem(), RULE._replace(diversity=0.3)
    c, t = rng.standard_normal((8, 4)), rng.uniform(size=(8, 1))
    total, found = rng.standard_normal((3, 5)), np.array([3, 0, 0])
    several = pools.init(c, t, 2, 5, rule.mu0, state=company.GroupState, G=3)._replace(
        owner=tf.constant(OWNER, tf.int32),
        total=tf.constant(total * (found > 0)[:, None], tf.float32),
        found=tf.constant(found, tf.int64),
        quota=tf.constant([99, 99, 99], tf.int64),
    )
    alone = {}
    for g in (0, 1):
        first = pools.init(c[OWNER == g], t[OWNER == g], 2, 5, rule.mu0)
        alone[g] = first._replace(total=several.total[g], found=several.found[g])
    step = traced(renewal.make_step(posed, rule, company.GROUP))
    single = traced(renewal.make_step(posed, rule))
    spare = rng.standard_normal((8, 4)).astype("f4"), rng.uniform(size=(8, 1)).astype("f4")
    samples = 0
    for _ in range(20):
        fresh = company.GroupFresh(*map(tf.constant, (*spare, OWNER.astype("i4"))))
        before, (several, info) = several, step(several, target(0, 1, 2), fresh)
        for g in (0, 1):
            rows = np.flatnonzero(OWNER == g)
            after, seen = single(alone[g], target(g), pools.Fresh(*map(tf.constant, spare)))
            done = np.asarray(info.done)[rows]
            np.testing.assert_array_equal(done, seen.done)
            kept = rows[~done]
            for name in ("c", "lam", "mu", "short", "stride", "age"):
                mine, theirs = np.asarray(getattr(several, name)), np.asarray(getattr(after, name))
                np.testing.assert_allclose(mine[kept], theirs[~done], rtol=2e-4, atol=2e-5)
            np.testing.assert_allclose(several.total[g], after.total, rtol=1e-4, atol=1e-5)
            assert int(several.found[g]) == int(after.found)
            assert int(info.report.finite[g]) == len(rows) == int(info.report.alive[g])
            assert float(info.report.best[g]) == pytest.approx(float(seen.report.best[0]), rel=1e-4)
            samples += int(done.sum())
            # Where a row ended, both go on with the same fresh row.
            alone[g] = after._replace(
                **{name: tf.gather(getattr(several, name), rows) for name in pools.ROWS}
            )
        assert np.isneginf(info.report.best[2])
        # Fresh rows are taken in their order, and serve the neuron that they are for.
        ended = np.flatnonzero(info.done)
        np.testing.assert_array_equal(np.asarray(several.owner)[ended], OWNER[: len(ended)])
        np.testing.assert_array_equal(several.c.numpy()[ended], spare[0][: len(ended)])
        several = several._replace(owner=before.owner)
    assert samples > 5
    assert several.spent.numpy().tolist() == [80, 80, 0]


def test_rows_of_a_neuron_that_wants_no_more_go_to_others_at_once():
    rng = RNG(3)
    pool = pools.init(
        rng.standard_normal((8, 4)), np.full((8, 1), 0.5), 2, 5, 10.0, state=company.GroupState, G=3
    )._replace(owner=tf.constant(OWNER, tf.int32), quota=tf.constant([0, 9, 9], tf.int64))
    spare = rng.standard_normal((8, 4)), rng.uniform(size=(8, 1))
    fresh = company.GroupFresh(*(tf.constant(a, tf.float32) for a in spare), tf.fill((8,), 2))
    after, info = renewal.make_step(problem(), RULE, company.GROUP)(pool, target(0, 1, 2), fresh)
    idle = OWNER == 0
    assert not np.any(np.asarray(info.done)[idle]) and int(after.found[0]) == 0
    assert (np.asarray(after.owner)[idle] == 2).all() and (np.asarray(after.age)[idle] == 0).all()


def test_rows_go_first_to_who_lacks_them_and_then_by_dhondts_rule():
    def given(wants, rows, count):
        return group.apportioned(np.array(wants), np.array(rows), count).tolist()

    assert given([13, 0, 9], [3, 0, 0], 4) == [0, 0, 2, 2]
    assert given([50, 50], [0, 0], 12) == [0] * 10 + [1] * 2
    assert given([0, 3, 2], [0, 1, 0], 2) == [2, 1]
    # Seventy seats of three parties beyond their ten rows each, by the table of all quotients.
    wants = [53, 24, 23]
    table = [(w / seat, -g) for g, w in enumerate(wants) for seat in range(11, 101)]
    won = [-g for _, g in sorted(table, reverse=True)[:70]]
    assert given(wants, [10, 10, 10], 70) == won


@pytest.mark.parametrize("shape", [(6,), (5, 6), (4, 5, 6)])
@pytest.mark.parametrize("kind", ["plain", "softmax", "sigmoid"])
def test_a_row_of_its_own_neuron_sees_what_that_neuron_sees(shape, kind):
    """A unit, a token, a place of a map, its mean and maximum; of probabilities their log-odds."""
    extent = {1: None, 2: (0, 3), 3: (2, 1)}[len(shape)]
    neurons = [Neuron("l", 4, extent), Neuron("l", 0, extent)]
    if len(shape) > 1:
        neurons += [Neuron("l", 2, "mean"), Neuron("l", 5, "max")]
    h = RNG(4).standard_normal((8, *shape)).astype("f4")
    owner = np.arange(8) % len(neurons)
    places = neuron_index.index(tuple(neurons))
    read = odds.of_units if kind != "plain" else neuron_index.activations
    given = {"plain": tf.identity, "softmax": tf.nn.softmax, "sigmoid": tf.sigmoid}[kind]

    @traced
    def both(h):
        z = given(h)
        return read(z, places), read(z, tf.gather(places, owner)[:, tf.newaxis])

    every, each = (a.numpy() for a in both(tf.constant(h)))
    assert each.shape == (8, 1)
    np.testing.assert_allclose(each[:, 0], every[np.arange(8), owner], rtol=1e-6)


def test_a_group_gives_each_neuron_its_samples_and_sets_a_dead_one_aside(tiny, activations):
    """Samples of three neurons and two ranges are true by plain Keras; the same at every call."""
    weights = [a.copy() for a in tiny.classifier.get_layer("fc3").get_weights()]
    neurons = [Neuron("fc3", unit) for unit in (1, 0, 2, 1)]
    quantiles = [(0.5, 0.8)] * 3 + [(0.2, 0.5)]
    bands = [
        Band(n, *map(float, np.quantile(activations(n), q)))
        for n, q in zip(neurons, quantiles, strict=True)
    ]
    dead = worlds.tiny_networks()
    kernel, bias = weights
    kernel[:, 3] = 0.0
    dead.classifier.get_layer("fc3").set_weights([kernel, bias])
    bands.append(Band(Neuron("fc3", 3), 5.0, 6.0))
    settings = Settings(n=7, K=12, seed=3)

    def drawn():
        return {ended.at: ended for ended in group.sample(dead, bands, settings, 8)}

    found = drawn()
    assert sorted(found) == [0, 1, 2, 3, 4]
    for at, band in enumerate(bands[:4]):
        samples = found[at].samples
        assert len(samples.images) == 7 and found[at].trouble is None
        z = worlds.activation(dead, samples.images, band.neuron, 7)
        np.testing.assert_allclose(samples.activations[:, 0], z, rtol=1e-4, atol=1e-4)
        assert ((z >= band.z1 - 1e-4) & (z <= band.z2 + 1e-4)).all()
        assert len({image.tobytes() for image in samples.images}) == 7
        np.testing.assert_array_equal(samples.images, worlds.images(dead, samples.codes))
    ended = found[4]
    assert ended.samples is None and ended.dead and "dead unit" in str(ended.trouble)
    assert ended.steps * settings.K < 4 * group.DEAD
    again = drawn()
    for at in range(4):
        for one, other in zip(found[at].samples, again[at].samples, strict=True):
            assert (one is None and other is None) or np.array_equal(one, other)


def test_a_neuron_out_of_reach_is_given_up_and_holds_nobody_up(tiny, activations):
    near, far = Neuron("fc3", 1), Neuron("fc3", 0)
    span = map(float, np.quantile(activations(near), (0.5, 0.8)))
    bands = [Band(far, 900.0, 901.0), Band(near, *span)]
    settings = Settings(n=5, K=10, patience=5)
    first, last = group.sample(tiny, bands, settings)
    assert first.at == 1 and len(first.samples.images) == 5
    assert last.at == 0 and last.samples is None and not last.dead
    assert last.steps * settings.K >= group.limit(settings)
    assert "nearest activation reached" in str(last.trouble)
