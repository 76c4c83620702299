"""The end of an adopted classifier: logits before probabilities, an encoding where all is maps."""

import keras
import numpy as np
import pytest
from keras import layers

from tf_inverse import adopt
from tf_inverse.adopt import defaults, ends
from tf_inverse.band import parse
from tf_inverse.errors import UsageError
from tf_inverse.networks import storage

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def generator(*shape):
    c = keras.Input((5,), name="code")
    h = layers.Dense(int(np.prod(shape)), activation="tanh")(c)
    return keras.Model(c, layers.Reshape(shape)(h), name="gen")


def body(side=8):
    return [keras.Input((side, side, 3)), layers.Rescaling(1 / 64), layers.Flatten()]


def functional(*last):
    x, *rest = body()
    h = x
    for layer in (*rest, layers.Dense(6, "relu", name="fc"), *last):
        h = layer(h)
    return keras.Model(x, h, name="net")


def nested(*last):
    x = keras.Input((8, 8, 3))
    return keras.Model(x, functional(*last)(layers.Rescaling(0.5)(x)), name="outer")


def sequential(*last):
    return keras.Sequential([*body(), layers.Dense(6, "relu", name="fc"), *last], name="net")


@pytest.mark.parametrize(
    ("make", "activation", "path"),
    [(functional, "softmax", "p"), (nested, "sigmoid", "net/p"), (sequential, "softmax", "p")],
)
def test_a_softmax_inside_a_layer_becomes_a_layer_of_its_own(make, activation, path):
    f = make(layers.Dense(3, activation, name="p"))
    x = rng.uniform(0, 255, (4, 8, 8, 3)).astype("f4")
    labels = (None, ("cat", "dog", "ship"))
    adopted = adopt.adopt(f, generator(8, 8, 3), labels=labels)
    networks = adopted.networks
    np.testing.assert_array_equal(networks.classifier(x), f(x))
    assert networks.default.startswith(f"{path}_logits:") and networks.encoder.endswith("fc")
    assert any(f"{path} gives probabilities ({activation})" in s for s in adopted.measured["notes"])
    # The name that the user knows still means probabilities, with the labels of the logits.
    bands = parse(f"p:dog@0:1, {path}_logits:dog@0:1", networks)
    z = networks.score(x, tuple(b.neuron for b in bands))[1].astype(np.float64)
    np.testing.assert_allclose(z[:, 0], np.asarray(f(x))[:, 1], rtol=1e-5)
    W, b = f.get_weights()[-2:]
    np.testing.assert_allclose(z[:, 1], (networks.encode(x) @ W + b)[:, 1], rtol=1e-4, atol=1e-4)


def test_a_layer_of_softmax_has_its_logits_before_it():
    f = functional(layers.Dense(3, name="scores"), layers.Softmax(name="p"))
    assert ends.with_logits(f) is f
    networks = adopt.adopt(f, generator(8, 8, 3)).networks
    assert networks.default.startswith("scores:") and networks.encoder == "fc"


_RESCALED = layers.Rescaling(0.4, name="cool")


@pytest.mark.parametrize("scale", [lambda h: h / 2.5, lambda h: 0.5 * h, _RESCALED])
def test_a_temperature_between_logits_and_softmax(scale):
    """Calibrated networks have one; logits before it are no encoding of their own."""
    f = functional(layers.Dense(3, name="scores"), scale, layers.Softmax(name="p"))
    networks = adopt.adopt(f, generator(8, 8, 3)).networks
    nearest = "cool" if scale is _RESCALED else "scores"
    assert networks.default.startswith(f"{nearest}:") and networks.encoder == "fc"


@pytest.mark.parametrize("labelled", [None, "p", "scores"])
def test_nature_is_known_of_logits_and_of_probabilities(labelled):
    f = functional(layers.Dense(3, name="scores"), layers.Softmax(name="p"))
    x = rng.integers(0, 256, (40, 8, 8, 3)).astype("u1")
    labels = labelled and (labelled, ("cat", "dog", "ship"))
    networks = adopt.adopt(f, generator(8, 8, 3), labels=labels, images=x).networks
    shown, order = networks.natural.activations, np.argsort(f(x)[:, 1])
    assert set(shown) == {"scores", "p"}
    np.testing.assert_allclose(np.sort(shown["p"][:, 1]), np.asarray(f(x))[order, 1], rtol=1e-2)
    W, b = f.get_weights()[-2:]
    z = networks.natural.encodings.astype("f4") @ W + b
    np.testing.assert_allclose(shown["scores"], z, rtol=1e-2, atol=1e-2)


