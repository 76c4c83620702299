"""Effective sample size and R-hat, against ArviZ and closed forms."""

import numpy as np
import pytest

from tf_inverse.method import diagnostics


def autoregressive(phi, chains, draws, seed=0):
    """Chains x[t] = phi x[t-1] + noise from their stationary law, [chains, draws]."""
    rng = np.random.default_rng(seed)
    x = np.empty((chains, draws))
    x[:, 0] = rng.standard_normal(chains) / np.sqrt(1 - phi**2)
    for t in range(1, draws):
        x[:, t] = phi * x[:, t - 1] + rng.standard_normal(chains)
    return x


@pytest.mark.parametrize("phi", [0.0, 0.6, 0.95, -0.5])
@pytest.mark.parametrize("shape", [(2, 8), (4, 50), (10, 21), (3, 400)])
def test_both_are_what_arviz_computes(phi, shape):
    # arviz-stats needs Python 3.11; the package itself does not.
    array_stats = pytest.importorskip("arviz_stats.base").array_stats
    x = autoregressive(phi, *shape, seed=shape[1])
    x[0] += 0.3
    expected = [float(f(x, chain_axis=0, draw_axis=1)) for f in (array_stats.ess, array_stats.rhat)]
    found = [diagnostics.effective_size(x), diagnostics.r_hat(x)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_ties_and_long_tails_are_what_arviz_computes():
    array_stats = pytest.importorskip("arviz_stats.base").array_stats
    rng = np.random.default_rng(5)
    for x in (rng.integers(3, size=(4, 60)).astype(float), rng.standard_cauchy((4, 60))):
        expected = float(array_stats.ess(x, chain_axis=0, draw_axis=1))
        assert diagnostics.effective_size(x) == pytest.approx(expected, rel=1e-9)


def test_the_effective_size_of_an_autoregression_is_its_closed_form():
    x = autoregressive(0.8, chains=20, draws=2000)
    # Normal scores of a normal variable are the variable: the sum of phi^|t| is 1.8 / 0.2 = 9.
    assert diagnostics.effective_size(x) == pytest.approx(x.size / 9, rel=0.1)


def test_r_hat_tells_of_places_and_of_spreads():
    x = np.random.default_rng(1).standard_normal((4, 500))
    assert diagnostics.r_hat(x) < 1.01
    assert diagnostics.r_hat(x + np.array([[0], [0], [0], [1]])) > 1.1
    assert diagnostics.r_hat(x * np.array([[1], [1], [1], [4]])) > 1.1


def test_rows_of_chains_of_unlike_lengths_are_worth_alike():
    """The last rows of the longer chain are left out where figures are made, and counted after."""
    x, more = autoregressive(0.6, 2, 40), autoregressive(0.6, 2, 3, seed=1)
    z = np.concatenate([x[0], x[1], more[1]])[:, None]
    found = diagnostics.of_sample(z, np.zeros((83, 2)), np.repeat([0, 1, 1], (40, 40, 3)))
    assert found["ess"] == pytest.approx(diagnostics.effective_size(x) / 80 * 83)
    assert found["r_hat"] == pytest.approx(diagnostics.r_hat(x))
    short = diagnostics.of_sample(z[:47], np.zeros((47, 2)), np.repeat([0, 1], (40, 7)))
    assert short == {"ess": None, "r_hat": None}


@pytest.mark.parametrize(
    "x", [np.ones((4, 20)), np.zeros((4, 7)), np.full((4, 20), np.nan), np.eye(4, 3)]
)
def test_draws_that_tell_nothing_have_no_figures(x):
    assert np.isnan(diagnostics.effective_size(x)) and np.isnan(diagnostics.r_hat(x))
