"""ONNX files: operators against the standard's own cases, whole networks, and what is refused."""

import importlib.util
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tf_inverse import adopt
from tf_inverse.adopt import loading
from tf_inverse.adopt.onnx import file, graph, sequences
from tf_inverse.band import Neuron
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.networks import storage

if any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime")):
    pytest.skip("needs onnx and onnxruntime: the extra onnx", allow_module_level=True)

import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases
from onnx.reference import ReferenceEvaluator

rng = np.random.default_rng(0)
FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64
X = rng.uniform(0, 255, (3, 8, 8, 3)).round().astype("f4")

# Types that a network of images does not compute with, and forms that are refused by name.
OTHER = ("bool", "int", "INT", "float16", "FLOAT", "bfloat", "double", "string", "_fp16", "_bf16")
OTHER += ("training", "e4m3", "e5m2", "e2m1", "blocked")
# Corners of a size that is no whole number, which ONNX Runtime and PyTorch round before.
OTHER += ("scales_linear_align_corners", "scales_cubic_align_corners")


CONSTANTS = ("scales", "roi", "x_scale", "y_scale")


def cases():
    """(name, model, case) of ONNX's own cases of the operators that are known here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases divide by zero as they are made
        found = collect_testcases(None)
    for case in found:
        kinds = {node.op_type for node in case.model.graph.node}
        ends = (*case.model.graph.input, *case.model.graph.output)
        tensors = all(one.type.HasField("tensor_type") for one in ends)
        other = any(word in case.name for word in OTHER)
        if kinds <= set(file.OPERATORS) and tensors and not other and not case.model.functions:
            yield case, kinds


def test_operators_give_what_the_standard_says():
    """Inputs that decide shapes are constants here, as they are in the files of networks."""
    seen, derived, refused, wrong = set(), set(), 0, []
    for case, kinds in cases():
        inputs, outputs = case.data_sets[0]
        names = [one.name for one in case.model.graph.input]
        values = dict(zip(names, map(np.asarray, inputs), strict=False))
        floats = {k: v for k, v in values.items() if v.dtype.kind == "f" and v.size > 1}
        images = {k: v for k, v in floats.items() if k not in CONSTANTS}
        weights = {k: v for k, v in values.items() if k not in images}
        contents = file.Contents(case.model, weights, images, [case.model.graph.output[0].name])
        forms = {(n.op_type, *sorted(a.name for a in n.attribute)) for n in case.model.graph.node}
        x = {graph.plain(k): tf.constant(v) for k, v in images.items()}
        try:
            with tf.GradientTape() as tape:
                # One case of each form: that TensorFlow has a gradient of it.
                tape.watch([] if forms <= derived else list(x.values()))
                (got,) = graph.function(contents, case.name)(**x).values()
        except NotImplementedError:
            refused += 1
            continue
        if not forms <= derived and got.dtype.is_floating:
            tape.gradient(got, list(x.values()))
        seen, derived = seen | kinds, derived | forms
        # A single number for each image has a row there.
        want = outputs[0][:, np.newaxis] if np.ndim(outputs[0]) == 1 else outputs[0]
        same = got.shape == np.shape(want) and np.allclose(
            got, want, case.rtol, max(case.atol, 1e-6), equal_nan=True
        )
        wrong += [] if same else [case.name]
    assert wrong == [] and seen == set(file.OPERATORS) - set(sequences.OPERATORS)
    assert refused < 110


def network(path, batch="N", size=8, change=None):
    """A small network as PyTorch's exporter writes it, with the shape of its reshape computed.

    Args:
        path: Of the file.
        batch: A name for any number of images, or a number.
        size: Rows and columns, or None to leave them open.
        change: Called with the model before it is written.

    Returns:
        The model.
    """
    weights = {
        "W": rng.standard_normal((6, 3, 3, 3)).astype("f4") / 5,
        "b": rng.standard_normal(6).astype("f4"),
        "D": rng.standard_normal((6, 1, 3, 3)).astype("f4"),
        "V": rng.standard_normal((5, 96)).astype("f4") / 9,
        "v": rng.standard_normal(5).astype("f4"),
        "zero": np.array(0, np.int64),
        "one": np.array(1, np.int64),
        "axes": np.array([0], np.int64),
        "rest": np.array([-1], np.int64),
    }
    conv = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["input.1", "W", "b"], ["a"], name="/stem/conv/Conv", **conv),
        helper.make_node("Relu", ["a"], ["c"], name="/stem/act/Relu"),
        helper.make_node("Conv", ["c", "D"], ["d"], name="/stem/depth/Conv", group=6, **conv),
        helper.make_node(
            "MaxPool", ["d"], ["p"], name="/pool/MaxPool", kernel_shape=[2, 2], strides=[2, 2]
        ),
        helper.make_node("Gelu", ["p"], ["g"], name="/gelu/Gelu"),
        helper.make_node("Shape", ["g"], ["s"], name="/Shape"),
        helper.make_node("Gather", ["s", "zero"], ["n"], name="/Gather", axis=0),
        helper.make_node("Unsqueeze", ["n", "axes"], ["u"], name="/Unsqueeze"),
        helper.make_node("Concat", ["u", "rest"], ["t"], name="/Concat", axis=0),
        helper.make_node("Reshape", ["g", "t"], ["e0"], name="/Reshape"),
        helper.make_node("Gather", ["s", "one"], ["k"], name="/Gather_1", axis=0),
        helper.make_node("Cast", ["k"], ["float"], name="/Cast", to=FLOAT),
        helper.make_node("Sqrt", ["float"], ["root"], name="/Sqrt"),
        helper.make_node("Div", ["e0", "root"], ["e"], name="/Div"),
        helper.make_node("Gemm", ["e", "V", "v"], ["y"], name="/fc/Gemm", transB=1),
        helper.make_node("Softmax", ["y"], ["prob"], name="/Softmax", axis=1),
    ]
    inputs = [helper.make_tensor_value_info("input.1", FLOAT, [batch, 3, size, size])]
    outputs = [helper.make_tensor_value_info("prob", FLOAT, [batch, 5])]
    arrays = [numpy_helper.from_array(one, name) for name, one in weights.items()]
    made = helper.make_graph(nodes, "net", inputs, outputs, arrays)
    opsets = [helper.make_opsetid("", 20)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=10)
    if change:
        model = change(model) or model
    onnx.save(model, path)
    return model


def generator():
    c = keras.Input((5,), name="code")
    h = layers.Dense(8 * 8 * 3, activation="tanh", name="fc")(c)
    return keras.Model(c, layers.Reshape((8, 8, 3))(h), name="G")


@pytest.mark.parametrize("batch", ["N", 1])
def test_a_file_is_adopted_with_its_layers(tmp_path, batch):
    """What they give is what ONNX's reference gives, one image at a time."""
    model = network(tmp_path / "net.onnx", batch)
    adopted = adopt.adopt(str(tmp_path / "net.onnx"), generator(), "graph/Div", pixel_range=(-1, 1))
    # Nothing that reads or writes files is in it: the folder is this user's own from the start.
    networks = storage.load(adopt.write(adopted, tmp_path / "pair"))
    names = [path.partition("graph/")[2] for path in networks.shapes if "graph/" in path]
    own = ["stem/conv/Conv", "stem/act/Relu", "stem/depth/Conv", "pool/MaxPool", "gelu/Gelu"]
    assert names == [*own, "Reshape", "Div"]
    assert adopted.networks.classifier.get_layer("net").get_layer("graph").rows == (
        None if batch == "N" else 1
    )
    for name in ("c", "d", "e", "y"):
        model.graph.output.append(helper.make_tensor_value_info(name, FLOAT, None))
    reference = ReferenceEvaluator(model)
    taken = (X / 127.5 - 1).transpose(0, 3, 1, 2)
    prob, c, d, e, y = (
        np.concatenate(parts)
        for parts in zip(*(reference.run(None, {"input.1": x[None]}) for x in taken), strict=True)
    )
    expected = {
        Neuron("graph/stem/act/Relu", 4, (2, 5)): c[:, 4, 2, 5],
        Neuron("graph/stem/depth/Conv", 1, (7, 0)): d[:, 1, 7, 0],
        Neuron("graph/Div", 37): e[:, 37],
        Neuron("graph", 3): y[:, 3],
        Neuron("softmax", 3): prob[:, 3],
    }
    z = networks.score(X, tuple(expected))[1]
    want = np.stack(list(expected.values()), axis=1)
    np.testing.assert_allclose(z, want, rtol=1e-4, atol=1e-4)
    assert networks.name == "net" and networks.default.partition(":")[0].endswith("graph")


