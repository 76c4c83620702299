"""A model computes in another precision, whatever it is made of, and stays what it was."""

import contextlib
import hashlib

import keras
import numpy as np
import pytest
import tensorflow as tf
import worlds
from keras import layers, ops

from tf_inverse.adopt import adopt
from tf_inverse.band import Band, Bands, Neuron
from tf_inverse.compute import arithmetic
from tf_inverse.layers.pixels import FromPixels
from tf_inverse.method import fidelity
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks.networks import Networks, index

LOW = ("bfloat16", "float16")
SHAPE = (8, 8, 3)


def images(count=4):
    return np.random.default_rng(0).integers(0, 256, (count, *SHAPE)).astype("f4")


def plain():
    """Operations outside of layers, as Keras's guides write them."""
    x = keras.Input(SHAPE)
    h = keras.applications.mobilenet_v2.preprocess_input(x) + x / 255.0
    h = layers.Conv2D(6, 3, padding="same")(h)
    return keras.Model(x, layers.Dense(3)(ops.mean(h + ops.relu(h), axis=(1, 2))))


def statistics():
    """What layers derive or keep beside kernels: means of pixels, moments of normalisations."""
    normalization = layers.Normalization()
    normalization.adapt(images(64))
    normalize = layers.BatchNormalization()
    x = keras.Input(SHAPE)
    h = normalize(layers.Conv2D(6, 3)(FromPixels(mean_shape=SHAPE)(x)))
    h = layers.Concatenate()([layers.Flatten()(h), layers.Flatten()(normalization(x))])
    return keras.Model(x, layers.Dense(3)(h))


def nested():
    """One trunk that is called twice, in models three deep."""
    parts = [layers.Conv2D(4, 3), layers.GroupNormalization(2), layers.Flatten(), layers.Dense(5)]
    trunk = keras.Sequential([keras.Input(SHAPE), layers.Rescaling(1 / 255.0), *parts])
    x = keras.Input(SHAPE)
    middle = keras.Model(x, layers.Concatenate()([trunk(x), trunk(x[:, ::-1])]))
    return keras.Sequential([keras.Input(SHAPE), middle, layers.Dense(3)])


def attention():
    x = keras.Input(SHAPE)
    h = layers.Dense(8)(layers.Reshape((64, 3))(x / 255.0))
    h = layers.LayerNormalization()(h + layers.MultiHeadAttention(2, 4)(h, h))
    h = layers.Bidirectional(layers.GRU(3, return_sequences=True))(h)
    return keras.Model(x, layers.Dense(3)(layers.Flatten()(h)))


class Own(keras.layers.Layer):
    """A layer of the user's own, with a weight, a table and a seed that no configuration tells."""

    def __init__(self):
        super().__init__()
        self.table = np.linspace(0, 1, SHAPE[-1])
        self.seed = keras.random.SeedGenerator(3)

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 5), initializer="glorot_uniform")

    def call(self, x):
        return tf.matmul(x / 255 + tf.cast(self.table, x.dtype), self.w)


class Subclassed(keras.Model):
    """A model of the user's own, with a weight of its own beside its layers."""

    def __init__(self):
        super().__init__()
        self.own, self.head = Own(), layers.Dense(3)
        self.gate = self.add_weight(shape=(5, 5), initializer="identity")

    def call(self, x):
        return self.head(ops.reshape(self.own(x) @ self.gate, (-1, 320)))


def subclassed():
    model = Subclassed()
    model(images())
    return model


