"""Probabilities: their log-odds against NumPy in float64, where they are found, how they sample."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
import worlds
from keras import layers

from tf_inverse import export
from tf_inverse.archive import Samples
from tf_inverse.band import Neuron, parse
from tf_inverse.export import endpoints
from tf_inverse.export.inputs import question
from tf_inverse.layers.frozen_inputs import graph, trust
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks import odds
from tf_inverse.networks.neuron_index import index

rng = np.random.default_rng(0)


def float64(kind, z):
    """Probabilities, and what is left to 1, of logits [..., U], without cancellation."""
    if kind == "sigmoid":
        return 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(z))
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    others = np.stack([np.delete(e, i, -1).sum(-1) for i in range(z.shape[-1])], axis=-1)
    return e / e.sum(-1, keepdims=True), others / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
@pytest.mark.parametrize("shape", [(3, 4), (3, 5, 4), (3, 2, 5, 4)])
def test_log_odds_are_those_of_float64(kind, shape):
    """From logits so far apart that float32's probabilities are 0 and 1 exactly."""
    z = 60 * rng.standard_normal(shape)
    p, q = float64(kind, z)
    places = [None] if len(shape) == 2 else [(0, 3), (len(shape) - 3, 1), "mean", "max"]
    neurons = tuple(Neuron("prob", unit, at) for unit in (0, 3) for at in places)
    where = index(neurons)

    @tf.function(autograph=False)
    def both(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            s = odds.of_units(getattr(tf.nn, kind)(logits), where)
            first = s[:, 0]
        return s, tape.gradient(first, logits)

    s, slope = both(tf.constant(z, tf.float32))
    expected = []
    for _, unit, at in neurons:
        ours, rest = p[..., unit].reshape(3, -1), q[..., unit].reshape(3, -1)
        ratio = np.log(ours) - np.log(rest)
        if at == "mean":
            ratio = np.log(ours.mean(1)) - np.log(rest.mean(1))
        elif at == "max":
            ratio = ratio.max(axis=1)
        else:
            ratio = ratio[:, 0 if at is None else at[0] * shape[-2] + at[1]]
        expected.append(ratio)
    np.testing.assert_allclose(s, np.stack(expected, axis=1), rtol=1e-5, atol=2e-5)
    # The first neuron's log-odds grow as its own logit does, however near to 0 or 1 it is.
    own = slope[:, 0] if len(shape) == 2 else tf.reshape(slope, (3, -1, 4))[:, 3, 0]
    np.testing.assert_allclose(own, 1.0, rtol=1e-6)


def test_of_values_alone():
    p = np.array([1e-30, 0.25, 0.5, 1 - 2**-20])
    expected = np.log(p) - np.log1p(-p)
    np.testing.assert_allclose(odds.log_odds(tf.constant(p, tf.float32)), expected, rtol=1e-6)
    ends = odds.log_odds(tf.constant([0.0, 1.0])).numpy()
    assert np.isfinite(ends).all() and ends[0] < -80 and ends[1] > 16
    np.testing.assert_array_equal(
        odds.of_units(tf.constant(p[None], tf.float32), index((Neuron("prob", 1),))),
        odds.log_odds(tf.constant([[0.25]])),
    )


class Own(keras.Model):
    """A softmax that no layer of Keras's makes."""

    def __init__(self):
        super().__init__(name="own")
        self.last = layers.Dense(3, name="last")

    def call(self, x):
        """Of pixels."""
        return tf.nn.softmax(self.last(keras.ops.reshape(x, (-1, 192)) / 255.0))


def ending(*last, inner=False):
    """A classifier [8, 8, 3] of some last layers, alone or within another model."""
    x = keras.Input((8, 8, 3))
    h = layers.Flatten()(layers.Rescaling(1 / 255.0)(x))
    for layer in last:
        h = layer(h)
    model = keras.Model(x, h, name="net")
    if inner:
        y = keras.Input((8, 8, 3))
        model = keras.Model(y, model(layers.Rescaling(0.5)(y)), name="outer")
    return model


def saved(folder, model):
    model.export(folder, verbose=False)
    with trust(True):
        return graph(folder, "saved")


SAME = layers.Identity(name="p")


def members(h, count):
    """Probabilities of an ensemble."""
    return [layers.Dense(192, "softmax")(h) for _ in range(count)]


ENDINGS = {
    "dense": ([layers.Dense(3, "softmax", name="p")], True),
    "activation": ([layers.Dense(3), layers.Activation("sigmoid", name="p")], True),
    "layer": ([layers.Dense(3), layers.Softmax(name="p")], True),
    "half": ([layers.Dense(3), layers.Softmax(name="p", dtype="mixed_bfloat16")], True),
    "linear": ([layers.Dense(3, name="p")], False),
    "gate": ([layers.Dense(3, "silu", name="p")], False),
    "one": ([layers.Dense(1, "softmax", name="p")], False),
    "temperature": ([layers.Dense(3), lambda h: h / 2.5, layers.Softmax(name="p")], True),
    "ensemble": ([lambda h: members(h, 3), layers.Average(name="p")], True),
    "stack": ([lambda h: keras.ops.mean(keras.ops.stack(members(h, 2), 1), 1), SAME], True),
    "sum": ([lambda h: members(h, 2), layers.Add(name="p")], False),
    "unlike": ([lambda h: [h, *members(h, 1)], layers.Average(name="p")], False),
}


@pytest.mark.parametrize("name", [*ENDINGS, "nested", "own", "saved"])
def test_where_probabilities_are_found(name, tmp_path):
    if name in ENDINGS:
        (last, expected), layer = ENDINGS[name], "p"
        f = ending(*last)
    elif name == "nested":
        f, layer, expected = ending(layers.Softmax(name="p"), inner=True), "net/p", True
    elif name == "own":
        x = keras.Input((8, 8, 3))
        f, layer, expected = keras.Model(x, Own()(x)), "own", True
    else:
        f = saved(tmp_path / "saved", ending(layers.Dense(3, "softmax", name="p")))
        layer, expected = "softmax", True
    networks = worlds.tiny_networks(labels=None)
    networks = dataclasses.replace(networks, classifier=f, encoder=layer)
    assert networks.probabilities((layer,)) == (expected,)
    if expected:
        c = tf.constant(rng.standard_normal((4, 6)), tf.float32)
        view = networks.looking((layer,))(c, index((Neuron(layer, 1),)))
        np.testing.assert_allclose(view.z, tf.sigmoid(view.s), rtol=1e-4)
        assert view.e.dtype == tf.float32 and 0 < float(tf.reduce_min(view.z))


@pytest.fixture(scope="module")
def steep():
    """The tiny pair whose logits go, twelve times as steep, into a softmax and into a sigmoid."""
    networks = worlds.tiny_networks()
    f = networks.classifier
    h = layers.Rescaling(12.0, name="steep")(f.output)
    outputs = [
        f.output,
        layers.Softmax(name="soft")(h),
        layers.Activation("sigmoid", name="sig")(h),
    ]
    return dataclasses.replace(networks, classifier=keras.Model(f.input, outputs))


def drawn(networks, text, **options):
    batches = list(sample(networks, parse(text, networks), Settings(n=50, **options)))
    return Samples.joined(batch.samples for batch in batches), batches[-1].info.steps


@pytest.mark.parametrize("method", ["renewal", "paper"])
@pytest.mark.parametrize("layer", ["soft", "sig"])
def test_a_steep_probability_takes_about_as_long_as_its_logit(steep, layer, method):
    usual = drawn(steep, "fc3:2@0.1:0.4", method=method)[1]
    found, steps = drawn(steep, f"{layer}:2@0.3:0.8", method=method)
    assert steps <= 3 * usual
    f = keras.Model(steep.classifier.input, steep.classifier.get_layer("fc3").output)
    logits = 12 * np.asarray(f(found.images.astype("f4")), np.float64)
    p = float64({"soft": "softmax", "sig": "sigmoid"}[layer], logits)[0][:, 2]
    np.testing.assert_allclose(found.activations[:, 0], p, rtol=1e-4)
    assert len(p) == 50 and p.min() >= 0.3 and p.max() <= 0.8
    if method == "renewal":
        # Aims are uniform in probability: every quarter of the range is met.
        assert np.histogram(p, 4, (0.3, 0.8))[0].min() >= 4


def test_an_export_searches_by_the_same_log_odds(steep):
    """A probability's samples are the library's, bit for bit; a logit's beside it stay so too."""
    names, settings = ("soft", "fc3"), Settings(n=8, K=4)
    served = endpoints.make(export.gather(steep, names, settings))["sample"]
    for text in ("soft:1@0.5:1", "fc3:0@-0.2:0.3"):
        bands = parse(text, steep)
        given = question(steep, names, bands, settings)
        found = served(**{name: tf.constant(value) for name, value in given.items()})
        batches = [b.samples for b in sample(steep, bands, settings)]
        for name in ("images", "codes", "activations"):
            ours = np.concatenate([getattr(b, name) for b in batches])
            np.testing.assert_array_equal(found[name], ours, name)
    # Both at once, with the deviations that were stored.
    bands = parse("soft:1@0.5:1, fc3:0@-0.2:0.3", steep)
    given = question(steep, names, bands, settings) | {"sd": np.zeros(2, np.float32)}
    z = served(**{name: tf.constant(value) for name, value in given.items()})["activations"].numpy()
    assert len(z) == 8 and (z >= [0.5, -0.2]).all() and (z <= [1.0, 0.3]).all()