class Own(keras.Model):
    """A model of the user's own, whose parts only it knows."""

    def __init__(self):
        super().__init__(name="own")
        self.last = layers.Dense(3, "softmax", name="last")

    def call(self, x):
        """Probabilities of pixels."""
        return self.last(keras.ops.reshape(x, (-1, 192)) / 255.0)


def test_where_nothing_gives_logits_the_probability_is_the_target():
    adopted = adopt.adopt(Own(), generator(8, 8, 3), size=(8, 8, 3))
    neuron, _, band = adopted.networks.default.partition("@")
    low, high = map(float, band.split(":"))
    assert neuron.startswith("own/last:") and 0 <= low < high <= 1
    assert any("no layer gives the logits" in one for one in adopted.measured["notes"])


def maps(channels=(6, 8), inner=False, **last):
    """A network of maps alone; `last` makes one more convolution, to a map of classes."""
    x = keras.Input((8, 8, 3))
    h = layers.Rescaling(1 / 64)(x)
    for i, many in enumerate(channels):
        h = layers.Conv2D(many, 3, activation="relu", name=f"conv{i}")(h)
    if last:
        h = layers.Conv2D(2, 1, name="classes", **last)(h)
    f = keras.Model(x, h, name="maps")
    if inner:
        y = keras.Input((8, 8, 3))
        f = keras.Model(y, f(layers.Rescaling(0.5)(y)), name="outer")
    return f


@pytest.mark.parametrize(
    ("f", "layer"),
    [
        (maps, "conv1"),
        (lambda: maps(inner=True), "maps/conv1"),
        (lambda: maps(activation="softmax"), "conv1"),
    ],
    ids=["features", "nested", "segmentation"],
)
def test_where_all_layers_have_maps_the_last_one_is_pooled(tmp_path, f, layer):
    f = f()
    adopted = adopt.adopt(f, generator(8, 8, 3))
    networks = adopted.networks
    assert networks.encoder == f"{layer}_pooled"
    assert any(f"the mean over the map of {layer}" in one for one in adopted.measured["notes"])
    x = rng.uniform(0, 255, (2, 8, 8, 3)).astype("f4")
    units = ", ".join(f"{layer}:{i},mean@0:1" for i in range(8))
    e, z = networks.score(x, tuple(b.neuron for b in parse(units, networks)))
    np.testing.assert_allclose(e, z, rtol=1e-5)
    again = storage.load(adopt.write(adopted, tmp_path / "made"))
    np.testing.assert_array_equal(again.encode(x), networks.encode(x))


def series(*shape):
    x = keras.Input(shape)
    h = layers.Dense(4, name="fc")(layers.Flatten()(layers.Rescaling(1 / 255)(x)))
    return keras.Model(x, layers.Dense(2, name="logits")(h), name="series")


def test_how_an_input_is_read_is_said():
    said = adopt.adopt(series(20, 4), generator(20, 4)).measured["notes"][0]
    assert said.startswith("an input [20, 4] is read as a grey picture, 20 pixels high and 4 wide")
    assert "a series or a table is none: see docs/vectors.md" in said
    said = adopt.adopt(series(8, 9, 3), generator(8, 9, 3)).measured["notes"]
    assert said == ["an input [8, 9, 3] is read as a colour picture, 8 pixels high and 9 wide"]
    with pytest.raises(UsageError, match=r"of pictures, series takes \[20, 1\], which is a row"):
        adopt.adopt(series(20, 1), generator(20, 1))


