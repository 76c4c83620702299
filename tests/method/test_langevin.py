"""Rows with a law: against closed forms of linear, logistic, curved and intersected bands."""

import dataclasses
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
import worlds
from scipy import stats

from tf_inverse.band import Band, Bands, Neuron
from tf_inverse.errors import RefusedInput, Unreachable, UsageError
from tf_inverse.method import chains, langevin
from tf_inverse.method.kernel import Kernel
from tf_inverse.method.normalization import measure
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.method.volume import Splitting
from tf_inverse.networks import domains
from tf_inverse.networks.code_law import CodeLaw
from tf_inverse.networks.codes import Codes

D = 4
ROOTS = np.sqrt(np.arange(1, D + 1))


def world(function, kind="normal"):
    """Networks whose codes are what the function f of vectors [B, D] takes."""
    x = keras.Input((D,), name="v")
    made = domains.vectors(keras.Model(x, keras.layers.Identity(name="f")(function(x))))
    return dataclasses.replace(made, codes=Codes(kind, D, (0, 1) if kind == "uniform" else None))


@pytest.fixture(scope="module")
def linear():
    """Two units: the first entry, and the mean of all entries over its deviation."""

    def function(x):
        total = keras.ops.sum(x, axis=1, keepdims=True) / np.sqrt(D)
        return keras.layers.Concatenate()([x[:, :1], total])

    return world(function)


def rows(networks, bands, n=1200, K=60, **options):
    made = sample(networks, bands, Settings(n=n, K=K, method="langevin", **options))
    samples = [batch.samples for batch in made]
    parts = (np.concatenate([getattr(s, a) for s in samples]) for a in ("codes", "activations"))
    return tuple(a.astype(np.float64) for a in parts)


def fits(values, cdf):
    # Rows are nearly independent: 1.95 over the root of their number is the 0.1 % point of KS.
    return stats.kstest(values, cdf).statistic < 1.95 / np.sqrt(0.8 * len(values))


def between(z1, z2):
    """Distribution function of a standard normal number between two ends."""
    low, high = stats.norm.cdf([z1, z2])
    return lambda z: (stats.norm.cdf(z) - low) / (high - low)


@pytest.mark.parametrize("ends", [(2.8, 3.3), (-3.1, -3.08), (-0.2, 0.5)])
def test_a_linear_neuron_on_normal_codes_is_a_truncated_normal(linear, ends):
    c, z = rows(linear, [Band(Neuron("f", 0), *ends)])
    assert ((z >= ends[0]) & (z <= ends[1])).all()
    assert fits(z[:, 0], between(*ends))
    assert all(fits(c[:, i], stats.norm.cdf) for i in range(1, D))
    assert fits((c[:, 1:] ** 2).sum(axis=1), stats.chi2(D - 1).cdf)
    assert np.abs(np.corrcoef(c.T) - np.eye(D)).max() < 0.12


def test_two_bands_meet_in_the_ratio_of_their_areas(linear):
    """P(z_1 < 2.5 | both in range) by numbers over the joint normal law of correlation 1 / 2."""
    bands = [Band(Neuron("f", 0), 1.5, 2.5), Band(Neuron("f", 1), 2.0, 3.0)]
    c, z = rows(linear, bands)
    joint = stats.multivariate_normal(cov=[[1, 1 / np.sqrt(D)], [1 / np.sqrt(D), 1]])

    def area(a, b):
        return joint.cdf([a[1], b[1]], lower_limit=[a[0], b[0]])

    whole = area((1.5, 2.5), (2.0, 3.0))
    share = area((1.5, 2.0), (2.0, 2.5)) / whole
    found = np.mean((z[:, 0] < 2.0) & (z[:, 1] < 2.5))
    assert found == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 1000))


def test_a_logistic_neuron_on_a_box():
    w = np.array([4.0, -3.0, 2.0, 1.0])

    def function(x):
        return keras.ops.sigmoid(keras.ops.sum(x * w, axis=1, keepdims=True) - 4.0)

    ends = (0.6, 0.7)
    c, z = rows(world(function, "uniform"), [Band(Neuron("f", 0), *ends)])
    # Truth by rejection: the slab's share of a box has no closed form worth writing down.
    box = np.random.default_rng(0).random((400_000, D))
    f = 1 / (1 + np.exp(-(box @ w - 4.0)))
    box = box[(f >= ends[0]) & (f <= ends[1])]
    for statistic in (*np.eye(D), w, ROOTS):
        assert stats.ks_2samp(c @ statistic, box @ statistic).statistic < 1.95 / np.sqrt(950)


