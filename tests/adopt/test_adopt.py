"""Any Keras model as one of ours: conventions, taps, checks, folders."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from PIL import Image
from tf_inverse.tools import cli

from tf_inverse import adopt
from tf_inverse.adopt import adapters, check, command, folder, loading, pixels
from tf_inverse.adopt.onnx import shapes
from tf_inverse.band import Neuron, parse
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks import storage

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def generator(channels=3, side=8, size=5, activation="tanh", name="gen"):
    c = keras.Input((size,), name="code")
    h = layers.Dense(side * side * channels, activation=activation, name="fc")(c)
    return keras.Model(c, layers.Reshape((side, side, channels))(h), name=name)


def backbone(side=8, channels=3):
    x = keras.Input((side, side, channels), name="pixels")
    h = layers.Rescaling(1 / 64, -2.0)(x)
    h = layers.Conv2D(4, 3, activation="relu", name="conv")(h)
    h = layers.BatchNormalization(name="norm")(h)
    return keras.Model(x, layers.GlobalAveragePooling2D(name="pool")(h), name="backbone")


def nested(side=8, channels=3):
    x = keras.Input((side, side, channels), name="image")
    h = layers.Dense(6, activation="tanh", name="fc")(backbone(side, channels)(x))
    return keras.Model(x, layers.Dense(3, name="logits")(h), name="net")


def through(*middle, side=8):
    """A classifier with some layers between its image and its output."""
    x = keras.Input((side, side, 3), name="image")
    h = layers.Flatten(name="flatten")(x)
    h = layers.Dense(6, name="fc")(h)
    for layer in middle:
        h = layer(h)
    return keras.Model(x, layers.Dense(3, name="logits")(h), name="net")


def images(count=2, side=8, channels=3):
    return rng.uniform(0, 255, (count, side, side, channels)).astype("f4")


def test_layers_of_a_model_within_the_model():
    f = nested()
    networks = adopt.adopt(f, generator(), "fc").networks
    x = images()
    inner = f.get_layer("backbone")
    conv = keras.Model(inner.inputs[0], inner.get_layer("conv").output)(x).numpy()
    neurons = tuple(b.neuron for b in parse("backbone/conv:2,1,3@0:1,conv:3,mean@0:1", networks))
    e, z = networks.score(x, (*neurons, Neuron("logits", 1)))
    np.testing.assert_allclose(z[:, 0], conv[:, 1, 3, 2], rtol=1e-5)
    np.testing.assert_allclose(z[:, 1], conv[..., 3].mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(z[:, 2], f(x)[:, 1], rtol=1e-5)
    assert (z[:, 0] >= 0).all() and e.shape == (2, 6)
    with pytest.raises(UsageError, match="got 'convo'; did you mean backbone/conv"):
        networks.layer_shape("convo")
    with pytest.raises(UsageError, match="from 0 to 3, got 4"):
        parse("conv:4@0:1", networks)


class Own(keras.Model):
    """A subclassed model with a branch that no graph of layers tells of."""

    def __init__(self):
        super().__init__(name="own")
        self.first = layers.Dense(4, activation="relu", name="first")
        self.last = layers.Dense(2, name="last")

    def call(self, x):
        h = self.first(keras.ops.reshape(x, (-1, 192)) / 255.0)
        return self.last(h) if keras.ops.ndim(x) == 4 else h


def test_subclassed_model_is_tapped():
    f = Own()
    networks = adopt.adopt(f, generator(), "first", size=(8, 8, 3)).networks
    x = images()
    _, z = networks.score(x, (Neuron("first", 2), Neuron("own/last", 1)))
    np.testing.assert_allclose(z[:, 0], f.first(x.reshape(2, -1) / 255.0)[:, 2], rtol=1e-5)
    np.testing.assert_allclose(z[:, 1], f(x)[:, 1], rtol=1e-5)
    with pytest.raises(UsageError, match="expected --size"):
        adopt.adopt(Own(), generator(), "first")


def test_tokens_by_place_and_mean():
    x = keras.Input((8, 8, 3), name="image")
    h = layers.Reshape((16, 12), name="patches")(x)
    h = layers.Dense(6, name="embed")(h)
    h = layers.MultiHeadAttention(2, 3, name="attend")(h, h)
    h = layers.LayerNormalization(name="tokens")(h)
    f = keras.Model(x, layers.Dense(2, name="head")(h[:, 0]), name="vit")
    networks = adopt.adopt(f, generator(), "tokens").networks
    x = images()
    tokens = keras.Model(f.inputs[0], f.get_layer("tokens").output)(x).numpy()
    bands = parse("tokens:4,0,7@0:1, tokens:4,mean@0:1, tokens:4@0:1", networks)
    _, z = networks.score(x, tuple(b.neuron for b in bands))
    expected = np.stack([tokens[:, 7, 4], tokens[..., 4].mean(1), tokens[:, 8, 4]], axis=1)
    np.testing.assert_allclose(z, expected, rtol=1e-4, atol=1e-6)


def test_several_outputs_and_inputs():
    x = keras.Input((8, 8, 3), name="image")
    age = keras.Input((1,), name="age")
    h = layers.Dense(4, name="both")(layers.Concatenate()([layers.Flatten()(x / 64.0), age]))
    heads = [layers.Dense(2, name="left")(h), layers.Dense(3, name="right")(h)]
    f = keras.Model([x, age], heads, name="net")
    with pytest.raises(
        UsageError, match=r"inputs are image \[8, 8, 3\], age \[1\], fixed are none"
    ):
        adopt.adopt(f, generator(), "both")
    networks = adopt.adopt(f, generator(), "both", fixed={"age": 7.0}).networks
    x = images()
    _, z = networks.score(x, (Neuron("left", 1), Neuron("right", 2)))
    left, right = f([x, np.full((2, 1), 7.0, "f4")])
    np.testing.assert_allclose(z, np.stack([left[:, 1], right[:, 2]], axis=1), rtol=1e-4)


def by_name(*tensors):
    return {one.name: one for one in tensors}


@pytest.mark.parametrize("pack", [by_name, lambda *t: by_name(*t[::-1]), lambda *t: list(t)])
@pytest.mark.parametrize("fixed", [{}, {"age": 7.0, "label": 2.0}])
@pytest.mark.filterwarnings("error")
def test_inputs_in_a_list_or_a_dictionary(pack, fixed):
    """In any order, and of one input too; Keras warns of what it is not handed as it was made."""
    x, age = keras.Input((8, 8, 3), name="image"), keras.Input((1,), name="age")
    c, label = keras.Input((5,), name="code"), keras.Input((1,), name="label")
    flat, h = layers.Flatten()(x / 64.0), c
    if fixed:
        flat, h = layers.Concatenate()([flat, age]), layers.Concatenate()([c, label])
    logits = layers.Dense(3, name="logits")(layers.Dense(4, name="fc")(flat))
    f = keras.Model(pack(x, age) if fixed else pack(x), logits, name="net")
    h = layers.Dense(192, activation="tanh")(h)
    G = keras.Model(pack(c, label) if fixed else pack(c), layers.Reshape((8, 8, 3))(h), name="gen")
    networks = adopt.adopt(f, G, fixed=fixed).networks
    x, c = images(), rng.standard_normal((2, 5)).astype("f4")
    _, z = networks.score(x, (Neuron(networks.layer_path("logits"), 1),))
    given = np.concatenate([x.reshape(2, -1) / 64, np.full((2, len(fixed) // 2), 7.0)], axis=1)
    W, b, V, d = f.get_weights()
    np.testing.assert_allclose(z[:, 0], (((given @ W) + b) @ V + d)[:, 1], rtol=1e-4, atol=1e-5)
    given = np.concatenate([c, np.full((2, len(fixed) // 2), 2.0)], axis=1)
    W, b = G.get_weights()
    expected = (np.tanh(given @ W + b).reshape(2, 8, 8, 3) + 1) * 127.5
    np.testing.assert_allclose(networks.generator(c), expected, atol=1e-2)


@pytest.mark.parametrize("shape", [(8, 8, 3), (3, 8, 8), (8, 8)])
def test_a_picture_for_a_second_image(shape, tmp_path):
    """As a network that compares two images has it, in the range of pixels that it takes."""
    left, right = keras.Input(shape, name="left"), keras.Input(shape, name="right")
    trunk = keras.Sequential([layers.Flatten(), layers.Dense(6, name="fc")], name="trunk")
    h = layers.Dense(3, name="logits")(ops.square(trunk(left) - trunk(right)))
    f = keras.Model([left, right], h, name="net")
    pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
    if len(shape) == 2:
        pixels = np.repeat(pixels[..., :1], 3, axis=-1)
    Image.fromarray(pixels).save(tmp_path / "right.png")
    fixed = {"right": str(tmp_path / "right.png")}
    networks = adopt.adopt(f, generator(), fixed=fixed, pixel_range=(-1.0, 1.0)).networks
    x = images()
    x[..., 1:] = x[..., :1] if len(shape) == 2 else x[..., 1:]
    pair = [x / 127.5 - 1, np.stack([pixels] * 2) / 127.5 - 1]
    form = {(3, 8, 8): lambda a: a.transpose(0, 3, 1, 2), (8, 8): lambda a: a[..., 0]}
    expected = f([form.get(shape, lambda a: a)(one) for one in pair])
    _, z = networks.score(x, (Neuron(networks.layer_path("logits"), 2),))
    np.testing.assert_allclose(z[:, 0], expected[:, 2], rtol=1e-3)


def test_a_whole_autoencoder_is_doubted():
    x = keras.Input((8, 8, 3))
    z = layers.Dense(5)(layers.Flatten()(x))
    decoded = layers.Reshape((8, 8, 3))(layers.Dense(192, activation="sigmoid")(z))
    for G, doubts in ((keras.Model(x, decoded, name="vae"), 1), (keras.Model(z, decoded), 0)):
        adopted = adopt.adopt(nested(), G)
        said = [one for one in adopted.measured["notes"] if "give the decoder alone" in one]
        assert len(said) == doubts


def test_a_picture_for_what_is_no_image(tmp_path):
    x, age = keras.Input((8, 8, 3), name="image"), keras.Input((1,), name="age")
    h = layers.Dense(4, name="fc")(layers.Concatenate()([layers.Flatten()(x), age]))
    f = keras.Model([x, age], layers.Dense(2)(h), name="net")
    with pytest.raises(UsageError, match="a number for input age, which is no image, got a.png"):
        adopt.adopt(f, generator(), fixed={"age": "a.png"})
    with pytest.raises(UsageError, match="NAME=NUMBER, .* or NAME=FILE for .*, got 'age=a.p"):
        command.values("age=a.png")


def test_numbers_for_an_input_of_several(tmp_path):
    """Words of a text, and measurements beside an image: no row of zeros and a one."""
    words = keras.Input((4,), dtype="int32", name="words")
    x, size = keras.Input((8, 8, 3), name="image"), keras.Input((2,), name="size")
    parts = [layers.Flatten()(x), size, layers.Flatten()(layers.Embedding(9, 2)(words))]
    h = layers.Dense(4, name="fc")(layers.Concatenate()(parts))
    f = keras.Model([x, words, size], layers.Dense(2, name="top")(h), name="net")
    np.save(tmp_path / "words.npy", np.array([7, 1, 8, 0]))
    fixed = command.values(f"size=0.5 2,words={tmp_path / 'words.npy'}")
    networks = adopt.adopt(f, generator(), fixed=fixed).networks
    x = images()
    beside = [np.array([[7, 1, 8, 0]] * 2), np.array([[0.5, 2.0]] * 2, "f4")]
    z = networks.score(x, (Neuron(networks.layer_path("top"), 1),))[1]
    np.testing.assert_allclose(z[:, 0], f([x, *beside])[:, 1], rtol=1e-4)
    with pytest.raises(UsageError, match="expected 4 whole numbers for input words, as of words"):
        adopt.adopt(f, generator(), fixed=fixed | {"words": 3.0})
    with pytest.raises(UsageError, match="expected numbers for input size, got <U1"):
        adopt.adopt(f, generator(), fixed=fixed | {"size": np.array(["a", "b"])})


@pytest.mark.parametrize(
    ("activation", "values"),
    [("tanh", (-1.0, 1.0)), ("sigmoid", (0.0, 1.0)), (None, (-40.0, 60.0))],
)
def test_range_of_images(activation, values):
    G = generator(activation=activation)
    if activation is None:
        G.get_layer("fc").set_weights([20 * w + 5 for w in G.get_layer("fc").get_weights()])
    given = values if activation is None else None
    networks = adopt.adopt(nested(), G, "fc", image_range=given).networks
    c = rng.standard_normal((3, 5)).astype("f4")
    low, high = values
    expected = (np.asarray(G(c), np.float64) - low) / (high - low) * 255
    np.testing.assert_allclose(networks.generator(c), expected, atol=1e-3)


CASES = [(1.0, 0.0, (-1, 1)), (0.04, 0.0, (-1, 1)), (0.5, 0.49, (0, 1)), (127.0, 127.0, (0, 255))]


@pytest.mark.parametrize(("scale", "shift", "expected"), CASES)
def test_the_range_of_a_generator_that_draws_near_its_middle(scale, shift, expected):
    """Not trained yet, a tanh gives pixels next to zero on both sides of it."""
    x = keras.Input((5,))
    y = layers.Rescaling(scale, offset=shift)(layers.Dense(192, activation="tanh")(x))
    assert check.likely_range(keras.Model(x, layers.Reshape((8, 8, 3))(y)), 5, "normal") == expected


def test_range_of_pixels_and_grey():
    f = nested(channels=1)
    networks, measured = adopt.adopt(f, generator(), "fc", pixel_range=(-1.0, 1.0))
    assert measured["classifier"] == [8, 8, 1]  # As it takes them itself, not as it is wrapped.
    x = images()
    grey = x @ np.array([[0.299], [0.587], [0.114]], "f4") / 127.5 - 1
    _, z = networks.score(x, (Neuron("logits", 0),))
    np.testing.assert_allclose(z[:, 0], f(grey)[:, 0], rtol=1e-4, atol=1e-5)
    colour = adopt.adopt(nested(), generator(channels=1), "fc").networks
    x = images(channels=1)
    _, z = colour.score(x, (Neuron("logits", 0),))
    assert colour.image_shape == (8, 8, 1)
    expected = colour.classifier.get_layer("net")(np.repeat(x, 3, axis=-1))[:, 0]
    np.testing.assert_allclose(z[:, 0], expected, rtol=1e-4)


@pytest.mark.parametrize("one_hot", [False, True])
def test_label_of_a_conditional_generator(one_hot):
    c = keras.Input((5,), name="code")
    label = keras.Input((3,) if one_hot else (1,), name="label", dtype="float32")
    h = layers.Dense(192, activation="tanh")(layers.Concatenate()([c, label]))
    G = keras.Model([c, label], layers.Reshape((8, 8, 3))(h), name="gen")
    networks = adopt.adopt(nested(), G, "fc", fixed={"label": 2}).networks
    codes = rng.standard_normal((2, 5)).astype("f4")
    row = [0.0, 0.0, 1.0] if one_hot else [2.0]
    expected = (G([codes, np.array([row] * 2, "f4")]) + 1) * 127.5
    np.testing.assert_allclose(networks.generator(codes), expected, atol=1e-3)
    if one_hot:
        with pytest.raises(UsageError, match="label from 0 to 2 for input label, got 3"):
            adopt.adopt(nested(), G, "fc", fixed={"label": 3})


@pytest.mark.parametrize("functional", [False, True])
def test_encoder_of_its_own(functional):
    E = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(9)], name="E")
    E = keras.Model(E.inputs[0], E.outputs, name="E") if functional else E
    networks = adopt.adopt(nested(), generator(), E).networks
    x = images()
    e, z = networks.score(x, (Neuron("logits", 0),))
    small = tf.image.resize(x, (4, 4), antialias=True)
    np.testing.assert_allclose(e, E(small), rtol=1e-3, atol=1e-3)
    assert networks.encoder == "E" and networks.default.startswith("net/logits:")


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet50", "densenet", "efficientnet"])
def test_preprocessing_is_kept(name):
    prepare = getattr(keras.applications, name).preprocess_input
    x = images(1, 4)
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten()])
    got = adapters.prepared(model, *pixels.affine(prepare))(x)
    np.testing.assert_allclose(got, prepare(x.copy()).reshape(1, -1), rtol=1e-4, atol=1e-3)


def test_unknown_application_and_source():
    with pytest.raises(UsageError, match="got 'MobileNetv2'; did you mean MobileNetV2"):
        adopt.adopt("keras:MobileNetv2", generator())
    with pytest.raises(UsageError, match="expected a .keras or .h5 file, a SavedModel's folder"):
        adopt.adopt("nothing", generator())


@pytest.mark.parametrize(
    ("layer", "op"),
    [
        (layers.Lambda(tf.round, name="quantise"), "Round in .*quantise"),
        (layers.Lambda(tf.stop_gradient, name="frozen"), "StopGradient in .*frozen"),
        (
            layers.Lambda(lambda h: tf.one_hot(tf.argmax(h, -1), 6), output_shape=(6,), name="top"),
            "ArgMax in .*top",
        ),
    ],
)
def test_what_stops_the_gradient_is_named(layer, op):
    with pytest.raises(UsageError, match=f"no gradient gets from .* to the image: {op}"):
        adopt.adopt(through(layer), generator(), "fc")


def test_gradient_of_zero_and_of_a_broken_generator():
    dead = layers.Lambda(tf.sign, name="sign")
    with pytest.raises(UsageError, match="is zero for all of 4 codes: a dead unit, a step"):
        adopt.adopt(through(dead), generator(), "fc")
    c = keras.Input((5,))
    h = layers.Lambda(tf.round, name="rounded")(layers.Dense(192, activation="tanh")(c) * 2)
    G = keras.Model(c, layers.Reshape((8, 8, 3))(h))
    with pytest.raises(UsageError, match="from the image to the code: Round in .*rounded"):
        adopt.adopt(through(), G, "fc", image_range=(-2.0, 2.0))
    assert check.blockers(lambda x: x * 2.0, tf.zeros((1, 2))) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"encoder": "fcc"}, "expected a layer of net, got 'fcc'; did you mean fc"),
        (
            {"image_range": (0.0, 255.0)},
            "fill the declared range 0:255, they go from -0.[0-9]+ to",
        ),
        ({"image_range": (0.0, 1.0)}, "declared range 0:1, .* lie outside; they go from -0.[0-9]+"),
        ({"codes": "noise"}, r"the encoder's size 6 \(fc\) for --codes=noise; gen takes 5"),
        ({"labels": (None, ("a", "b"))}, "expected 3 labels for the units of logits, got 2"),
        ({"generator": "flat"}, r"output is an image \[rows, columns, 1 or 3\] .* gives \[192\]"),
    ],
)
def test_refusals(options, words):
    G, options = generator(), {"encoder": "fc"} | options
    if options.pop("generator", None):
        G = keras.Model(G.inputs[0], layers.Flatten()(G.outputs[0]), name="gen")
    with pytest.raises(UsageError, match=words):
        adopt.adopt(through(), G, **options)


def test_classifier_of_no_image():
    f = keras.Sequential([keras.Input((7,)), layers.Dense(2)], name="flat")
    with pytest.raises(UsageError, match=r"expected a classifier of images .* flat takes \[7\]"):
        adopt.adopt(f, generator())


def test_savedmodel_with_trust(tmp_path, monkeypatch):
    f = through()
    f.export(tmp_path / "saved", verbose=False)
    with pytest.raises(RefusedInput, match="expected --trust for a SavedModel"):
        adopt.adopt(str(tmp_path / "saved"), generator(), "graph")
    adopted = adopt.adopt(str(tmp_path / "saved"), generator(), "graph", trust=True)
    x = images()
    _, z = adopted.networks.score(x, (Neuron("graph", 1),))
    np.testing.assert_allclose(z[:, 0], f(x)[:, 1], rtol=1e-4)
    out = adopt.write(adopted, tmp_path / "pair")
    # What this user adopted is known again; to another user it is a file from elsewhere.
    again = storage.load(out)
    monkeypatch.setenv("TF_INVERSE_CACHE", str(tmp_path / "another"))
    with pytest.raises(RefusedInput, match="expected --trust"):
        storage.load(out)
    storage.load(out, trust=True)
    np.testing.assert_allclose(again.score(x, (Neuron("graph", 1),))[1], z, rtol=1e-5)


def test_a_model_that_nobody_named_is_called_as_its_file(tmp_path):
    keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten()]).save(tmp_path / "mine.keras")
    keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten()], name="net").save(
        tmp_path / "other.keras"
    )
    for file, called in (("mine.keras", "mine"), ("other.keras", "net")):
        opened = loading.open(tmp_path / file, "classifier").model
        assert loading.name(tmp_path / file, opened) == called
        assert loading.name(opened, opened) == opened.name


def test_command_makes_a_folder_to_sample_from(tmp_path, capsys):
    f, G = nested(), generator()
    f.save(tmp_path / "f.keras")
    G.save(tmp_path / "g.h5")
    (tmp_path / "names.txt").write_text("cat\ndog\nship\n")
    arguments = [f"--classifier={tmp_path / 'f.keras'}", f"--generator={tmp_path / 'g.h5'}"]
    arguments += ["--encoder=fc", "--range=-1:1", f"--labels={tmp_path / 'names.txt'}", "--json"]
    arguments += [f"--out={tmp_path / 'pair'}"]
    with pytest.raises(SystemExit) as exit_:
        cli.main(["adopt", *arguments])
    assert exit_.value.code == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["encoder"] == ["fc", 6] and facts["declared range"] == [-1.0, 1.0]
    networks = storage.load(tmp_path / "pair")
    assert networks.labels == ("logits", ("cat", "dog", "ship"))
    bands = parse(networks.default, networks)
    found = [b.samples for b in sample(networks, bands, Settings(n=5, K=4))]
    z = np.concatenate([s.activations for s in found])
    assert len(z) == 5 and ((z >= bands[0].z1) & (z <= bands[0].z2)).all()
    with pytest.raises(SystemExit) as exit_:
        cli.main(["adopt", *arguments])
    assert exit_.value.code == 2 and "give --overwrite" in capsys.readouterr().err


@pytest.mark.parametrize("value", [2.7, float("nan"), float("inf"), 1e12])
@pytest.mark.parametrize("kind", ["float32", "int32"])
def test_a_label_that_is_no_whole_number_is_refused(kind, value):
    c, label = keras.Input((5,), name="code"), keras.Input((1,), dtype=kind, name="label")
    one_hot = keras.Input((3,), name="label")
    h, second = layers.Embedding(3, 2)(label)[:, 0], label
    if kind == "float32":
        h = second = one_hot
    h = layers.Dense(192, activation="tanh")(layers.Concatenate()([c, h]))
    G = keras.Model([c, second], layers.Reshape((8, 8, 3))(h), name="gen")
    with pytest.raises(UsageError, match="for input label, got"):
        adopt.adopt(nested(), G, "fc", fixed={"label": value})


@pytest.mark.parametrize(
    ("nature", "words"),
    [
        (np.zeros((0, 8, 8, 3), "u1"), r"expected images \[N, 8, 8, 3\].*got uint8 \[0, 8, 8, 3\]"),
        (np.zeros((4, 9, 8, 3), "u1"), r"got uint8 \[4, 9, 8, 3\]"),
        (np.full((4, 8, 8, 3), 0.5, "f4"), "in 0..255, got values from 0.5 to 0.5"),
        (np.full((4, 8, 8, 3), np.nan, "f4"), "in 0..255, got values from nan to nan"),
        (tf.zeros((4, 9, 8, 3)), r"got float32 \[4, 9, 8, 3\]"),
        (tf.data.Dataset.range(4), r"array \[N, 8, 8, 3\], a folder or a file, got .*RangeDataset"),
    ],
)
def test_images_that_are_none_of_the_pairs_are_refused(nature, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        adopt.adopt(nested(), generator(), "fc", images=nature)
    if not len(nature):
        np.savez(tmp_path / "empty.npz", images=nature)
        with pytest.raises(UsageError, match="images in empty.npz, its array of them is empty"):
            adopt.adopt(nested(), generator(), "fc", images=tmp_path / "empty.npz")


def test_a_head_that_does_not_come_back_is_noticed(tmp_path, monkeypatch):
    """What is read again is compared beyond the encoding too."""
    adopted, read = adopt.adopt(nested(), generator(), "fc"), folder._read_again

    def changed(made):
        again = read(made)
        head = again.classifier.get_layer("logits")
        head.set_weights([2 * w for w in head.get_weights()])
        return again

    monkeypatch.setattr(folder, "_read_again", changed)
    with pytest.raises(UsageError, match="the folder to give what the models give"):
        adopt.write(adopted, tmp_path / "n")
    assert not (tmp_path / "n").exists()


@pytest.mark.parametrize("kind", ["float32", "int32", "int64"])
def test_a_range_of_onnx_has_the_type_of_its_ends(kind):
    start, limit, step = (np.array(one, kind) for one in (1, 8, 2))
    found = shapes.OPERATORS["Range"]({}, start, limit, step)
    assert found.dtype == kind and found.tolist() == [1, 3, 5, 7]