@contextlib.contextmanager
def under(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


KINDS = {f.__name__: f for f in (plain, statistics, nested, attention, subclassed)}


def made(kind):
    """A model with every weight at a value of its own."""
    keras.utils.set_random_seed(1)
    model = KINDS[kind]()
    for weight in model.weights:
        if weight.path.endswith(("moving_mean", "gamma", "beta", "moving_variance")):
            weight.assign(keras.random.uniform(weight.shape, 0.5, 1.5))
    return model


def far(found, expected):
    """Largest difference as a share of the largest value."""
    found, expected = np.asarray(found, "f4"), np.asarray(expected, "f4")
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model(kind):
    """Keras's own float32 is the measure; 8 bits of mantissa, or 11, through a few sums."""
    model, x = made(kind), images()
    expected = model(x, training=False)
    policies = [layer.dtype_policy for layer in model._flatten_layers()]
    for precision, most in zip(LOW, (0.03, 0.004), strict=True):
        stored = arithmetic.kernels(model, precision)

        @tf.function(autograph=False)
        def slope(x, precision=precision, stored=stored):
            with tf.GradientTape() as tape, arithmetic.computing(model, precision, stored):
                tape.watch(x)
                z = model(x, training=False)
            return z, tape.gradient(z, x)

        z, gradient = slope(tf.constant(x))
        assert z.dtype == precision and 0 < far(z, expected) < most
        assert np.isfinite(gradient).all() and np.any(gradient)
    # The model is what it was, to the last bit.
    assert [layer.dtype_policy for layer in model._flatten_layers()] == policies
    np.testing.assert_array_equal(model(x, training=False), expected)


def test_kernels_alone_are_held_in_half_precision():
    model = made("statistics")
    stored = arithmetic.kernels(model, "bfloat16")
    assert sorted(len(variable.shape) for variable, _ in stored) == [2, 4]
    for variable, value in stored:
        np.testing.assert_array_equal(value, tf.cast(variable.value, "bfloat16"))
    model.layers[-1].kernel.assign(model.layers[-1].kernel * 2)
    before = [value.numpy() for _, value in stored]
    arithmetic.refresh(stored)
    changed = [(value.numpy() != old).any() for (_, value), old in zip(stored, before, strict=True)]
    assert sorted(changed) == [False, True]


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "bfloat16"])
def test_a_model_stored_in_half_precision_decides_in_float32(policy):
    """The same weights in a model that was made in float32 are the measure."""
    with under(policy):
        model = made("statistics")
    twin, x = made("statistics"), images()
    for own, weight in zip(twin.weights, model.weights, strict=True):
        own.assign(ops.cast(weight.value, "float32"))
    for own, layer in zip(twin.layers, model.layers, strict=True):
        if isinstance(own, layers.Normalization):
            # Keras rounds what this layer derives when it is made; so the twin has it, too.
            own.mean, own.variance = (ops.cast(a, "float32") for a in (layer.mean, layer.variance))
    half = far(model(x), twin(x))
    with arithmetic.computing(model, "float32"):
        assert model(x).dtype == "float32" and far(model(x), twin(x)) < min(1e-5, half)
    assert arithmetic.halves(model) == [policy.removeprefix("mixed_")]
    assert not arithmetic.halves(twin)


def pair(classifier, width=0.3):
    """A pair with a generator of 8 x 8 pixels, and the upper part of one neuron's range."""
    networks = adopt(classifier, worlds.tiny_networks().generator).networks
    c = np.random.default_rng(0).standard_normal((200, networks.codes.size)).astype("f4")
    neuron = Neuron(networks.default.partition(":")[0], 1)
    z = networks.score(worlds.images(networks, c), (neuron,))[1]
    low = float(np.quantile(z, 0.6))
    return networks, Bands([Band(neuron, low, low + width * float(z.std()))])


# Random attention hardly tells one image from another: 8 bits are too few for what is left.
@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"attention"}))
def test_half_precision_is_used_where_it_serves(kind):
    networks, bands = pair(made(kind), width=1.0)
    for precision in LOW:
        kept, why = fidelity.settled(networks, bands, Settings(precision=precision))
        assert (kept.precision, why) == (precision, None)


def test_a_range_too_narrow_for_half_precision_is_searched_in_float32():
    networks, bands = pair(made("plain"), width=0.002)
    settings = Settings(n=10, K=5, precision="bfloat16")
    with pytest.warns(UserWarning, match="searching in float32: in bfloat16 activations of .* off"):
        batches = list(sample(networks, bands, settings))
    assert batches[-1].info.found == 10
    # The error that is told is that of the whole way, measured here by plain calls.
    errors = fidelity.measure(networks, (bands[0].neuron,), "bfloat16")
    assert errors.activations[0] > fidelity.BAND * (bands[0].z2 - bands[0].z1)


def test_what_is_seen_of_weights_holds_for_them_alone():
    """A callback samples while a network is trained, with one and the same `Networks`."""
    networks, bands = pair(made("plain"), width=1.0)
    last = next(one for one in reversed(networks.classifier.layers) if one.weights)
    before = last.bias.numpy()
    served = []
    for shift in (0.0, 1e4, 0.0):  # bfloat16 rounds numbers near 10000 to multiples of 64
        last.bias.assign(before + shift)
        shifted = Bands([Band(b.neuron, b.z1 + shift, b.z2 + shift) for b in bands])
        kept, _ = fidelity.settled(networks, shifted, Settings(precision="bfloat16"))
        served.append(kept.precision)
    assert served == ["bfloat16", "float32", "bfloat16"]


class OneWay(keras.layers.Layer):
    """Fails in half precision, but only where its gradient is asked for."""

    def call(self, x):
        @tf.custom_gradient
        def halved(x):
            def back(slope):
                if slope.dtype != tf.float32:
                    raise TypeError("slopes come in float32")
                return 0.5 * slope

            return 0.5 * x, back

        return halved(x)


class Stubborn(keras.layers.Layer):
    """A layer that adds a float32 constant, which TensorFlow adds to nothing else."""

    def call(self, x):
        return x + tf.constant(1.0)


