"""ONNX files in other forms than float32: half, quantised, in a folder, without numbers."""

import importlib.util

import numpy as np
import pytest
import tensorflow as tf

from tf_inverse.adopt import loading
from tf_inverse.adopt.onnx import file, quantised
from tf_inverse.adopt.onnx import graph as onnx_graph
from tf_inverse.errors import RefusedInput, UsageError

if any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime")):
    pytest.skip("needs onnx and onnxruntime: the extra onnx", allow_module_level=True)

import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
rng = np.random.default_rng(0)
W, V = (rng.standard_normal(shape) / 5 for shape in ((4, 3, 3, 3), (5, 4)))
X = rng.standard_normal((3, 3, 8, 8)).astype("f4")


def written(path, nodes, weights, kind=FLOAT, opset=19):
    """A file of one input `x` of pictures and one output `y` of five numbers."""
    graph = helper.make_graph(
        [helper.make_node(*parts, **attributes) for *parts, attributes in nodes],
        "net",
        [helper.make_tensor_value_info("x", kind, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", kind, ["n", 5])],
        [numpy_helper.from_array(np.asarray(one), name) for name, one in weights.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


def plain(h="x", w="W", v="V"):
    return [
        ("Conv", [h, w], ["a"], {"pads": [1, 1, 1, 1]}),
        ("Relu", ["a"], ["r"], {}),
        ("GlobalAveragePool", ["r"], ["p"], {}),
        ("Flatten", ["p"], ["f"], {}),
        ("Gemm", ["f", v], ["y"], {"transB": 1}),
    ]


@pytest.mark.parametrize("inside", [True, False])
def test_half_precision_computes_in_float32(tmp_path, inside):
    """As if the file's weights had been float32, with casts of its own or without."""
    kind = HALF if inside else FLOAT
    nodes, weights = plain(), {"W": W.astype("f2"), "V": V.astype("f2")}
    if not inside:
        nodes = plain("half")
        nodes[-1][2][0] = "z"
        nodes = [
            ("Cast", ["x"], ["half"], {"to": HALF}),
            *nodes,
            ("Cast", ["z"], ["y"], {"to": FLOAT}),
        ]
    path = written(tmp_path / "half.onnx", nodes, weights, kind)
    model = loading.open(path, "classifier").model
    assert model.input.dtype == model.outputs[0].dtype == "float32"
    assert model.get_layer("graph").rows is None
    wide = {name: one.astype("f4") for name, one in weights.items()}
    same = written(tmp_path / "wide.onnx", plain(), wide)
    (want,) = onnxruntime.InferenceSession(same).run(None, {"x": X})
    np.testing.assert_allclose(model(X), want, rtol=1e-5, atol=1e-6)


def pairs(name, scale, zero):
    """The two nodes of a pair, and their constants."""
    constants = {f"{name}_s": np.float32(scale), f"{name}_z": zero}
    taken = list(constants)
    quantise = ("QuantizeLinear", [name, *taken], [f"{name}_q"], {})
    return [quantise, ("DequantizeLinear", [f"{name}_q", *taken], [f"{name}_d"], {})], constants


def test_a_quantised_file_rounds_as_onnx_runtime_and_has_gradients(tmp_path):
    first, more = pairs("x", 0.02, np.uint8(128))
    second, others = pairs("a", 0.03, np.int8(-128))
    scales = np.abs(W).max(axis=(1, 2, 3)).astype("f4") / 127
    weights = {
        "Wq": np.round(W / scales[:, None, None, None]).astype("i1"),
        "Ws": scales,
        "Wz": np.zeros(4, "i1"),
        "V": V.astype("f4"),
    }
    nodes = plain("x_d", "W")
    nodes[1:2] = [*second, ("Relu", ["a_d"], ["r"], {})]
    nodes = [*first, ("DequantizeLinear", ["Wq", "Ws", "Wz"], ["W"], {"axis": 0}), *nodes]
    path = written(tmp_path / "q.onnx", nodes, weights | more | others)
    model = loading.open(path, "classifier").model
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    (want,) = onnxruntime.InferenceSession(path, options).run(None, {"x": X})
    np.testing.assert_allclose(model(X), want, rtol=1e-4, atol=1e-5)
    # A pair is no layer of its own: the layer before it gives what comes out of the pair.
    layers = list(model.get_layer("graph").outputs)
    assert layers == ["x_q", "a", "r", "p", "f", ""]
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        s = model(x)[:, 2]
    assert np.count_nonzero(tape.gradient(s, x)) > X.size // 2


def test_the_gradient_of_rounding_is_that_of_a_line_within_its_ends():
    """Halves round to the even number; beyond the ends whole numbers stay, without a slope."""
    x = tf.constant([-80.0, -1.3, 0.2, 0.25, 0.75, 31.0, 90.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        q = quantised.OPERATORS["QuantizeLinear"]({}, x, np.float32(0.5), np.int8(0))
    np.testing.assert_array_equal(q, [-128, -3, 0, 0, 2, 62, 127])
    np.testing.assert_array_equal(tape.gradient(q, x), [0, 2, 2, 2, 2, 2, 0])


def test_outputs_that_are_no_numbers_are_told_in_words(tmp_path):
    weights = {"W": W.astype("f4"), "V": V.astype("f4")}
    weights["V"][3] = np.nan
    path = written(tmp_path / "nan.onnx", plain(), weights)
    with pytest.raises(RefusedInput, match=r"output y is no number \(NaN\) for images of noise"):
        loading.open(path, "classifier")


def test_as_many_numbers_as_there_are_images(tmp_path):
    """A range over images, as PyTorch's newer exporter makes it, leaves their number open."""
    weights = {"W": W.astype("f4"), "V": V.astype("f4")}
    weights |= {"zero": np.array(0), "one": np.array(1)}
    nodes = [
        ("Shape", ["x"], ["s"], {}),
        ("Gather", ["s", "zero"], ["n"], {}),
        ("Range", ["zero", "n", "one"], ["i"], {}),
        ("Gather", ["x", "i"], ["same"], {}),
        *plain("same"),
    ]
    path = written(tmp_path / "r.onnx", nodes, weights)
    model = loading.open(path, "classifier").model
    assert model.get_layer("graph").rows is None
    (want,) = onnxruntime.InferenceSession(path).run(None, {"x": X})
    np.testing.assert_allclose(model(X), want, rtol=1e-4, atol=1e-5)


def test_names_may_be_of_any_letters(tmp_path):
    """TensorFlow's scopes take those of ASCII alone; others become lines."""
    nodes, weights = plain("entrée"), {"W": W.astype("f4"), "V": V.astype("f4")}
    nodes[0][2][0] = nodes[1][1][0] = "bloc é/conv"
    path = written(tmp_path / "n.onnx", nodes, weights)
    model = onnx.load(path)
    model.graph.input[0].name = "entrée"
    onnx.save(model, path)
    got = loading.open(path, "classifier").model
    assert next(iter(got.get_layer("graph").outputs)) == "bloc__/conv"
    (want,) = onnxruntime.InferenceSession(path).run(None, {"entrée": X})
    np.testing.assert_allclose(got(X), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["MatMulInteger", "QLinearConv"])
def test_operators_of_whole_numbers_are_refused_with_a_way_out(tmp_path, kind):
    path = written(tmp_path / "w.onnx", [(kind, ["x", "x"], ["y"], {})], {})
    with pytest.raises(UsageError, match=f"{kind}, of whole numbers.*QuantFormat.QDQ"):
        loading.open(path, "classifier")


def test_the_one_file_in_a_folder_is_taken(tmp_path):
    """As optimum writes it: model.onnx beside config.json."""
    folder = tmp_path / "mine"
    folder.mkdir()
    weights = {"W": W.astype("f4"), "V": V.astype("f4")}
    path = written(folder / "model.onnx", plain(), weights)
    (folder / "config.json").write_text("{}")
    model = loading.open(folder, "classifier").model
    assert model.name == "mine"
    np.testing.assert_array_equal(model(X), loading.open(path, "classifier").model(X))


def test_attention_as_opset_23_has_it(tmp_path):
    """Against the same products and softmax in NumPy, in float64."""
    tokens = {"shape": np.array([-1, 16, 12], np.int64), "V": V.astype("f4"), "two": np.array([1])}
    tokens["up"] = rng.standard_normal((12, 12)).astype("f4") / 3
    tokens["down"] = rng.standard_normal((12, 5)).astype("f4") / 3
    heads = {"q_num_heads": 3, "kv_num_heads": 3}
    nodes = [
        ("Reshape", ["x", "shape"], ["t"], {}),
        ("MatMul", ["t", "up"], ["k"], {}),
        ("Attention", ["t", "k", "t"], ["h"], heads),
        ("ReduceMean", ["h", "two"], ["m"], {"keepdims": 0}),
        ("MatMul", ["m", "down"], ["y"], {}),
    ]
    path = written(tmp_path / "a.onnx", nodes, tokens, opset=23)
    got = loading.open(path, "classifier").model(X)
    t = X.reshape(3, 16, 12).astype(np.float64)
    parts = [one.reshape(3, 16, 3, 4) for one in (t, t @ tokens["up"], t)]
    scores = np.einsum("bqhd,bkhd->bhqk", *parts[:2]) / 2
    share = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    h = np.einsum("bhqk,bkhd->bqhd", share, parts[2]).reshape(3, 16, 12)
    np.testing.assert_allclose(got, h.mean(1) @ tokens["down"], rtol=1e-4, atol=1e-5)


def squeezed(taken, given, axis):
    """An If as PyTorch's older exporter writes `x.squeeze(axis)` of a size that is open."""
    shape = [given + part for part in ("_s", "_n", "_one", "_c")]
    branches = {}
    for branch, kind, more in (("then", "Squeeze", [f"{given}_axis"]), ("else", "Identity", [])):
        end = f"{given}_{branch}"
        branches[f"{branch}_branch"] = helper.make_graph(
            [helper.make_node(kind, [taken, *more], [end])],
            end,
            [],
            [helper.make_tensor_value_info(end, FLOAT, None)],
            [numpy_helper.from_array(np.array([axis]), f"{given}_axis")] if more else [],
        )
    return [
        ("Shape", [taken], [shape[0]], {}),
        ("Gather", [shape[0], "place"], [shape[1]], {}),
        ("Equal", [shape[1], "one"], [shape[3]], {}),
        ("If", [shape[3]], [given], branches),
    ]


def normalised():
    """nn.LocalResponseNorm over 3 channels as PyTorch writes it: a mean along the depth."""
    nodes = [
        ("Conv", ["x", "W"], ["a"], {}),
        ("Mul", ["a", "a"], ["q"], {}),
        ("Unsqueeze", ["q", "place"], ["u"], {}),
        ("Pad", ["u", "pads"], ["z"], {}),
        ("AveragePool", ["z"], ["m"], {"kernel_shape": [3, 1, 1], "strides": [1, 1, 1]}),
        *squeezed("m", "s", 1),
        ("Add", ["s", "half"], ["k"], {}),
        ("Div", ["a", "k"], ["n"], {}),
        *plain("n", "W2")[2:],
    ]
    nodes[-3][1][0] = "n"
    pads = np.zeros(10, np.int64)
    pads[[2, 7]] = 1
    constants = {"place": np.array([1]), "one": np.array([1]), "half": np.float32(0.5)}
    return nodes, {"W": W.astype("f4"), "V": V.astype("f4"), "pads": pads} | constants


def test_ifs_over_shapes_and_means_over_neighbouring_channels(tmp_path):
    nodes, weights = normalised()
    path = written(tmp_path / "lrn.onnx", nodes, weights, opset=17)
    model = loading.open(path, "classifier").model
    assert model.get_layer("graph").rows is None
    a = np.stack(
        [
            np.einsum("bcij,ocij->bo", X[:, :, i : i + 3, j : j + 3].astype("f8"), W)
            for i in range(6)
            for j in range(6)
        ]
    )
    q = np.pad(a**2, ((0, 0), (0, 0), (1, 1)))
    n = a / (0.5 + (q[..., :-2] + q[..., 1:-1] + q[..., 2:]) / 3)
    np.testing.assert_allclose(model(X), n.mean(0) @ V.T, rtol=1e-4, atol=1e-5)


def test_squeeze_takes_no_axis_of_images_away(tmp_path):
    """PyTorch's `x.squeeze()` names no axes; and the images may stand on another than the first."""
    weights = {"W": W.astype("f4"), "V": V.astype("f4")}
    nodes = plain()
    nodes[3:4] = [
        ("Squeeze", ["p"], ["s"], {}),
        ("Transpose", ["s"], ["t"], {"perm": [1, 0]}),
        ("Flatten", ["t"], ["u"], {"axis": 1}),
        ("Transpose", ["u"], ["f"], {"perm": [1, 0]}),
    ]
    path = written(tmp_path / "s.onnx", nodes, weights)
    model = loading.open(path, "classifier").model
    assert model.get_layer("graph").rows is None
    (want,) = onnxruntime.InferenceSession(path).run(None, {"x": X})
    np.testing.assert_allclose(model(X), want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model(X[:1]), want[:1], rtol=1e-4, atol=1e-5)


def test_outputs_that_are_places_or_single_numbers(tmp_path):
    """TopK's places have no gradients, and are left out; `x.squeeze(1)` of one logit has a row."""
    weights = {"W": W.astype("f4"), "V": V[:1].astype("f4"), "k": np.array([1])}
    nodes = plain()
    nodes[-1][2][0] = "l"
    nodes += [("Squeeze", ["l", "k"], ["y"], {}), ("TopK", ["l", "k"], ["top", "place"], {})]
    path = written(tmp_path / "t.onnx", nodes, weights)
    whole = helper.make_tensor_value_info("place", TensorProto.INT64, ["n", 1])
    model = onnx.load(path)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", FLOAT, ["n"]))
    model.graph.output.append(whole)
    onnx.save(model, path)
    got = loading.open(path, "classifier").model
    (want,) = onnxruntime.InferenceSession(path).run(["y"], {"x": X})
    assert got.output_shape == (None, 1)
    np.testing.assert_allclose(got(X)[:, 0], want, rtol=1e-4, atol=1e-5)
    del model.graph.output[0]
    onnx.save(model, path)
    with pytest.raises(UsageError, match=r"an output of floats, .*t.onnx has place \(int64\)"):
        loading.open(path, "classifier")


def test_an_open_size_of_a_file_with_channels_last(tmp_path):
    """As tf2onnx writes a Keras model of pictures of any size."""
    nodes, weights = plain("first"), {"W": W.astype("f4"), "V": V.astype("f4")}
    nodes.insert(0, ("Transpose", ["x"], ["first"], {"perm": [0, 3, 1, 2]}))
    path = written(tmp_path / "last.onnx", nodes, weights)
    model = onnx.load(path)
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", FLOAT, ["n", "h", "w", 3]))
    onnx.save(model, path)
    got = loading.open(path, "classifier", size=(7, 8, 3)).model
    x = X[:, :, :7].transpose(0, 2, 3, 1)
    (want,) = onnxruntime.InferenceSession(path).run(None, {"x": x})
    np.testing.assert_allclose(got(x), want, rtol=1e-4, atol=1e-5)
    with pytest.raises(UsageError, match=r"fits the input \[any, any, 3\] of .*got --size=7,8,1"):
        loading.open(path, "classifier", size=(7, 8, 1))


def test_a_refusal_names_the_file_and_not_what_was_made_of_it(tmp_path):
    nodes, weights = plain(), {"W": W.astype("f4"), "V": V.astype("f4")}
    nodes[0][1][0] = "z"
    nodes.insert(0, ("Sub", ["x", "mean"], ["z"], {}))
    path = written(tmp_path / "two.onnx", nodes, weights)
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("mean", FLOAT, [1, 3, 1, 1]))
    onnx.save(model, path)
    with pytest.raises(UsageError, match="equally many rows, those of .*two.onnx have: mean 1, x"):
        loading.open(path, "classifier")


def test_an_if_that_the_image_decides_is_refused(tmp_path):
    nodes, weights = normalised()
    nodes[7] = ("Greater", ["image", "half"], ["s_c"], {})
    nodes.insert(7, ("ReduceMax", ["x"], ["image"], {"keepdims": 0}))
    path = written(tmp_path / "if.onnx", nodes, weights, opset=17)
    with pytest.raises(UsageError, match="an If whose condition is computed from the image"):
        loading.open(path, "classifier")


@pytest.mark.parametrize(
    ("kind", "shape", "attributes", "more"),
    [
        ("ConvTranspose", (4, 1, 3, 3), {"group": 4, "strides": [2, 2], "pads": [1, 1, 1, 1]}, ()),
        ("ConvTranspose", (4, 3, 2, 3), {"group": 2, "dilations": [2, 1], "strides": [1, 3]}, ()),
        ("ConvTranspose", (4, 2, 3, 2), {"strides": [2, 3], "output_shape": [12, 14]}, ()),
        ("Pad", None, {"mode": "edge"}, [0, 0, 1, 2, 0, 0, 3, 0]),
        ("Pad", None, {"mode": "wrap"}, [0, 0, 1, 2, 0, 0, 3, 6]),
        ("Pad", None, {}, [0, 0, -1, 2, 0, 0, 3, -2]),
    ],
)
def test_linear_operators_and_their_gradients(kind, shape, attributes, more):
    """Of a linear f, <w, f(x)> is <x, its gradient>; values are those of ONNX Runtime."""
    x = rng.standard_normal((2, 4, 5, 6)).astype("f4")
    other = np.array(more) if shape is None else rng.standard_normal(shape).astype("f4")
    graph = helper.make_graph(
        [helper.make_node(kind, ["x", "o"], ["y"], **attributes)],
        "net",
        [helper.make_tensor_value_info("x", FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", FLOAT, None)],
        [numpy_helper.from_array(other, "o")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    (want,) = onnxruntime.InferenceSession(made.SerializeToString()).run(None, {"x": x})
    contents = file.Contents(made, {"o": other}, {"x": (list(x.shape), "float32")}, ["y"])
    w, t = rng.standard_normal(want.shape).astype("f4"), tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(t)
        y = onnx_graph.function(contents, "f.onnx")(x=t)["y"]
    np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-5)
    gradient = tape.gradient(y, t, output_gradients=tf.constant(w))
    np.testing.assert_allclose(np.vdot(gradient, x), np.vdot(w, want), rtol=1e-4)


def test_slopes_where_tensorflow_has_none():
    """Of a norm at zero, and of the rest of a division, which is x - y trunc(x / y)."""
    x, y = tf.constant([[0.0, 0.0], [3.0, -4.0]]), tf.constant([1.5, 2.5])
    with tf.GradientTape() as tape:
        tape.watch((x, y))
        norms = file.OPERATORS["ReduceL2"]({"keepdims": 0}, x, np.array([1]))
        rest = file.OPERATORS["Mod"]({"fmod": 1}, x, y)
        s = tf.reduce_sum(norms) + tf.reduce_sum(rest)
    np.testing.assert_allclose(norms, [0, 5])
    np.testing.assert_allclose(rest, np.fmod(x, y))
    to_x, to_y = tape.gradient(s, (x, y))
    np.testing.assert_allclose(to_x, [[1, 1], [1.6, 0.2]], rtol=1e-6)
    np.testing.assert_allclose(to_y, [-2, 1])
