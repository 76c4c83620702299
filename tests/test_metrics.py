"""Metrics against double loops in float64 and closed forms."""

import json
import math

import numpy as np
import pytest

from tf_inverse import diversity, metrics


@pytest.fixture
def encodings():
    return np.random.default_rng(0).normal(5.0, 2.0, (37, 6)).astype(np.float32)


def distances(e):
    e = e.astype(np.float64)
    return np.array([[math.dist(a, b) for b in e] for a in e])


def test_pair_distance_is_the_double_loop(encodings):
    d = distances(encodings)
    expected = d[np.triu_indices(len(d), 1)].mean()
    assert metrics.pair_distance(encodings) == pytest.approx(expected, rel=1e-10)


def test_nearest_distance_is_the_double_loop(encodings):
    d = distances(encodings)
    np.fill_diagonal(d, np.inf)
    assert metrics.nearest_distance(encodings) == pytest.approx(d.min(axis=1).mean(), rel=1e-10)


def test_blocks_do_not_change_the_result(encodings, monkeypatch):
    whole = metrics.pair_distance(encodings), metrics.nearest_distance(encodings)
    monkeypatch.setattr(diversity, "_BLOCK_ELEMENTS", 5 * len(encodings))
    assert len(list(metrics.square_blocks(encodings.astype(float)))) == 8
    parts = metrics.pair_distance(encodings), metrics.nearest_distance(encodings)
    assert parts == pytest.approx(whole, rel=1e-12)


def test_no_row_is_apart_from_itself():
    e = np.random.default_rng(3).normal(size=(50, 40)) * 1e6
    assert all((np.diag(part, start) == 0).all() for start, part in metrics.square_blocks(e))


def test_twins_are_seen_by_the_nearest_distance_alone(encodings):
    twice = np.concatenate([encodings, encodings])
    assert metrics.nearest_distance(twice) < 1e-5
    assert metrics.pair_distance(twice) > 0.9 * metrics.pair_distance(encodings)


@pytest.mark.parametrize("copies", [1, 2, 7])
def test_vendi_of_far_points_is_their_number_whatever_their_copies(copies):
    points = np.repeat(np.eye(5) * 1000, copies, axis=0)
    assert metrics.vendi(points, 1.0) == pytest.approx(5, rel=1e-9)


def test_vendi_of_two_points_is_the_entropy_of_their_two_eigenvalues():
    d, h = 1.7, 0.9
    k = math.exp(-(d**2) / (2 * h**2))
    eigenvalues = (1 + k) / 2, (1 - k) / 2
    expected = math.exp(-sum(v * math.log(v) for v in eigenvalues))
    assert metrics.vendi(np.array([[0.0], [d]]), h) == pytest.approx(expected, rel=1e-12)


def eigenvalues(e, h):
    k = np.exp(-(distances(e) ** 2) / (2 * h**2)) / len(e)
    return np.linalg.svd(k, compute_uv=False)  # a positive matrix's singular values


def test_a_profile_is_the_entropies_of_the_kernel(encodings):
    values = eigenvalues(encodings, 2.5)
    expected = (
        np.sum(values**0.5) ** 2,
        np.exp(-np.sum(values * np.log(values))),
        1 / np.sum(values**2),
        1 / values.max(),
    )
    assert metrics.ORDERS == (0.5, 1, 2, math.inf)
    assert diversity.profile(encodings, 2.5) == pytest.approx(expected, rel=1e-8)
    assert metrics.vendi(encodings, 2.5) == pytest.approx(expected[1], rel=1e-8)
    assert metrics.vendi(encodings, 2.5, order=2) == pytest.approx(expected[2], rel=1e-8)
    # Order 0 counts what is there at all, and nothing that rounding leaves of copies.
    assert metrics.vendi(encodings, 2.5, order=0) == pytest.approx(len(values), rel=1e-8)
    copies = np.repeat(encodings[:5], 7, axis=0)
    assert metrics.vendi(copies, 2.5, order=0) == 5


def test_a_profile_is_that_of_the_authors_package(encodings):
    authors = pytest.importorskip("vendi_score.vendi", reason="the extra `test` has vendi-score")
    k = np.exp(-(distances(encodings) ** 2) / (2 * 2.5**2))
    # score_K: score_X of version 0.0.3 takes an order and scores order 1. Infinity is a text there.
    expected = [authors.score_K(k, q) for q in (0.5, 1, 2, "inf")]
    assert diversity.profile(encodings, 2.5) == pytest.approx(expected, rel=1e-8)


def test_ten_images_five_times_each_win_at_infinity_and_lose_at_a_half():
    rng = np.random.default_rng(0)
    copies = np.repeat(np.eye(10) * 1000, 5, axis=0)
    varied = np.concatenate([np.eye(40) * 1000, np.zeros((10, 40))])
    copies = np.pad(copies, ((0, 0), (0, 30)))[rng.permutation(50)]
    a, b = (diversity.profile(e, 1.0) for e in (copies, varied))
    assert a == pytest.approx((10, 10, 10, 10)) and b[0] > 10 > b[3] == pytest.approx(5)


def test_a_score_at_a_smaller_count_is_the_mean_of_seeded_choices(encodings):
    chosen = [np.random.default_rng(seed).choice(37, 9, False) for seed in range(5)]
    values = [eigenvalues(encodings[rows], 2.5) for rows in chosen]
    expected = np.mean([1 / np.sum(one**2) for one in values])
    assert diversity.profile_at(encodings, 2.5, 9)[2] == pytest.approx(expected, rel=1e-8)
    assert diversity.profile_at(encodings, 2.5, 37) == diversity.profile(encodings, 2.5)
    assert diversity.profile_at(encodings, 2.5, 99) == diversity.profile(encodings, 2.5)