def test_maps_have_channels_last_whichever_way_the_file_has_them(tmp_path):
    """As of ConvNeXt, which normalises with channels last and goes back."""
    W, scale = rng.standard_normal((6, 3, 1, 1)).astype("f4"), np.linspace(1, 2, 6, dtype="f4")
    nodes = [
        helper.make_node("Conv", ["x", "W"], ["a"], name="/b/conv/Conv"),
        helper.make_node("Transpose", ["a"], ["t"], name="/b/there/Transpose", perm=[0, 2, 3, 1]),
        helper.make_node("LayerNormalization", ["t", "s"], ["n"], name="/b/norm/Norm", axis=-1),
        helper.make_node("Transpose", ["n"], ["u"], name="/b/back/Transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Tanh", ["u"], ["h"], name="/b/act/Tanh"),
        helper.make_node("ReduceMean", ["h", "two"], ["y"], name="/pool/Mean", keepdims=0),
    ]
    weights = {"W": W, "s": scale, "two": np.array([2, 3], np.int64)}
    made = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", FLOAT, ["n", 6])],
        [numpy_helper.from_array(one, name) for name, one in weights.items()],
    )
    opsets = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(made, opset_imports=opsets, ir_version=10), tmp_path / "n.onnx")
    networks = adopt.adopt(tmp_path / "n.onnx", generator(), pixel_range=(0, 1)).networks
    a = np.einsum("brcd,od->brco", (X / 255).astype(np.float64), W[..., 0, 0].astype(np.float64))
    n = (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + 1e-5) * scale
    expected = {
        Neuron("graph/conv/Conv", 4, (2, 5)): a[:, 2, 5, 4],
        Neuron("graph/norm/Norm", 4, (2, 5)): n[:, 2, 5, 4],
        Neuron("graph/act/Tanh", 4, (2, 5)): np.tanh(n)[:, 2, 5, 4],
    }
    expected = {
        Neuron(
            next(path for path in networks.shapes if path.endswith(k.layer[6:])), k.unit, k.at
        ): v
        for k, v in expected.items()
    }
    z = networks.score(X, tuple(expected))[1]
    np.testing.assert_allclose(z, np.stack(list(expected.values()), 1), rtol=1e-3, atol=1e-4)


