"""Layers whose activations are others at each look."""

import keras
import pytest
import worlds

from tf_inverse.band import Band
from tf_inverse.errors import UsageError
from tf_inverse.method.fidelity import settled
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.neuron import Neuron


def test_layers_that_draw_random_numbers_are_refused():
    """An encoder that samples: what is found in the range now lies elsewhere at the next look."""

    class Sampling(keras.layers.Layer):
        def call(self, x):
            return x + keras.random.normal(keras.ops.shape(x), seed=self.noise)

        def build(self, shape):
            self.noise = keras.random.SeedGenerator(0)

    plain = worlds.tiny_networks()
    inner = plain.classifier
    drawn = Sampling(name="drawn")(inner.get_layer("fc2").output)
    both = keras.Model(inner.input, [inner.output, drawn])
    mixed = worlds.tiny_networks(classifier=both, labels=None)
    neuron = Neuron("drawn", 1)
    with pytest.raises(UsageError, match="drawn of tiny gives others"):
        next(sample(mixed, [Band(neuron, -1.0, 1.0)], Settings(n=2, K=4)))
    settled(mixed, [Band(Neuron("fc2", 1), -1.0, 1.0)], Settings(n=2, K=4, precision="float32"))
