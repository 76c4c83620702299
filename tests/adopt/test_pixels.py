"""Pixels that a classifier takes: how they are said, and that others than those are noticed."""

import commands
import keras
import numpy as np
import pytest
import worlds
from keras import applications, layers

from tf_inverse import adopt
from tf_inverse.adopt import adapters, facts, join, nature, pixel_check, pixels
from tf_inverse.adopt.loading import Opened
from tf_inverse.errors import UsageError
from tf_inverse.networks import storage

CIFAR = tuple(((0 - m) / s, (1 - m) / s) for m, s in ((0.49, 0.25), (0.48, 0.24), (0.45, 0.26)))
# What each way of saying it means, by its own formula or by the function that Keras has for it.
PREPARED = {
    "0:255": lambda x: x,
    "0:1": lambda x: x / 255,
    "-1:1": lambda x: x / 127.5 - 1,
    "caffe": lambda x: applications.vgg16.preprocess_input(x.copy()),
    "tf": lambda x: applications.mobilenet_v2.preprocess_input(x.copy()),
    "torch": lambda x: applications.densenet.preprocess_input(x.copy()),
    ",".join(f"{low}:{high}" for low, high in CIFAR): lambda x: (
        (x / 255 - [0.49, 0.48, 0.45]) / [0.25, 0.24, 0.26]
    ),
}


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def photographs(count=60, channels=3):
    """Smooth pictures with about the means and deviations of photographs."""
    rng = np.random.default_rng(0)
    coarse = rng.normal(115, 62, (count, 4, 4, channels)) + np.array([8, 2, -10])[:channels]
    return np.clip(np.repeat(np.repeat(coarse, 2, 1), 2, 2), 0, 255).round().astype("f4")


def generator(channels=3):
    c = keras.Input((5,), name="code")
    h = layers.Dense(64 * channels, activation="tanh")(c)
    return keras.Model(c, layers.Reshape((8, 8, channels))(h), name="gen")


def normalised(prepare=None, x=None, channels=3):
    """A classifier whose batch normalisation has kept what prepared images give, by NumPy."""
    image = keras.Input((8, 8, channels), name="image")
    conv, norm = layers.Conv2D(8, 3, name="conv"), layers.BatchNormalization(name="norm")
    h = layers.GlobalAveragePooling2D(name="pool")(layers.ReLU()(norm(conv(image))))
    f = keras.Model(image, layers.Dense(2, name="logits")(h), name="net")
    if prepare:
        patches = np.lib.stride_tricks.sliding_window_view(prepare(x), (3, 3), (1, 2))
        h = np.einsum("nijcab,abcd->nijd", patches, conv.kernel) + np.asarray(conv.bias)
        norm.moving_mean.assign(h.mean((0, 1, 2)))
        norm.moving_variance.assign(h.var((0, 1, 2)))
    return f


@pytest.mark.parametrize("said", PREPARED, ids=[*list(PREPARED)[:6], "one a channel"])
def test_pixels_are_what_is_said(said):
    x, f = photographs(4), normalised()
    got = adapters.classifier(f, pixels.read(said))(x)
    expected = f(PREPARED[said](x).astype("f4"))
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("text", ["1:0", "caffee", "0:1,0:1", "0:1,0:1,1:0", "nan:1", ""])
def test_what_says_no_pixels_is_refused(text):
    with pytest.raises(UsageError, match="expected --pixels=LOW:HIGH"):
        pixels.read(text)


@pytest.mark.parametrize("said", ["torch", CIFAR])
def test_colours_of_a_grey_picture_are_refused(said):
    with pytest.raises(UsageError, match="for a classifier of grey pictures, got .*red, green"):
        adapters.classifier(normalised(channels=1), said)


def doubted(f, said, photos=None, generated=None, labels=None):
    known = facts.classifier(Opened(f, {}), pixels.read(said))
    G = facts.generator(Opened(generator(f.input_shape[-1]), {}), (-1, 1))
    networks = join.join(known, G, "pool", labels=labels, opening={})
    (found,) = pixel_check.doubts(networks, known, photos, generated) or ("",)
    return found.removeprefix("--pixels=").split(" ")[0], found


USUAL = ["0:255", "0:1", "-1:1", "caffe", "torch"]


@pytest.mark.parametrize("true", USUAL)
def test_what_a_normalisation_kept_tells_the_pixels(true):
    x = photographs()
    f = normalised(PREPARED[true], x)
    for said in USUAL:
        best, words = doubted(f, said, nature.Images(x))
        assert best == ("" if said == true else true), words
        assert said == true or words.endswith(f"with such pixels, and not with {said}")


