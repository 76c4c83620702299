"""Section 3.4, second half: step by step equal to the oracle; what it finds is feasible."""

import numpy as np
import oracle
import pytest
import tensorflow as tf
import worlds

from tf_inverse.compute.device import traced
from tf_inverse.method import walk

W = np.array([[1.0, -0.5, 0.25, 0.0], [0.0, 1.0, 1.0, -1.0]])
E = np.random.default_rng(0).standard_normal((5, 4)).round(3)
ENDS = ((1.0, 2.0), (-1.0, 0.0))


def linear(bound):
    sd = np.array([0.5, 2.0])
    world = oracle.World(W, E, *np.array(ENDS).T, sd, bound, e_sd=2.0, c_sd=0.5)
    problem = worlds.linear_problem(W, bound, E)._replace(e_sd=2.0, c_sd=0.5)
    return world, problem, worlds.target(*ENDS, sd=sd)


def start(c, lam, mu=100.0, beta=0.1):
    return walk.WalkState(
        tf.constant(c, tf.float32),
        tf.constant(lam, tf.float32),
        tf.constant(mu),
        tf.constant(beta),
        tf.constant(7, tf.int64),
    )


def inside(rng, world, count):
    """Feasible codes by rejection: the paper's C_0 at the start."""
    drawn = rng.uniform(-2, 2, (5000, 4))
    return np.array([c for c in drawn if world.feasible(c)][:count])


@pytest.mark.parametrize("bound", ["both", "paper"])
def test_step_by_step_equal_to_the_oracle(bound):
    """Thirty steps, some with all, some with no candidate feasible, each from the code's state."""
    world, problem, target = linear(bound)
    rng = np.random.default_rng(1)
    lam = rng.uniform(0, 3, (4, 4 if bound == "both" else 2)).astype(np.float32)
    step = traced(walk.make_step(problem, 0.5))
    state, met = start(inside(rng, world, 4), lam), set()
    for i in range(30):
        if i == 25:
            state = state._replace(c=state.c - 30.0 * W.sum(axis=0).astype(np.float32))
        C, beta = state.c.numpy().astype(float), float(state.beta)
        state, info = step(state, target)
        C0, candidates = oracle.walk_step(world, C, lam.astype(float), 100.0, beta, 0.5)
        assert C[info.feasible.numpy()].tolist() == [c.tolist() for c in C0]
        np.testing.assert_allclose(state.c, candidates, atol=3e-5)
        # Design: beta adapts to an acceptance of 0.6.
        expected = beta * np.exp(0.1 * (len(C0) / 4 - 0.6))
        assert float(state.beta) == pytest.approx(expected, rel=1e-5)
        met.add(len(C0))
    assert {0, 4} <= met
    np.testing.assert_array_equal(state.lam, lam)  # lambda* and mu* are frozen
    assert float(state.mu) == 100.0 and int(state.step) == 37


def test_advance_hands_back_the_feasible_rows_of_every_step():
    """The buffer of the compiled loop against the same steps one by one."""
    world, problem, target = linear("both")
    seeds = inside(np.random.default_rng(2), world, 4)
    state = one = start(seeds, np.zeros((4, 4)))
    state, buffer, best, finite = walk.make_advance(problem, 0.5, 6)(state, target)
    step, codes, steps, rows, seen = walk.make_step(problem, 0.5), [], [], [], []
    for _ in range(6):
        c, i = one.c.numpy(), int(one.step)
        one, info = step(one, target)
        (at,) = np.nonzero(info.feasible.numpy())
        codes, rows, steps = [*codes, *c[at]], [*rows, *at], [*steps, *[i] * len(at)]
        seen += [*info.z.numpy()]
    n = int(buffer.count)
    assert n == len(codes) > 6
    np.testing.assert_allclose(buffer.c[:n], codes, atol=1e-5)
    np.testing.assert_array_equal(buffer.steps[:n], steps)
    np.testing.assert_array_equal(buffer.chain[:n], rows)
    beyond = np.maximum(world.z1 - seen, 0) + np.maximum(seen - world.z2, 0)
    assert (beyond.min(axis=0) == 0).all()
    assert np.all((world.z1 <= best) & (best <= world.z2))
    np.testing.assert_allclose(state.c, one.c, atol=1e-5)
    assert int(finite) == 24
    assert all(world.feasible(c) for c in buffer.c[:n].numpy())