def test_a_ring_is_filled_evenly():
    ring = world(lambda x: keras.ops.sqrt(keras.ops.sum(x**2, axis=1, keepdims=True)))
    ends = (3.5, 3.6)
    c, z = rows(ring, [Band(Neuron("f", 0), *ends)])
    chi = stats.chi(D)
    low, high = chi.cdf(ends)
    assert fits(z[:, 0], lambda r: (chi.cdf(r) - low) / (high - low))
    # On a sphere in four dimensions (x / r)^2 has a beta distribution, whatever the axis.
    for axis in (*np.eye(D), ROOTS / np.linalg.norm(ROOTS)):
        assert fits((c @ axis / z[:, 0]) ** 2, stats.beta(0.5, (D - 1) / 2).cdf)


@pytest.mark.parametrize(
    ("ends", "truth"),
    [
        ((stats.norm.isf(1e-4), 9.0), 1e-4),
        ((-9.0, stats.norm.ppf(1e-4)), 1e-4),
        ((3.0, 3.01), stats.norm.cdf(3.01) - stats.norm.cdf(3.0)),
    ],
)
def test_the_probability_of_a_range_on_either_side(linear, ends, truth):
    bands = Bands([Band(Neuron("f", 0), *ends)])
    kernel = Kernel(linear, bands, Settings(seed=1), measure(linear, bands.neurons))
    *_, last = Splitting(kernel, 1000).stages()
    assert last.interval[0] < truth < last.interval[1]
    z = last.population.z
    assert ((z >= ends[0]) & (z <= ends[1])).all()


def test_a_run_goes_on_bit_for_bit(linear):
    bands, settings = [Band(Neuron("f", 0), 1.0, 1.5)], Settings(n=60, K=9, method="langevin")
    whole = list(sample(linear, bands, settings))
    parts, state = [], None
    while not parts or parts[-1].info.found < 60:
        batch = next(iter(sample(linear, bands, settings, state))) if state else None
        if batch is None:
            batch = next(b for b in sample(linear, bands, settings) if len(b.samples.codes))
        state = batch.state
        parts.append(batch)
    for column in ("codes", "activations", "steps", "chain"):
        one, other = (
            np.concatenate([getattr(b.samples, column) for b in run]) for run in (whole, parts)
        )
        np.testing.assert_array_equal(one, other)
    broken = dict(state, angles=np.full_like(state["angles"], 9.0))
    with pytest.raises(RefusedInput, match="numbers that no run writes"):
        next(sample(linear, bands, dataclasses.replace(settings, n=99), broken))


def test_a_bank_is_sampled_with_its_kernels():
    """Members of two groups, of which one lies in the range more often: known chances."""
    networks = world(lambda x: x[:, :1])
    values = np.repeat([[0.0], [1.0]], [10, 30], axis=0) * np.array([[1.0, 0, 0, 0]])
    values[:, 1] = np.arange(40) % 2
    made = worlds.natural(worlds.tiny_networks(code=D), 40)
    nature = dataclasses.replace(made, bank=values.astype(np.float32))
    networks = dataclasses.replace(networks, codes=Codes("bank", D), natural=nature)
    ends, width = (0.6, 0.8), 0.25 * values[:, 0].std()
    c, z = rows(networks, [Band(Neuron("f", 0), *ends)])
    low, high = (stats.norm.cdf((np.array(ends) - m) / width) for m in (0.0, 1.0))
    mix = stats.norm(1.0, width)
    chance = 10 * (low[1] - low[0]) + 30 * (high[1] - high[0])

    def cdf(x):
        far = stats.norm.cdf(x / width) - low[0]
        return (10 * far + 30 * (mix.cdf(x) - high[0])) / chance

    assert fits(z[:, 0], cdf)
    # The second entry says which half of the bank a row is of: both are equally likely.
    assert abs(np.mean(c[:, 1] > 0.5) - 0.5) < 0.06


def test_rows_are_far_apart_where_chains_forget_slowly():
    """One and a half autocorrelation times: 1.8 / 0.2 rounds where neighbours correlate by 0.8."""
    rng, x = np.random.default_rng(2), np.zeros((50, 400, 1))
    for t in range(1, 400):
        x[:, t] = 0.8 * x[:, t - 1] + rng.standard_normal((50, 1))
    free, constant = rng.standard_normal(x.shape), np.zeros_like(x)
    assert 11 <= chains.spacing(x[:, 50:]) <= 16 and chains.spacing(free) <= 2
    # The slowest statistic decides; one that never changes tells nothing.
    every = np.concatenate([free, x, constant], axis=2)[:, 50:]
    assert chains.spacing(every) == chains.spacing(x[:, 50:])
    assert chains.spacing(np.repeat(free[:, :1], 400, axis=1)) == chains.MOST_APART


