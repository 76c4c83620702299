"""Layers inside SavedModels and frozen graphs: what they give, by names, against the original."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tf_inverse import adopt
from tf_inverse.adopt import loading
from tf_inverse.band import Neuron
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.layers import frozen_graph, graph_tensors, taps
from tf_inverse.networks import storage

rng = np.random.default_rng(0)
X = rng.uniform(0, 255, (2, 8, 8, 3)).round().astype("f4")


def generator():
    c = keras.Input((5,), name="code")
    h = layers.Dense(8 * 8 * 3, activation="tanh", name="fc")(c)
    return keras.Model(c, layers.Reshape((8, 8, 3))(h), name="G")


def classifier(final="softmax"):
    """A classifier with a model within, a branch, and what inference computes otherwise."""
    keras.utils.set_random_seed(1)
    x = inner = keras.Input((8, 8, 3), name="pixels")
    h = layers.Conv2D(4, 3, padding="same", name="conv")(inner)
    h = layers.BatchNormalization(name="norm")(h)
    back = keras.Model(inner, layers.ReLU(name="relu")(h), name="back")
    x = keras.Input((8, 8, 3), name="image")
    h = back(layers.Rescaling(1 / 255, name="scale")(x))
    h = layers.Add(name="add")([h, layers.Conv2D(4, 1, activation="silu", name="side")(h)])
    h = layers.GlobalAveragePooling2D(name="pool")(h)
    h = layers.Dense(7, activation="relu", name="fc")(h)
    f = keras.Model(x, layers.Dense(3, activation=final, name="top")(h), name="net")
    norm = back.get_layer("norm")
    norm.set_weights([rng.uniform(0.5, 2.0, w.shape) for w in norm.get_weights()])
    return f


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder, f = tmp_path_factory.mktemp("graph") / "saved", classifier()
    f.export(folder, verbose=False)
    return folder, f


def test_layers_of_a_savedmodel_give_what_keras_gives(saved, tmp_path):
    folder, f = saved
    adopted = adopt.adopt(str(folder), generator(), trust=True)
    again = storage.load(adopt.write(adopted, tmp_path / "pair"))
    back = f.get_layer("back")
    middle = keras.Model(
        back.inputs[0], [back.get_layer(n).output for n in ("conv", "norm", "relu")]
    )
    names = ("add", "pool", "fc")
    outer = keras.Model(f.inputs[0], [f.get_layer(name).output for name in names])
    maps = middle(X / 255)
    expected = {
        f"graph/back/{name}": h for name, h in zip(("conv", "norm", "relu"), maps, strict=True)
    }
    expected |= {f"graph/{name}": h for name, h in zip(names, outer(X), strict=True)} | {
        "softmax": f(X)
    }
    for networks in (adopted.networks, again):
        for name, h in expected.items():
            neuron = Neuron(name, 2, (3, 5)) if len(h.shape) == 4 else Neuron(name, 2)
            z = networks.score(X, (neuron,))[1][:, 0]
            want = h[:, 3, 5, 2] if len(h.shape) == 4 else h[:, 2]
            np.testing.assert_allclose(z, want, rtol=1e-4, atol=1e-6, err_msg=name)
        # The odds of two classes are the difference of their logits.
        a, b = (networks.score(X, (Neuron("graph", unit),))[1][:, 0] for unit in (0, 1))
        np.testing.assert_allclose(a - b, np.log(f(X)[:, 0] / f(X)[:, 1]), rtol=1e-3, atol=1e-4)
    networks = adopted.networks
    assert networks.layer_path(networks.encoder).endswith("graph/fc")
    assert networks.default.partition(":")[0].endswith("graph")


def test_gradients_are_those_of_the_original(saved):
    folder, f = saved
    opened = loading.open(folder, "classifier", trust=True).model
    fc = keras.Model(f.inputs[0], f.get_layer("fc").output)
    path = taps.resolve("graph/fc", taps.shapes(opened), "net")

    def slope(run):
        x = tf.constant(X)
        with tf.GradientTape() as tape:
            tape.watch(x)
            z = tf.reduce_sum(run(x))
        return tape.gradient(z, x)

    expected = slope(fc)
    assert np.abs(expected).max() > 0
    got = slope(lambda x: taps.run(opened, x, (path,))[0])
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kept", [True, False])
def test_a_gradient_that_a_program_gave_stays(tmp_path, kept):
    """That of rounding is of the program's own, and silu's is the plain one, saved or not."""

    @tf.custom_gradient
    def rounded(x):
        return tf.round(x), lambda dy: 2 * dy

    def run(image):
        h = tf.nn.silu(tf.reduce_mean(image, (1, 2)))
        return rounded(h) if kept else h

    module = tf.Module()
    spec = tf.TensorSpec((None, 8, 8, 3), name="image")
    module.run = tf.function(run, input_signature=[spec], autograph=False)
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=kept)
    tf.saved_model.save(module, str(tmp_path), signatures=module.run, options=options)
    model, x = loading.open(tmp_path, "classifier", trust=True).model, tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = model(x)
    means = X.mean((1, 2), dtype=np.float64)
    share = 1 / (1 + np.exp(-means))
    slope = (share + means * share * (1 - share)) / 64 * (2 if kept else 1)
    got = tape.gradient(z, x)
    np.testing.assert_allclose(got[:, 0, 0], slope, rtol=1e-5)


def test_outputs_of_a_function_with_several_keep_their_names(tmp_path):
    module = tf.Module()
    module.w = tf.Variable(rng.standard_normal((3, 3, 3, 4)).astype("f4"))

    def run(image):
        with tf.name_scope("stem"):
            h = tf.nn.conv2d(image, module.w, 1, "SAME")
        with tf.name_scope("sum"):
            return {"maps": tf.nn.relu(h), "means": tf.reduce_mean(h, [1, 2])}

    spec = tf.TensorSpec((None, None, None, 3), tf.float32)
    module.run = tf.function(run, input_signature=[spec])
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.run)
    with pytest.raises(UsageError, match="expected --size"):
        loading.open(tmp_path / "saved", "classifier", trust=True)
    model = loading.open(tmp_path / "saved", "classifier", trust=True, size=(8, 8, 3)).model
    stem, maps, means = taps.run(model, tf.constant(X), ("graph/stem", "graph/maps", "graph/means"))
    h = tf.nn.conv2d(X, module.w, 1, "SAME")
    np.testing.assert_allclose(stem, h, rtol=1e-5)
    np.testing.assert_allclose(maps, tf.nn.relu(h), rtol=1e-5)
    np.testing.assert_allclose(means, tf.reduce_mean(h, [1, 2]), rtol=1e-4)


def test_a_savedmodel_is_loaded_and_opened_once(saved, tmp_path, monkeypatch):
    """To adopt it, and again to read what was adopted."""
    calls = []

    def counted(home, name):
        real = getattr(home, name)
        monkeypatch.setattr(home, name, lambda *a, **k: calls.append(name) or real(*a, **k))

    counted(tf.saved_model, "load")
    counted(graph_tensors, "opened")
    model = loading.open(saved[0], "classifier", trust=True).model
    assert sorted(calls) == ["load", "opened"]
    model.save(tmp_path / "f.keras")
    again = storage.model(tmp_path / "f.keras", trust=True)
    assert sorted(calls) == ["load", "load", "opened", "opened"]
    for run in (model, again):
        np.testing.assert_allclose(run(X), saved[1](X), rtol=1e-4, atol=1e-6)


W = rng.standard_normal((3, 3, 3, 4)).astype("f4") / 4
V = rng.standard_normal((4, 5)).astype("f4")


def written(folder, rows, compiled, several):
    """A SavedModel of `rows` images at a time, each at its own reshape, as exporters write them.

    Args:
        folder: To be made.
        rows: None for any number.
        compiled: Whether XLA compiles the function, as it does what JAX writes.
        several: Whether it gives its layers as outputs.
    """
    module = tf.Module()
    module.w = tf.Variable(W)

    def run(image):
        with tf.name_scope("stem"):
            h = tf.nn.relu(tf.nn.conv2d(image, module.w, 2, "SAME"))
        with tf.name_scope("pool"):
            e = tf.reduce_mean(tf.reshape(h, (-1 if rows is None else rows, 16, 4)), 1)
            e = e + tf.zeros((1 if rows is None else rows, 4))
        z = tf.matmul(e, V, name="top")
        return {"stem": h, "pool": e, "top": z} if several else z

    inner = tf.function(run, jit_compile=compiled)
    spec = tf.TensorSpec((rows, 8, 8, 3), name="image")
    module.run = tf.function(lambda image: inner(image), input_signature=[spec])
    tf.saved_model.save(module, str(folder), signatures=module.run)
    return folder


def naive(x):
    """Stem, pool and logits of `written` in float64, one image and one place at a time."""
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 1), (0, 1), (0, 0)))
    h = np.zeros((len(x), 4, 4, 4))
    for i, row, column in np.ndindex(len(x), 4, 4):
        patch = padded[i, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
        h[i, row, column] = np.maximum(np.einsum("abc,abco->o", patch, W.astype(np.float64)), 0)
    return h, h.mean((1, 2)), h.mean((1, 2)) @ V.astype(np.float64)


@pytest.mark.parametrize(
    ("rows", "compiled", "several"),
    [(1, False, False), (2, False, True), (None, True, True), (2, True, True), (1, True, False)],
)
def test_functions_of_a_fixed_batch_and_those_that_xla_compiles(tmp_path, rows, compiled, several):
    """As torch.onnx and jax2tf write them: adopted, written, read, scored, with gradients."""
    x = rng.uniform(0, 255, (3, 8, 8, 3)).round().astype("f4")
    folder = written(tmp_path / "saved", rows, compiled, several)
    adopted = adopt.adopt(folder, generator(), "graph/pool" if several else None, trust=True)
    again = storage.load(adopt.write(adopted, tmp_path / "pair"))
    stem, pool, top = naive(x)
    expected = {Neuron("graph/top" if several else "graph", 3): top[:, 3]}
    if several or not compiled:
        expected |= {Neuron("graph/stem", 2, (1, 3)): stem[:, 1, 3, 2]}
        expected |= {Neuron("graph/pool", 1): pool[:, 1]}
    for networks in (adopted.networks, again):
        z = networks.score(x, tuple(expected))[1]
        want = np.stack(list(expected.values()), axis=1)
        np.testing.assert_allclose(z, want, rtol=1e-4, atol=1e-3)
    t = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(t)
        out = keras.tree.flatten(again.classifier(t))[-1]
        slope = tape.gradient(tf.reduce_sum(out * [[1.0], [2.0], [3.0]]), t)
    for i in range(3):
        step = np.zeros_like(x)
        step[i, 3, 4, 1] = 1.0
        moved = [naive(x + sign * step)[2][i].sum() for sign in (1, -1)]
        want = (i + 1) * (moved[0] - moved[1]) / 2
        assert float(slope[i, 3, 4, 1]) == pytest.approx(want, rel=1e-2)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (((1, 8, 8, 3), (None,)), r"equally many rows, .* have: by any number, image 1; export it"),
        (((None, 8, 8, 3), ()), r"a row for each image, by of .* shape \[\]; export it"),
    ],
)
def test_a_savedmodel_with_an_input_that_is_not_a_rows_own_is_refused(tmp_path, shapes, words):
    module = tf.Module()
    specs = [tf.TensorSpec(s, name=name) for s, name in zip(shapes, ("image", "by"), strict=True)]
    module.run = tf.function(
        lambda x, by: tf.reduce_mean(x, [1, 2]) * tf.reduce_mean(by), input_signature=specs
    )
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.run)
    with pytest.raises(UsageError, match=words):
        loading.open(tmp_path / "saved", "classifier", trust=True)


def test_an_output_that_has_no_row_for_each_image_is_refused(tmp_path):
    """XLA's functions cannot be opened: what they give is told by their shapes alone."""
    module = tf.Module()
    inner = tf.function(lambda image: tf.reduce_mean(image), jit_compile=True)
    spec = tf.TensorSpec((None, 8, 8, 3), name="image")
    module.run = tf.function(lambda image: inner(image), input_signature=[spec])
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.run)
    with pytest.raises(UsageError, match=r"every output has a row .* has shape \(\); export"):
        loading.open(tmp_path / "saved", "classifier", trust=True)


