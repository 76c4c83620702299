"""Layers by path: what is addressed is what Keras gives there, with channels last."""

import keras
import numpy as np
import pytest
from keras import layers

from tf_inverse import adopt
from tf_inverse.band import Neuron, parse
from tf_inverse.errors import UsageError
from tf_inverse.layers import taps
from tf_inverse.networks.networks import index

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def generator(side=8):
    c = keras.Input((5,), name="code")
    h = layers.Dense(side * side * 3, activation="tanh")(c)
    return keras.Model(c, layers.Reshape((side, side, 3))(h), name="gen")


def images(count=2, side=8):
    return rng.uniform(0, 255, (count, side, side, 3)).astype("f4")


def scores(networks, x, *neurons):
    return networks.score(x, neurons)[1]


def channels_first():
    x = keras.Input((3, 8, 8), name="image")
    first = {"data_format": "channels_first"}
    h = layers.Conv2D(4, 3, name="conv", **first)(layers.Rescaling(1 / 64.0)(x))
    h = layers.BatchNormalization(axis=1, name="norm")(h)
    h = layers.ReLU(name="relu")(h)
    h = layers.GlobalAveragePooling2D(name="pool", **first)(h)
    return keras.Model(x, layers.Dense(3, name="logits")(h), name="net")


def test_maps_with_channels_first_are_addressed_by_unit_row_and_column():
    f = channels_first()
    networks = adopt.adopt(f, generator()).networks
    x = images()
    taken = [f.get_layer(name).output for name in ("conv", "relu", "logits")]
    conv, relu, logits = keras.Model(f.inputs[0], taken)(x.transpose(0, 3, 1, 2))
    assert networks.layer_shape("relu") == (6, 6, 4) and networks.encoder == "net/pool"
    bands = parse("conv:3,1,4@0:1, relu:2,5,0@0:1, norm:1,mean@0:1", networks)
    z = scores(networks, x, *(b.neuron for b in bands), Neuron("logits", 1))
    np.testing.assert_allclose(z[:, 0], conv[:, 3, 1, 4], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(z[:, 1], relu[:, 2, 5, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(z[:, 2], np.mean(conv[:, 1], (1, 2)) / 1.001**0.5, rtol=1e-4)
    np.testing.assert_allclose(z[:, 3], logits[:, 1], rtol=1e-4, atol=1e-5)
    with pytest.raises(UsageError, match="a unit of net/conv from 0 to 3, got 4"):
        parse("conv:4@0:1", networks)


def test_generator_with_channels_first():
    c = keras.Input((5,), name="code")
    h = layers.Reshape((3, 8, 8))(layers.Dense(192, activation="tanh")(c))
    G = keras.Model(c, h, name="gen")
    codes = rng.standard_normal((2, 5)).astype("f4")
    got = adopt.adopt(channels_first(), G).networks.generator(codes)
    expected = (np.asarray(G(codes)).transpose(0, 2, 3, 1) + 1) * 127.5
    np.testing.assert_allclose(got, expected, atol=1e-3)


def test_layer_called_twice_is_addressed_call_by_call():
    x, twice = keras.Input((8, 8, 3)), layers.Dense(6, activation="relu", name="twice")
    first = layers.Dense(6, name="first")(layers.Flatten()(x / 64.0))
    one = twice(first)
    two = twice(one)
    f = keras.Model(x, layers.Dense(2, name="logits")(two), name="net")
    networks = adopt.adopt(f, generator(), "first").networks
    x = images()
    expected = [h[:, 1] for h in keras.Model(f.inputs[0], [one, two])(x)]
    z = scores(networks, x, Neuron("twice/0", 1), Neuron("twice/1", 1))
    np.testing.assert_allclose(z, np.stack(expected, axis=1), rtol=1e-4)
    with pytest.raises(UsageError, match="got 'twice'; did you mean twice/"):
        networks.layer_shape("twice")


def test_layer_of_the_users_own_class_in_a_functional_model():
    class Residual(layers.Layer):
        def __init__(self):
            super().__init__(name="block")
            self.conv = layers.Conv2D(3, 3, padding="same", activation="relu", name="conv")

        def call(self, x):
            return x + self.conv(x)

    block = Residual()
    parts = [keras.Input((8, 8, 3)), block, layers.Flatten(), layers.Dense(2)]
    networks = adopt.adopt(keras.Sequential(parts, name="net"), generator()).networks
    x = images()
    z = scores(networks, x, Neuron("block/conv", 2, (1, 7)), Neuron("block", 2, (1, 7)))
    inner = np.asarray(block.conv(x))[:, 1, 7, 2]
    np.testing.assert_allclose(z[:, 0], inner, rtol=1e-5)
    np.testing.assert_allclose(z[:, 1], inner + x[:, 1, 7, 2], rtol=1e-5)


def test_batch_normalisation_and_dropout_are_those_of_inference():
    norm, drop = layers.BatchNormalization(name="norm"), layers.Dropout(0.5, name="drop")
    parts = [keras.Input((8, 8, 3)), norm, drop, layers.Flatten(), layers.Dense(2, name="logits")]
    f = keras.Sequential(parts, name="net")
    stored = [[2.0] * 3, [1.0] * 3, [100.0, 110.0, 120.0], [900.0] * 3]
    norm.set_weights(list(np.array(stored)))
    networks = adopt.adopt(f, generator()).networks
    x = images()
    z = scores(networks, x, Neuron("norm", 2, (3, 4)), Neuron("drop", 2, (3, 4)))
    expected = 2 * (x[:, 3, 4, 2] - 120) / np.sqrt(900 + 1e-3) + 1
    np.testing.assert_allclose(z, np.stack([expected] * 2, axis=1), rtol=1e-5)
    np.testing.assert_array_equal(norm.moving_mean, [100.0, 110.0, 120.0])


def test_the_chosen_encoder_is_no_output():
    x = keras.Input((8, 8, 3), name="image")
    h = layers.Dense(6, name="features")(layers.Flatten()(x / 64.0))
    heads = {"kind": layers.Dense(2, name="a")(h), "size": layers.Dense(3, name="b")(h)}
    inner = keras.Model(x, heads, name="inner")
    assert adopt.adopt(inner, generator()).networks.encoder == "features"
    wrapped = adopt.adopt(inner, generator(), pixel_range=(0.0, 1.0)).networks
    assert wrapped.encoder == "inner/features"


def test_output_that_is_no_layer():
    x = keras.Input((8, 8, 3), name="image")
    h = layers.Dense(4, name="logits")(layers.Dense(6, name="fc")(layers.Flatten()(x / 64.0)))
    networks = adopt.adopt(keras.Model(x, keras.ops.tanh(h) * 2.0), generator()).networks
    assert networks.encoder == "fc" and networks.default.startswith("logits:")


def test_calls_of_a_model_are_left_as_they_were():
    f = channels_first()
    own = f.get_layer("conv").call
    f.get_layer("relu").__dict__["call"] = given = lambda x: x
    taps.run(f, np.zeros((1, 3, 8, 8), "f4"), ("conv",))
    assert f.get_layer("conv").call == own and f.get_layer("relu").__dict__["call"] is given


def test_step_of_a_recurrent_layer_is_no_layer_of_ours():
    x = keras.Input((8, 8, 3), name="image")
    h = layers.LSTM(4, name="lstm")(layers.Reshape((8, 24))(x / 64.0))
    f = keras.Model(x, layers.Dense(2, name="logits")(h), name="net")
    networks = adopt.adopt(f, generator()).networks
    x = images()
    z = networks.outputs(x, ("lstm",))[1]["lstm"]
    np.testing.assert_allclose(z, keras.Model(f.inputs[0], h)(x), rtol=1e-4, atol=1e-6)
    assert networks.encoder == "lstm" and index((Neuron("lstm", 1),)).shape == (1, 3)


def test_shapes_that_keras_knows_are_those_that_a_run_gives(monkeypatch):
    """In the order of a run as well: what comes last is the default target."""
    x = keras.Input((9, 8, 3))
    h = keras.layers.Conv2D(4, 3, strides=2, name="early")(x)
    side = keras.layers.GlobalMaxPooling2D(name="side")(h)
    h = keras.layers.Conv2D(5, 3, padding="same", activation="relu", name="late")(h)
    h = keras.layers.GlobalAveragePooling2D(name="pool")(keras.layers.BatchNormalization()(h))
    both = keras.layers.Concatenate(name="both")([keras.ops.tanh(side), h])
    model = keras.Model(x, keras.layers.Dense(2, name="top")(both))
    known = taps.shapes(model)
    monkeypatch.setattr(taps, "_is_told", lambda layer: False)
    assert list(known.items()) == list(taps.shapes(model).items())
    assert known["early"] == (4, 3, 4) and known["both"] == (9,) and list(known)[-1] == "top"


def test_a_layer_of_the_users_own_is_run_whatever_it_says_of_its_shape():
    class Wrong(keras.layers.Layer):
        def call(self, x):
            return x[:, :2]

        def compute_output_shape(self, shape):
            return (shape[0], 7)

    x = keras.Input((5,))
    model = keras.Model(x, Wrong(name="wrong")(x))
    assert taps.shapes(model) == {"wrong": (2,)}
