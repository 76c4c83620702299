"""The pool: one step equal to the rule in NumPy, restarts, and what it finds in closed form."""

import numpy as np
import oracle
import pytest
import tensorflow as tf
import worlds

from tf_inverse.compute.device import traced
from tf_inverse.method import pool as pool_module
from tf_inverse.method import renewal
from tf_inverse.method.rule import Rule

RULE = Rule(
    beta=0.2, diversity=0.3, mu0=10.0, growth=1.05, damping=0.1, width=0.15, shortest=0.15,
    patience=300, stall=20, samples_per_seed=1,
)  # fmt: skip
W = np.array([[1.0, -0.5, 0.25, 0.0], [0.0, 1.0, 1.0, -1.0]])
E = np.random.default_rng(0).standard_normal((5, 4)).round(3)
ENDS, SD = ((1.0, 2.0), (-1.0, 1.0)), np.array([0.5, 2.0])


def fresh(rng, rows, d=4, p=2):
    codes = rng.standard_normal((rows, d)).astype(np.float32)
    return pool_module.Fresh(
        tf.constant(codes), tf.constant(rng.uniform(size=(rows, p)), tf.float32)
    )


def pool_of(rng, K, m, d=4, p=2, d_E=5, **changes):
    first = fresh(rng, K, d, p)
    pool = pool_module.init(first.c.numpy(), first.t.numpy(), m, d_E, RULE.mu0)
    return pool._replace(**{k: tf.constant(v, pool._asdict()[k].dtype) for k, v in changes.items()})


def expected_step(world, pool, rule):
    """The rule of renewal.py with the step of step_size.py, row by row.

    Returns c, lam, mu, who is a sample, and what a row needs to know next time: how far short of
    its aims it is, and its stride.
    """
    C, lam, mu, t = (np.asarray(a, float) for a in (pool.c, pool.lam, pool.mu[:, 0], pool.t))
    z1, z2 = world.z1, world.z2
    w, aim = rule.width * (z2 - z1), z1 + t * (z2 - z1)
    ends = np.concatenate([aim - w, aim + w], axis=1)[:, : lam.shape[1]]
    diversity = rule.diversity * 10 / len(C)
    g = oracle.gradient(world, C, [], lam, mu, 0.0, diversity, ends)
    if int(pool.found):
        mean = np.asarray(pool.total, float) / int(pool.found)
        # K copies of the running mean of what was found, in eq. 10's second sum.
        for i in range(len(C)):
            apart = world.encoder @ C[i] - mean
            g[i] -= diversity * len(C) * 2 * world.encoder.T @ apart
    z, next_lam, off = C @ world.W.T, np.zeros_like(lam), np.zeros(len(C))
    short, stride = (aim - z) / (z2 - z1), np.zeros(len(C))
    if world.bound == "paper":
        short = np.maximum(short, 0)
    for i in range(len(C)):
        for k, (row, sign, _, sd) in enumerate(world.sides()):
            margin = sign * (row @ C[i] - ends[i, k]) / sd
            h = margin - oracle.slack(margin, lam[i, k], mu[i])
            next_lam[i, k] = lam[i, k] + rule.damping * (-mu[i] * h)
        worst = np.argmax(np.abs(short[i]))
        off[i] = abs(short[i, worst])
        stride[i] = min(max(off[i], rule.shortest), 1)
        came = abs(short[i, worst] - float(pool.short[i, worst]))
        if pool.age[i] and came:
            stride[i] = min(stride[i], float(pool.stride[i]) / came * off[i])
    reach = rule.width + np.asarray(pool.age) / rule.patience
    done = np.array([off[i] <= reach[i] and world.feasible(C[i]) for i in range(len(C))])
    moved = oracle.moved(C, g, rule.beta * stride, world.c_sd)
    return moved, next_lam, rule.growth * mu, done, short, stride