def frozen(path, batch=None, side=8, placeholders=1, single=False):
    """A frozen graph with names as those of Inception in 2015; what its layers give for X."""
    v1, graph = tf.compat.v1, tf.Graph()
    with graph.as_default():
        x, *_ = (v1.placeholder(tf.float32, (batch, side, side, 3)) for _ in range(placeholders))
        with tf.name_scope("conv2d0_pre_relu") as scope:
            w = tf.constant(rng.standard_normal((5, 5, 3, 16)).astype("f4") / 50)
            h = tf.nn.conv2d(x, w, 1, "SAME", name="conv")
            h = tf.nn.bias_add(h, tf.constant(rng.standard_normal(16).astype("f4")), name=scope)
        conv = tf.nn.relu(h, name="conv2d0")
        h = tf.nn.local_response_normalization(conv, name="localresponsenorm0")
        h = tf.reduce_mean(tf.concat([h, 2 * h], 3, name="mixed3a"), [1, 2], name="avgpool0")
        with tf.name_scope("softmax2_pre_activation") as scope:
            w = tf.constant(rng.standard_normal((32, 6)).astype("f4"))
            h = tf.nn.bias_add(tf.matmul(h, w, name="matmul"), tf.ones(6), name=scope)
        y = tf.nn.softmax(h, name="softmax2")
        if single:
            tf.reshape(y, [1, 6])
        path.write_bytes(graph.as_graph_def().SerializeToString())
        if batch is None and side and placeholders == 1:
            with v1.Session() as session:
                return session.run([conv, h, y], {x: X - 117})
    return None


