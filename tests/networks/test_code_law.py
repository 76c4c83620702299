"""The law of codes as a function of normal numbers, beside the codes that runs start from."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import worlds
from scipy import stats

from tf_inverse.networks import codes, domains
from tf_inverse.networks.code_law import KERNEL, law
from tf_inverse.networks.codes import Codes

BOUNDS = (-0.5, 1.0)


def drawn(of, count=3000):
    rng = np.random.default_rng(0)
    u = tf.constant(rng.standard_normal((count, of.size), np.float32))
    return of.code(u, tf.constant(rng.integers(of.members, size=count), tf.int32)).numpy()


def networks(kind, bounds=None, **natural):
    made = worlds.tiny_networks(code=7)
    nature = dataclasses.replace(worlds.natural(made, 40), **natural) if natural else None
    return dataclasses.replace(made, codes=Codes(kind, 7, bounds), natural=nature)


@pytest.mark.parametrize(
    ("kind", "bounds"),
    [
        ("normal", None),
        ("normal", BOUNDS),
        ("uniform", BOUNDS),
        ("uniform", None),
        ("gaussian", None),
        ("gaussian", BOUNDS),
        ("noise", BOUNDS),
    ],
)
def test_the_law_is_that_of_starting_codes(kind, bounds):
    factor = np.random.default_rng(3).standard_normal((2, 7)).astype(np.float32)
    more = {"gaussian": (np.arange(7, dtype=np.float32) / 4, factor)} if kind == "gaussian" else {}
    pair = networks(kind, bounds, **more)
    ours, theirs = drawn(law(pair)), codes.draw(pair, 3000, codes.generator(1, 0))
    for column in range(7):
        assert stats.ks_2samp(ours[:, column], theirs[:, column]).pvalue > 1e-4
    spread = np.cov(theirs.T)
    np.testing.assert_allclose(np.cov(ours.T), spread, atol=0.12 * spread.max())


def test_a_bank_is_smoothed_by_its_kernel():
    bank = np.random.default_rng(2).normal([0, 5, 9, 0, 0, 0, 0], [1, 2, 0, 1, 1, 1, 1], (40, 7))
    bank = bank.astype(np.float32)
    of = law(networks("bank", bank=bank))
    assert of.members == len(bank)
    u = np.random.default_rng(4).standard_normal((5, 7)).astype(np.float32)
    i = np.array([0, 3, 3, 39, 12], np.int32)
    expected = bank[i].astype(np.float64) + KERNEL * bank.astype(np.float64).std(axis=0) * u
    np.testing.assert_allclose(of.code(tf.constant(u), tf.constant(i)), expected, rtol=1e-5)


def test_a_box_has_no_code_outside(tiny):
    made = drawn(law(domains.pixels(tiny.classifier, "fc2")), 50)
    assert made.min() >= 0 and made.max() <= 1
