"""Which natural images a network keeps, to show beside samples and to start from."""

import numpy as np
import pytest

from tf_inverse.adopt import nature


@pytest.mark.parametrize(("units", "each"), [(3, 50), (40, 50), (80, 25), (130, 20)])
def test_rare_images_are_kept_of_each_unit(units, each):
    """So many a unit as all of them leave room for; by sorting each unit's activations."""
    z = np.random.default_rng(0).standard_normal((20_000, units))
    kept = nature.chosen(z, seed=0)
    assert len(set(kept)) == len(kept)
    rare, counted = kept[nature.BANK :], min(units, nature.UNITS)
    assert len(kept[: nature.BANK]) == 500 and len(rare) <= 2000
    ranks = z[:, :counted].argsort(axis=0).argsort(axis=0)
    high = (ranks >= 0.99 * 20_000) & (ranks < 0.998 * 20_000)
    assert high[rare].any(axis=1).all()
    # An image that is kept for one unit may be rare of another, too: those are not kept twice.
    assert (high[kept].sum(axis=0) >= each).all()
    assert len(rare) > 0.5 * counted * each
