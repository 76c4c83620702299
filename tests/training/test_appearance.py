"""Maps that are learned beside a classifier's layer, and the code of both."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_training import run, small
from tf_inverse.tools import cli

from tf_inverse.adopt import facts, loading
from tf_inverse.errors import UsageError
from tf_inverse.networks import storage
from tf_inverse.training import appearance, architectures, compared, own, runs

SIZE = (16, 16)
TRAINING = {"epochs": 1, "batch": 8, "rate": 1e-3, "seed": 0, "overwrite": False}
TRAINING |= {"disc_start": 1, "precision": "float32", "width": 0.1}


def of(size=(*SIZE, 3), channels=2, layer=6, sd=1.5):
    """Maps of a normalisation that has learned something."""
    keras.utils.set_random_seed(0)
    made = appearance.Appearance(appearance.grid(layer, sd, size, channels), size)
    rng = np.random.default_rng(0)
    for one in made.network.layers:
        if isinstance(one, keras.layers.BatchNormalization):
            one.set_weights([rng.uniform(0.1, 0.3, w.shape) for w in one.get_weights()])
    return made


def photos(count=8, seed=0, size=SIZE):
    return np.random.default_rng(seed).uniform(0, 255, (count, *size, 3)).astype("f4")


@pytest.mark.parametrize("size", [(16, 16), (28, 40), (13, 9), (4, 4)])
def test_maps_lie_where_the_generator_draws(size):
    """An image that is black but for one corner changes the maps of that corner, and G's there."""
    made = of((*size, 3))
    rows, columns, _ = made.grid.shape
    dark = np.zeros((1, *size, 3), "f4")
    bright = dark.copy()
    bright[0, -2:, -2:] = 255
    changed = np.abs(made.network(bright) - made.network(dark))[0].sum(axis=2)
    assert np.unravel_index(changed.argmax(), changed.shape) >= (rows // 2, columns // 2)
    G = architectures.generator(made.grid.size, (*size, 3), grid=made.grid)
    assert G.input_shape == (None, made.grid.size) and G.output_shape == (None, *size, 3)
    c = np.zeros((2, made.grid.size), "f4")
    c[1].reshape(-1)[6:].reshape(made.grid.shape)[-1, -1] = 9.0
    drawn = np.abs(np.diff(np.asarray(G(c)), axis=0))[0].sum(axis=2)
    place = np.array(np.unravel_index(drawn.argmax(), drawn.shape))
    assert (place >= np.array(size) // 2).all()


def test_both_parts_of_a_code_vary_alike():
    """Where maps are normal before they are rectified, as noise alone makes them."""
    made = of(layer=40, sd=1.5, channels=5)
    for layer in made.network.layers[-2:]:
        layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    noise = np.random.default_rng(1).standard_normal((400, *made.grid.shape)).astype("f4")
    maps = np.asarray(made(np.zeros((400, *SIZE, 3), "f4"), noise), float)
    assert maps.var(axis=0).sum() == pytest.approx(40 * 1.5**2, rel=0.02)


def test_finished_maps_are_those_that_were_learned():
    """Without noise, with the normalisation folded in; against the layers one by one."""
    made, x = of(), photos()
    h = x
    for layer in made.network.layers[1:]:
        h = layer(h, training=False)
    expected = np.maximum(np.asarray(h, float), 0.0) * made.grid.scale
    assert expected.std() > 0
    expected = expected.reshape(len(x), -1)
    np.testing.assert_allclose(made(x), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(made.finished()(x), expected, rtol=1e-3, atol=1e-3)


def test_a_generator_reads_the_layer_and_the_maps():
    """Each where it stands: as of layers that are given the parts by hand."""
    made = of()
    G = architectures.generator(made.grid.size, (*SIZE, 3), spread=(0.4, 1.5), grid=made.grid)
    c = np.random.default_rng(0).standard_normal((3, made.grid.size)).astype("f4")
    parts = keras.Model(G.input, [G.get_layer("standardized").output, G.get_layer("both").output])
    layer, both = parts(c)
    np.testing.assert_allclose(layer, (c[:, :6] - 0.4) / 1.5, rtol=1e-4, atol=1e-5)
    maps = c[:, 6:].reshape(3, *made.grid.shape) / made.grid.scale
    np.testing.assert_allclose(both[..., -made.grid.shape[-1] :], maps, rtol=1e-4, atol=1e-5)


def _flat(last=True):
    x = keras.Input((*SIZE, 3))
    h = keras.layers.Conv2D(4, 3, 2, name="conv")(x)
    h = keras.layers.Dense(5, activation="relu", name="hidden")(keras.layers.Flatten()(h))
    return keras.Model(x, keras.layers.Dense(2, name="head")(h) if last else h, name="inner")


def _within(head):
    """The layers of `_flat` in a model within the model; its head may stand outside."""
    x = keras.Input((*SIZE, 3))
    h = _flat(not head)(keras.layers.Rescaling(1.0, name="as_it_is")(x))
    return keras.Model(x, keras.layers.Dense(2, name="head")(h) if head else h)


@pytest.mark.parametrize("side", [32, 9, None])
def test_maps_of_a_classifier_of_another_size(side):
    """The classifier sees the image resized, and the maps the image as it is drawn."""
    x = keras.Input((side, side, 3), name="image")
    h = keras.layers.GlobalAveragePooling2D(name="pool")(keras.layers.Conv2D(6, 3, name="conv")(x))
    f = keras.Model(x, keras.layers.Dense(4, name="top")(h), name="net")
    maps, images = of().finished(), photos()
    model, path = appearance.beside(f, f.outputs, h, maps, "pool")
    assert path == "pool_maps" and model.input_shape == (None, *SIZE, 3)
    size = (side or SIZE[0],) * 2
    seen = tf.image.resize(images, size, antialias=True)
    pool = keras.Model(f.inputs[0], h)(seen)
    expected = f(seen), np.concatenate([pool, maps(images)], axis=1)
    for got, wanted in zip(model(images), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("make", [_flat, lambda: _within(False)])
def test_a_training_ends_with_the_code_of_both(make, tmp_path):
    """Of any classifier: its layer first, the maps behind it; what else it gives stays."""
    keras.utils.set_random_seed(0)
    model = make()
    inner = model if model.name == "inner" else model.get_layer("inner")
    hidden = keras.Model(inner.inputs[0], inner.get_layer("hidden").output)
    networks = own.untrained(facts.classifier(loading.open(model, "classifier")), "hidden")
    head = networks.layer_path("head")
    x = photos(24).astype(np.uint8)
    made = own.train(networks, x, tmp_path, compare=("conv",), beside=3, **TRAINING)
    assert made.encoder == "hidden_maps"
    assert made.layer_shape(made.encoder) == (5 + 8 * 8 * 3,) == (made.codes.size,)
    e = made.encode(x)
    np.testing.assert_allclose(e[:, :5], hidden(x.astype("f4")), rtol=1e-4, atol=1e-4)
    assert e[:, 5:].std() > 0 and e.min() >= 0
    _, outputs = made.outputs(tf.constant(x, tf.float32), (head,))
    np.testing.assert_allclose(outputs[head], model(x.astype("f4")), rtol=1e-4, atol=1e-4)
    assert made.images(tf.constant(e)).shape == (24, *SIZE, 3)


def test_a_layer_that_maps_cannot_stand_beside_is_refused_at_once(tmp_path, capsys):
    """Where maps are asked for; else there are none, which is said."""
    opened = loading.open(_within(True), "classifier")
    networks = own.untrained(facts.classifier(opened), "inner/hidden")
    x = photos(24).astype(np.uint8)
    with pytest.raises(UsageError, match="expected a layer at the top of .*; inner/hidden is else"):
        own.train(networks, x, tmp_path / "state", beside=3, **TRAINING)
    assert not (tmp_path / "state").exists()
    made = own.train(networks, x, tmp_path / "state", **TRAINING)
    assert "no maps beside the encoder, so that images will be blurred" in capsys.readouterr().err
    assert made.encoder == "inner/hidden" and made.generator.input_shape == (None, 5)


def test_maps_are_learned_and_the_classifier_is_not(tmp_path):
    """What they tell of an image makes G's nearer to it than the layer alone does."""
    x = np.repeat(np.repeat(photos(64, size=(2, 2)), 8, axis=1), 8, axis=2).astype(np.uint8)
    model = _flat()
    before = [w.copy() for w in model.get_weights()]
    networks = own.untrained(facts.classifier(loading.open(model, "classifier")), "hidden")
    features = compared.features(networks, ("conv",))
    # Passes are few, since a picture and a state are written after each, and long.
    options = TRAINING | {"epochs": 3, "batch": 16, "rate": 1e-2, "disc_start": 3}
    several = np.tile(x, (4, 1, 1, 1))
    errors = {}
    for channels in (0, 4):
        folder = tmp_path / str(channels)
        made = runs.train_generator(features, several, folder, {}, appearance=channels, **options)
        c = features(tf.constant(x, tf.float32))[-1]
        if channels:
            c = tf.concat([c, made.appearance(x.astype("f4"))], axis=1)
        errors[channels] = float(np.mean((np.asarray(made.G(c)) - x) ** 2))
    assert errors[4] < 0.8 * errors[0]
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(UsageError, match="expected --appearance of 0 channels or more, got -1"):
        runs.train_generator(features, x, tmp_path, {}, appearance=-1, **options)


def test_a_folder_with_maps_samples(tmp_path, capsys):
    """By the command: what it writes is sampled like any other network."""
    np.savez(tmp_path / "x.npz", images=photos(40, size=(8, 8)).astype(np.uint8))
    small().save(tmp_path / "f.keras")
    words = ("generator", tmp_path / "x.npz", tmp_path / "mine")
    words += (f"--classifier={tmp_path / 'f.keras'}",)
    words += ("--encoder=relu6", "--epochs=1", "--disc-start=1", "--batch=8", "--width=0.1")
    assert run(*words) == 0
    networks = storage.load(tmp_path / "mine")
    assert networks.encoder == "relu6_maps" and networks.codes.kind == "bank"
    assert networks.natural.encodings.shape[1] == 6 + 8 * 8  # a quarter of 8 x 8 x 3 is below 1 map
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        words = ["sample", str(tmp_path / "a.h5"), f"--network={tmp_path / 'mine'}"]
        cli.main([*words, "--targets=fc8:0@p20:p80", "--n=3", "--K=4", "--json"])
    assert stopped.value.code == 0 and json.loads(capsys.readouterr().out)["found"] == 3
