"""One look against plain Keras and NumPy: pixels, crops, sizes, gradients, activations."""

import gc
import itertools
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
import worlds

from tf_inverse import private
from tf_inverse.band import Neuron
from tf_inverse.compute.device import traced
from tf_inverse.errors import UsageError
from tf_inverse.layers import fast
from tf_inverse.method.normalization import measure
from tf_inverse.networks.codes import Codes
from tf_inverse.networks.networks import Networks
from tf_inverse.networks.neuron_index import activations, index

LAYERS = ("fc3", "conv1")
NEURONS = (Neuron("fc3", 1), Neuron("conv1", 2, (3, 7)))


@pytest.fixture(scope="module")
def codes():
    """Some of them far out, so that many pixels saturate."""
    c = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)
    return c * np.array([[0.1], [1], [1], [3], [9]], np.float32)


def look(networks, c):
    return networks.look(tf.constant(c), LAYERS, index(NEURONS))


def test_a_look_is_keras_on_the_stored_image(tiny, codes):
    x, e, z, s = look(tiny, codes)
    assert s is z
    images = worlds.images(tiny, codes)
    np.testing.assert_array_equal(x, images)
    assert (images == 0).any() and (images == 255).any()
    for i, neuron in enumerate(NEURONS):
        np.testing.assert_allclose(z[:, i], worlds.activation(tiny, images, neuron), rtol=1e-4)
    expected = worlds.activation(tiny, images, Neuron("fc2", slice(None)))
    np.testing.assert_allclose(e, expected, rtol=1e-4, atol=1e-5)


def test_gradients_pass_through_clip_and_round(tiny, codes):
    """They are those of the unclipped image: a saturated pixel can come back."""
    c, W = tf.constant(codes), tiny.generator.get_layer("fc").kernel
    with tf.GradientTape() as tape:
        tape.watch(c)
        x = tiny.look(c, LAYERS, index(NEURONS)).x
        cost = tf.reduce_sum(x[:, 2, 3, 1])
    # The tiny generator is affine: pixel = 60 (W c + b) + 128.
    pixel = np.ravel_multi_index((2, 3, 1), (8, 8, 3))
    np.testing.assert_allclose(
        tape.gradient(cost, c), np.tile(60 * W.numpy()[:, pixel], (5, 1)), rtol=1e-5
    )


def test_gradient_of_an_activation_against_differences(tiny):
    """Of the classifier alone, which is smooth where the rounding of pixels is not."""
    x = np.random.default_rng(1).uniform(50, 200, (1, 8, 8, 3)).astype(np.float32)
    point = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(point)
        _, z = tiny.read(point, ("fc3",), index(NEURONS[:1]))
    found = tape.gradient(z, point).numpy()
    model = keras.Model(tiny.classifier.input, tiny.classifier.get_layer("fc3").output)
    h = 1.0  # of 255: float32 activations resolve no less
    for place in [(0, 0, 0, 0), (0, 3, 4, 1), (0, 7, 7, 2), (0, 5, 1, 0)]:
        step = np.zeros_like(x)
        step[place] = h
        slope = (model(x + step) - model(x - step)).numpy()[0, 1] / (2 * h)
        assert found[place] == pytest.approx(slope, rel=0.05, abs=2e-5)


def test_crop_is_the_centre(codes):
    networks = worlds.tiny_networks()
    cropped = worlds.tiny_networks(size=10)
    pair = Networks("crop", networks.classifier, cropped.generator, "fc2", networks.codes, crop=7)
    assert pair.image_shape == (7, 7, 3)
    # ppgn: the corner is at (H - crop) // 2, here (10 - 7) // 2 = 1.
    expected = worlds.images(cropped, codes)[:, 1:8, 1:8]
    np.testing.assert_array_equal(look(pair, codes).x, expected)


