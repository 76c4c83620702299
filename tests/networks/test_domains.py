"""Without a generator: section 3.1's logistic neuron, vectors, pixels; the objective's settings."""

import importlib.util
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
import worlds

from tf_inverse.band import Band, Bands, Neuron
from tf_inverse.compute.device import traced
from tf_inverse.errors import UsageError
from tf_inverse.method import loops
from tf_inverse.method.lagrangian import penalty, seeds_lagrangian
from tf_inverse.method.normalization import measure
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks import domains, storage
from tf_inverse.run import record
from tf_inverse.run.draw import draw

W, B, BAND = np.array([4.0, -3.0]), 0.5, (0.4, 0.6)


@pytest.fixture(scope="module")
def logistic():
    x = keras.Input((2,), name="features")
    model = keras.Model(x, keras.layers.Dense(1, "sigmoid", name="f")(x), name="logistic")
    model.get_layer("f").set_weights([W[:, np.newaxis], np.array([B])])
    return domains.vectors(model)


def f(x):
    return 1 / (1 + np.exp(-(x @ W + B)))


def test_samples_fill_the_inverse_set_of_a_logistic_neuron(logistic):
    result = draw(logistic, f"f:0@{BAND[0]}:{BAND[1]}", n=120, K=20)
    x = result.samples.images.reshape(120, 2).astype(np.float64)
    # No violation: in the box, and in the slab between the two level lines.
    assert x.min() >= 0 and x.max() <= 1
    assert np.all((f(x) > BAND[0] - 1e-6) & (f(x) < BAND[1] + 1e-6))
    np.testing.assert_allclose(result.samples.activations[:, 0], f(x), atol=1e-6)
    # Spread: every eighth of the analytic set, along the level lines, has its share, and the range
    # is covered evenly.
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 401)] * 2), axis=-1).reshape(-1, 2)
    inside = grid[(f(grid) >= BAND[0]) & (f(grid) <= BAND[1])]
    along = np.array([-W[1], W[0]])
    edges = np.quantile(inside @ along, np.linspace(0, 1, 9))
    counts, _ = np.histogram(x @ along, edges)
    assert counts.min() >= 0.2 * len(x) / 8, counts
    assert result.summary["coverage"] < 0.2
    assert result._repr_html_() is None


