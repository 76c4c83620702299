"""Metrics against double loops in float64 and closed forms."""

import json
import math

import numpy as np
import pytest

from tf_inverse import metrics


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
    monkeypatch.setattr(metrics, "_BLOCK_ELEMENTS", 5 * len(encodings))
    assert len(list(metrics.square_blocks(encodings.astype(float)))) == 8
    parts = metrics.pair_distance(encodings), metrics.nearest_distance(encodings)
    assert parts == pytest.approx(whole, rel=1e-12)


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


def test_vendi_is_the_matrix_entropy_of_the_kernel(encodings):
    h = 2.5
    k = np.exp(-(distances(encodings) ** 2) / (2 * h**2)) / len(encodings)
    values = np.linalg.svd(k, compute_uv=False)  # a positive matrix's singular values
    expected = np.exp(-np.sum(values * np.log(values)))
    assert metrics.vendi(encodings, h) == pytest.approx(expected, rel=1e-8)


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
    assert figures["vendi_equal_count"] == pytest.approx(
        metrics.vendi(encodings[[0, 12, 24, 36]], 1.0)
    )


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_samples_have_no_distances(n):
    figures = metrics.summary(np.ones((n, 3)), np.ones((n, 1)), [0], [2], asked=5, bandwidth=1.0)
    assert (figures["found"], figures["pair_distance"], figures["nearest_distance"]) == (n, 0, 0)
    assert figures["vendi"] == n
