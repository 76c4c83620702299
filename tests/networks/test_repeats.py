"""Networks whose images, encodings or activations are others at each look are refused."""

import keras
import numpy as np
import pytest
import worlds

from tf_inverse import export, grid
from tf_inverse.band import Band, Bands
from tf_inverse.errors import UsageError
from tf_inverse.explain import nature
from tf_inverse.judging import agreement
from tf_inverse.method import normalization, plane
from tf_inverse.method.fidelity import settled
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks import repeats
from tf_inverse.neuron import Neuron

NEURON, SOUND = Neuron("drawn", 1), Neuron("fc2", 1)
BANDS = Bands([Band(NEURON, -1.0, 1.0)])


class Sampling(keras.layers.Layer):
    """What it takes and noise, as the layer of an encoder that samples."""

    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x), seed=self.noise)

    def build(self, shape):
        self.noise = keras.random.SeedGenerator(0)


@pytest.fixture(scope="module")
def mixed():
    """A pair with a layer beside the way to its output that draws random numbers."""
    inner = worlds.tiny_networks().classifier
    drawn = Sampling(name="drawn")(inner.get_layer("fc2").output)
    both = keras.Model(inner.input, [inner.output, drawn])
    return worlds.tiny_networks(classifier=both, labels=None)


def searched(networks):
    two = Bands([Band(SOUND, -1.0, 1.0), *BANDS])
    cells = grid.between((-1.0, 1.0), (-1.0, 1.0), 2, 2)
    scale = normalization.measure(networks, two.neurons)
    plane.Search(networks, cells, two, Settings(K=4).sized(6), scale, 1, 10)


def photographs(networks, tmp_path):
    np.savez(tmp_path / "nature.npz", images=np.zeros((3, 8, 8, 3), np.uint8))
    nature.beside(networks, BANDS, tmp_path / "nature.npz")


@pytest.mark.parametrize(
    "asked",
    [
        lambda networks, _: next(sample(networks, BANDS, Settings(n=2, K=4))),
        lambda networks, _: searched(networks),
        lambda networks, _: export.gather(networks, ("drawn",), Settings()),
        lambda networks, _: agreement.others(networks, BANDS),
        photographs,
    ],
    ids=["sample", "plane", "export", "judge", "nature"],
)
def test_layers_that_draw_random_numbers_are_refused(mixed, tmp_path, asked):
    with pytest.raises(UsageError, match="drawn of tiny gives others"):
        asked(mixed, tmp_path)


def test_the_layers_before_are_not(mixed):
    settled(mixed, [Band(SOUND, -1.0, 1.0)], Settings(n=2, K=4, precision="float32"))
    export.gather(mixed, ("fc2",), Settings())


def test_a_generator_that_draws_random_numbers_is_refused():
    inner = worlds.tiny_networks().generator
    noisy = keras.Model(inner.input, Sampling()(inner.output), name="noisy")
    networks = worlds.tiny_networks(generator=noisy)
    with pytest.raises(UsageError, match="expected the generator of tiny to give the same"):
        next(sample(networks, [Band(SOUND, -1.0, 1.0)], Settings(n=2, K=4)))
    with pytest.raises(UsageError, match="expected the generator of tiny to give the same"):
        export.gather(networks, ("fc2",), Settings())


def test_encodings_that_are_random_are_refused(mixed):
    networks = worlds.tiny_networks(classifier=mixed.classifier, labels=None, encoder="drawn")
    with pytest.raises(UsageError, match="layer drawn of tiny, which gives encodings, to give"):
        repeats.expect_neurons(networks, (SOUND,), 4)


def test_a_layer_that_looks_at_its_neighbours_is_refused():
    inner = worlds.tiny_networks().classifier
    h = inner.get_layer("fc2").output
    away = h - keras.ops.mean(h, axis=0, keepdims=True)
    away = keras.layers.Identity(name="away")(away)
    networks = worlds.tiny_networks(
        classifier=keras.Model(inner.input, [inner.output, away]), labels=None
    )
    for look in (
        lambda: repeats.expect_neurons(networks, (Neuron("away", 1),), 4),
        lambda: repeats.expect_layers(networks, ("away",)),
    ):
        with pytest.raises(UsageError, match="away of tiny gives others"):
            look()


def test_what_is_no_number_says_nothing():
    before = np.array([[1.0, np.nan], [3.0, np.inf]])
    assert repeats.apart(before, before.copy()) is None
    assert repeats.apart(before, before + 1.0) == 1.0