def test_a_frozen_graph_is_adopted_with_its_layers(tmp_path):
    conv, logits, y = frozen(tmp_path / "inception.pb")
    with pytest.raises(RefusedInput, match="expected --trust for .* or a frozen"):
        loading.open(tmp_path / "inception.pb", "classifier")
    adopted = adopt.adopt(
        str(tmp_path / "inception.pb"), generator(), trust=True, pixel_range=(-117, 138)
    )
    networks = storage.load(adopt.write(adopted, tmp_path / "pair"))
    names = [path.partition("graph/")[2] for path in networks.shapes if "graph/" in path]
    between = ["localresponsenorm0", "mul", "mixed3a"]
    assert names == ["conv2d0_pre_relu", "conv2d0", *between, "avgpool0"]
    neurons = (Neuron("graph/conv2d0", 3, (4, 5)), Neuron("graph", 1), Neuron("softmax", 2))
    z = networks.score(X, neurons)[1]
    expected = np.stack([conv[:, 4, 5, 3], logits[:, 1], y[:, 2]], axis=1)
    np.testing.assert_allclose(z, expected, rtol=1e-4, atol=1e-5)
    assert networks.layer_path(networks.encoder).endswith("avgpool0")
    assert networks.name == "inception"


def of_rows(path, *shape):
    """A frozen graph that sums up what its placeholder of a shape takes, for each of two units."""
    v1, graph = tf.compat.v1, tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, shape, name="row")
        w = tf.constant(np.float32([[1.0, 2.0]] * 16))
        tf.matmul(tf.reshape(x, [-1, 16]), w, name="logits")
        path.write_bytes(graph.as_graph_def().SerializeToString())


