"""Section 3.4, first half: step by step equal to the oracle, and closed forms."""

import numpy as np
import oracle
import pytest
import tensorflow as tf
import worlds

from tf_inverse.compute.device import traced
from tf_inverse.errors import SeedsNotFound
from tf_inverse.method import loops, seeds
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings

BETA, MU0 = 0.05, 10.0


def linear(bound, p=2, d=4, K=3):
    """The same linear world for the code and for the oracle, and codes to start from."""
    rng = np.random.default_rng(p + d)
    W, E = rng.standard_normal((p, d)).round(3), rng.standard_normal((5, d)).round(3)
    sd = np.array([0.7, 1.3])[:p]
    ends = [(1.5, 2.5), (-1.0, 0.0)][:p]
    world = oracle.World(W, E, *np.array(ends).T, sd, bound, e_sd=2.0, c_sd=0.5)
    problem = worlds.linear_problem(W, bound, E)._replace(e_sd=2.0, c_sd=0.5)
    return world, problem, worlds.target(*ends, sd=sd), rng.standard_normal((K, d)).round(3)


@pytest.mark.parametrize("bound", ["both", "paper"])
def test_step_by_step_equal_to_the_oracle(bound):
    """Every step of two rounds, each from the codes and multipliers that the code itself had."""
    world, problem, target, c = linear(bound)
    step = traced(seeds.make_step(problem, BETA, 0.5))
    state = seeds.init(c, 2, 4 if bound == "both" else 2, MU0)
    assert not np.any(state.lam) and float(state.mu) == MU0
    pace = oracle.Pace(world)
    for i in range(40):
        if i == 20:  # as after a round: multipliers that are not zero, and another weight
            lam = np.random.default_rng(9).uniform(0, 5, state.lam.shape).astype(np.float32)
            state = state._replace(lam=tf.constant(lam), mu=tf.constant(100.0))
        C, lam = state.c.numpy().astype(float), state.lam.numpy().astype(float)
        shares = pace(C)
        state, info = step(state, target)
        g = oracle.gradient(world, C, [], lam, float(state.mu), 0.5, 0.5)
        if all(world.feasible(row) for row in C):
            np.testing.assert_array_equal(state.c, C)
        else:
            np.testing.assert_allclose(
                state.c, oracle.moved(C, g, BETA * np.array(shares), 0.5), atol=2e-5
            )
        np.testing.assert_array_equal(info.feasible, [world.feasible(row) for row in C])
        np.testing.assert_allclose(info.z, C @ world.W.T, rtol=1e-5, atol=1e-6)
    assert int(state.step) == 40


@pytest.mark.parametrize("bound", ["both", "paper"])
def test_rounds_equal_to_the_oracle(bound):
    """Whole rounds, trajectory by trajectory: codes, multipliers, penalty weight, and the stop."""
    world, problem, target, c = linear(bound, p=1)
    round_ = seeds.make_round(problem, BETA, 0.5, 10.0, 12)
    state = seeds.init(c, 1, 2 if bound == "both" else 1, MU0)
    C, lam, mu, pace = c, np.zeros(state.lam.shape), MU0, oracle.Pace(world)
    before = rounds = 0
    while mu != before and rounds < 8:
        state, info = round_(state, target)
        before, rounds = mu, rounds + 1
        C, lam, mu, taken = oracle.seeds_round(
            world, C, lam, mu, beta=BETA, pace=pace, diversity=0.5, steps=12
        )
        np.testing.assert_allclose(state.c, C, atol=1e-3)
        np.testing.assert_allclose(state.lam, lam, rtol=1e-3, atol=1e-3)
        assert float(state.mu) == mu
    # All feasible: lambda and mu stayed, as lambda* and mu*.
    assert rounds > 1 and mu == before and bool(np.all(info.feasible))
    assert int(state.step) == 12 * (rounds - 1) + taken


