"""Operators of ONNX that few networks have: gradients, loops, lists, products of large matrices."""

import importlib.util

import numpy as np
import pytest
import tensorflow as tf

from tf_inverse.adopt import loading
from tf_inverse.adopt.onnx import control, file, operators
from tf_inverse.adopt.onnx import graph as onnx_graph
from tf_inverse.errors import UsageError
from tf_inverse.layers import fast

if any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime")):
    pytest.skip("needs onnx and onnxruntime: the extra onnx", allow_module_level=True)

import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
rng = np.random.default_rng(0)


def value(name, kind=FLOAT, shape=None):
    return helper.make_tensor_value_info(name, kind, shape)


def made(nodes, shapes, weights=(), outputs=("y",), opset=22):
    """A model of nodes, of floats of these shapes by name."""
    graph = helper.make_graph(
        [helper.make_node(*parts, **attributes) for *parts, attributes in nodes],
        "net",
        [value(name, FLOAT, shape) for name, shape in shapes.items()],
        [value(name) for name in outputs],
        [numpy_helper.from_array(np.asarray(one), name) for name, one in dict(weights).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def ours(model, x, names=("y",)):
    """What a model gives for tensors by name, here."""
    weights = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    inputs = {name: (list(one.shape), "float32") for name, one in x.items()}
    contents = file.Contents(model, weights, inputs, list(names))
    return onnx_graph.function(contents, "f.onnx")(**x)


SCAN = {"x": (2, 3, 5, 6), "g": (2, 4, 3, 2)}
STEPS = {"x": (5, 2, 3), "W": (2, 16, 3), "R": (2, 16, 4), "b": (2, 32)}
BACK = {"h": (2, 2, 4), "c": (2, 2, 4), "P": (2, 12)}
CASES = [
    ("GridSample", SCAN, ["x", "g"], {"mode": "linear", "padding_mode": "reflection"}),
    ("GridSample", SCAN, ["x", "g"], {"mode": "cubic", "align_corners": 1}),
    (
        "DeformConv",
        {"x": (2, 4, 5, 6), "W": (6, 2, 2, 3), "o": (2, 24, 2, 6), "b": (6,), "m": (2, 12, 2, 6)},
        ["x", "W", "o", "b", "m"],
        {"group": 2, "offset_group": 2, "strides": [2, 1], "pads": [0, 1, 0, 1]},
    ),
    ("AffineGrid", {"t": (2, 2, 3)}, ["t", "sizes"], {}),
    (
        "LSTM",
        STEPS | BACK,
        ["x", "W", "R", "b", "", "h", "c", "P"],
        {"hidden_size": 4, "direction": "bidirectional"},
    ),
    (
        "GRU",
        {"x": (5, 2, 3), "W": (1, 12, 3), "R": (1, 12, 4), "b": (1, 24)},
        ["x", "W", "R", "b"],
        {"hidden_size": 4, "direction": "reverse", "linear_before_reset": 1},
    ),
    ("Col2Im", {"x": (2, 12, 4)}, ["x", "image", "block"], {"strides": [2, 1]}),
    ("ScatterElements", {"x": (4, 3), "u": (2, 3)}, ["x", "at", "u"], {"reduction": "add"}),
    ("LpNormalization", {"x": (3, 4)}, ["x"], {"p": 1, "axis": 0}),
]
WHOLE = {"sizes": [2, 3, 4, 5], "image": [5, 4], "block": [2, 3], "at": [[0, 1, 3], [0, 2, -1]]}


@pytest.mark.parametrize(("kind", "shapes", "taken", "attributes"), CASES)
def test_gradients_are_those_of_differences(kind, shapes, taken, attributes):
    """Along a random line, in float64; values are those of ONNX Runtime."""
    weights = {name: np.array(WHOLE[name]) for name in taken if name in WHOLE}
    model = made([(kind, taken, ["y"], attributes)], shapes, weights)
    x, v = ({k: rng.standard_normal(s).astype("f4") for k, s in shapes.items()} for _ in "xv")
    (want,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, x)
    t = {name: tf.constant(one, tf.float64) for name, one in x.items()}
    with tf.GradientTape() as tape:
        tape.watch(list(t.values()))
        y = ours(model, t)["y"]
    np.testing.assert_allclose(y, want, rtol=1e-4, atol=1e-5)
    w = rng.standard_normal(want.shape)
    slopes = tape.gradient(y, list(t.values()), output_gradients=tf.constant(w))
    got = sum(np.vdot(slope, v[name]) for name, slope in zip(t, slopes, strict=True))
    ends = [
        np.vdot(w, ours(model, {k: one + step * v[k].astype("f8") for k, one in t.items()})["y"])
        for step in (1e-6, -1e-6)
    ]
    np.testing.assert_allclose(got, (ends[0] - ends[1]) / 2e-6, rtol=1e-6)


def body(nodes, inputs, outputs, weights=()):
    """A graph within a graph."""
    return helper.make_graph(
        [helper.make_node(*parts, **attributes) for *parts, attributes in nodes],
        "body",
        inputs,
        outputs,
        [numpy_helper.from_array(np.asarray(one), name) for name, one in dict(weights).items()],
    )


def looped(going="on"):
    """h <- tanh(h W + i), three times, and all that came of it."""
    nodes = [
        ("Cast", ["i"], ["step"], {"to": FLOAT}),
        ("MatMul", ["h", "W"], ["hw"], {}),
        ("Add", ["hw", "step"], ["sum"], {}),
        ("Tanh", ["sum"], ["next"], {}),
        ("Identity", ["next"], ["kept"], {}),
        ("Less", ["i", "last"], ["more"], {}),
        ("ReduceMax", ["next"], ["most"], {"keepdims": 0}),
        ("Greater", ["most", "step"], ["far"], {}),
    ]
    ends = [value({"on": "more"}.get(going, going), BOOL, []), value("next"), value("kept")]
    within = [value("i", INT, []), value("c", BOOL, []), value("h")]
    return body(nodes, within, ends, {"last": np.array(2)})


WEIGHTS = {"W": rng.standard_normal((4, 4)).astype("f4"), "count": np.array(7), "axis": [0]}


def test_loops_of_a_known_length_and_lists():
    scanned = body(
        [("Mul", ["s", "row"], ["t"], {}), ("Add", ["t", "row"], ["u"], {})],
        [value("s"), value("row")],
        [value("t", FLOAT, [2, 4]), value("u", FLOAT, [2, 4])],
    )
    nodes = [
        ("Loop", ["count", "", "x"], ["h", "all"], {"body": looped()}),
        ("Scan", ["x0", "all"], ["s", "rows"], {"body": scanned, "num_scan_inputs": 1}),
        ("SplitToSequence", ["rows"], ["list"], {"axis": 0, "keepdims": 0}),
        ("SequenceInsert", ["list", "h", "zero"], ["longer"], {}),
        ("SequenceErase", ["longer", "one"], ["shorter"], {}),
        ("SequenceAt", ["shorter", "minus"], ["end"], {}),
        ("SequenceConstruct", ["h", "end", "s"], ["three"], {}),
        ("ConcatFromSequence", ["three"], ["joined"], {"axis": 1, "new_axis": 1}),
        ("ConcatFromSequence", ["shorter"], ["more"], {"axis": 1}),
        ("SequenceLength", ["shorter"], ["n"], {}),
        ("Cast", ["n"], ["number"], {"to": FLOAT}),
        ("Mul", ["more", "number"], ["y"], {}),
    ]
    places = {"zero": np.array(0), "one": np.array(1), "minus": np.array(-1)}
    weights = WEIGHTS | places | {"x0": np.ones((2, 4), "f4")}
    model = made(nodes, {"x": (2, 4)}, weights, ("joined", "y"))
    x = rng.standard_normal((2, 4)).astype("f4")
    got = ours(model, {"x": tf.constant(x)}, ("joined", "y"))
    want = onnxruntime.InferenceSession(model.SerializeToString()).run(["joined", "y"], {"x": x})
    assert got["joined"].shape == (2, 3, 4) and got["y"].shape == (2, 12)
    for name, one in zip(("joined", "y"), want, strict=True):
        np.testing.assert_allclose(got[name], one, rtol=1e-5, atol=1e-5)


def test_half_precision_within_a_loop(tmp_path):
    """What a branch or a loop holds is put into float32 as well."""
    step = looped()
    step.node[0].attribute[0].i = TensorProto.FLOAT16
    for one in (step.input[2], *step.output[1:]):
        one.type.tensor_type.elem_type = TensorProto.FLOAT16
    loop = ("Loop", ["count", "", "half"], ["h", "all"], {"body": step})
    cast = ("Cast", ["x"], ["half"], {"to": TensorProto.FLOAT16})
    nodes = [cast, loop, ("Cast", ["h"], ["y"], {"to": FLOAT})]
    weights = WEIGHTS | {"W": WEIGHTS["W"].astype("f2")}
    onnx.save(made(nodes, {"x": (2, 4)}, weights), tmp_path / "half.onnx")
    wide = made(
        [("Loop", ["count", "", "x"], ["y", "all"], {"body": looped()})], {"x": (2, 4)}, WEIGHTS
    )
    contents = file.read(tmp_path / "half.onnx")
    x = rng.standard_normal((2, 4)).astype("f4")
    (got,) = onnx_graph.function(contents, "half.onnx")(x=tf.constant(x)).values()
    (want,) = onnxruntime.InferenceSession(wide.SerializeToString()).run(None, {"x": x})
    assert got.dtype == tf.float32
    np.testing.assert_allclose(got, want, rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        (
            [("Loop", ["count", "", "x"], ["y", "all"], {"body": looped("far")})],
            "a Loop whose end is",
        ),
        ([("RandomNormalLike", ["x"], ["y"], {})], r"draws random numbers \(RandomNormalLike\)"),
        (
            [
                ("BatchNormalization", ["x", *4 * "b"], ["y", "m", "v"], {"training_mode": 1}),
            ],
            "BatchNormalization at training.*model.eval",
        ),
        (
            [("LSTM", ["x", "W3", "R3"], ["y", "", ""], {"hidden_size": 1, "clip": 2.0})],
            "a recurrent layer with clip",
        ),
        ([("Mul", ["x", "t"], ["y"], {})], "axis of images, t of .* is a single number"),
        (
            [("MaxPool", ["x4"], ["p", "i"], {"kernel_shape": [1, 1]}), ("Abs", ["i"], ["y"], {})],
            "an output i that is not given here",
        ),
    ],
)
def test_what_is_refused_by_name(tmp_path, nodes, words):
    weights = WEIGHTS | {"b": np.ones(4, "f4"), "x4": np.ones((1, 1, 2, 2), "f4")}
    weights |= {"W3": np.ones((1, 4, 4), "f4"), "R3": np.ones((1, 4, 1), "f4")}
    inputs = {"x": (2, 4)} | ({"t": ()} if "t" in nodes[0][1] else {})
    onnx.save(made(nodes, inputs, weights), tmp_path / "n.onnx")
    with pytest.raises(UsageError, match=words):
        loading.open(tmp_path / "n.onnx", "classifier")


def test_slices_by_the_number_of_images_leave_it_open(tmp_path):
    """As PyTorch's older exporter writes a gather, and a grid for all images."""
    place = rng.uniform(-1, 1, (1, 2, 2, 2)).astype("f4")
    nodes = [
        ("Shape", ["x"], ["s"], {}),
        ("Slice", ["x", "none", "s"], ["part"], {}),
        ("Slice", ["s", "none", "one"], ["n"], {}),
        ("Concat", ["n", "rest"], ["sides"], {"axis": 0}),
        ("Expand", ["place", "sides"], ["grid"], {}),
        ("GridSample", ["part", "grid"], ["seen"], {}),
        ("Flatten", ["seen"], ["y"], {}),
    ]
    weights = {"none": np.zeros(4, int), "one": np.array([1]), "rest": np.array([2, 2, 2])}
    weights |= {"place": place}
    nodes[2][1][1] = "first"
    weights["first"] = np.array([0])
    onnx.save(made(nodes, {"x": ("n", 1, 4, 4)}, weights), tmp_path / "s.onnx")
    model = loading.open(tmp_path / "s.onnx", "classifier").model
    assert model.get_layer("graph").rows is None
    x = rng.standard_normal((3, 1, 4, 4)).astype("f4")
    (want,) = onnxruntime.InferenceSession(tmp_path / "s.onnx").run(None, {"x": x})
    np.testing.assert_allclose(model(x), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("opset", "kind"), [(9, "Upsample"), (10, "Resize")])
def test_files_older_than_opset_11_have_their_pixels_where_they_lay(tmp_path, opset, kind):
    """The converter of onnx says nothing of where, so that they moved by half a pixel."""
    weights = {"twice": np.array([1, 1, 2, 3], "f4")}
    nodes = [(kind, ["x", "twice"], ["u"], {"mode": "linear"}), ("Flatten", ["u"], ["y"], {})]
    model = made(nodes, {"x": ("n", 1, 4, 4)}, weights, opset=opset)
    model.ir_version = 4
    onnx.save(model, tmp_path / "old.onnx")
    got = loading.open(tmp_path / "old.onnx", "classifier").model
    x = rng.standard_normal((3, 1, 4, 4)).astype("f4")
    (want,) = onnxruntime.InferenceSession(tmp_path / "old.onnx").run(None, {"x": x})
    np.testing.assert_allclose(got(x), want, rtol=1e-5, atol=1e-5)


def test_a_loop_has_an_end(monkeypatch):
    monkeypatch.setattr(control, "MOST", 2)
    model = made([("Loop", ["count", "", "x"], ["y", "all"], {"body": looped()})], {}, WEIGHTS)
    with pytest.raises(NotImplementedError, match="a loop of more than 2 steps"):
        ours(model, {"x": tf.zeros((2, 4))})


def test_a_large_product_is_that_of_a_batch_of_one(monkeypatch):
    """As a graph it is another operation, and its values and gradients are NumPy's in float64."""
    monkeypatch.setattr(fast, "LARGE", 12)
    monkeypatch.setattr(fast, "onednn", lambda: True)
    x, B, d = (rng.standard_normal(s).astype("f4") for s in ((2, 3), (4, 3), (2, 4)))

    def product(a):
        return operators.OPERATORS["Gemm"]({"transB": 1}, a, tf.constant(B), tf.constant(d[0]))

    run = tf.function(product, autograph=False).get_concrete_function(tf.TensorSpec((None, 3)))
    assert "BatchMatMulV2" in {op.type for op in run.graph.get_operations()}
    t = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(t)
        y = product(t)
    np.testing.assert_allclose(y, x.astype("f8") @ B.T + d[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(tape.gradient(y, t, d), d.astype("f8") @ B, rtol=1e-5, atol=1e-6)