def test_sizes_that_differ_are_fitted(tiny, codes):
    """Twice as large by means of neighbours: the bilinear and antialiased values are known."""
    half = worlds.tiny_networks(size=4)
    pair = Networks("up", tiny.classifier, half.generator, "fc2", tiny.codes)
    x = worlds.images(half, codes).astype(np.float32)
    centres = np.clip((np.arange(8) + 0.5) / 2 - 0.5, 0, 3)
    low = np.floor(centres).astype(int)
    high, part = np.minimum(low + 1, 3), (centres - low).astype(np.float32)

    def interpolated(a, axis):
        w = part.reshape([-1 if i == axis else 1 for i in range(4)])
        return np.take(a, low, axis) * (1 - w) + np.take(a, high, axis) * w

    fitted = interpolated(interpolated(x, 1), 2)
    np.testing.assert_allclose(pair.fitted(tf.constant(x)), fitted, atol=1e-3)
    assert look(pair, codes).x.shape == (5, 4, 4, 3)
    _, z = pair.score(x.astype(np.uint8), NEURONS[:1])
    model = keras.Model(tiny.classifier.input, tiny.classifier.get_layer("fc3").output)
    np.testing.assert_allclose(z[:, 0], model(fitted)[:, 1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", [(6,), (5, 6), (3, 4, 6)])
def test_activations_of_every_kind_of_layer(shape):
    h = np.random.default_rng(2).standard_normal((2, *shape)).astype(np.float32)
    rows, columns = {1: (1, 1), 2: (1, shape[0]), 3: shape[:2]}[len(shape)]
    for unit, row, column in itertools.product((0, 5), (0, rows - 1), (0, columns - 1)):
        if len(shape) == 1:
            at, expected = None, h[:, unit]
        else:
            at = (row, column)
            expected = h[:, column, unit] if len(shape) == 2 else h[:, row, column, unit]
        found = activations(tf.constant(h), index((Neuron("any", unit, at),)))
        np.testing.assert_array_equal(found[:, 0], expected)


def test_activations_over_a_map():
    h = np.random.default_rng(3).standard_normal((2, 3, 4, 6)).astype(np.float32)
    neurons = (Neuron("any", 5, "mean"), Neuron("any", 0, "max"), Neuron("any", 1, (2, 0)))
    found = activations(tf.constant(h), index(neurons))
    np.testing.assert_allclose(found[:, 0], h[..., 5].mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_array_equal(found[:, 1], h[..., 0].max(axis=(1, 2)))
    np.testing.assert_array_equal(found[:, 2], h[:, 2, 0, 1])


def test_scores_do_not_depend_on_the_batch(tiny, codes):
    images = worlds.images(tiny, codes)
    e, z = tiny.score(images, NEURONS, batch=2)
    for batch in (1, 5, 64):
        again = tiny.score(images, NEURONS, batch=batch)
        np.testing.assert_allclose(again[0], e, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(again[1], z, rtol=1e-5, atol=1e-6)
    for count in (1, 3, len(images)):
        found = tiny.encode(images[:count])
        np.testing.assert_allclose(found, e[:count], rtol=1e-5, atol=1e-6)
    assert tiny.encode(images[:0]).shape == (0, 7)
    assert e.dtype == z.dtype == np.float32
    none = tiny.score(images[:0], NEURONS)
    assert none[0].shape == (0, 7) and none[1].shape == (0, 2)


def test_networks_that_do_not_fit_are_refused(tiny):
    parts = ("two", tiny.classifier, tiny.generator)
    with pytest.raises(UsageError, match="codes of the generator's size 6, got 5"):
        Networks(*parts, "fc2", Codes("normal", 5))
    with pytest.raises(UsageError, match="expected a layer of tiny, got 'fc6'"):
        Networks(*parts, "fc6", tiny.codes)
    codes = keras.Input((6,))
    grey = keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64)(codes))
    with pytest.raises(UsageError, match="generator of the classifier's 3 channels, got 1"):
        Networks("two", tiny.classifier, keras.Model(codes, grey), "fc2", tiny.codes)


def test_small_activations_have_a_unit_of_measure_too():
    """Probabilities of 1e-12 vary as well; what stays the same is measured in ones."""
    small = worlds.tiny_networks()
    dense = small.classifier.get_layer("fc3")
    dense.kernel.assign(1e-12 * dense.kernel)
    dense.bias.assign([0.0, 0.0, 0.0, 3.0])
    dense.kernel.assign(dense.kernel * [1.0, 1.0, 0.0, 0.0])
    neurons = tuple(Neuron("fc3", unit) for unit in range(4))
    found = measure(small, neurons)
    whole = measure(worlds.tiny_networks(), neurons)
    np.testing.assert_allclose(found.z_sd[:2], 1e-12 * whole.z_sd[:2], rtol=1e-3)
    np.testing.assert_array_equal(found.z_sd[2:], [1.0, 1.0])
    assert found.flat == (False, False, True, True)


def test_graphs_of_networks_that_nobody_holds_leave_memory():
    """Once others are made: a long process that goes through networks would hold them all."""

    def graph():
        made = worlds.tiny_networks()
        c = tf.TensorSpec((1, made.codes.size), tf.float32)
        images = traced(lambda c: made.images(c)).get_concrete_function(c)
        x = tf.TensorSpec((1, *made.image_shape), tf.float32)
        outputs = traced(lambda x: made.outputs(x, ("fc3",))[1]["fc3"]).get_concrete_function(x)
        return [weakref.ref(one.graph) for one in (images, outputs)]

    gone = graph()
    worlds.tiny_networks()
    gc.collect()
    assert [one() for one in gone] == [None, None]


def test_graphs_of_a_layer_that_is_forgotten_leave_memory():
    """Also those with gradients of their own, which TensorFlow would keep for ever.

    The graph that is kept is differentiated after that, by the gradient that is registered.
    """
    made = worlds.tiny_networks()

    def graph(layer):
        def outputs(x):
            return tf.reduce_sum(made.outputs(x, (layer,))[1][layer] ** 2)

        x = tf.TensorSpec((1, *made.image_shape), tf.float32)
        return traced(outputs).get_concrete_function(x)

    function = made.compiled(("slope", ("fc3",)), lambda: graph("fc3"))
    kept = made.compiled(("slope", ("conv1",)), lambda: graph("conv1"))
    gone = weakref.ref(function.graph)
    del function
    made.forget("fc3")
    assert gone() is None and list(made._compiled) == [("slope", ("conv1",))]
    kernel = tf.constant(np.arange(6, dtype="f4").reshape(2, 3))
    with tf.Graph().as_default() as other:
        x = tf.compat.v1.placeholder(tf.float32, (1, 2))
        y = fast.product(x, kernel.numpy())
        private.tie_gradients()
        gc.collect()
        (slope,) = tf.gradients(y, x)
        with tf.compat.v1.Session(graph=other) as session:
            found = session.run(slope, {x: np.ones((1, 2), "f4")})
    np.testing.assert_array_equal(found, [[3.0, 12.0]])
    image = tf.zeros((1, *made.image_shape))
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = kept(image)
    assert np.isfinite(tape.gradient(value, image)).all()
