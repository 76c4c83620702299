"""Small worlds with known answers, and tiny random networks."""

import keras
import numpy as np
import tensorflow as tf

from tf_inverse.band import Neuron
from tf_inverse.method.problem import Problem, Target
from tf_inverse.networks import storage
from tf_inverse.networks.codes import Codes
from tf_inverse.networks.natural import LEVELS, Natural
from tf_inverse.networks.networks import Networks, View

NEURON = Neuron("fc3", 2)


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
        "classifier": classifier,
        "generator": generator,
        "name": "tiny",
        "encoder": "fc2",
        "codes": Codes("normal", code),
        "labels": ("fc3", ("cat", "dog", "ship", "toilet tissue, toilet paper")[:classes]),
    }
    return Networks(**(options | changes))


def images(networks, codes):
    """The stored images of codes: Keras' own call, clipped and rounded in NumPy."""
    x = np.asarray(networks.generator(codes))
    return np.round(np.clip(x, 0, 255)).astype(np.uint8)


def activation(networks, images, neuron, batch=16):
    """Activations [n] of stored images, by plain Keras calls of a few images at a time."""
    output = networks.classifier.get_layer(neuron.layer).output
    model = keras.Model(networks.classifier.input, output)
    parts = [images[i : i + batch].astype(np.float32) for i in range(0, len(images), batch)]
    h = np.concatenate([np.asarray(model(x, training=False)) for x in parts])
    return h[(slice(None), *(neuron.at or ()), neuron.unit)]


def natural(networks, count=300):
    """Statistics of fc3 over the images of random codes, which play nature here."""
    codes = np.random.default_rng(1).standard_normal((count, networks.codes.size), np.float32)
    drawn = images(networks, codes).astype(np.float32)
    taps = [networks.classifier.get_layer(name).output for name in ("fc2", "fc3")]
    e, z = (np.asarray(a) for a in keras.Model(networks.classifier.input, taps)(drawn))
    columns = (z.mean(axis=0), z.std(axis=0), np.percentile(z, LEVELS, axis=0).T)
    return Natural(count, "made up", np.array(LEVELS), {"fc3": columns}, e, {"fc3": z})


def write(path, default="fc3:dog@p60:p95", **changes):
    """The tiny pair as a folder."""
    made = tiny_networks(**changes)
    names = ("name", "classifier", "generator", "encoder", "codes", "labels", "crop")
    parts = {name: getattr(made, name) for name in names}
    return storage.save(path, default=default, natural=natural(made), **parts)


def linear_problem(w, bound="both", E=None):
    """f(c) = w c: the inverse set is a slab. E is the identity, or a matrix [d_E, d]."""
    w = tf.constant(np.atleast_2d(w), tf.float32)

    def look(c, _):
        e = c if E is None else tf.matmul(c, tf.constant(E, tf.float32), transpose_b=True)
        z = tf.matmul(c, w, transpose_b=True)
        return View(tf.zeros((tf.shape(c)[0], 1, 1, 1)), e, z, z)

    inf = float("inf")
    return Problem(look, (1, 1, 1), c_sd=1.0, e_sd=1.0, low=-inf, high=inf, bound=bound)


def target(*bands, sd=None):
    """Bands (z1, z2) as a Target."""
    z1, z2 = np.array(bands, np.float32).T
    sd = np.ones_like(z1) if sd is None else np.asarray(sd, np.float32)
    index = tf.zeros((len(bands), 3), tf.int32)
    return Target(index, tf.constant(z1), tf.constant(z2), tf.constant(sd))


def logistic_problem(w, b):
    """f(x) = 1 / (1 + exp(-(w x + b))) on the box [0, 1]^d (section 3.1); x, c and e are one."""
    w = tf.constant(np.asarray(w)[:, np.newaxis], tf.float32)

    def look(c, _):
        z = tf.sigmoid(tf.matmul(c, w) + b)
        return View(tf.zeros((tf.shape(c)[0], 1, 1, 1)), c, z, z)

    return Problem(look, (1, 1, 1), c_sd=0.3, e_sd=0.3, low=0.0, high=1.0, bound="both")
