"""Where codes start: each kind in distribution, within bounds, and the same for the same seed."""

import numpy as np
import pytest
import worlds

from tf_inverse.errors import UsageError
from tf_inverse.networks.codes import KINDS, Codes, Stream, draw, generator
from tf_inverse.networks.natural import Natural

COUNT = 3000


@pytest.fixture(scope="module")
def networks():
    rng = np.random.default_rng(0)
    bank = rng.uniform(0, 9, (20, 6)).astype(np.float32)
    mean, factor = rng.standard_normal(6, np.float32), rng.standard_normal((2, 6), np.float32)
    stored = Natural(20, "made up", np.zeros(1), {}, bank, {}, bank, (mean, factor))
    return worlds.tiny_networks(natural=stored)


def drawn(networks, kind, bounds=None, count=COUNT, seed=3):
    networks.codes = Codes(kind, networks.codes.size, bounds)
    return draw(networks, count, generator(seed, 0))


def test_normal_and_uniform_in_distribution(networks):
    c = drawn(networks, "normal")
    assert c.shape == (COUNT, 6) and c.dtype == np.float32
    np.testing.assert_allclose(c.mean(axis=0), 0, atol=0.08)
    np.testing.assert_allclose(np.cov(c.T), np.eye(6), atol=0.1)
    c = drawn(networks, "uniform")
    assert c.min() >= -1 and c.max() <= 1
    np.testing.assert_allclose(c.var(axis=0), 1 / 3, atol=0.03)
    c = drawn(networks, "uniform", (2.0, 5.0))
    assert c.min() >= 2 and c.max() <= 5 and c.mean() == pytest.approx(3.5, abs=0.1)


def test_bank_rows_are_natural_codes(networks):
    c = drawn(networks, "bank")
    rows = {row.tobytes() for row in networks.natural.bank}
    assert {row.tobytes() for row in c} == rows


def test_gaussian_has_the_mean_and_covariance_of_its_factor(networks):
    mean, factor = networks.natural.gaussian
    c = drawn(networks, "gaussian", count=20000)
    np.testing.assert_allclose(c.mean(axis=0), mean, atol=0.1)
    np.testing.assert_allclose(np.cov(c.T), factor.T @ factor, atol=0.2)


def test_noise_is_the_encoding_of_noise_images():
    """The paper's start; encoder and codes have the same size here, as in its pair."""
    networks = worlds.tiny_networks(code=7)
    c = drawn(networks, "noise", count=300)
    rng = np.random.default_rng(9)
    noise = np.clip(rng.normal(127.5, 64.0, (300, 8, 8, 3)), 0, 255)
    e = networks.encode(noise)
    assert c.shape == e.shape
    np.testing.assert_allclose(c.mean(axis=0), e.mean(axis=0), atol=0.15)
    # The images of one generator, batch by batch: those that it gives at once.
    c = draw(networks, 300, np.random.default_rng(9))
    np.testing.assert_array_equal(c, np.clip(e, *networks.codes.limits))


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_and_bounds_hold(kind):
    size = 7 if kind == "noise" else 6
    rng = np.random.default_rng(1)
    bank = rng.standard_normal((5, size), np.float32)
    stored = Natural(5, "made up", np.zeros(1), {}, bank, {}, bank, (bank[0], bank[1:3]))
    networks = worlds.tiny_networks(code=size, natural=stored)
    first, again, other = (drawn(networks, kind, (-0.5, 2.0), 6, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other) and first.min() >= -0.5 and first.max() <= 2


def test_rows_of_a_stream_depend_on_their_number_alone(tiny):
    """Whoever asks in whatever pieces gets the same rows."""
    whole = Stream(tiny, 5, 2, 4).rows(0, 23)
    assert whole[0].shape == (23, 6) and whole[1].shape == (23, 2)
    assert whole[1].min() >= 0 and whole[1].max() < 1
    pieces = Stream(tiny, 5, 2, 4)
    for start, count in ((0, 4), (4, 8), (3, 2), (11, 9), (22, 1)):
        for part, all_ in zip(pieces.rows(start, count), whole, strict=True):
            np.testing.assert_array_equal(part, all_[start : start + count])
    assert len(np.unique(whole[0], axis=0)) == 23
    other = Stream(tiny, 6, 2, 4).rows(0, 23)
    assert not np.isin(whole[0], other[0]).any()


def test_blocks_of_random_numbers_do_not_overlap():
    streams = [generator(1, i, j).integers(0, 2**63, 2000) for i in (0, 1) for j in (0, 1, 2)]
    assert len(np.unique(np.concatenate(streams))) == 6 * 2000


def test_refusals():
    with pytest.raises(UsageError, match="normal, uniform, noise, gaussian, bank, got 'cauchy'"):
        Codes("cauchy", 3)
    with pytest.raises(UsageError, match=r"bounds low < high, got \(1, 0\)"):
        Codes("normal", 3, (1, 0))
    with pytest.raises(UsageError, match=r"bounds low < high, got \(nan, 1\)"):  # as JSON may say
        Codes("normal", 3, (float("nan"), 1))
    with pytest.raises(UsageError, match="both bounds of uniform codes or none"):
        Codes("uniform", 3, (0, None))
    assert Codes("normal", 3).limits == (-np.inf, np.inf)
    assert Codes("normal", 3, (None, 2)).limits == (-np.inf, 2)


@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), (0.0, None), (-1e308, 1e308), (-1e39, 1e39)])
def test_uniform_codes_have_bounds_that_a_number_can_be_drawn_between(bounds):
    with pytest.raises(UsageError, match="both bounds of uniform codes or none, finite"):
        Codes("uniform", 3, bounds)
    assert Codes("uniform", 3, (-3e37, 3e37)).limits == (-3e37, 3e37)
    with pytest.raises(UsageError, match="low < high, got .1000"):
        Codes("normal", 3, (10**400, None))