def test_an_open_size_and_weights_beside_the_file(tmp_path):
    model = network(tmp_path / "net.onnx", size=None)
    with pytest.raises(UsageError, match="expected --size=ROWS,COLUMNS,CHANNELS for .*net.onnx"):
        loading.open(tmp_path / "net.onnx", "classifier")
    opened = loading.open(tmp_path / "net.onnx", "classifier", size=(8, 8, 3))
    assert opened.model.get_layer("graph").rows is None  # many images are computed at a time
    x = X.transpose(0, 3, 1, 2) / 255
    (want,) = ReferenceEvaluator(model).run(None, {"input.1": x})
    np.testing.assert_allclose(opened.model(x), want, rtol=1e-3, atol=1e-6)
    options = {"save_as_external_data": True, "location": "net.data", "size_threshold": 100}
    onnx.save(model, tmp_path / "apart.onnx", **options)
    apart = loading.open(tmp_path / "apart.onnx", "classifier", size=(8, 8, 3))
    np.testing.assert_array_equal(apart.model(x), opened.model(x))
    data = tmp_path / "net.data"
    data.write_bytes(data.read_bytes()[:-4])
    with pytest.raises(RefusedInput, match=r"ends beyond net.data; is it cut off\?|declares more"):
        loading.open(tmp_path / "apart.onnx", "classifier", size=(8, 8, 3))
    data.rename(tmp_path / "other.data")
    with pytest.raises(RefusedInput, match=r"weights in 'net.data', expected a file beside it"):
        loading.open(tmp_path / "apart.onnx", "classifier", size=(8, 8, 3))