class Lossy(keras.layers.Layer):
    """A layer whose numbers leave the range of float16, where nothing warns of it."""

    def call(self, x):
        return ops.minimum(x * 300.0 * 300.0, 1e9) / 9e4


def of_a(layer):
    x = keras.Input(SHAPE)
    h = layer(layers.Dense(6)(layers.Flatten()(x / 255.0)))
    return keras.Model(x, layers.Dense(3)(layers.Dense(4)(h)))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_digest_is_that_of_the_bytes_of_all_variables(dtype):
    """In order, whatever their type and shape: a seed's are whole numbers."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, dtype=dtype), layers.Dropout(0.5)])
    expected = hashlib.blake2b(digest_size=16)
    for variable in model.variables:
        expected.update(np.asarray(variable).tobytes())
    assert len(model.variables) > 2 and arithmetic.digest(model) == expected.hexdigest()
    before = arithmetic.digest(model)
    model.layers[0].bias.assign([0.0, 1.0])
    assert arithmetic.digest(model) != before


@pytest.mark.parametrize("layer", [Stubborn, OneWay])
def test_a_layer_that_cannot_compute_in_half_precision(layer):
    networks, bands = pair(of_a(layer()))
    kept, why = fidelity.settled(networks, bands, Settings(precision="bfloat16"))
    assert kept.precision == "float32"
    assert "does not compute in bfloat16" in why and "\n" not in why and "float32" in why


def test_an_antialiased_resize_has_its_gradient_in_half_precision():
    """TensorFlow's own raises TypeError there: what a classifier of smaller images is made with."""
    x = keras.Input(SHAPE)
    h = layers.Flatten()(layers.Resizing(4, 4, antialias=True)(x))
    model = keras.Model(x, layers.Dense(3)(h))
    networks, bands = pair(model, width=1.0)
    *_, batch = sample(networks, bands, Settings(n=3, K=3, precision="bfloat16"))
    assert len(batch.samples.images) == 3


def test_a_layer_that_computes_something_else_in_half_precision():
    networks, bands = pair(of_a(Lossy()))
    kept, why = fidelity.settled(networks, bands, Settings(precision="float16"))
    assert kept.precision == "float32" and "off by nan" in why


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_quantised_models_are_searched_in_float32(mode):
    x = keras.Input(SHAPE)
    h = layers.Dense(16, activation="relu")(layers.Flatten()(x / 255.0))
    model = keras.Model(x, layers.Dense(3)(h))
    with pytest.warns(UserWarning):  # Keras: layers without a quantised form
        model.quantize(mode)
    networks, bands = pair(model, width=1.0)
    with pytest.warns(UserWarning, match=rf"weights of .* are quantised \({mode}\)"):
        batches = list(sample(networks, bands, Settings(n=4, K=4, precision="bfloat16")))
    stored = batches[-1].samples.images
    z = np.concatenate([np.asarray(model(one[None].astype("f4"))) for one in stored])[:, 1]
    assert ((z >= bands[0].z1) & (z <= bands[0].z2)).all()


def test_kernels_follow_a_model_that_is_trained():
    """A callback samples from the same model epoch after epoch."""
    tiny = worlds.tiny_networks()
    lower, c = tiny.at("bfloat16"), tf.zeros((1, 6))
    fc3 = tiny.classifier.get_layer("fc3")
    fc3.bias.assign(fc3.bias * 0)
    before = lower.read(lower.images(c), ("fc3",), index((worlds.NEURON,)))[1]
    fc3.kernel.assign(fc3.kernel * 2)
    assert tiny.at("bfloat16") is lower
    after = lower.read(lower.images(c), ("fc3",), index((worlds.NEURON,)))[1]
    np.testing.assert_array_equal(after, 2 * before)  # a power of two is exact


def test_runs_follow_a_model_that_is_trained():
    """The graph of the first run serves the second, whose neuron looks for the opposite."""
    tiny = worlds.tiny_networks()
    neuron, settings = worlds.NEURON, Settings(n=10, K=5, precision="bfloat16")
    kernel = tiny.classifier.get_layer("fc3").kernel
    c = np.random.default_rng(0).standard_normal((200, 6)).astype("f4")
    z = tiny.score(worlds.images(tiny, c), (neuron,))[1]
    bands = (Band(neuron, *map(float, np.quantile(z, (0.97, 0.995)))),)
    first = list(sample(tiny, bands, settings))[-1].info
    kernel.assign(-kernel)
    second = list(sample(tiny, bands, settings))[-1].info
    assert first.found == second.found == 10 and second.steps < 3 * first.steps


def test_precision_belongs_to_networks(tiny):
    lower = tiny.at("float16")
    assert isinstance(lower, Networks) and lower.precision == "float16"
    assert lower.classifier is tiny.classifier and tiny.at("float32") is tiny
