"""Codes of another law than a generator learned from are noticed."""

import keras
import numpy as np
import pytest
import worlds
from keras import layers

from tf_inverse.adopt import code_check, facts
from tf_inverse.adopt.loading import Opened
from tf_inverse.networks.codes import Codes

# Mean and variance of an entry of a code, in closed form; those of a sphere in 16 dimensions.
LAWS = {
    "--codes=normal": (0.0, 1.0),
    "--codes=uniform": (0.0, 1 / 3),
    "--codes=uniform --bounds=0:1": (0.5, 1 / 12),
    "a sphere": (0.0, 1 / 16),
}


def generator(mean, variance):
    """A generator whose batch normalisation has kept what a linear layer gives for such codes."""
    c = keras.Input((16,))
    linear, norm = layers.Dense(48, use_bias=False), layers.BatchNormalization(name="norm")
    h = layers.Activation("tanh")(norm(linear(c)))
    G = keras.Model(c, layers.Reshape((4, 4, 3))(h), name="G")
    W = np.asarray(linear.kernel, np.float64)
    norm.moving_mean.assign(mean * W.sum(axis=0))
    norm.moving_variance.assign(variance * (W**2).sum(axis=0))
    return G


def doubted(G, kind, bounds=None, entries=None):
    networks = worlds.tiny_networks()
    networks.generator, networks.codes = G, Codes(kind, 16, bounds)
    return code_check.doubts(networks, facts.generator(Opened(G, entries or {}), (-1.0, 1.0)))


@pytest.mark.parametrize("true", LAWS)
def test_what_a_normalisation_kept_tells_the_law_of_codes(true):
    keras.utils.set_random_seed(0)
    G = generator(*LAWS[true])
    said = {"--codes=normal": ("normal",), "--codes=uniform": ("uniform",)}
    said["--codes=uniform --bounds=0:1"] = ("uniform", (0.0, 1.0))
    for words, law in said.items():
        told = " ".join(doubted(G, *law))
        if words == true:
            assert not told
        elif true in said:
            assert told.startswith(f"{true} may be meant: the means and variances that norm kept")
        elif law == ("normal",):
            assert "not those of normal codes: where the generator learned from others" in told
    assert not doubted(G, "normal", entries={"folder": "there"})


def test_a_generator_that_has_not_learned_tells_nothing():
    G = generator(0.0, 1.0)
    G.get_layer("norm").moving_mean.assign(np.zeros(48))
    G.get_layer("norm").moving_variance.assign(np.ones(48))
    assert not doubted(G, "uniform", (0.0, 1.0))