def test_what_a_layer_gives_is_had_as_the_search_has_it():
    """A map with its channels first is not: maps beside it would stand for other entries."""
    x = keras.Input((3, 8, 8))
    h = layers.Conv2D(4, 3, name="conv", data_format="channels_first")(x)
    h = layers.GlobalAveragePooling2D(name="pool", data_format="channels_first")(
        layers.ReLU(name="relu")(h)
    )
    model = keras.Model(x, layers.Dense(2)(h), name="net")
    networks = adopt.adopt(model, generator(8, 8, 3)).networks
    f, images = networks.classifier, rng.uniform(0, 255, (3, 8, 8, 3)).astype("f4")
    for name in ("conv", "relu"):
        with pytest.raises(
            UsageError, match=f"expected a layer at the top .*; net/{name} is .*first"
        ):
            ends.exposed(f, name)
    exposed, h = ends.exposed(f, "pool")
    found = keras.Model(exposed.inputs[0], h)(images)
    np.testing.assert_allclose(found, networks.encode(images), rtol=1e-4, atol=1e-4)


def test_probabilities_of_members_of_an_ensemble_are_no_encoding():
    def member(name):
        x = keras.Input((8, 8, 3))
        h = layers.Dense(6, name="fc")(layers.Flatten()(x))
        return keras.Model(x, layers.Dense(3, activation="softmax", name="out")(h), name=name)

    x = keras.Input((8, 8, 3), name="image")
    f = keras.Model(x, layers.Average()([member("one")(x), member("two")(x)]), name="ensemble")
    assert defaults.penultimate(f) == "two/fc"


@pytest.mark.parametrize("within", [False, True])
def test_a_class_token_that_no_layer_gives_is_the_encoding(within):
    """Vision transformers pick it by `x[:, 0]`, a plain operation; their layers give tokens."""
    x = keras.Input((8, 8, 3))
    tokens = layers.Reshape((16, 12))(layers.Rescaling(1 / 64)(x))
    tokens = layers.LayerNormalization(name="norm")(layers.Dense(6, name="embed")(tokens))
    f = keras.Model(x, layers.Dense(3, "softmax", name="head")(tokens[:, 0]), name="vit")
    if within:
        y = keras.Input((8, 8, 3))
        f = keras.Model(y, f(layers.Rescaling(0.5)(y)), name="outer")
    adopted = adopt.adopt(f, generator(8, 8, 3))
    networks, images = adopted.networks, rng.uniform(0, 255, (4, 8, 8, 3)).astype("f4")
    inside = f.get_layer("vit") if within else f
    norm = keras.Model(inside.inputs[0], inside.get_layer("norm").output)
    expected = norm(images / 2 if within else images)[:, 0]
    assert networks.encoder.endswith("head_logits_input") and networks.default
    np.testing.assert_allclose(networks.encode(images), expected, rtol=1e-4, atol=1e-4)
    assert any("the encoding is what" in one for one in adopted.measured["notes"])


def test_new_layers_do_not_take_the_name_of_one_that_is_there():
    last = (layers.Dense(4, name="p_logits"), layers.Dense(3, "softmax", name="p"))
    networks = adopt.adopt(functional(*last), generator(8, 8, 3)).networks
    assert networks.default.startswith("p_logits_1:")
    x = keras.Input((8, 8, 3))
    f = keras.Model(x, layers.Conv2D(5, 3, name="c")(layers.Conv2D(4, 3, name="c_pooled")(x)))
    with pytest.raises(UsageError, match="no layer c_pooled in .* another layer, or rename"):
        adopt.adopt(f, generator(8, 8, 3))


def test_a_layer_counts_before_a_folder_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fc").mkdir()
    f = functional(layers.Dense(3, name="out"))
    assert adopt.adopt(f, generator(8, 8, 3), "fc").networks.encoder == "fc"


def test_the_default_range_has_two_ends_however_little_large_activations_differ():
    far = {"kernel_initializer": keras.initializers.RandomNormal(stddev=0.05)}
    last = layers.Dense(3, bias_initializer=keras.initializers.Constant(123456.0), **far)
    networks = adopt.adopt(functional(last), generator(8, 8, 3)).networks
    (band,) = parse(networks.default, networks)
    assert 123400 < np.float32(band.z1) < np.float32(band.z2) < 123500