@pytest.mark.parametrize("bound", ["both", "paper"])
def test_step_by_step_equal_to_the_rule(bound):
    """Thirty steps of a pool in which rows are found, restarted and pushed from the mean."""
    world = oracle.World(W, E, *np.array(ENDS).T, SD, bound, e_sd=2.0, c_sd=0.5)
    problem = worlds.linear_problem(W, bound, E)._replace(e_sd=2.0, c_sd=0.5)
    target, rng = worlds.target(*ENDS, sd=SD), np.random.default_rng(1)
    step = traced(renewal.make_step(problem, RULE))
    pool, spare, used = pool_of(rng, 4, 4 if bound == "both" else 2), fresh(rng, 200), 0
    total, samples = np.zeros(5), 0
    for _ in range(30):
        before = pool
        C, lam, mu, done, short, stride = expected_step(world, pool, RULE)
        left = pool_module.Fresh(*(rows[used : used + 4] for rows in spare))  # one a row will do
        pool, (view, found, report) = step(pool, target, left)
        first = used
        np.testing.assert_array_equal(found, done)
        total += sum((world.encoder @ c for c in before.c.numpy()[done]), np.zeros(5))
        samples += done.sum()
        for row in range(4):
            if done[row]:  # starts again: the next fresh code and aim, no age, no multipliers
                C[row], lam[row], mu[row] = spare.c[used], 0.0, RULE.mu0
                np.testing.assert_array_equal(pool.t[row], spare.t[used])
                used += 1
        np.testing.assert_allclose(pool.c, C, atol=3e-5)
        np.testing.assert_allclose(pool.lam, lam, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(pool.mu[:, 0], mu, rtol=1e-5)
        np.testing.assert_allclose(pool.short, short, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(pool.stride, stride, rtol=2e-3, atol=1e-4)
        np.testing.assert_array_equal(pool.age, np.where(done, 0, before.age + 1))
        assert int(report.used) == used - first and int(report.restarts) == 0
    assert samples > 4 and int(pool.found) == samples and int(pool.step) == 30
    np.testing.assert_allclose(pool.total, total, rtol=1e-4)


def test_rows_too_old_start_again_and_are_counted():
    problem, target = worlds.linear_problem(W, E=E), worlds.target((900, 901), (0, 1))
    rng = np.random.default_rng(2)
    pool = pool_of(rng, 3, 4, age=[299, 5, 298], lam=np.ones((3, 4)), given=[0, 0, 0])
    spare = fresh(rng, 9)
    pool, (_, done, report) = renewal.make_step(problem, RULE)(
        pool, target, pool_module.Fresh(*(rows[4:] for rows in spare))
    )
    assert not np.any(done) and int(report.restarts) == 1 and int(report.used) == 1
    np.testing.assert_array_equal(pool.age, [0, 6, 299])
    np.testing.assert_array_equal(pool.c[0], spare.c[4])
    np.testing.assert_array_equal(pool.t[0], spare.t[4])
    assert not np.any(pool.lam[0]) and np.all(pool.lam[1:].numpy() > 0)


def test_samples_per_seed_keeps_the_code_and_changes_the_aim():
    """m = 2: after its first sample a row goes on from where it is, after its second it is new."""
    problem, target = worlds.linear_problem(W, E=E), worlds.target((-99, 99), (-99, 99))
    rng, rule = np.random.default_rng(3), RULE._replace(samples_per_seed=2, width=1.0)
    pool, spare = pool_of(rng, 2, 4), fresh(rng, 20)
    step = renewal.make_step(problem, rule)
    for i, renewed in enumerate([False, True, False, True]):
        left = pool_module.Fresh(*(rows[2 * i :] for rows in spare))
        pool, (_, done, report) = step(pool, target, left)
        assert np.all(done) and int(report.used) == 2
        np.testing.assert_array_equal(pool.t, spare.t[2 * i : 2 * i + 2])
        same = np.all(pool.c.numpy() == spare.c[2 * i : 2 * i + 2].numpy(), axis=1)
        assert same.tolist() == [renewed] * 2
        assert pool.given.numpy().tolist() == [0 if renewed else 1] * 2


def test_a_pool_that_is_tracked_remembers_where_its_rows_began():
    problem, target = worlds.linear_problem(W, E=E), worlds.target((0.5, 0.9), (-1, 1))
    rng, rule = np.random.default_rng(7), RULE._replace(samples_per_seed=2, patience=9)
    first = fresh(rng, 5)
    pool = pool_module.init(first.c.numpy(), first.t.numpy(), 4, 5, RULE.mu0, tracked=True)
    advance, begun, renewed, seen = renewal.make_advance(problem, rule, 1), first.c.numpy(), 0, 0
    for _ in range(40):
        before, spare = begun.copy(), fresh(rng, 10)
        pool, buffer, _ = advance(pool, target, spare)
        # Only a row that starts again has the very numbers of a fresh one.
        new = (pool.c.numpy()[:, None] == spare.c.numpy()).all(axis=2).any(axis=1)
        begun = np.where(new[:, None], pool.c.numpy(), begun)
        np.testing.assert_array_equal(pool.start[0], begun)
        count = int(buffer.count)
        np.testing.assert_array_equal(buffer.start[0][:count], before[buffer.chain[:count].numpy()])
        renewed, seen = renewed + new.sum(), seen + count
    assert renewed > 5 and seen > 5


def test_what_an_optimizer_remembers_of_a_row_goes_with_the_row():
    rng = np.random.default_rng(4)
    slots = tf.constant(3.0), tf.ones((4, 4))  # a count of steps, and a moment of each entry
    pool, given = pool_of(rng, 4, 4)._replace(slots=slots), fresh(rng, 8)
    done, lost = tf.constant([True, False, False, False]), tf.constant([False, False, True, False])
    after, used = renewal.restart(pool, RULE, done, lost, given)
    assert int(used) == 2 and float(after.slots[0]) == 3.0
    np.testing.assert_array_equal(after.slots[1][:, 0], [0, 1, 0, 1])
    np.testing.assert_array_equal(after.c.numpy()[[0, 2]], given.c[:2])
    np.testing.assert_array_equal(after.c.numpy()[[1, 3]], pool.c.numpy()[[1, 3]])


def test_a_row_that_is_not_finite_is_given_up():
    problem, target = worlds.linear_problem(W, E=E), worlds.target((5, 6), (0, 1))
    rng = np.random.default_rng(4)
    pool, spare = pool_of(rng, 2, 4), fresh(rng, 9)
    pool = pool._replace(c=tf.constant([[np.nan] * 4, [0.1] * 4], tf.float32))
    pool, (_, _, report) = renewal.make_step(problem, RULE)(pool, target, spare)
    assert np.isfinite(pool.c).all() and int(report.restarts) >= 1
    np.testing.assert_array_equal(pool.c[0], spare.c[0])


def test_advance_stops_where_fresh_rows_run_out():
    problem, target = worlds.linear_problem(W, E=E), worlds.target((-99, 99), (-99, 99))
    rng = np.random.default_rng(5)
    advance = renewal.make_advance(problem, RULE._replace(width=1.0), 10)
    pool, buffer, report = advance(pool_of(rng, 3, 4), target, fresh(rng, 7))
    # Three rows a step, all samples: after two steps one fresh row is left, fewer than K.
    assert int(pool.step) == 2 and int(buffer.count) == 6 and int(report.used) == 6
    np.testing.assert_array_equal(buffer.steps[:6], [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(buffer.chain[:6], [0, 1, 2, 0, 1, 2])


def drawn(problem, target, rng, d, d_E, K=8, chunks=30):
    advance = renewal.make_advance(problem, RULE._replace(diversity=0.01), 10)
    pool, codes = pool_of(rng, K, 2, d, 1, d_E), []
    pool = pool._replace(c=problem.bounded(pool.c))
    for _ in range(chunks):
        spare = fresh(rng, 16, d, 1)
        spare = spare._replace(c=problem.bounded(spare.c))
        pool, buffer, _ = advance(pool, target, spare)
        codes.append(buffer.c[: int(buffer.count)].numpy())
    return np.concatenate(codes).astype(float)


def test_linear_neuron_fills_the_slab():
    """f(c) = w c: every sample between two planes, and the whole width between them is used."""
    w = np.array([2.0, -1.0, 0.5])
    codes = drawn(
        worlds.linear_problem(w), worlds.target((1.0, 3.0)), np.random.default_rng(6), 3, 3
    )
    z = codes @ w
    assert len(codes) > 100 and (z >= 1 - 1e-5).all() and (z <= 3 + 1e-5).all()
    # Aims are uniform in the band: no quarter of it holds less than a tenth of the samples.
    assert np.histogram(z, 4, (1, 3))[0].min() >= len(z) / 10
    assert np.linalg.matrix_rank(codes - codes.mean(axis=0), tol=1.0) == 3


def test_logistic_neuron_on_the_unit_square():
    """Section 3.1: { x in [0, 1]^2 : logit(z1) <= w x + b <= logit(z2) }, a strip of the square."""
    w, b, z1, z2 = np.array([3.0, 2.0]), -2.0, 0.5, 0.8
    problem, target = worlds.logistic_problem(w, b), worlds.target((z1, z2), sd=[0.2])
    rng = np.random.default_rng(7)
    codes = drawn(problem, target, rng, 2, 2)
    inner = codes @ w + b
    assert len(codes) > 100 and (codes >= 0).all() and (codes <= 1).all()
    assert (inner >= np.log(z1 / (1 - z1)) - 1e-4).all()
    assert (inner <= np.log(z2 / (1 - z2)) + 1e-4).all()
    # Along the strip: its extreme points in closed form are (0, 1) .. (1, 0) moved into it.
    grid = rng.uniform(size=(20000, 2))
    strip = grid[np.abs(grid @ w + b - 0.693) <= 0.693]
    along = np.array([-2.0, 3.0])
    assert np.ptp(codes @ along) >= 0.8 * np.ptp(strip @ along)