def test_steps_stay_finite_where_every_candidate_is_feasible():
    """Four standard deviations for the code as a whole at most, or the first step where longer."""
    _, problem, _ = linear("both")
    everywhere = worlds.target((-1e30, 1e30), (-1e30, 1e30))
    c = np.random.default_rng(6).standard_normal((3, W.shape[1]))
    advance = walk.make_advance(problem, 1.0, 200)
    for first, most in ((0.1, 4.0 / np.sqrt(W.shape[1])), (9.0, 9.0)):
        state = start(c, np.zeros((3, 4)))._replace(beta=tf.constant(first))
        state, buffer, _, _ = advance(state, everywhere)
        assert int(buffer.count) == 600
        assert float(state.beta) == pytest.approx(most)
        assert np.abs(state.c).max() < 200 * most * W.shape[1] + 10


@pytest.mark.parametrize("penalized", [True, False])
def test_without_the_penalty_the_walk_leaves_the_region(penalized):
    """The paper's own remark: diversity alone drives every code out."""
    world, problem, target = linear("both")
    mu = 1e4 if penalized else 1e-9
    state = start(inside(np.random.default_rng(3), world, 6), np.zeros((6, 4)), mu)
    advance = walk.make_advance(problem, 1.0, 60)
    state, buffer, _, _ = advance(state, target)
    at_the_end = np.sum(buffer.steps[: int(buffer.count)].numpy() >= 7 + 50)
    if penalized:
        assert at_the_end >= 15
    else:
        assert at_the_end == 0 and not any(world.feasible(c) for c in state.c.numpy())


def test_the_nearest_activation_is_what_an_error_tells():
    """Above the range the smallest one, below it the largest; what is no number hides no other."""
    z = np.array([[np.nan, 1.0], [3.0, np.inf], [-2.0, 0.5], [np.inf, np.nan]], np.float32)
    for z1, expected in ((5, (3.0, 1.0)), (-5, (-2.0, 0.5)), (0.75, (3.0, 1.0))):
        found = worlds.target((z1, z1 + 1), (z1, z1 + 1)).nearest(tf.constant(z))
        np.testing.assert_array_equal(found, expected)
    assert float(worlds.target((0, 1)).nearest(tf.constant([[np.nan]]))[0]) == -np.inf
    world, problem, target = linear("both")
    c = inside(np.random.default_rng(3), world, 3)
    seen = []
    for rows in (c, np.concatenate([c, np.full((1, len(c[0])), np.nan)])):
        state = start(rows, np.zeros((len(rows), 4)))
        seen.append(walk.make_advance(problem, 0.0, 1)(state, target)[2].numpy())
    np.testing.assert_allclose(seen[1], seen[0], rtol=1e-5)


def test_the_walk_moves_away_from_what_it_has():
    """Eq. 6's second sum is in the step: a row with a feasible twin leaves it, quicker than eq. 8.

    Closed form for one feasible row alone: eq. 8 has no diversity for K = 1, eq. 10's second sum
    is |e - e_0|^2 = 0 at e = e_0, so only a second row makes a difference.
    """
    world, problem, target = linear("both")
    c = inside(np.random.default_rng(4), world, 2)
    lam = np.zeros((2, 4))
    C0, _ = oracle.walk_step(world, c, lam, 100.0, 0.1)
    with_it = oracle.gradient(world, c, C0, lam, 100.0)
    without = oracle.gradient(world, c, [], lam, 100.0)
    np.testing.assert_allclose(with_it, 1.5 * without)  # 4 + 2 in place of 4, inside the band
    state, _ = walk.make_step(problem, 1.0)(start(c, lam), target)
    apart = np.linalg.norm(state.c[0] - state.c[1]) - np.linalg.norm(c[0] - c[1])
    assert apart > 0


def test_literal_walk_goes_beyond_z2():
    """Eqs. 9 and 10 as printed accept f > z2; two-sided rows stay below."""
    for bound, beyond in (("paper", True), ("both", False)):
        world, problem, target = linear(bound)
        c = inside(np.random.default_rng(5), world._replace(bound="both"), 5)
        state = start(c, np.zeros((5, 4 if bound == "both" else 2)))
        _, buffer, _, _ = walk.make_advance(problem, 1.0, 40)(state, target)
        found = buffer.c[: int(buffer.count)].numpy()
        z = found.astype(float) @ W.T
        assert (z >= world.z1 - 1e-5).all()
        assert bool((z > world.z2 + 1e-5).any()) is beyond
