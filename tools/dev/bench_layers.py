"""The layers that have quick forms, plain and quick, forward and gradient to their input."""

from __future__ import annotations

import contextlib
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

from tf_inverse.layers import fast
from tf_inverse.layers.caffe_layers import LRN
from tf_inverse.layers.pixels import FromPixels


class PlainLRN(keras.layers.Layer):
    """TensorFlow's own op."""

    def call(self, x):
        """Normalise x over 5 channels."""
        return tf.nn.local_response_normalization(x, 2, 1.0, 1e-4 / 5, 0.75)


class PlainPixels(keras.layers.Layer):
    """Channels turned around and a mean taken off, as one would write it."""

    def call(self, x):
        """RGB to BGR less a mean."""
        return x[..., ::-1] - tf.constant([104.0, 117.0, 123.0])


class Cut(keras.layers.Layer):
    """The middle of an image, as one would write it, or by tf.slice."""

    def __init__(self, sliced):
        super().__init__()
        self.sliced = sliced

    def call(self, x):
        """227 of 256 pixels."""
        if self.sliced:
            return tf.slice(x, (0, 14, 14, 0), (-1, 227, 227, -1))
        return x[:, 14:241, 14:241]


def pairs(K: int) -> dict:
    """(plain layer, quick one, input) of CaffeNet x fc6 generator; one layer where forms differ.

    The last one is of the shipped pair's generator.
    """
    rng = np.random.default_rng(0)

    def given(*shape):
        return tf.constant(rng.standard_normal((K, *shape), np.float32))

    grouped = keras.layers.Conv2D(256, 5, padding="same", groups=2)
    strided = keras.layers.Conv2D(96, 11, strides=4)
    last = keras.layers.Conv2DTranspose(3, 4, strides=2, padding="same")
    fc6, fc7 = keras.layers.Dense(4096), keras.layers.Dense(4096)
    doubling = keras.Sequential(
        [keras.layers.UpSampling2D(), keras.layers.Conv2D(80, 3, padding="same")]
    )
    return {
        "conv1, stride 4": (strided, strided, given(227, 227, 3)),
        "conv2, 2 groups": (grouped, grouped, given(27, 27, 96)),
        "deconv0, 3 channels": (last, last, given(128, 128, 32)),
        "fc6, dense": (fc6, fc6, given(9216)),
        "fc7, dense": (fc7, fc7, given(4096)),
        "norm1": (PlainLRN(), LRN(), given(27, 27, 96)),
        "pixels": (PlainPixels(), FromPixels(), given(227, 227, 3)),
        "crop": (Cut(False), Cut(True), given(256, 256, 3)),
        "conv2 after doubling": (doubling, doubling, given(8, 8, 160)),
    }


def compiled(layer, x, form: bool):
    """Forward and gradient of a layer as compiled functions."""
    model = keras.Sequential([keras.Input(x.shape[1:]), layer])
    d = tf.ones_like(model(x))

    def forward(x):
        with fast.forms(model) if form else contextlib.nullcontext():
            return model(x)

    def gradient(x):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            y = forward(x)
        return tape.gradient(y, x, d)

    return [tf.function(f, autograph=False) for f in (forward, gradient)]


def measure(K: int, repeats: int) -> dict[str, float]:
    """Median milliseconds of each, the forms of a layer in turns, and quick by plain."""
    figures = {}
    for name, (plain, quick, x) in pairs(K).items():
        forms = [compiled(plain, x, False), compiled(quick, x, True)]
        for i, what in enumerate(("forward", "gradient")):
            seconds = [[], []]
            for _ in range(repeats + 1):
                for form, taken in zip(forms, seconds, strict=True):
                    began = time.perf_counter()
                    # One number of it, or copying it would count.
                    tf.reshape(form[i](x), (-1,))[0].numpy()
                    taken.append(time.perf_counter() - began)
            a, b = (statistics.median(taken[1:]) for taken in seconds)
            figures |= {f"{name}: {what} plain_ms": 1e3 * a, f"{name}: {what} quick_ms": 1e3 * b}
            figures[f"{name}: {what} ratio"] = b / a
    return figures