def external(location):
    """A change of a model: its first weight lies in a file, as it says."""

    def change(model):
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    return change


def bomb(model):
    """Ones of a terabyte, out of three numbers."""
    shape = numpy_helper.from_array(np.array([1, 1 << 20, 1 << 20], np.int64), "huge")
    model.graph.initializer.append(shape)
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["huge"], ["ones"]))


def spread(model):
    """A product of two small weights that is as large."""
    for name, shape in (("column", (1 << 15, 1)), ("row", (1, 1 << 15))):
        model.graph.initializer.append(numpy_helper.from_array(np.ones(shape, "f4"), name))
    model.graph.node.insert(0, helper.make_node("MatMul", ["column", "row"], ["wide"]))


def renamed(model):
    model.graph.node[4].op_type, model.graph.node[1].domain = "Gulp", "com.example"


def fused(model):
    model.graph.node[1].op_type, model.graph.node[1].domain = "QuickGelu", "com.microsoft"


def longer(model):
    model.graph.initializer[0].dims[0] = 1 << 40


def absent(model):
    model.graph.node[1].input[0] = "nowhere"


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (renamed, UsageError, "known here, .* has Gulp, com.example.Relu; docs/own_network.md"),
        (fused, UsageError, "com.microsoft.QuickGelu, ONNX Runtime's own: give the file that it"),
        (external("../secret"), RefusedInput, "weights in '../secret', expected a file beside it"),
        (external("/etc/passwd"), RefusedInput, "weights in '/etc/passwd', expected a file"),
        (bomb, RefusedInput, "ConstantOfShape .*gives more than"),
        (spread, RefusedInput, "MatMul .*gives more than"),
        (longer, RefusedInput, "damaged tensor W"),
        (absent, RefusedInput, "Relu takes nowhere, which is absent"),
    ],
)
def test_files_that_are_refused(tmp_path, change, error, words):
    network(tmp_path / "net.onnx", change=change)
    with pytest.raises(error, match=words):
        loading.open(tmp_path / "net.onnx", "classifier")


def test_a_file_cut_off_and_one_of_another_kind(tmp_path):
    network(tmp_path / "net.onnx")
    whole = (tmp_path / "net.onnx").read_bytes()
    for cut in (b"", whole[: len(whole) // 2], b"not an ONNX file"):
        (tmp_path / "net.onnx").write_bytes(cut)
        with pytest.raises(RefusedInput, match=r"net.onnx: no ONNX file"):
            loading.open(tmp_path / "net.onnx", "classifier")


def test_what_onnx_runtime_gives_decides(tmp_path, monkeypatch):
    network(tmp_path / "net.onnx")
    monkeypatch.setitem(file.OPERATORS, "Relu", lambda attributes, x: 1.1 * tf.nn.relu(x))
    with pytest.raises(RefusedInput, match=r"output prob is off by .* from what ONNX Runtime"):
        loading.open(tmp_path / "net.onnx", "classifier")


def test_without_the_extra_a_line_says_so(tmp_path, monkeypatch):
    network(tmp_path / "net.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"onnxruntime for .*: pip install 'tf_inverse\[onnx\]'"):
        loading.open(tmp_path / "net.onnx", "classifier")


def test_each_operator_is_in_one_table():
    """Equal stands in two: of shapes, whose sizes may be open, it is another."""
    tables = file.TABLES
    names = [name for table in tables for name in table]
    assert {name for name in names if names.count(name) > 1} <= {"Equal"}