def test_hops_with_unequal_chances_leave_all_members_alike():
    """Detailed balance: equally many go from each member to another as come from there."""
    K, q, law = 30_000, np.array([0.7, 0.2, 0.1]), types.SimpleNamespace(code=lambda u, i: u)
    rng = np.random.default_rng(9)
    hop = langevin.make_moves(worlds.linear_problem(np.ones(D)), law)["hop"]
    aim = langevin.Aim(worlds.target((-99.0, 99.0)), np.zeros((2, 1), bool), 0.0)
    before = np.arange(K, dtype=np.int32) % 3
    walkers = langevin.Walkers(tf.zeros((K, D)), tf.constant(before))
    j, chance = rng.choice(3, K, p=q).astype(np.int32), rng.random(K).astype(np.float32)
    after, _ = hop(walkers, aim, None, tf.constant(j), chance, 0.0, tf.constant(q, tf.float32))
    flow = np.zeros((3, 3))
    np.add.at(flow, (before, after.i.numpy()), 3 / K)
    expected = np.minimum.outer(q, q)  # q_j min(1, q_i / q_j)
    np.testing.assert_allclose(
        flow[[0, 0, 1], [1, 2, 2]], expected[[0, 0, 1], [1, 2, 2]], atol=0.01
    )
    np.testing.assert_allclose(flow, flow.T, atol=0.015)


def test_the_probability_of_a_range_under_a_large_bank():
    """As many members as codes that are split: hops may not depend on where the codes are."""
    networks = world(lambda x: x[:, :1])
    bank = np.random.default_rng(8).standard_normal((500, D)).astype(np.float32)
    nature = dataclasses.replace(worlds.natural(worlds.tiny_networks(code=D), 40), bank=bank)
    networks = dataclasses.replace(networks, codes=Codes("bank", D), natural=nature)
    bands, width = Bands([Band(Neuron("f", 0), 2.3, 2.6)]), 0.25 * bank[:, 0].std()
    ends = stats.norm.cdf((np.array([[2.3], [2.6]]) - bank[:, 0]) / width)
    truth = float(np.mean(ends[1] - ends[0]))
    scale = measure(networks, bands.neurons)
    found = []
    for seed in range(8):
        kernel = Kernel(networks, bands, Settings(seed=seed), scale)
        *_, last = Splitting(kernel, 1000).stages()
        found.append(last.probability)
    # Each alone is off by 13 %, by its own estimate; the mean of eight by 5 %.
    assert np.mean(found) == pytest.approx(truth, rel=0.15)
    kernel.hops_to(np.array([3, 3, 7], np.int32))  # whoever was not met counts as half a one
    assert kernel.q.sum() == pytest.approx(1) and kernel.q[[3, 7, 0]] * 253 == pytest.approx(
        [2.5, 1.5, 0.5]
    )


def test_what_the_law_forbids(linear):
    with pytest.raises(UsageError, match="float32 for method langevin"):
        Settings(method="langevin", precision="bfloat16")
    with pytest.raises(Unreachable, match="nearest activation reached"):
        rows(linear, [Band(Neuron("f", 0), 40.0, 41.0)])


def test_a_reflected_turn_comes_back_across_a_flat_border():
    """Neal 2003, section 7: along the border it goes on, across it ends where it began."""
    problem = worlds.linear_problem([[1.0, 0.0, 0.0]])
    law = CodeLaw(3, 1, lambda u, i: u, "normal")
    aim = langevin.Aim(worlds.target((2.0, 2.1)), tf.constant([[True], [False]]), 0.0)
    turn = langevin.make_moves(problem, law)["turn"]
    u, v = np.array([2.05, 0.3, -1.0]), np.array([1.5, 0.2, 0.7])
    here = langevin.Walkers(tf.constant(u[np.newaxis], tf.float32), tf.constant([0]))
    rest = (tf.constant([0]), tf.constant([0.5]), 0.4, tf.constant([1.0]))
    there, accepted = turn(here, aim, tf.constant(v[np.newaxis], tf.float32), *rest)
    assert accepted.numpy().all()
    # Two rotations by 0.4 of what lies along the border.
    along = u[1:] * np.cos(0.8) + v[1:] * np.sin(0.8)
    np.testing.assert_allclose(there.u[0], [2.05, *along], atol=1e-5)
