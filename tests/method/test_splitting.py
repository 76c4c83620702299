"""Splitting of a linear neuron on normal codes, whose probabilities are known."""

import numpy as np
import pytest
from scipy import stats

from tf_inverse.method import splitting
from tf_inverse.method.splitting import Population, relative_variance, split, student_95


def normal_splitting(z1, seed, z2=np.inf, N=1000, rounds=4):
    """The last stage of P(z1 <= z <= z2) for z = u_0, by moves written out in NumPy."""
    rng = np.random.default_rng(seed)
    length = [0.6]

    def score(u):
        below, above = np.maximum(z1 - u[:, 0], 0), np.maximum(u[:, 0] - z2, 0)
        return np.where(below > 0, -1 - below, -above / (1 + above))

    def population(u, eve):
        return Population(u, np.zeros(len(u), np.int32), score(u), u[:, :1], eve)

    def move(now, level):
        u = now.u
        for _ in range(rounds):
            v = rng.standard_normal(u.shape)
            proposal = u * np.cos(length[0]) + v * np.sin(length[0])
            accepted = score(proposal) >= level
            u = np.where(accepted[:, None], proposal, u)
            length[0] = min(np.pi / 2, length[0] * np.exp(accepted.mean() - 0.4))
        return population(u, now.eve)

    start = population(rng.standard_normal((N, 2)), np.arange(N))
    return list(split(start, move, rng, np.array([True, False])))


@pytest.mark.parametrize("probability", [0.3, 1e-2, 1e-4, 1e-9])
def test_nine_of_ten_intervals_hold_the_truth(probability):
    last = [normal_splitting(stats.norm.isf(probability), seed)[-1] for seed in range(60)]
    hits = sum(low <= probability <= high for low, high in (one.interval for one in last))
    assert hits >= 51 and all(one.done for one in last)
    # An interval that holds everything would say nothing.
    assert all(one.interval[1] < 5 * one.interval[0] for one in last)


def test_a_narrow_range_far_out_and_the_curve_on_the_way():
    last = normal_splitting(4.0, 3, z2=4.01)[-1]
    low, high = last.interval
    assert low < stats.norm.cdf(4.01) - stats.norm.cdf(4.0) < high
    assert ((last.population.u[:, 0] >= 4) & (last.population.u[:, 0] <= 4.01)).all()
    z, share = np.array(last.curve).T
    assert z.max() > 4 and (np.diff(share) < 0).all() and (np.diff(z) > 0).all()
    np.testing.assert_allclose(share, stats.norm.sf(z), rtol=0.6)


def test_what_cannot_be_reached_is_given_up():
    assert normal_splitting(30.0, 0, N=200)[-1].lost
    same = Population(*(np.zeros(s) for s in ((100, 1), 100, 100, (100, 1), 100)))
    same = same._replace(scores=np.full(100, -2.0))
    assert next(split(same, None, None)).level == -2.0
    stuck = list(split(same, lambda now, level: now, np.random.default_rng(0)))
    assert stuck[-1].lost and len(stuck) == 2


def test_the_variance_is_the_sum_over_pairs_of_strangers():
    rng = np.random.default_rng(7)
    eve, inside = rng.integers(9, size=30), rng.random(30) < 0.4
    weights = inside / inside.sum()
    pairs = sum(weights[a] * weights[b] for a in range(30) for b in range(30) if eve[a] != eve[b])
    assert relative_variance(inside, eve, 4) == pytest.approx(1 - (30 / 29) ** 5 * pairs)
    # N independent draws, k of them inside: (1 - p) / (p (N - 1)).
    alone = relative_variance(inside, np.arange(30), 0)
    share = inside.mean()
    assert alone == pytest.approx((1 - share) / (share * 29))


@pytest.mark.parametrize("freedom", [3, 5, 12, 200])
def test_students_quantile(freedom):
    assert student_95(freedom) == pytest.approx(stats.t.ppf(0.95, freedom), rel=4e-3)


def test_the_interval_is_that_of_a_log_normal_estimate_of_the_right_mean():
    """Of X = p exp(s Z - s^2 / 2), whose relative variance exp(s^2) - 1 is told by 11 families."""
    variance = 0.2
    s = np.sqrt(np.log1p(splitting.ALLOWANCE * variance))
    stage = splitting.Stage(1e-3, 0.0, variance, 11, None)
    ends = 1e-3 * np.exp(s**2 / 2 + np.array([-1, 1]) * stats.t.ppf(0.95, 10) * s)
    np.testing.assert_allclose(stage.interval, ends, rtol=2e-3)
    assert splitting.Stage(0.9, 0.0, variance, 11, None).interval[1] == 1.0


def test_equal_shares_are_what_a_level_holds():
    first = normal_splitting(stats.norm.isf(1e-4), 0)[0]
    assert first.probability == pytest.approx(splitting.SHARE)
