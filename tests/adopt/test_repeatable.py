"""What gives other numbers each time is refused: no sample of it could be verified."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tf_inverse import adopt
from tf_inverse.band import Neuron
from tf_inverse.errors import UsageError
from tf_inverse.judging import judges

REFUSED = "expected the {} to give the same for the same {}, it gave .* apart"


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


class Always(layers.Layer):
    """A layer of the user's own that runs another as in training, as Monte Carlo dropout does.

    In a functional model `Dropout(...)(x, training=True)` is not enough: Keras 3 hands on the
    training=False that the model is called with.
    """

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        return self.inner(x, training=True)


def generator(layer=None):
    c = keras.Input((5,), name="code")
    h = layers.Dense(192)(c if layer is None else Always(layer)(c))
    return keras.Model(c, layers.Reshape((8, 8, 3))(layers.Activation("tanh")(h)), name="G")


def classifier(before=None, after=None, first=()):
    """A classifier, with a layer before or after its encoding that runs as in training."""
    x = keras.Input((8, 8, 3), name="image")
    h = x
    for layer in first:
        h = layer(h)
    h = layers.Conv2D(6, 3, strides=2, activation="relu", name="conv")(h / 255.0)
    h = h if before is None else Always(before)(h)
    # No unit is silent: what dropout leaves of it would be the same.
    fc = layers.Dense(8, activation="softplus", name="fc")
    h = fc(layers.Flatten(name="flat")(h))
    h = h if after is None else Always(after)(h)
    return keras.Model(x, layers.Dense(3, name="top")(h), name="net")


@pytest.mark.parametrize(
    ("place", "layer"),
    [
        ("before", layers.BatchNormalization()),
        ("before", layers.GaussianNoise(0.3)),
        ("after", layers.Dropout(0.5)),
    ],
)
def test_a_classifier_that_runs_as_in_training(place, layer):
    f = classifier(**{place: layer})
    with pytest.raises(UsageError, match=REFUSED.format("classifier net", "images")):
        adopt.adopt(f, generator(), "fc")
    with pytest.raises(UsageError, match=REFUSED.format("judge net", "images")):
        judges.load(f)


@pytest.mark.parametrize("layer", [layers.GaussianNoise(0.3), layers.BatchNormalization()])
def test_a_generator_that_runs_as_in_training(layer):
    with pytest.raises(UsageError, match=REFUSED.format("generator G", "codes")):
        adopt.adopt(classifier(), generator(layer), "fc")


def test_augmentation_in_a_savedmodel(tmp_path):
    """Keras 3 exports what a call without `training` runs: augmentation, which docs tell of."""
    f = classifier(first=[layers.RandomFlip("horizontal"), layers.RandomContrast(0.4)])
    f.export(tmp_path / "random", verbose=False)
    with pytest.raises(UsageError, match=REFUSED.format("classifier random", "images")):
        adopt.adopt(tmp_path / "random", generator(), trust=True)
    made = keras.export.ExportArchive()
    made.track(f)
    rows = [tf.TensorSpec((None, 8, 8, 3))]
    made.add_endpoint("serve", lambda x: f(x, training=False), input_signature=rows)
    made.write_out(tmp_path / "saved", verbose=False)
    networks = adopt.adopt(tmp_path / "saved", generator(), trust=True).networks
    x = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype("u1")
    fc = keras.Model(f.inputs[0], f.get_layer("fc").output)(x.astype("f4"), training=False)
    e, z = networks.score(x, (Neuron("graph/net/fc", 2),))
    np.testing.assert_allclose(z[:, 0], fc[:, 2], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(e, fc, rtol=1e-5, atol=1e-6)
