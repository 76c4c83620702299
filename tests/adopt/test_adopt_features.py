"""A sparse autoencoder as part of an adopted classifier: its features are units of a layer."""

import keras
import numpy as np
import pytest
from keras import layers
from test_adopt_ends import functional, generator, nested

from tf_inverse import adopt, archive
from tf_inverse.adopt import ends
from tf_inverse.band import parse
from tf_inverse.errors import UsageError
from tf_inverse.method.settings import Settings
from tf_inverse.networks import storage
from tf_inverse.run import job, verify


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def autoencoder(size=6, features=9):
    """A whole one: h -> relu(h W + b) -> h again."""
    h = keras.Input((size,), name="activation")
    code = layers.Dense(features, "relu", name="features")(h)
    return keras.Model(h, layers.Dense(size, name="decoder")(code), name="autoencoder")


def features(sae, h):
    w, b = sae.get_layer("features").get_weights()
    return np.maximum(h.astype(float) @ w + b, 0)


@pytest.mark.parametrize(
    ("make", "path"), [(functional, "fc_sae"), (nested, "net/fc_sae")], ids=["flat", "nested"]
)
def test_features_of_a_whole_autoencoder(tmp_path, make, path):
    f, sae, G = make(layers.Dense(3, name="logits")), autoencoder(), generator(8, 8, 3)
    for name, model in (("f", f), ("g", G), ("sae", sae)):
        model.save(tmp_path / f"{name}.keras")
    x = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3)).astype("u1")
    pair = adopt.adopt(
        str(tmp_path / "f.keras"),
        str(tmp_path / "g.keras"),
        image_range=(-1, 1),
        images=x,
        sae=str(tmp_path / "sae.keras"),
        sae_layer="fc",
    )
    said = "layers of the sparse autoencoder, with their units: "
    (told,) = (line.removeprefix(said) for line in pair.measured["notes"] if said in line)
    assert {f"{path} (6)", f"{path}/features (9)"} <= set(told.split(", "))
    networks = storage.load(adopt.write(pair, tmp_path / "pair"))
    # The first output, the encoder and its statistics are what they were without it.
    plain = adopt.adopt(f, G, image_range=(-1, 1), images=x).networks
    assert networks.encoder == plain.encoder and networks.default == plain.default
    inner = f if make is functional else f.get_layer("net")
    taken = keras.Model(inner.inputs[0], inner.get_layer("fc").output)
    h = np.asarray(taken(x.astype("f4") * (1 if make is functional else 0.5)))
    expected = features(sae, h)
    neurons = parse(f"{path}/features:4@0:1, {path}:2@0:1", networks).neurons
    z = networks.score(x, neurons)[1]
    np.testing.assert_allclose(z[:, 0], expected[:, 4], rtol=1e-4, atol=1e-4)
    w, b = sae.get_layer("decoder").get_weights()
    np.testing.assert_allclose(z[:, 1], (expected @ w + b)[:, 2], rtol=1e-4, atol=1e-4)
    assert networks.natural.unit(neurons[0]).mean == pytest.approx(expected[:, 4].mean(), rel=1e-3)


def test_an_encoder_alone_is_sampled_and_verified(tmp_path):
    f, G = functional(layers.Dense(3, name="logits")), generator(8, 8, 3)
    whole = autoencoder()
    sae = keras.Model(whole.input, whole.get_layer("features").output)
    pair = adopt.adopt(f, G, image_range=(-1, 1), sae=sae, sae_layer="fc")
    networks = storage.load(adopt.write(pair, tmp_path / "pair"))
    c = np.random.default_rng(0).standard_normal((60, 5)).astype("f4")
    x = np.asarray(networks.images(c))
    live = parse(", ".join(f"fc_sae:{i}@0:1" for i in range(9)), networks).neurons
    z = networks.score(x, live)[1]
    unit = int(z.std(axis=0).argmax())
    low, high = np.percentile(z[:, unit], (40, 95))
    bands = parse(f"fc_sae:{unit}@{low}:{high}", networks)
    job.run(networks, bands, Settings(n=4, K=3), tmp_path / "a.h5")
    opened = archive.open(tmp_path / "a.h5")
    assert verify.verify(opened, networks).problems == ()
    h = keras.Model(f.input, f.get_layer("fc").output)(opened.images[:].astype("f4"))
    expected = features(whole, np.asarray(h))[:, unit]
    np.testing.assert_allclose(opened.activations[:][:, 0], expected, rtol=1e-4, atol=1e-4)


def test_an_autoencoder_of_a_map_reads_each_place():
    x = keras.Input((8, 8, 3))
    h = layers.Conv2D(4, 3, name="conv")(layers.Rescaling(1 / 64)(x))
    f = keras.Model(x, layers.Dense(2, name="logits")(layers.Flatten()(h)))
    maps = keras.Input((None, None, 4))
    sae = keras.Model(maps, layers.Dense(7, "relu", name="features")(maps))
    made, path = ends.with_features(f, sae, "conv")
    assert path == "conv_sae" and made.outputs[1].shape == (None, 6, 6, 7)


@pytest.mark.parametrize(
    ("layer", "size", "words"),
    [
        ("fc", 5, r"sparse autoencoder of what fc gives, \[6\], autoencoder takes \[\[5\]\]"),
        ("fd", 6, "expected a layer of net, got 'fd'; did you mean fc"),
    ],
)
def test_autoencoders_that_do_not_fit(layer, size, words):
    f = functional(layers.Dense(3, name="logits"))
    with pytest.raises(UsageError, match=words) as refused:
        ends.with_features(f, autoencoder(size), layer)
    assert "\n" not in str(refused.value)


def test_layers_that_no_output_can_be_added_to():
    x = keras.Input((8, 8, 3))
    h = layers.Dense(6, name="fc")(layers.Flatten()(x))
    back = keras.Model(x, h, name="back")
    f = keras.Model(x, layers.Dense(2, name="logits")(back(x)), name="net")
    with pytest.raises(UsageError, match="--sae-layer at the top of net, or of.*back/fc is elsew"):
        ends.with_features(f, autoencoder(), "back/fc")
    with pytest.raises(UsageError, match="expected --sae=FILE and --sae-layer=LAYER"):
        adopt.adopt(f, generator(8, 8, 3), sae_layer="fc")