@pytest.mark.parametrize("true", ["0:255", "0:1", "-1:1"])
@pytest.mark.parametrize("adapted", [True, False])
def test_what_a_normalization_was_adapted_to_tells_the_pixels(true, adapted):
    x = photographs()
    prepared = PREPARED[true](x)
    mean, variance = prepared.mean((0, 1, 2)), prepared.var((0, 1, 2))
    norm = layers.Normalization() if adapted else layers.Normalization(-1, mean, variance)
    if adapted:
        norm.adapt(prepared)
    image = keras.Input((8, 8, 3))
    h = layers.GlobalAveragePooling2D(name="pool")(norm(image))
    f = keras.Model(image, layers.Dense(2, name="logits")(h), name="net")
    for said in ("0:255", "0:1", "-1:1"):
        best, words = doubted(f, said, nature.Images(x))
        assert best == ("" if said == true else true), words


def test_images_that_a_generator_draws_tell_less():
    """Their contrast is their own: only what differs by far more is doubted."""
    x = photographs()
    f, pale = normalised(PREPARED["0:1"], x), 110 + 0.2 * (x - 110)
    best, words = doubted(f, "0:255", generated=pale)
    assert best in ("0:1", "-1:1", "torch") and words.endswith("than what a generator draws")
    assert doubted(f, "0:1", generated=pale) == doubted(f, "torch", generated=pale) == ("", "")


def test_classes_of_images_tell_the_pixels():
    """Nothing is normalised: the classifier asks whether pictures are brighter than a half."""
    image = keras.Input((8, 8, 1), name="image")
    pooled = layers.GlobalAveragePooling2D(name="pool")(image)
    logits = layers.Dense(2, name="logits")
    f = keras.Model(image, logits(pooled), name="net")
    logits.set_weights([np.array([[-1.0, 1.0]]), np.array([0.5, -0.5])])
    x = photographs(channels=1)
    bright = (x.mean((1, 2, 3)) > 127.5).astype(int)
    photos = nature.Images(x, bright, ("dark", "bright"))
    labels = None, photos.names
    best, words = doubted(f, "0:255", photos, labels=labels)
    assert best == "0:1" and "100% of the images are then given to their class" in words
    assert words.endswith(f"and {bright.mean():.0%} with pixels 0:255")
    assert doubted(f, "0:1", photos, labels=labels) == ("", "")


def test_the_command_says_it_and_takes_a_mode(tmp_path, capsys):
    x = photographs()
    f = normalised(PREPARED["caffe"], x)
    f.save(tmp_path / "f.keras")
    generator().save(tmp_path / "g.keras")
    np.savez(tmp_path / "photos.npz", images=x.astype("u1"))
    call = ("adopt", tmp_path / "f.keras", tmp_path / "g.keras", tmp_path / "pair")
    call = (*map(str, call), f"--images={tmp_path / 'photos.npz'}", "--overwrite")
    assert commands.run(*call) == 0
    assert "--pixels=caffe may be meant" in capsys.readouterr().out
    assert commands.run(*call, "--pixels=caffe") == 0
    assert "may be meant" not in capsys.readouterr().out
    networks = storage.load(tmp_path / "pair")
    expected = f(PREPARED["caffe"](x[:3]))
    np.testing.assert_allclose(networks.classifier(x[:3]), expected, rtol=1e-3, atol=1e-2)
    assert commands.run(*call, "--pixels=bgr") == 2
    assert "or caffe, tf, torch" in capsys.readouterr().err


def test_ranges_are_tuples_or_lists_of_two_numbers_that_differ():
    assert pixels.known([-1, 1]) == (-1.0, 1.0) and pixels.known("torch") == "torch"
    assert pixels.known([[0, 1], [0, 1], [1, 0]]) == ((0.0, 1.0), (0.0, 1.0), (1.0, 0.0))
    for bad in ((1, 1), (0, float("inf")), (0, 1, 2), ((0, 1), (2, 2), (0, 1))):
        with pytest.raises(UsageError, match="expected --pixels as LOW:HIGH"):
            pixels.known(bad)
    pair = worlds.tiny_networks()
    with pytest.raises(UsageError, match="expected --range as LOW:HIGH"):
        adopt.adopt(pair.classifier, pair.generator, image_range=(1, 1))
    adopt.adopt(pair.classifier, pair.generator, image_range=[0, 255], pixel_range=[0, 1])
