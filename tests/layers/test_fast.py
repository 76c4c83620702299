"""The quick forms of layers against Keras's own computation of the same layers."""

import platform

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tf_inverse.layers import fast, transposed


class Wrapping(keras.Model):
    """A subclassed model around another."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        """The inner model's output."""
        return self.inner(x)


class Doubling(layers.Dense):
    """A Dense that means another thing."""

    def call(self, x):
        """Twice Dense."""
        return 2.0 * super().call(x)


def _functional():
    image = keras.Input((31, 29, 6))
    h = layers.Conv2D(12, 3, padding="same", groups=3, activation="relu")(image)
    h = layers.Conv2D(8, 3, strides=2, groups=2, use_bias=False)(h)
    h = layers.Conv2D(8, 3, dilation_rate=2, groups=4)(h)
    return keras.Model(image, layers.Dense(5, activation="tanh")(layers.Flatten()(h)))


def _strided():
    image = keras.Input((31, 29, 6))
    h = layers.Conv2D(8, 7, strides=4)(image)
    return keras.Model(image, layers.Dense(5, use_bias=False)(layers.Flatten()(h)))


def _nested():
    image = keras.Input((31, 29, 6))
    return keras.Model(image, 3.0 * _functional()(image))


def _sequential():
    image = keras.Input((31, 29, 6))
    return keras.Sequential([image, layers.Conv2D(8, 5, strides=5, groups=2), layers.Dense(3)])


def _open():
    image = keras.Input((None, None, 6))
    h = layers.Conv2D(8, 6, strides=4)(image)
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(h)))


def _doubling():
    """Doubled maps before convolutions of all kinds, and one that two layers use."""
    image = keras.Input((31, 29, 6))
    h = layers.Conv2D(3, 3, activation="relu")(layers.UpSampling2D()(image))
    h = layers.AveragePooling2D(7)(h)
    h = layers.Conv2D(5, 3, padding="same")(layers.UpSampling2D()(h))
    h = layers.LeakyReLU()(h)
    both = layers.UpSampling2D()(h)
    h = layers.Conv2D(4, 3, padding="same", use_bias=False)(both)
    h = layers.Concatenate()([h, both])
    for upsampling, options in (
        (layers.UpSampling2D((1, 2)), {}),
        (layers.UpSampling2D((3, 2)), {"kernel_size": (5, 1)}),
        (layers.UpSampling2D(3), {"kernel_size": 2}),
        (layers.UpSampling2D(interpolation="bilinear"), {}),
        (layers.UpSampling2D(), {"kernel_size": 5}),
        (layers.UpSampling2D(), {"strides": 2}),
    ):
        h = layers.Conv2D(3, **({"kernel_size": 3, "padding": "same"} | options))(upsampling(h))
        h = layers.AveragePooling2D(3)(h)
    return keras.Model(image, layers.Dense(5)(layers.Flatten()(h)))


def _open_doubling():
    image = keras.Input((None, None, 6))
    h = layers.Conv2D(8, 3, padding="same")(layers.UpSampling2D()(image))
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(h)))


def _images():
    """Transposed convolutions with few filters, as the last layers of generators."""
    image = keras.Input((31, 29, 6))
    h = layers.Conv2D(5, 5, strides=3)(image)
    options = {"bias_initializer": "random_normal"}
    h = layers.Conv2DTranspose(3, 4, strides=2, padding="same", **options)(h)
    h = layers.Conv2DTranspose(4, (6, 4), strides=2, activation="tanh", **options)(h)
    return keras.Model(image, layers.Conv2DTranspose(1, 3, strides=3, use_bias=False)(h))


def _open_images():
    image = keras.Input((None, None, 6))
    return keras.Model(image, layers.Conv2DTranspose(3, 4, strides=2)(image))


MODELS = {
    "images": _images,
    "open images": _open_images,
    "doubling": _doubling,
    "open doubling": _open_doubling,
    "functional": _functional,
    "strided": _strided,
    "nested": _nested,
    "sequential": _sequential,
    "subclassed": lambda: Wrapping(_functional()),
    "open": _open,
    "a subclass": lambda: keras.Sequential([keras.Input((31, 29, 6)), Doubling(2)]),
}