def test_without_diversity_codes_go_straight_to_the_slab():
    """Eq. 14 with a linear neuron: c moves along w alone, and stops in the band's middle part."""
    w = np.array([1.0, -2.0, 2.0])
    c = np.random.default_rng(1).standard_normal((6, 3)).astype(np.float32)
    round_ = seeds.make_round(worlds.linear_problem(w), 0.02, 0.0, 10.0, 400)
    state, info = round_(seeds.init(c, 1, 2, MU0), worlds.target((7.0, 8.0)))
    assert bool(np.all(info.feasible))
    moved = state.c.numpy() - c
    across = moved - np.outer(moved @ w / 9, w)
    np.testing.assert_allclose(across, 0, atol=1e-4)
    # The distance to the plane w c = z in closed form is |z - w c| / |w|.
    z = state.c.numpy() @ w
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), np.abs(z - c @ w) / 3, rtol=1e-4)
    assert ((z >= 7) & (z <= 8)).all()


def test_seeds_aim_at_the_middle():
    """epsilon_0 = (z2 - z1) / 2: the two margins pull equally only in the middle of the band."""
    problem, target = worlds.linear_problem([1.0, 1.0]), worlds.target((2.0, 4.0))
    step = seeds.make_step(problem, 1e-3, 0.0)
    for start, direction in ((2.2, 1), (3.8, -1)):
        # One row far away keeps the others moving: codes stay only when all are feasible.
        c = np.array([[start / 2, start / 2], [-9.0, -9.0]])
        state, _ = step(seeds.init(c, 1, 2, MU0), target)
        assert direction * (np.sum(state.c[0]) - start) > 0


def test_a_step_longer_than_the_range_does_not_throw_a_row_to_and_fro():
    """With one length such rows never come in: from 3 below to 3 above, and back."""
    w, z1, z2 = 6.0 * np.ones(4), -1.0, 1.0
    problem, target = worlds.linear_problem(w), worlds.target((z1, z2))
    # Each step moves all entries by BETA: z by 24 BETA = 6, three times the range.
    round_ = seeds.make_round(problem, 0.25, 0.0, 10.0, 30)
    state = seeds.init(np.full((3, 4), 3.0 / 24), 1, 2, MU0)
    state, info = round_(state, target)
    assert bool(np.all(info.feasible)) and int(state.step) <= 4
    # The literal form knows no upper end, and its steps keep the one length.
    problem = worlds.linear_problem(w, "paper")
    step = seeds.make_step(problem, 0.25, 0.0)
    state = seeds.init(np.array([[-0.5] * 4, [-99.0] * 4]), 1, 1, MU0)
    for _ in range(3):
        state, _ = step(state, target)
        assert np.all(state.stride == 1.0)


def test_literal_form_leaves_seeds_above_z2():
    """Section 3.4 as printed bounds f only from below: the stop test does not see z2."""
    c = np.full((3, 2), 5.0) + np.arange(3)[:, None]
    for bound, outside in (("paper", True), ("both", False)):
        problem = worlds.linear_problem([1.0, 1.0], bound)
        round_ = seeds.make_round(problem, BETA, 1.0, 10.0, 300)
        state = seeds.init(c, 1, 1 + (bound == "both"), MU0)
        state, info = round_(state, worlds.target((2.0, 4.0)))
        assert bool(np.all(info.feasible))
        assert bool(np.all(state.c.numpy().sum(axis=1) > 4.0)) is outside


def test_codes_keep_to_their_bounds():
    problem = worlds.linear_problem([1.0, 1.0])._replace(low=-0.5, high=0.75)
    round_ = seeds.make_round(problem, 0.3, 1.0, 10.0, 30)
    state, info = round_(seeds.init(np.zeros((3, 2)), 1, 2, MU0), worlds.target((5.0, 6.0)))
    assert not np.any(info.feasible)  # the corner (0.75, 0.75) gives 1.5
    assert state.c.numpy().max() == 0.75 and state.c.numpy().min() >= -0.5


def test_seeds_not_found_tells_what_was_reached(tiny, band, monkeypatch):
    monkeypatch.setattr(loops, "ROUND", 5)
    (far,) = [b.__class__(b.neuron, 1e4, 2e4) for b in [band(worlds.NEURON)]]
    settings = Settings(n=4, K=3, method="paper", patience=2)
    with pytest.raises(SeedsNotFound, match="0 of 3 seeds feasible after 10 steps; found 0") as no:
        list(sample(tiny, (far,), settings))
    assert no.value.steps == 10 and no.value.found == 0 and no.value.exit_code == 3
    assert np.isfinite(no.value.best).all() and f"{no.value.best[0]:.4g}" in str(no.value)
