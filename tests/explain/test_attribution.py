"""Attributions against closed forms, naive loops, and a neuron that looks at one corner alone."""

import dataclasses

import keras
import numpy as np
import pytest
import worlds

from tf_inverse.band import Neuron
from tf_inverse.explain import attribution

GREY = np.full((8, 8, 3), 127.5, np.float32)


def network(layers):
    """The tiny pair with a classifier of these layers, the last of which is called `out`."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((8, 8, 3))
    x = inputs
    for layer in layers:
        x = layer(x)
    classifier = keras.Model(inputs, x, name="made")
    tiny = worlds.tiny_networks()
    return dataclasses.replace(tiny, classifier=classifier, encoder="flat", labels=None)


def dense(units=2, **options):
    return [
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(name="flat"),
        keras.layers.Dense(units, name="out", **options),
    ]


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(5).integers(0, 256, (8, 8, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def linear():
    networks = network(dense())
    w = networks.classifier.get_layer("out").get_weights()[0].reshape(8, 8, 3, 2) / 255
    return attribution.Reader(networks, (Neuron("out", 0), Neuron("out", 1))), w


def test_of_a_linear_neuron_gradients_give_weight_times_way(linear, image):
    reader, w = linear
    expected = np.einsum("hwcp,hwc->phw", w, image - GREY)
    for found in (
        attribution.smoothgrad(reader, image, GREY, np.random.default_rng(0)),
        attribution.integrated_gradients(reader, image, GREY),
    ):
        np.testing.assert_allclose(found.maps, expected, rtol=1e-4, atol=1e-5)


def test_occlusion_is_the_mean_fall_over_the_squares_that_cover_a_pixel(linear, image):
    reader, w = linear
    # At 8 pixels the square is one pixel wide and goes to every place.
    expected = np.einsum("hwcp,hwc->phw", w, image - GREY)
    found = attribution.occlusion(reader, image, GREY)
    np.testing.assert_allclose(found.maps, expected, rtol=1e-3, atol=1e-4)


def test_occlusion_by_squares_that_overlap_is_a_naive_loop(linear, image, monkeypatch):
    monkeypatch.setattr(attribution, "SQUARE", 3)
    monkeypatch.setattr(attribution, "STRIDE", 3)
    reader, w = linear
    parts = np.einsum("hwcp,hwc->phw", w.astype(np.float64), image - GREY)
    falls, covers = np.zeros((2, 8, 8)), np.zeros((8, 8))
    # A square of 8 / 3 pixels that goes on by 8 // 3, and at last to the edge.
    for top in (0, 2, 4, 5):
        for left in (0, 2, 4, 5):
            fall = parts[:, top : top + 3, left : left + 3].sum(axis=(1, 2))
            falls[:, top : top + 3, left : left + 3] += fall[:, None, None]
            covers[top : top + 3, left : left + 3] += 1
    found = attribution.occlusion(reader, image, GREY)
    np.testing.assert_allclose(found.maps, falls / covers, rtol=1e-3, atol=1e-4)


def test_squares_overlap_and_reach_the_edges():
    squares = list(attribution._squares(33, 48))
    covers = np.zeros((33, 48), int)
    for rows, columns in squares:
        covers[rows, columns] += 1
    sides = {(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in squares}
    assert covers.min() >= 1 and covers.max() > 1 and sides == {(6, 6)}


def test_gradients_of_a_square_and_of_a_step_are_their_closed_forms(image):
    """f(x) = (w x)^2, whose gradient is 2 w (w x), and a step of it, steep within a small part.

    Along the line from x0 the mean gradient of the square is 2 w (w x + w x0) / 2. What the step
    rises by is not found by the points of one panel.
    """
    layers = dense(1, use_bias=False)
    square = keras.layers.Lambda(lambda z: z**2, name="square")
    middle = [0.0, 1.0]
    step = keras.layers.Lambda(lambda z: keras.ops.tanh((z - middle[0]) * middle[1]), name="step")
    networks = network([*layers, square, step])
    w = networks.classifier.get_layer("out").get_weights()[0].astype(np.float64)[:, 0] / 255
    x, x0 = image.ravel().astype(np.float64), GREY.ravel().astype(np.float64)
    ends = (w @ x0) ** 2, (w @ x) ** 2
    middle[:] = 0.4 * ends[0] + 0.6 * ends[1], 400 / abs(ends[1] - ends[0])
    expected = ((x - x0) * w * (w @ x + w @ x0)).reshape(8, 8, 3).sum(axis=-1)
    reader = attribution.Reader(networks, (Neuron("square", 0), Neuron("step", 0)))
    found = attribution.integrated_gradients(reader, image, GREY)
    np.testing.assert_allclose(found.maps[0], expected, rtol=1e-3, atol=1e-5)
    rise = np.diff(np.tanh((np.array(ends) - middle[0]) * middle[1]))[0]
    assert found.maps[1].sum() == pytest.approx(rise, rel=attribution.TOLERANCE)
    assert found.residual[1] == pytest.approx(abs(1 - found.maps[1].sum() / rise), abs=1e-5)

    noise = np.random.default_rng(7).standard_normal((attribution.ROWS, 192), np.float32)
    noisy = x + attribution.NOISE * np.ptp(image) * noise
    slope = 2 * w * (noisy @ w).mean()
    expected = ((x - x0) * slope).reshape(8, 8, 3).sum(axis=-1)
    found = attribution.smoothgrad(reader, image, GREY, np.random.default_rng(7))
    np.testing.assert_allclose(found.maps[0], expected, rtol=1e-3, atol=1e-4)


def test_integrated_gradients_are_complete(tiny, image):
    """The pixels of a map sum to f(image) - f(baseline) within one hundredth, each neuron's own."""
    neurons = (Neuron("fc3", 0), Neuron("fc3", 2), Neuron("relu1", 3, (4, 4)))
    reader = attribution.Reader(tiny, neurons)
    found = attribution.integrated_gradients(reader, image, GREY)
    stored = np.stack([image, GREY])
    for i, neuron in enumerate(neurons):
        z = worlds.activation(tiny, stored, neuron, 2)
        assert abs(found.maps[i].sum() - (z[0] - z[1])) <= 0.01 * abs(z[0] - z[1])
    assert (found.residual <= attribution.TOLERANCE).all()


def test_a_neuron_that_looks_at_one_corner_is_seen_to(image):
    corner = [
        keras.layers.Cropping2D(((0, 5), (0, 5))),
        keras.layers.Conv2D(4, 2),
        keras.layers.ReLU(),
    ]
    networks = network([*corner, *dense()])
    reader = attribution.Reader(networks, (Neuron("out", 1),))
    rng = np.random.default_rng(0)
    for found in (
        attribution.smoothgrad(reader, image, GREY, rng),
        attribution.integrated_gradients(reader, image, GREY),
        attribution.occlusion(reader, image, GREY),
    ):
        outside = found.maps[0].copy()
        outside[:3, :3] = 0
        assert np.abs(outside).max() <= 1e-6 < np.abs(found.maps[0][:3, :3]).max()
