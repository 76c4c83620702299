"""Small worlds with known answers, and tiny random networks."""

import keras
import numpy as np
import tensorflow as tf

from tf_inverse.codes import Codes
from tf_inverse.networks import Networks, View
from tf_inverse.problem import Problem, Target


def tiny_networks(seed=0, code=6, size=8, classes=4, **changes):
    """A generator and a classifier with random weights: a convolution and two dense layers."""
    keras.utils.set_random_seed(seed)
    images = keras.Input((size, size, 3), name="data")
    x = keras.layers.Rescaling(1 / 64, offset=-2.0, name="scale")(images)
    x = keras.layers.Conv2D(5, 3, padding="same", name="conv1")(x)
    x = keras.layers.ReLU(name="relu1")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(7, activation="tanh", name="fc2")(x)
    classifier = keras.Model(images, keras.layers.Dense(classes, name="fc3")(x), name="tiny")
    codes = keras.Input((code,), name="code")
    y = keras.layers.Dense(size * size * 3, name="fc")(codes)
    y = keras.layers.Rescaling(60.0, offset=128.0, name="pixels")(y)
    generator = keras.Model(codes, keras.layers.Reshape((size, size, 3), name="x")(y), name="gen")
    options = {
        "name": "tiny",
        "encoder": "fc2",
        "codes": Codes("normal", code),
        "labels": ("fc3", ("cat", "dog", "ship", "toilet tissue, toilet paper")[:classes]),
    }
    return Networks(classifier=classifier, generator=generator, **(options | changes))


def linear_problem(w, bound="both", E=None):
    """f(c) = w c: the inverse set is a slab. E is the identity, or a matrix [d_E, d]."""
    w = tf.constant(np.atleast_2d(w), tf.float32)

    def look(c, _):
        e = c if E is None else tf.matmul(c, tf.constant(E, tf.float32), transpose_b=True)
        return View(tf.zeros((tf.shape(c)[0], 1, 1, 1)), e, tf.matmul(c, w, transpose_b=True))

    inf = float("inf")
    return Problem(look, (1, 1, 1), c_sd=1.0, e_sd=1.0, low=-inf, high=inf, bound=bound)


def target(*bands, sd=None):
    """Bands (z1, z2) as a Target."""
    z1, z2 = np.array(bands, np.float32).T
    sd = np.ones_like(z1) if sd is None else np.asarray(sd, np.float32)
    index = tf.zeros((len(bands), 3), tf.int32)
    return Target(index, tf.constant(z1), tf.constant(z2), tf.constant(sd))
