"""The pool's steps: their length in closed form, no throwing to and fro, and giving up."""

import numpy as np
import pytest
import tensorflow as tf
import worlds
from test_renewal import RULE, fresh, pool_of

from tf_inverse.compute.device import traced
from tf_inverse.method import renewal, step_size


def strides(short, before, stride, new):
    arrays = (np.asarray(a, np.float32) for a in (short, np.abs(short).max(1), before, stride))
    return step_size.strides(*map(tf.constant, arrays), tf.constant(new), 0.15).numpy()


def test_the_secant_hits_where_activation_is_linear():
    """From 2 bands short to 6 beyond in one step: a straight line hits after 6/8 of it, back."""
    got = strides([[-6.0]], [[2.0]], [1.0], [False])
    np.testing.assert_allclose(got, 0.75)


def test_no_farther_than_beta_nor_than_the_distance():
    # Slow so far: the secant asks for 30 strides; near: the distance in bands is the share.
    np.testing.assert_allclose(strides([[3.0]], [[3.1]], [1.0], [False]), 1.0)
    np.testing.assert_allclose(strides([[0.4]], [[0.5]], [1.0], [False]), 0.4, rtol=1e-6)
    np.testing.assert_allclose(strides([[0.01]], [[0.011]], [1.0], [False]), 0.15)
    # It did not move at all, or has not moved yet.
    np.testing.assert_allclose(strides([[3.0]], [[3.0]], [0.0], [False]), 1.0)
    np.testing.assert_allclose(strides([[-6.0]], [[2.0]], [0.1], [True]), 1.0)


def test_a_landing_is_at_most_the_room_beyond_the_aim():
    """One band came of half a stride, so two of a whole one; from half a band off it may go 3/4."""
    arrays = ([[0.5]], [[1.5]], [0.5])
    landing = step_size.landing(*(tf.constant(a, tf.float32) for a in arrays), [False], 0.25)
    np.testing.assert_allclose(landing, 0.75 / 2)
    # Slow rows, those that did not move and those at their first step take the whole step.
    for short, before, new in ((9.0, 9.5, False), (9.0, 9.0, False), (0.1, 9.0, True)):
        a, b, whole = tf.constant([[short]]), tf.constant([[before]]), tf.ones(1)
        np.testing.assert_allclose(step_size.landing(a, b, whole, [new], 0.25), 1.0)


def test_of_several_neurons_the_one_farthest_off_decides():
    got = strides([[0.2, -4.0], [0.2, 3.0]], [[0.9, 4.0], [0.9, 5.0]], [0.5, 0.5], [False] * 2)
    np.testing.assert_allclose(got, [0.25, 0.75])


def test_progress_is_a_tenth_of_the_way():
    off, nearest = tf.constant([0.95, 0.89, 7.0]), tf.constant([1.0, 1.0, 0.0])
    since, new = tf.constant([3, 3, 9]), tf.constant([False, False, True])
    nearest, since = step_size.progress(off, nearest, since, new, RULE.nearer)
    np.testing.assert_allclose(nearest, [1.0, 0.89, 7.0])
    np.testing.assert_array_equal(since, [4, 0, 0])


def test_a_steep_neuron_is_not_thrown_over_its_band():
    """A step of beta moves the activation by 40 bands: the secant finds the band all the same."""
    w = np.full(16, 5.0)
    problem, target = worlds.linear_problem(w), worlds.target((3.0, 3.4), sd=[20.0])
    rng, found = np.random.default_rng(0), 0
    pool = pool_of(rng, 6, 2, 16, 1, 16)
    step = traced(renewal.make_step(problem, RULE._replace(diversity=1e-4)))
    for _ in range(40):
        pool, (_, done, _) = step(pool, target, fresh(rng, 6, 16, 1))
        found += int(np.sum(done))
    # In closed form three looks are enough: where it starts, after a step, after the secant's.
    assert found >= 6 * 40 / 5


@pytest.fixture(scope="module")
def constant():
    """The step where a unit is the same everywhere: one graph for several tests."""
    return traced(renewal.make_step(worlds.linear_problem(np.zeros(4)), RULE))


def test_a_row_that_comes_no_nearer_starts_again(constant):
    """A unit that is the same everywhere: 20 steps after the first look, not 300."""
    target = worlds.target((1.0, 2.0))
    rng = np.random.default_rng(1)
    pool = pool_of(rng, 3, 2, 4, 1, 4)
    for i in range(RULE.stall + 1):
        pool, (_, done, report) = constant(pool, target, fresh(rng, 3, 4, 1))
        assert not np.any(done)
        assert int(report.restarts) == (3 if i == RULE.stall else 0)
    np.testing.assert_array_equal(pool.age, [0, 0, 0])


def test_a_row_in_the_band_whose_aim_is_out_of_reach_is_a_sample(constant):
    """The unit gives 0 whatever comes in; the band holds 0 at its end, the aims lie elsewhere."""
    target = worlds.target((0.0, 2.0))
    rng = np.random.default_rng(2)
    pool = pool_of(rng, 3, 2, 4, 1, 4)
    pool = pool._replace(t=tf.constant([[0.9], [0.9], [0.1]]))
    took = []
    for i in range(RULE.stall + 1):
        pool, (_, done, _) = constant(pool, target, fresh(rng, 3, 4, 1))
        took += [i] * int(np.sum(done[:2]))
    assert took == [RULE.stall] * 2