def test_an_archive_of_what_it_cannot_hold_is_refused_before_the_search(logistic, tmp_path):
    with pytest.raises(
        UsageError, match=r"8 bits, .*logistic gives float32 \[1, 2, 1\]: draw with"
    ):
        draw(logistic, Bands(Band(Neuron("f", 0), *BAND)), n=2, out=tmp_path / "a.h5")
    many = [Band(Neuron("conv1", 0, (i % 8, i // 8 % 8)), -9.0, 9.0 + i) for i in range(800)]
    with pytest.raises(UsageError, match="expected fewer targets.* targets is .* bytes of JSON"):
        record.header(worlds.tiny_networks(), Bands(many), Settings())
    assert not list(tmp_path.iterdir())


def test_vectors_lie_in_their_own_box():
    x = keras.Input((3,))
    model = keras.Model(x, keras.layers.Dense(1, name="f", kernel_initializer="ones")(x))
    low, high = [-1, 100, 0], [1, 300, 1e-3]
    made = domains.vectors(model, low, high)
    samples = draw(made, "f:0@150:200", n=30).samples
    rows = samples.images.reshape(30, 3)
    assert np.all((rows >= low) & (rows <= np.array(high) + 1e-9))
    np.testing.assert_allclose(rows.sum(axis=1), samples.activations[:, 0], rtol=1e-5)
    # Neither rounded nor clipped to what an image may be.
    assert np.any(rows[:, 0] != np.round(rows[:, 0])) and rows[:, 0].min() < 0
    np.testing.assert_array_equal(samples.encodings, rows)


def test_pixels_are_the_code_on_disk_too(tiny, tmp_path):
    made = domains.pixels(tiny.classifier, "fc2", labels=tiny.labels)
    names = ("name", "classifier", "generator", "encoder", "codes", "labels")
    parts = {name: getattr(made, name) for name in names}
    made = storage.load(storage.save(tmp_path / "pixels", **parts))
    neuron = Neuron("fc3", 1)
    spread = measure(made, (neuron,))
    band = Band(neuron, float(spread.z_mean[0]), float(spread.z_mean[0] + 2 * spread.z_sd[0]))
    samples = [b.samples for b in sample(made, (band,), Settings(n=6, K=3, distance="images"))]
    images, codes = (np.concatenate([getattr(s, a) for s in samples]) for a in ("images", "codes"))
    assert images.dtype == np.uint8 and codes.min() >= 0 and codes.max() <= 1
    assert np.abs(images.reshape(6, -1) - 255 * codes).max() <= 0.51
    z = worlds.activation(made, images, neuron)
    assert np.all((z >= band.z1) & (z <= band.z2))


def test_refusals(tiny):
    with pytest.raises(UsageError, match="model of vectors"):
        domains.vectors(tiny.classifier)
    with pytest.raises(UsageError, match=r"images \[H, W, C\]"):
        domains.pixels(tiny.generator, "fc")
    x = keras.Input((2,))
    with pytest.raises(UsageError, match="low < high"):
        domains.vectors(keras.Model(x, keras.layers.Dense(1)(x)), 0.0, [1.0, 0.0])
    with pytest.raises(UsageError, match="distance"):
        Settings(distance="pixels")
    with pytest.raises(UsageError, match="divide K = 10, got 3"):
        Settings(chunk=3)
    assert Settings(distance="none").diversity == 0


@pytest.mark.parametrize("distance", ["encodings", "images", "codes", "none"])
def test_distances_are_between_what_was_asked_for(tiny, distance):
    neuron, settings = Neuron("fc3", 0), Settings(distance=distance)
    scale = measure(tiny, (neuron,))
    posed = loops.problem(tiny, (neuron,), settings, scale)
    c = np.random.default_rng(0).standard_normal((60, tiny.codes.size)).astype(np.float32)
    view = posed.look(tf.constant(c), loops.target(Bands([Band(neuron, 0, 1)]), scale).index)
    images = worlds.images(tiny, c)
    of = {"codes": c, "images": images.reshape(60, -1)}
    expected = of.get(distance)
    expected = tiny.encode(images) if expected is None else expected
    np.testing.assert_allclose(view.e, expected, atol=1e-4)
    assert loops.distance_size(tiny, settings) == expected.shape[1]
    # Two random codes are about as far apart, per dimension, whatever distance it is.
    e = posed.scaled(view.e).numpy()
    apart = np.mean([np.sum((a - b) ** 2) for a in e for b in e])
    assert 1.4 < apart < 2.6


@pytest.mark.parametrize("method", ["seeds_lagrangian", "penalty"])
def test_two_passes_over_chunks_give_the_same_gradient(method):
    rng = np.random.default_rng(0)
    problem = worlds.linear_problem([1.0, -2.0, 0.5], E=rng.standard_normal((4, 3)))
    c = tf.constant(rng.standard_normal((12, 3)), tf.float32)
    target, lam = worlds.target((0.0, 1.0)), tf.constant(rng.random((12, 1)), tf.float32)

    def lagrangian(e, view):
        if method == "penalty":  # eq. 14: e has no part in it
            return penalty(view.s, lam, 10.0)
        return seeds_lagrangian(e, view.s, lam, 10.0)

    whole = problem.descend(c, target, lagrangian)
    chunked = traced(problem._replace(chunk=4).descend)(c, target, lagrangian)
    np.testing.assert_allclose(chunked[0].z, whole[0].z, rtol=1e-6)
    np.testing.assert_allclose(chunked[1], whole[1], rtol=1e-5, atol=1e-6)
    assert np.all(chunked[2])


@pytest.mark.parametrize("method", ["renewal", "paper"])
def test_all_at_once_in_chunks(tiny, band, method):
    """Eq. 15: K = n; with the paper's method the seeds are the samples."""
    bands = (band(Neuron("fc3", 2)),)
    settings = Settings(n=12, K=12, chunk=4, method=method)
    samples = [b.samples for b in sample(tiny, bands, settings)]
    z = np.concatenate([s.activations for s in samples])
    assert len(z) == 12 and np.all((z >= bands[0].z1) & (z <= bands[0].z2))
    if method == "paper":
        steps = np.concatenate([s.steps for s in samples])
        assert len(set(steps)) <= 2  # but for seeds on the very edge of the band


def test_undecided_penguins():
    """The example of docs/vectors.md: real measurements, a real network."""
    path = pathlib.Path(__file__).resolve().parents[2] / "examples" / "penguins.py"
    spec = importlib.util.spec_from_file_location("penguins", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    x, y = example.load(path.with_name("penguins.csv"))
    assert x.shape == (342, 4) and list(np.bincount(y)) == [151, 68, 123]
    model = example.trained(x, y)
    assert np.mean(model.predict(x, verbose=0).argmax(axis=1) == y) > 0.95
    networks = domains.vectors(
        model, x.min(axis=0), x.max(axis=0), labels=("species", example.SPECIES)
    )
    targets = "species:Adelie@0.4:0.6, species:Chinstrap@0.4:0.6"
    samples = draw(networks, targets, n=10, distance="codes").samples
    birds = samples.images.reshape(10, 4)
    share = model.predict(birds, verbose=0)
    assert np.all((share[:, :2] > 0.4 - 1e-5) & (share[:, :2] < 0.6 + 1e-5))
    assert np.all((birds >= x.min(axis=0) - 1e-3) & (birds <= x.max(axis=0) + 1e-3))
