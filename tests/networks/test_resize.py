"""Resizing by matrices against TensorFlow's own kernel, weights, values and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inverse.networks.resize import resize, weights

SIZES = [(64, 32), (256, 227), (32, 32), (24, 60), (7, 5), (5, 1), (1, 4), (227, 226)]


@pytest.mark.parametrize(("size", "to"), SIZES)
def test_weights_are_tensorflows(size, to):
    """The image of each unit vector is a column of the matrix."""
    basis = np.eye(size, dtype=np.float32)[:, :, np.newaxis, np.newaxis]
    expected = tf.image.resize(basis, (to, 1), antialias=True)[:, :, 0, 0]
    np.testing.assert_allclose(weights(size, to), np.transpose(expected), atol=1e-6)
    np.testing.assert_allclose(weights(size, to).sum(axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "size"),
    [((2, 16, 12, 3), (9, 24)), ((1, 6, 9, 1), (6, 4)), ((3, 40, 40, 4), (13, 13))],
)
def test_values_and_gradients_are_tensorflows(shape, size):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.uniform(0, 255, shape), tf.float32)
    share = tf.constant(rng.standard_normal((shape[0], *size, shape[-1])), tf.float32)

    def run(function):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return y, tape.gradient(y, x, share)

    y, g = run(lambda x: resize(x, size))
    expected_y, expected_g = run(lambda x: tf.image.resize(x, size, antialias=True))
    np.testing.assert_allclose(y, expected_y, atol=1e-5 * 255)
    np.testing.assert_allclose(g, expected_g, atol=1e-5)


def test_any_number_of_images():
    signature = [tf.TensorSpec((None, 8, 8, 3))]
    halved = tf.function(lambda x: resize(x, (4, 4)), signature)
    for count in (1, 5):
        assert halved(tf.ones((count, 8, 8, 3))).shape == (count, 4, 4, 3)
