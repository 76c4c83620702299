"""Every function of eqs. 5 to 10 against the paper's unsimplified form in float64."""

import doctest
import itertools

import numpy as np
import oracle
import pytest
import tensorflow as tf

from tf_inverse.method import lagrangian

K, D, M = 4, 3, 2


@pytest.fixture
def arrays():
    """Encodings, margins on both sides of every edge, multipliers: float64."""
    rng = np.random.default_rng(0)
    e, e0 = rng.standard_normal((K, D)), rng.standard_normal((3, D))
    return (
        e,
        rng.standard_normal((K, M)),
        rng.uniform(0, 5, (K, M)) * rng.integers(0, 2, (K, M)),
        e0,
    )


def test_doctests():
    assert doctest.testmod(lagrangian, extraglobs={"tf": tf}).failed == 0


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_diversity_is_the_double_sum(rows):
    e = np.random.default_rng(rows).standard_normal((rows, D))
    expected = oracle.pair_sum(e, e)
    assert float(lagrangian.diversity(tf.constant(e))) == pytest.approx(expected, abs=1e-12)


def test_separation_is_the_double_sum_and_pushes_one_side_only(arrays):
    e, _, _, e0 = arrays
    weights = np.array([1.0, 0.0, 2.5])
    e, e0_ = tf.constant(e), tf.constant(e0)
    with tf.GradientTape() as tape:
        tape.watch([e, e0_])
        found = lagrangian.separation(e, e0_, tf.constant(weights))
    assert float(found) == pytest.approx(oracle.pair_sum(e.numpy(), e0, weights))
    to_e, to_e0 = tape.gradient(found, [e, e0_])
    assert to_e0 is None and np.abs(to_e).max() > 0


@pytest.mark.parametrize(
    ("g", "lam", "mu"),
    itertools.product((-2.0, -0.1, 0.0, 0.1, 2.0), (0.0, 1.0, 30.0), (10.0, 1e4)),
)
def test_slack_elimination_against_a_grid(g, lam, mu):
    """min over s >= 0 of -lam (g - s) + mu / 2 (g - s)^2, and the next multiplier there."""
    s = np.linspace(0.0, 6.0, 600_001)
    terms = -lam * (g - s) + mu / 2 * (g - s) ** 2
    best = s[terms.argmin()]
    found = lagrangian.penalty(*(tf.constant(a, tf.float64) for a in (g, lam, mu)))
    # The grid is off by at most half of its step, to second order.
    assert float(found) == pytest.approx(terms.min(), abs=mu * 2e-11 + 1e-9)
    following = lagrangian.next_multipliers(*(tf.constant(a, tf.float64) for a in (g, lam, mu)))
    assert float(following) == pytest.approx(lam - mu * (g - best), abs=mu * 1e-5)


def test_penalty_takes_a_weight_a_row(arrays):
    _, g, lam, _ = arrays
    mu = np.array([10.0, 1e2, 1e3, 7.0])
    expected = sum(oracle.constraint_terms(g[i], lam[i], mu[i]) for i in range(K))
    found = lagrangian.penalty(*(tf.constant(a) for a in (g, lam, mu[:, None])))
    assert float(found) == pytest.approx(expected)


def test_the_oracles_slack_is_a_minimum():
    """The oracle itself, at a point where the closed form is 0.75."""
    assert oracle.slack(1.0, 2.5, 10.0) == pytest.approx(0.75)
    assert oracle.slack(-1.0, 2.5, 10.0) == 0.0


@pytest.mark.parametrize("mu", [10.0, 1e3])
def test_lagrangians_are_eqs_8_and_10(arrays, mu):
    e, g, lam, e0 = arrays
    tensors = [tf.constant(a, tf.float64) for a in (e, g, lam, mu)]
    found = float(lagrangian.seeds_lagrangian(*tensors))
    assert found == pytest.approx(oracle.seeds_lagrangian(e, g, lam, mu))
    feasible = np.array([1.0, 0.0, 1.0])
    found = lagrangian.walk_lagrangian(*tensors, tf.constant(e0), tf.constant(feasible))
    assert float(found) == pytest.approx(oracle.walk_lagrangian(e, g, lam, mu, e0[[0, 2]]))


@pytest.mark.parametrize("bound", ["both", "paper"])
def test_gradient_against_central_differences(bound):
    """Of eq. 10 for curved e and z of a code, with rows on both sides of both ends."""
    rng = np.random.default_rng(3)
    A, B = rng.standard_normal((2, D)), rng.standard_normal((D, D))
    c, e0 = rng.standard_normal((K, D)), rng.standard_normal((2, D))
    z1, z2, sd = np.array([-0.2, 0.1]), np.array([0.3, 0.2]), np.array([0.5, 2.0])
    lam = rng.uniform(0, 2, (K, 4 if bound == "both" else 2))
    weights = np.array([1.0, 0.0])

    def cost(c):
        e, z = tf.tanh(c @ tf.constant(B)), tf.sin(c @ tf.constant(A.T))
        g = lagrangian.margins(z, z1, z2, sd, 0.05, bound)
        return lagrangian.walk_lagrangian(e, g, lam, 10.0, tf.constant(e0), tf.constant(weights))

    point = tf.constant(c)
    with tf.GradientTape() as tape:
        tape.watch(point)
        value = cost(point)
    found, h = tape.gradient(value, point).numpy(), 1e-6
    for i, j in itertools.product(range(K), range(D)):
        step = np.zeros_like(c)
        step[i, j] = h
        slope = (cost(tf.constant(c + step)) - cost(tf.constant(c - step))) / (2 * h)
        # Central differences in float64: truncation h^2, rounding 1e-16 / h of values near 1e2.
        assert found[i, j] == pytest.approx(float(slope), rel=1e-5, abs=1e-6)


def test_oracles_gradient_against_central_differences():
    """The closed form that seeds and walk are compared with, of the oracle's own Lagrangian."""
    rng = np.random.default_rng(4)
    world = oracle.World(
        rng.standard_normal((2, D)), rng.standard_normal((5, D)), np.array([-1.0, 0.0]),
        np.array([0.5, 1.5]), np.array([0.7, 1.3]), e_sd=0.4,
    )  # fmt: skip
    C, C0, lam = rng.standard_normal((3, D)), rng.standard_normal((2, D)), rng.uniform(0, 3, (3, 4))

    def cost(C):
        e, e0 = C @ world.encoder.T, C0 @ world.encoder.T
        g = np.array([oracle.margins(world, c) for c in C])
        return oracle.walk_lagrangian(e, g, lam, 10.0, e0)

    found, h = oracle.gradient(world, C, C0, lam, 10.0), 1e-6
    for i, j in itertools.product(range(3), range(D)):
        step = np.zeros_like(C)
        step[i, j] = h
        slope = (cost(C + step) - cost(C - step)) / (2 * h)
        assert found[i, j] == pytest.approx(slope, rel=1e-5, abs=1e-6)
