"""Where models come from: files of any precision, SavedModels, folders, classes of one's own."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tf_inverse import adopt
from tf_inverse.adopt import loading
from tf_inverse.band import Neuron
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.networks import storage, yardstick
from tf_inverse.networks.codes import Codes
from tf_inverse.networks.natural import LEVELS, Natural

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def generator(side=8, channels=3, name="gen"):
    c = keras.Input((5,), name="code")
    h = layers.Dense(side * side * channels, activation="tanh")(c)
    return keras.Model(c, layers.Reshape((side, side, channels))(h), name=name)


def dense(side=8):
    parts = [keras.Input((side, side, 3)), layers.Rescaling(1 / 255.0), layers.Flatten()]
    parts += [layers.Dense(6, activation="relu", name="fc"), layers.Dense(3, name="logits")]
    return keras.Sequential(parts, name="net")


def images(count=2, side=8, channels=3):
    return rng.uniform(0, 255, (count, side, side, channels)).astype("f4")


def exact(f, x):
    """The logits of `dense` in float64, from its weights as they are stored."""
    W, b, V, d = (np.asarray(w, np.float64) for w in f.get_weights())
    return np.maximum((x.reshape(len(x), -1).astype(np.float64) / 255) @ W + b, 0) @ V + d


@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "bfloat16"])
@pytest.mark.parametrize("kind", ["object", "f.keras", "f.h5"])
def test_half_precision_computes_in_float32(tmp_path, policy, kind):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        f = dense()
    finally:
        keras.config.set_dtype_policy(before)
    given = f
    if kind != "object":
        f.save(tmp_path / kind)
        given = tmp_path / kind
    if (policy, kind) == ("bfloat16", "f.h5"):
        # Keras writes such a file and cannot read it.
        with pytest.raises(RefusedInput, match=r"f.h5: .*; save it as a .keras file"):
            adopt.adopt(given, generator())
        return
    x = images().round()
    adopted = adopt.adopt(given, generator())
    # The user's own model goes on as it was, and the folder holds what was sampled from.
    assert f.layers[-1].compute_dtype == policy.removeprefix("mixed_")
    assert adopted.measured["half precision"] == [policy.removeprefix("mixed_")]
    again = storage.load(adopt.write(adopted, tmp_path / "pair"))
    for networks in (adopted.networks, again):
        z = networks.score(x, (Neuron("logits", 1),))[1][:, 0]
        np.testing.assert_allclose(z, exact(f, x)[:, 1], rtol=1e-4, atol=1e-5)


class Twice(keras.Model):
    """A subclassed generator: what it takes is known once it was called."""

    def __init__(self):
        super().__init__(name="twice")
        self.fc = layers.Dense(192, activation="tanh")

    def call(self, c):
        return keras.ops.reshape(self.fc(2 * c), (-1, 8, 8, 3))


def test_subclassed_generator():
    with pytest.raises(UsageError, match="expected --code-size=NUMBER for twice"):
        adopt.adopt(dense(), Twice())
    assert adopt.adopt(dense(), Twice(), code_size=7).networks.codes.size == 7
    G, c = Twice(), rng.standard_normal((3, 4)).astype("f4")
    expected = (G(c) + 1) * 127.5
    networks = adopt.adopt(dense(), G).networks
    np.testing.assert_allclose(networks.generator(c), expected, atol=1e-3)


def test_own_class_is_no_folder_but_a_savedmodel_of_it_is(tmp_path):
    G = Twice()
    G(np.zeros((1, 5), "f4"))
    with pytest.raises(RefusedInput, match=r"SavedModel \(model.export\) .* with --trust"):
        adopt.write(adopt.adopt(dense(), G), tmp_path / "pair")
    assert not list(tmp_path.iterdir())
    G.export(tmp_path / "saved", verbose=False)
    adopted = adopt.adopt(dense(), tmp_path / "saved", trust=True)
    c = rng.standard_normal((3, 5)).astype("f4")
    np.testing.assert_allclose(adopted.networks.generator(c), (G(c) + 1) * 127.5, atol=1e-3)
    storage.load(adopt.write(adopted, tmp_path / "pair"), trust=True)


def test_file_of_an_own_class_is_refused_with_the_way_out(tmp_path):
    G = Twice()
    G(np.zeros((1, 5), "f4"))
    G.save(tmp_path / "g.keras")
    with pytest.raises(RefusedInput, match=r"class 'Twice'.*write a SavedModel .* with --trust"):
        adopt.adopt(dense(), tmp_path / "g.keras")


class Conditional(tf.Module):
    """A generator of codes and labels, as a program of TensorFlow alone."""

    def __init__(self):
        self.w = tf.Variable(rng.standard_normal((8, 192)).astype("f4"))

    @tf.function(input_signature=[tf.TensorSpec((None, 5)), tf.TensorSpec((None, 3))])
    def __call__(self, z, label):
        return tf.reshape(tf.tanh(tf.concat([z, label], 1) @ self.w), (-1, 8, 8, 3))


def test_savedmodel_with_several_inputs(tmp_path):
    G = Conditional()
    tf.saved_model.save(G, str(tmp_path / "saved"))
    options = {"trust": True, "fixed": {"label": 2}}
    adopted = adopt.adopt(dense(), tmp_path / "saved", **options)
    c = rng.standard_normal((4, 5)).astype("f4")
    expected = np.tanh(np.concatenate([c, np.tile([[0, 0, 1]], (4, 1))], axis=1) @ G.w.numpy())
    got = adopted.networks.generator(c)
    np.testing.assert_allclose(got, (expected.reshape(-1, 8, 8, 3) + 1) * 127.5, atol=1e-2)
    again = storage.load(adopt.write(adopted, tmp_path / "pair"), trust=True)
    np.testing.assert_allclose(again.generator(c), got, atol=1e-3)


@pytest.mark.parametrize("form", ["functional", "sequential", "several inputs"])
def test_pictures_of_whole_numbers(form):
    """`Input(dtype="uint8")`, as images come from files: no gradient passes a cast to them."""
    parts = [layers.Normalization(mean=[9.0, 8, 7], variance=[4.0, 4, 4]), layers.Flatten()]
    parts += [layers.Dense(6, name="fc"), layers.Dense(3, name="top")]
    x = keras.Input((8, 8, 3), dtype="uint8", name="x")
    beside = keras.Input((), dtype="int32", name="beside")
    if form == "sequential":
        f = keras.Sequential([x, *parts], name="net")
    else:
        h = keras.ops.cast(x, "float32")
        for layer in parts[1:]:
            h = layer(h) if form == "functional" else layer(h) + layers.Embedding(2, 1)(beside)
        f = keras.Model([x, beside] if form == "several inputs" else x, h, name="net")
    fixed = {"beside": 1} if form == "several inputs" else {}
    networks = adopt.adopt(f, generator(), "fc", fixed=fixed).networks
    x = rng.integers(0, 256, (4, 8, 8, 3)).astype("u1")
    z = networks.outputs(x.astype("f4"), ("fc",))[0]
    fc = f.get_layer("fc").output
    inputs = [x, np.ones(4, "i4")] if fixed else x
    expected = keras.Model(f.inputs if fixed else f.inputs[0], fc)(inputs)
    np.testing.assert_allclose(z, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("value", [0.5, 0.0])
def test_one_number_fills_a_map(value):
    """As the noise of a StyleGAN, which stands beside its code."""
    c, noise = keras.Input((5,), name="code"), keras.Input((8, 8, 1), name="noise")
    h = layers.Reshape((8, 8, 3))(layers.Dense(192, activation="tanh")(c))
    G = keras.Model([c, noise], h + noise, name="G")
    networks = adopt.adopt(dense(), G, fixed={"noise": value}, image_range=(-2, 2)).networks
    x = rng.standard_normal((2, 5)).astype("f4")
    expected = (G([x, np.full((2, 8, 8, 1), value, "f4")]) + 2) * 63.75
    np.testing.assert_allclose(networks.generator(x), expected, atol=1e-3)
    with pytest.raises(UsageError, match=r"its inputs are code \[5\], noise \[8, 8, 1\], fixed"):
        adopt.adopt(dense(), G)


def test_savedmodel_of_open_size_and_a_damaged_one(tmp_path):
    class Open(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3))])
        def __call__(self, x):
            return tf.reduce_mean(x, axis=(1, 2))

    tf.saved_model.save(Open(), str(tmp_path / "open"))
    with pytest.raises(UsageError, match="expected --size=.* whose input x has no fixed size"):
        adopt.adopt(tmp_path / "open", generator(), trust=True)
    networks = adopt.adopt(tmp_path / "open", generator(), trust=True, size=(8, 8, 3)).networks
    x = images().round()
    z = networks.score(x, (Neuron("graph", 1),))[1]
    np.testing.assert_allclose(z[:, 0], x[..., 1].mean((1, 2)), rtol=1e-5)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "saved_model.pb").write_bytes(b"no protobuf")
    with pytest.raises(RefusedInput, match="cannot load a SavedModel from .*bad"):
        adopt.adopt(tmp_path / "bad", generator(), trust=True)


@pytest.mark.parametrize("kind", [(1,), ()])
def test_label_of_an_embedding(kind):
    c, label = keras.Input((5,), name="code"), keras.Input(kind, dtype="int32", name="label")
    table = layers.Embedding(4, 3)
    h = layers.Concatenate()([c, layers.Reshape((3,))(table(label))])
    fc = layers.Dense(192, activation="sigmoid")
    G = keras.Model([c, label], layers.Reshape((8, 8, 3))(fc(h)), name="gen")
    networks = adopt.adopt(dense(), G, fixed={"label": 3}).networks
    c = rng.standard_normal((2, 5)).astype("f4")
    W, b = (w.numpy().astype(np.float64) for w in fc.weights)
    h = np.concatenate([c, np.tile(table.get_weights()[0][3], (2, 1))], axis=1) @ W + b
    expected = 255 / (1 + np.exp(-h))
    np.testing.assert_allclose(networks.generator(c).numpy().reshape(2, -1), expected, atol=1e-2)
    with pytest.raises(UsageError, match=r"expected gen to take inputs .* 9 is not in \[0, 4\)"):
        adopt.adopt(dense(), G, fixed={"label": 9})
    with pytest.raises(UsageError, match="lable is none; there is .*, code, label"):
        adopt.adopt(dense(), G, fixed={"lable": 3})


def test_grey_without_an_axis_for_it():
    parts = [keras.Input((8, 8)), layers.Flatten(), layers.Dense(2, name="logits")]
    f = keras.Sequential(parts, name="net")
    shape = layers.Reshape((8, 8))
    G = keras.Sequential([keras.Input((5,)), layers.Dense(64, activation="sigmoid"), shape])
    networks = adopt.adopt(f, G).networks
    assert networks.image_shape == (8, 8, 1)
    x = images(channels=1)
    z = networks.score(x, (Neuron("logits", 1),))[1]
    np.testing.assert_allclose(z[:, 0], f(x[..., 0])[:, 1], rtol=1e-4, atol=1e-4)
    c = rng.standard_normal((2, 5)).astype("f4")
    np.testing.assert_allclose(networks.generator(c)[..., 0], 255 * G(c), atol=1e-3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": (8, 8, 3), "weights": None}, "cannot make VGG16 with --weights=none: Input size"),
        ({"weights": "nothing.h5"}, "cannot make VGG16 with --weights=nothing.h5: The `weights`"),
        ({"size": (32, 32, 3)}, "should be .224, 224, 3.*; --weights=FILE and --weights=none do"),
    ],
)
def test_application_that_keras_cannot_make(options, words):
    with pytest.raises(UsageError, match=words):
        adopt.adopt("keras:VGG16", generator(), **options)


def test_failed_download_is_one_line(monkeypatch):
    def fails(**options):
        raise Exception("URL fetch failure on\nhttps://example.org: None")  # as Keras has it

    monkeypatch.setattr(keras.applications, "VGG16", fails)
    with pytest.raises(UsageError, match=r"imagenet: URL fetch failure on https://example.org: N"):
        adopt.adopt("keras:VGG16", generator())


def test_crop_beyond_the_image():
    with pytest.raises(UsageError, match="expected --crop from 1 to 8 of .*, got 9"):
        adopt.adopt(dense(), generator(), crop=9)


def test_a_folder_tells_what_it_knows(tiny_folder, tmp_path):
    whole = storage.load(tiny_folder)
    same = adopt.adopt(str(tiny_folder), tiny_folder)
    assert same.networks.labels == whole.labels
    assert same.networks.encoder == "fc2" and same.networks.codes == whole.codes
    unit = Neuron("fc3", 1)
    assert same.networks.natural.unit(unit).mean == whole.natural.unit(unit).mean
    np.testing.assert_array_equal(same.networks.natural.encodings, whole.natural.encodings)
    again = storage.load(adopt.write(same, tmp_path / "again"))
    x = images().round()
    np.testing.assert_allclose(again.score(x, (unit,))[1], whole.score(x, (unit,))[1], rtol=1e-5)
    # Another encoder: statistics of units stay, those of the encoding do not.
    other = adopt.adopt(tiny_folder, generator(), "relu1").networks
    assert other.natural.encodings is None and other.natural.unit(unit) is not None
    assert other.codes.kind == "normal" and other.codes.size == 5


def test_codes_of_a_folder_with_a_bank(tmp_path):
    bank = rng.standard_normal((7, 5)).astype("f2").astype("f4")
    levels = np.array(LEVELS)
    stored = Natural(7, "made up", levels, {}, encodings=bank, bank=bank)
    f, G = dense(), generator()
    with pytest.raises(UsageError, match="a bank of codes comes with a network's folder"):
        adopt.adopt(f, G, codes="bank")
    f.save(tmp_path / "f.keras")
    own = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(5, name="e")])
    layer = (np.zeros(5, "f4"), np.ones(5, "f4"), np.zeros((5, len(levels)), "f4"))
    networks = adopt.adopt(own, G, "e", image_range=(-1, 1)).networks
    made = storage.save(
        tmp_path / "pair",
        name="pair",
        classifier=own,
        generator=networks.generator,
        encoder="e",
        codes=Codes("bank", 5, (-4.0, 4.0)),
        natural=dataclasses.replace(stored, layers={"e": layer}),
        licence="free",
    )
    with pytest.raises(UsageError, match="expected --images: codes are a bank of the generator's"):
        adopt.adopt(tmp_path / "f.keras", made)
    nature = rng.integers(0, 256, (20, 8, 8, 3), np.uint8)
    adopted = adopt.adopt(tmp_path / "f.keras", made, images=nature)
    again = storage.load(adopt.write(adopted, tmp_path / "mixed"))
    assert again.codes.kind == "bank" and tuple(again.codes.bounds) == (-4.0, 4.0)
    np.testing.assert_array_equal(again.natural.bank, bank)
    z = exact(f, nature.astype("f4"))[:, 2]
    assert again.natural.unit(Neuron("logits", 2)).mean == pytest.approx(z.mean(), rel=1e-4)
    licence = storage.manifest(tmp_path / "mixed")["licence"]
    assert licence == "Classifier: not told; Generator: free"
    # The bank's codes are no encodings of this classifier: its own tell how far images are apart.
    W, b, *_ = (np.asarray(w, np.float64) for w in f.get_weights())
    e = np.maximum(nature.reshape(20, -1) / 255 @ W + b, 0)
    assert again.layer_shape(again.encoder) == e.shape[1:]
    apart = [np.linalg.norm(one - other) for one, other in itertools.combinations(e, 2)]
    assert again.yardstick.bandwidth == pytest.approx(np.mean(apart) / 2, rel=1e-3)
    assert again.yardstick.source == yardstick.NATURE and again.yardstick.count == len(nature)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("m.pth", "PyTorch.* torch.onnx.export"),
        ("m.safetensors", "weights without layers"),
        ("m.tflite", "LiteRT.* give the model that it was made of"),
        ("m.pkl", "pickle, which is a program: .*model.save"),
        ("m.caffemodel", "tf-inverse convert"),
        ("checkpoint/weights.index", "TensorFlow.* model.load_weights"),
        ("orbax/manifest.ocdbt", "JAX.*jax2tf"),
        ("hub/model.safetensors", "Hugging Face.* torch.onnx.export"),
    ],
)
def test_files_of_other_programs_are_told_their_way(tmp_path, name, way):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    # A checkpoint is called by the beginning of its files' names, and a folder by its own.
    stems = {"weights.index": path.with_suffix("")}
    given = stems.get(path.name, path.parent if path.parent != tmp_path else path)
    with pytest.raises(UsageError, match=way) as told:
        loading.open(given, "classifier")
    assert str(given) in str(told.value)


class Served(tf.Module):
    """As servers have it: encoded pictures come in, beside functions of arrays for other uses."""

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def encoded(self, bytes):
        decoded = tf.map_fn(tf.io.decode_png, bytes, fn_output_signature=tf.uint8)
        return self.mean(tf.cast(tf.ensure_shape(decoded, (None, 8, 8, 3)), tf.float32))

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3))])
    def mean(self, x):
        return tf.reduce_mean(x, axis=(1, 2))

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3))])
    def corner(self, x):
        return x[:, 0, 0]


def test_the_signature_of_a_savedmodel_that_takes_pixels(tmp_path):
    served, x = Served(), images()
    means, corners = x.mean((1, 2)), x[:, 0, 0]
    both = {"serving_default": served.encoded, "arrays": served.mean}
    several = {"means": served.mean, "corners": served.corner}
    for name, functions in {"both": both, "several": several, "text": served.encoded}.items():
        tf.saved_model.save(served, str(tmp_path / name), signatures=functions)
    asked = {"both": means, "several#corners": corners, "several#means": means}
    for given, expected in asked.items():
        f = loading.open(tmp_path / given, "classifier", trust=True).model
        np.testing.assert_allclose(f(x), expected, rtol=1e-5)
    refused = {"text": "takes strings", "both#serving_default": "takes strings"}
    refused |= {"several": "#SIGNATURE, .*corners, means", "both#x": "'x'; it has arrays, serving"}
    for given, words in refused.items():
        with pytest.raises(UsageError, match=words):
            loading.open(tmp_path / given, "classifier", trust=True)


@pytest.mark.parametrize("kind", ["object", "f.keras"])
def test_a_picture_as_a_row_of_numbers(tmp_path, kind):
    """The first network of every course: digits go in as 784 numbers."""
    parts = [keras.Input((192,)), layers.Dense(6, name="fc"), layers.Dense(3, name="logits")]
    f = given = keras.Sequential(parts, name="net")
    if kind != "object":
        given = tmp_path / kind
        f.save(given)
    with pytest.raises(UsageError, match=r"takes \[192\]; .* row by row, .*--size=28,28,1"):
        adopt.adopt(given, generator())
    networks = adopt.adopt(given, generator(), size=(8, 8, 3)).networks
    x = images()
    z = networks.score(x, (Neuron(networks.layer_path("logits"), 1),))[1]
    np.testing.assert_allclose(z[:, 0], f(x.reshape(2, -1))[:, 1], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "words"), [((8, 8, 4), "makes them of three channels"), ((2, 8, 8, 3), "a film")]
)
def test_images_that_cannot_be_drawn_are_told_their_way(shape, words):
    x = keras.Input(shape)
    f = keras.Model(x, layers.Dense(2)(layers.Flatten()(x)), name="net")
    with pytest.raises(UsageError, match=f"net takes .*{words}"):
        adopt.adopt(f, generator())


def test_names_that_tensorflow_does_not_take_are_told(tmp_path):
    """Keras on other backends takes them, and on TensorFlow until a graph is made."""
    named = [layers.Dense(4, name="fc 1"), layers.Dense(3, name="logits")]
    f = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), *named], name="net")
    f.save(tmp_path / "f.keras")
    with pytest.raises(RefusedInput, match="'fc 1' is not a valid .*scope name.*save it with such"):
        adopt.adopt(tmp_path / "f.keras", generator())
    later = layers.Dense(2, name="later")
    later.build((None, 3))
    assert later.kernel.path == "later/kernel"