def test_a_frozen_graph_of_grey_images_is_adopted(tmp_path):
    of_rows(tmp_path / "grey.pb", None, 4, 4)
    model = loading.open(tmp_path / "grey.pb", "classifier", trust=True).model
    assert model.inputs[0].shape == (None, 4, 4)
    x = rng.uniform(size=(3, 4, 4)).astype("f4")
    total = x.sum(axis=(1, 2))
    np.testing.assert_allclose(model(x), np.stack([total, 2 * total], axis=1), rtol=1e-5)


@pytest.mark.parametrize("shape", [(None, 16), (4, 4, 1), (None, None, 4), (16,), (1, 4, 4, 1, 1)])
def test_a_frozen_graph_of_no_images_is_not_asked_for_their_size(tmp_path, shape):
    of_rows(tmp_path / "f.pb", *shape)
    taken = re.escape(str(list(shape)))
    for size in (None, (4, 4, 1)):
        with pytest.raises(UsageError, match=rf"of images .*the placeholder row .* takes {taken};"):
            frozen_graph.write(tmp_path / "f.pb", tmp_path / "saved", size)


def test_other_frozen_graphs_are_refused_in_one_line(tmp_path):
    path = tmp_path / "f.pb"

    def refused(error, **options):
        frozen(path, **options)
        with pytest.raises(error) as caught:
            frozen_graph.write(path, tmp_path / "saved")
        return str(caught.value)

    assert "expected one placeholder, the image" in refused(UsageError, placeholders=2)
    assert "expected --size=ROWS,COLUMNS,CHANNELS" in refused(UsageError, side=None)
    path.write_bytes(b"\x08 no graph")
    with pytest.raises(RefusedInput, match="no frozen graph"):
        frozen_graph.write(path, tmp_path / "saved")
    frozen(path)
    path.write_bytes(path.read_bytes().replace(b"\x04Relu", b"\x04Rely"))
    with pytest.raises(RefusedInput, match="cannot import the graph .*Rely"):
        frozen_graph.write(path, tmp_path / "saved")
    assert "a graph for one image at a time" in refused(UsageError, single=True)
    assert not (tmp_path / "saved").exists()


def test_of_several_outputs_none_is_the_encoding(tmp_path):
    x = keras.Input((8, 8, 3), name="image")
    h = layers.Dense(7, activation="relu", name="fc")(layers.Flatten(name="flat")(x / 255.0))
    heads = {name: layers.Dense(n, name=name)(h) for name, n in (("kind", 3), ("age", 1))}
    keras.Model(x, heads, name="heads").export(tmp_path / "saved", verbose=False)
    pair = adopt.adopt(tmp_path / "saved", generator(), trust=True)
    assert pair.networks.encoder == "graph/heads/fc"
    assert pair.measured["target"].startswith("graph/age:0@")  # Names come in their order.