def test_the_nearest_of_others_is_the_double_loop(encodings, monkeypatch):
    monkeypatch.setattr(diversity, "_BLOCK_ELEMENTS", 40)
    others = np.concatenate([encodings[30:] + 0.5, encodings[:2]])
    expected = [min(math.dist(a, b) for b in others.tolist()) for a in encodings.tolist()]
    found = diversity.distances_to(encodings, others)
    assert found == pytest.approx(expected, rel=1e-10) and found[0] == found[1] == 0


def test_a_bandwidth_is_half_the_mean_distance_to_six_digits(encodings):
    d = distances(encodings)
    half = d[np.triu_indices(37, 1)].mean() / 2
    assert diversity.bandwidth(encodings) == float(f"{half:.6g}")


@pytest.mark.parametrize("order", [-1, math.nan])
def test_vendi_refuses_an_order_that_is_none(order, encodings):
    with pytest.raises(ValueError, match="expected orders of the Vendi score from 0 up"):
        metrics.vendi(encodings, 1.0, order)


@pytest.mark.parametrize("bandwidth", [0, -1, math.nan, math.inf])
def test_vendi_refuses_a_bandwidth_that_is_none(bandwidth, encodings):
    with pytest.raises(ValueError, match="expected a positive bandwidth"):
        metrics.vendi(encodings, bandwidth)


def test_in_range_is_every_band_and_closed():
    z = [[1, 5], [2, 6], [1, 7], [0.999, 5], [np.nan, 5]]
    assert metrics.in_range(np.array(z), [1, 5], [2, 6]).tolist() == [
        True,
        True,
        False,
        False,
        False,
    ]
    with pytest.raises(ValueError, match="one z1 and z2 for each of 2 neurons"):
        metrics.in_range(np.array(z), [1], [2])


def test_coverage_is_the_largest_gap_to_the_uniform_distribution():
    rng = np.random.default_rng(1)
    z = rng.uniform(8, 10, (300, 1))
    grid = np.linspace(8, 10, 20001)
    gap = np.abs((z <= grid).mean(axis=0) - (grid - 8) / 2).max()
    assert metrics.coverage(z, [8], [10])[0] == pytest.approx(gap, abs=2e-4)
    assert metrics.coverage(np.full((9, 1), 8.0), [8], [10])[0] == 1
    assert metrics.coverage(np.full((9, 1), 12.0), [8], [10])[0] == 1  # beyond the band
    assert np.isnan(metrics.coverage(z, [8], [np.inf])[0])


def test_summary_is_json_and_knows_what_it_does_not_know(encodings):
    z = np.linspace(8, 11, 37)[:, None]
    figures = metrics.summary(encodings, z, [8], [10], asked=50)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert (figures["found"], figures["asked"], figures["in_range"]) == (37, 50, 25 / 37)
    assert figures["pair_distance_per_dimension"] == pytest.approx(
        metrics.pair_distance(encodings) / 6**0.5
    )
    assert figures["vendi"] is figures["vendi_natural"] is figures["natural"] is None


def test_nature_is_compared_at_equal_counts(encodings):
    z = np.full((37, 1), 9.0)
    figures = metrics.summary(
        encodings, z, [8], [10], asked=37, bandwidth=1.0, natural_encodings=np.eye(6)[:4] * 100
    )
    assert figures["natural"] == 4
    assert figures["vendi_natural"] == pytest.approx(4)
    assert figures["vendi_natural_profile"] == pytest.approx([4] * 4)
    expected = diversity.profile_at(encodings, 1.0, 4)
    assert figures["vendi_equal_count_profile"] == pytest.approx(expected)
    assert figures["vendi_equal_count"] == pytest.approx(expected[1])
    assert (figures["vendi_count"], figures["vendi_profile"][1]) == (37, figures["vendi"])


def test_how_far_codes_went_is_counted():
    told = metrics.ways(np.array([0, 0.5, 2, 0], "f4"), np.array([0, 0.09, 0.11, 3], "f4"))
    assert told == {
        "from_start": 0.25,
        "unmoved": 2,
        "as_drawn": 2,
        "from_bank": pytest.approx(0.1),
    }
    assert set(metrics.ways(None, np.zeros(0)).values()) == {None}


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_samples_have_no_distances(n):
    figures = metrics.summary(np.ones((n, 3)), np.ones((n, 1)), [0], [2], asked=5, bandwidth=1.0)
    assert (figures["found"], figures["pair_distance"], figures["nearest_distance"]) == (n, 0, 0)
    assert figures["vendi"] == n


def test_how_unlike_samples_are_is_the_energy_of_naive_means(monkeypatch):
    monkeypatch.setattr(diversity, "_BLOCK_ELEMENTS", 60)  # so that there are several blocks
    rng = np.random.default_rng(0)
    samples = [rng.normal(i, 1, (n, 3)) for i, n in enumerate((4, 1, 6, 2, 5))]

    def mean(a, b):
        return np.mean([[np.linalg.norm(x - y) for y in b] for x in a])

    expected = [
        [(2 * mean(a, b) - mean(a, a) - mean(b, b)) / (2 * mean(a, b)) for b in samples]
        for a in (samples[0], samples[2])
    ]
    found = diversity.unlike(samples)
    np.testing.assert_allclose(found[[0, 2]], np.where(np.isnan(expected), 0, expected), atol=1e-9)
    np.testing.assert_array_equal(found, found.T)
    twins = diversity.unlike([np.ones((2, 3)), np.ones((1, 3))])
    np.testing.assert_array_equal(twins, np.zeros((2, 2)))
