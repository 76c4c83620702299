"""Facets against naive loops over every exchange and every row, and against planted groups."""

import itertools

import numpy as np
import pytest

from tf_inverse import diversity, facets
from tf_inverse.errors import UsageError


def distances(e):
    return np.array([[np.linalg.norm(a - b) for b in e] for a in e])


def cost(d, medoids):
    return sum(min(d[i, m] for m in medoids) for i in range(len(d)))


def naive_pam(d, k):
    """BUILD and SWAP as Kaufman and Rousseeuw tell them: every set of medoids is summed up anew."""
    medoids, rows = [], range(len(d))
    for _ in range(k):
        medoids.append(
            min((i for i in rows if i not in medoids), key=lambda i: cost(d, [*medoids, i]))
        )
    while True:
        pairs = itertools.product(medoids, (i for i in rows if i not in medoids))
        exchanged = [[j if m == i else m for m in medoids] for i, j in pairs]
        best = min(exchanged, key=lambda one: cost(d, one), default=medoids)
        if cost(d, best) >= cost(d, medoids) - 1e-9:
            return sorted(medoids)
        medoids = best


def naive_silhouettes(d, members):
    found = []
    for i, own in enumerate(members):
        means = {}
        for group in set(members):
            others = [d[i, j] for j in range(len(d)) if j != i and members[j] == group]
            means[group] = np.mean(others) if others else None
        a, b = means[own], min(mean for group, mean in means.items() if group != own)
        found.append(0.0 if a is None else (b - a) / max(a, b))
    return found


@pytest.mark.parametrize("k", [1, 2, 3, 5, 14])
def test_medoids_are_those_of_naive_loops(k):
    for seed in range(8):
        d = distances(np.random.default_rng(seed).normal(size=(14, 3)))
        assert facets.pam(d, k).tolist() == naive_pam(d, k)


def test_silhouettes_are_those_of_naive_loops():
    rng = np.random.default_rng(0)
    d = distances(rng.normal(size=(15, 2)))
    members = np.array([*rng.permutation(12) % 3, 0, 1, 3])  # facet 3 is a single row
    assert facets.silhouettes(d, members) == pytest.approx(naive_silhouettes(d, members.tolist()))


def planted(sizes, away, rng=None, width=8):
    """Groups of these sizes around corners that lie `away` apart, with spread 1; and their rows."""
    rng = rng or np.random.default_rng(1)
    members = np.repeat(np.arange(len(sizes)), sizes)
    corners = away / np.sqrt(2) * np.eye(width)[: len(sizes)]
    order = rng.permutation(len(members))
    return (corners[members] + rng.normal(size=(len(members), width)))[order], members[order]


@pytest.mark.parametrize("sizes", [(30, 20), (25, 15, 10), (12, 11, 10, 9)])
def test_planted_groups_are_found_the_largest_first(sizes):
    e, members = planted(sizes, 12)
    found = facets.of(e)
    assert found.members.tolist() == members.tolist()
    assert found.shares == pytest.approx(np.array(sizes) / sum(sizes))
    d = distances(e)
    for i, medoid in enumerate(found.medoids):
        inside = np.flatnonzero(members == i)
        assert medoid == inside[np.argmin(d[np.ix_(inside, inside)].sum(axis=0))]
    naive = naive_silhouettes(d, found.members.tolist())
    assert found.silhouette == found.tried[len(sizes)] == pytest.approx(np.mean(naive))


def test_one_gaussian_is_one_facet_however_flat():
    """By chance one of twenty may be taken for more; of these twelve, none or one."""
    split = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        e = rng.normal(size=(30, 6)) * 0.5 ** np.arange(6)
        split += len(facets.of(e).medoids) > 1
    assert split <= 1


def test_more_rows_than_medoids_are_chosen_among():
    e, members = planted((300, 250), 14)
    found = facets.of(e)
    assert found.members.tolist() == members.tolist() and len(found.members) == 550


def test_as_many_facets_as_asked_and_no_more_than_rows():
    e, _ = planted((6, 4), 12)
    assert len(facets.of(e, 4).medoids) == 4 and facets.of(e, 10).members.max() == 9
    for k in (0, 11):
        with pytest.raises(UsageError, match="expected from 1 to 10 facets of 10 samples"):
            facets.of(e, k)
    with pytest.raises(UsageError, match="got none"):
        facets.of(e[:0])


@pytest.mark.parametrize("e", [np.ones((1, 3)), np.ones((2, 3)), np.ones((9, 3))])
def test_twins_are_one_facet(e):
    found = facets.of(e)
    assert found.members.tolist() == [0] * len(e) and found.shares.tolist() == [1]
    # Also where all of them are twins: each medoid is of a facet of its own.
    every = facets.of(e, len(e))
    assert sorted(every.medoids) == [*range(len(e))] and (every.shares == 1 / len(e)).all()


def test_polysemanticity_is_the_vendi_score_of_medoids_as_often_as_their_shares():
    rng = np.random.default_rng(0)
    medoids = rng.normal(size=(3, 4))
    rows = np.array([0, 1, 2, 1, 0, 0])
    found = facets.Facets(rows, np.array([0, 1, 2]), np.array([3, 2, 1]) / 6, 0.5, {3: 0.5})
    found_too = facets.polysemanticity(medoids[rows], found, 1.3)
    repeated = diversity.vendi(medoids[[0, 0, 0, 1, 1, 2]], 1.3)
    assert found_too == pytest.approx(repeated)
    # Far apart only shares count: the exponential of their entropy.
    entropy = -sum(p * np.log(p) for p in (1 / 2, 1 / 3, 1 / 6))
    assert facets.polysemanticity(medoids[rows], found, 1e-3) == pytest.approx(np.exp(entropy))
    assert facets.polysemanticity(medoids[rows], found, 1e6) == pytest.approx(1)


def test_how_far_apart_medoids_are():
    e = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 10.0]])
    found = facets.Facets(np.arange(3), np.arange(3), np.full(3, 1 / 3), 0.0, {3: 0.0})
    sides = [5.0, 10.0, np.hypot(3.0, 6.0)]
    assert facets.apart(e, found) == pytest.approx(np.mean(sides))
    assert facets.apart(e, facets.of(e, 1)) is None