@pytest.mark.parametrize("name", MODELS)
def test_outputs_and_gradients_are_those_of_keras(name):
    """Also the gradients to the weights, for a user who trains while sampling."""
    keras.utils.set_random_seed(1)
    model = MODELS[name]()
    x = tf.constant(np.random.default_rng(0).normal(size=(4, 31, 29, 6)), tf.float32)
    model(x)

    def look(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = model(x)
            cost = tf.reduce_sum(y * y)
        return y, tape.gradient(cost, [x, *(v.value for v in model.trainable_variables)])

    expected, slopes = look(x)
    with fast.forms(model):
        eager = look(x)
        compiled = tf.function(look, autograph=False)(x)
    for y, gradients in (eager, compiled):
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
        for g, wanted in zip(gradients, slopes, strict=True):
            np.testing.assert_allclose(g, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize(("size", "s", "padding"), [((4, 4), 2, "same"), ((2, 6), 2, "valid")])
def test_interleaved_is_a_sum_over_pixels_of_the_kernel(size, s, padding):
    """Output pixel s i + r - border takes x[i] kernel[r]."""
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(1, 3, 2, 2)), rng.normal(size=(*size, 3, 2))
    full = np.zeros((1, 2 * s + size[0], s + size[1], 3))
    for i, j in np.ndindex(3, 2):
        for a, b in np.ndindex(*size):
            full[0, s * i + a, s * j + b] += kernel[a, b] @ x[0, i, j]
    cut = [(k - s) // 2 if padding == "same" else 0 for k in size]
    expected = full[:, cut[0] : full.shape[1] - cut[0], cut[1] : full.shape[2] - cut[1]]
    x, kernel = tf.constant(x, tf.float32), tf.constant(kernel, tf.float32)
    y = transposed.interleaved(x, kernel, s=s, padding=padding)
    np.testing.assert_allclose(y, expected, atol=1e-5)


@pytest.mark.parametrize("onednn", ["1", "0"])
def test_large_dense_layer_is_a_product(onednn, monkeypatch):
    """With oneDNN's own product and without it, in the values and in the gradient to the input."""
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", onednn)
    monkeypatch.setattr(fast, "LARGE", 60)
    model = keras.Sequential([keras.Input((12,)), layers.Dense(5, bias_initializer="normal")])
    kernel, bias = (w.astype(np.float64) for w in model.get_weights())
    x, d = np.random.default_rng(0).normal(size=(2, 3, 12)).astype(np.float32)

    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = model(x)
        return y, tape.gradient(y, x, d[:, :5])

    with fast.forms(model):
        function = tf.function(step, autograph=False).get_concrete_function(tf.TensorSpec((3, 12)))
    y, slope = function(tf.constant(x))
    np.testing.assert_allclose(y, x @ kernel + bias, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slope, d[:, :5] @ kernel.T, rtol=1e-5, atol=1e-6)
    batches = [o.type for o in function.graph.get_operations() if o.type.startswith("BatchMatMul")]
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    assert bool(batches) is (x86 and onednn == "1")


def test_forms_are_taken_and_given_back():
    """Layers differ while the block is open, at any depth, and are as before after an error."""
    model = _nested()
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)][0]
    grouped, dense = inner.layers[1], inner.layers[-1]
    before = dict(grouped.__dict__), dict(dense.__dict__)
    with pytest.raises(KeyError), fast.forms(model):
        assert "convolution_op" in grouped.__dict__ and "call" in dense.__dict__
        raise KeyError
    assert (grouped.__dict__, dense.__dict__) == before


def test_no_convolution_of_groups_goes_to_xla():
    """Which is what makes Keras's gradient slow on a CPU."""
    model = _functional()
    x = tf.zeros((2, 31, 29, 6))

    def operations():
        graph = tf.function(lambda x: model(x), autograph=False).get_concrete_function(x).graph
        return [op.type for op in graph.get_operations()]

    assert any("Call" in kind for kind in operations())
    with fast.forms(model):
        quickly = operations()
    assert not any("Call" in kind for kind in quickly)
    assert quickly.count("Conv2D") == 3 + 2 + 4


def test_a_doubled_map_is_never_made():
    """Where all that reads it are convolutions of it: the graph has no resize and no large copy."""
    image = keras.Input((8, 9, 6))
    model = keras.Model(image, layers.Conv2D(4, 3, padding="same")(layers.UpSampling2D()(image)))
    x = tf.zeros((2, 8, 9, 6))
    with fast.forms(model):
        made = tf.function(lambda x: model(x), autograph=False).get_concrete_function(x)
    needed, waiting = set(), [made.graph.outputs[0].op]
    while waiting:
        op = waiting.pop()
        needed.add(op.type)
        waiting += [tensor.op for tensor in op.inputs]
    assert "Conv2DBackpropInput" in needed and "Conv2D" not in needed
    assert not {"BroadcastTo", "ResizeNearestNeighbor", "Repeat", "Tile"} & needed, needed
