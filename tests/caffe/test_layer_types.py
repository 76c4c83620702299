"""Layers of Caffe's forks and later versions against loops and, where it has them, OpenCV."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracles import caffe_cv2, caffe_files
from oracles import caffe_naive as naive
from oracles.caffe_text import layer, planned

from tf_inverse.caffe import (
    caffemodel,
    keras_model,
    net_parameter,
    shape_inference,
    supply,
    weights,
)
from tf_inverse.compute import arithmetic
from tf_inverse.layers import caffe_layers, fork_layers
from tf_inverse.layers.convolution import Convolution

rng = np.random.default_rng(3)
X = rng.normal(size=(1, 4, 6, 5)).astype("f4")
INPUT = 'input: "data" input_dim: 1 input_dim: 4 input_dim: 6 input_dim: 5 '
MAPS = layer("Pooling", "pooling_param { pool: AVE global_pooling: true }", "g")
W, B = rng.normal(size=(4, 4)).astype("f4"), rng.normal(size=4).astype("f4")
PRODUCT = MAPS + layer("InnerProduct", "inner_product_param { num_output: 4 }", "ip", "g")
DEPTH = rng.normal(size=(8, 1, 3, 3)).astype("f4")
DEPTH_B = rng.normal(size=8).astype("f4")


def computed(where, text, blobs=()):
    """(our output, OpenCV's or None) for X, both in Caffe's order.

    Args:
        where: Folder for the files.
        text: Layers; the last makes the output.
        blobs: (name, type, arrays) of layers with weights.
    """
    prototxt, file = where / "n.prototxt", where / "n.caffemodel"
    prototxt.write_text(INPUT + text)
    blobs = [*blobs, ("unused", "ReLU", [])]
    rows = [(name, kind, "x", "x", {}, [a.shape for a in arrays]) for name, kind, arrays in blobs]
    caffe_files.write(file, rows, [(name, arrays) for name, _, arrays in blobs])
    planned = shape_inference.make(net_parameter.read(prototxt))
    model, names = keras_model.raw(planned), keras_model.keras_names(planned)
    held, _ = supply.complete(planned, caffemodel.read(file))
    weights.load(model, held, {ours: name for name, ours in names.items()})
    y = np.asarray(model(X.transpose(0, 2, 3, 1)))
    y = y.transpose(0, 3, 1, 2) if y.ndim == 4 else y
    if not caffe_cv2.available():
        return y, None
    import cv2

    try:
        return y, list(caffe_cv2.forward(prototxt, file, X).values())[-1]
    except cv2.error:
        return y, None


def dense(x):
    return W.astype("f8") @ x.mean((1, 2)) + B


def depthwise(stride, pad, dilation):
    return lambda x: naive.convolution(x, DEPTH, DEPTH_B, stride, pad, dilation, 4)


def convolution(kind, settings):
    return layer(kind, f"convolution_param {{ num_output: 8 kernel_size: 3 {settings} }}")


CASES = {
    # name: (text, formula over (C, H, W), whether OpenCV computes the same)
    "AbsVal": (layer("AbsVal"), np.abs, True),
    "ReLU6": (
        layer("Power", "power_param { scale: 9 }", "p") + layer("ReLU6", bottom="p"),
        lambda x: np.minimum(np.maximum(9 * x, 0), 6),
        True,
    ),
    "ReLU6 leaky": (
        layer("Power", "power_param { scale: 9 }", "p")
        + layer("ReLU6", "relu_param { negative_slope: 0.1 }", bottom="p"),
        lambda x: np.minimum(np.maximum(9 * x, 0), 6) + 0.1 * np.minimum(9 * x, 0),
        False,
    ),
    "Clip": (
        layer("Clip", "clip_param { min: -0.5 max: 0.3 }"),
        lambda x: np.minimum(np.maximum(x, -0.5), 0.3),
        False,
    ),
    "Swish": (layer("Swish"), lambda x: x / (1 + np.exp(-x)), True),
    "Swish beta": (
        layer("Swish", "swish_param { beta: 2 }"),
        lambda x: x / (1 + np.exp(-2 * x)),
        False,  # OpenCV 4.14 takes no notice of beta
    ),
    "Tile channels": (
        layer("Tile", "tile_param { tiles: 3 }"),
        lambda x: np.concatenate([x, x, x], 0),
        False,
    ),
    "Tile columns": (
        layer("Tile", "tile_param { axis: -1 tiles: 2 }"),
        lambda x: np.concatenate([x, x], 2),
        False,
    ),
    "Permute": (
        layer("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }"),
        lambda x: naive.permuted(x[None], (0, 2, 3, 1))[0],
        True,
    ),
    "Permute, some axes": (
        layer("Permute", "permute_param { order: 0 order: 3 }"),
        lambda x: naive.permuted(x[None], (0, 3, 1, 2))[0],
        False,
    ),
    "Permute, flattened": (
        layer("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }", "p")
        + layer("Flatten", bottom="p"),
        lambda x: naive.permuted(x[None], (0, 2, 3, 1)).ravel(),
        True,
    ),
    "Flatten rows and columns": (
        layer("Flatten", "flatten_param { axis: 2 }"),
        lambda x: x.reshape(4, 30),
        True,
    ),
    "Flatten all but columns": (
        layer("Flatten", "flatten_param { end_axis: -2 }"),
        lambda x: x.reshape(24, 5),
        True,
    ),
    "Flatten to the last axis, flattened": (
        layer("Flatten", "flatten_param { axis: -2 end_axis: 3 }", "f")
        + layer("Flatten", "flatten_param { axis: 1 end_axis: 2 }", bottom="f"),
        np.ravel,
        True,
    ),
    "Flatten one axis": (
        layer("Flatten", "flatten_param { axis: 2 end_axis: 2 }"),
        lambda x: x,
        True,
    ),
    "Interp": (
        layer("Interp", "interp_param { height: 11 width: 9 }"),
        lambda x: naive.interpolation(x, 11, 9),
        True,
    ),
    "Interp to one row": (
        layer("Interp", "interp_param { height: 1 width: 3 }"),
        lambda x: naive.interpolation(x, 1, 3),
        False,
    ),
    "Interp zoom": (
        layer("Interp", "interp_param { zoom_factor: 3 }"),
        lambda x: naive.interpolation(x, 16, 13),
        True,
    ),
    "Interp shrink, zoom, crop": (
        layer("Interp", "interp_param { shrink_factor: 2 zoom_factor: 3 pad_beg: -1 }"),
        lambda x: naive.interpolation(x[:, 1:, 1:], 7, 4),
        False,  # OpenCV 4.14 takes no notice of the pads, and computes zoom_factor alone
    ),
    "Scale by a bottom": (
        PRODUCT + layer("Scale", "scale_param { axis: 0 }", bottom="data ip"),
        lambda x: x * dense(x)[:, None, None],
        True,
    ),
    "Bias by a bottom": (
        PRODUCT + layer("Bias", "bias_param { axis: 0 }", bottom="data ip"),
        lambda x: x + dense(x)[:, None, None],
        False,
    ),
    "Axpy": (
        MAPS
        + layer("Power", "power_param { scale: 2 shift: 1 }", "y")
        + layer("Axpy", bottom="g data y"),
        lambda x: x * x.mean((1, 2), keepdims=True) + 2 * x + 1,
        False,  # OpenCV 4.14 computes a * y + x
    ),
    "Axpy by a vector": (
        PRODUCT + layer("Axpy", bottom="ip data data"),
        lambda x: x * dense(x)[:, None, None] + x,
        False,
    ),
    "DepthwiseConvolution": (
        convolution("DepthwiseConvolution", "group: 4 pad: 1 stride: 2"),
        depthwise((2, 2), (1, 1), (1, 1)),
        False,
    ),
    "ConvolutionDepthwise": (
        convolution("ConvolutionDepthwise", "pad: 1"),
        depthwise((1, 1), (1, 1), (1, 1)),
        False,
    ),
    "Convolution, a group a channel": (
        convolution("Convolution", "group: 4 pad: 2 dilation: 2 stride: 1 stride: 2"),
        depthwise((1, 2), (2, 2), (2, 2)),
        True,
    ),
}
WEIGHTS = {"ip": ("InnerProduct", [W, B]), "l": ("Convolution", [DEPTH, DEPTH_B])}


def held(text):
    """(name, type, arrays) of the layers of a case that have weights."""
    names = ["ip"] * ("InnerProduct" in text) + ["l"] * ("onvolution" in text)
    return [(name, *WEIGHTS[name]) for name in names]


@pytest.mark.parametrize("name", CASES)
def test_layers_equal_their_formula(tmp_path, name):
    text, formula, shared = CASES[name]
    ours, theirs = computed(tmp_path, text, held(text))
    expected = formula(X[0].astype("f8"))
    assert ours.shape[1:] == expected.shape
    np.testing.assert_allclose(ours[0], expected, rtol=0, atol=2e-6 * max(1, abs(expected).max()))
    if shared and theirs is not None:
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_damaged_descriptions_of_these_layers_are_read_or_refused(tmp_path):
    """Mutants of every case above, under a data layer, with weights that a filler says."""
    data = (
        'layer { name: "d" type: "Data" top: "data" include { phase: TEST } '
        "transform_param { crop_size: 6 mean_value: 104 scale: 0.5 } } "
        'layer { name: "c" type: "Convolution" bottom: "data" top: "x" convolution_param { '
        'num_output: 4 kernel_size: 1 weight_filler { type: "bilinear" } } } '
    )
    for i, (text, _, _) in enumerate(CASES.values()):
        folder = tmp_path / str(i)
        folder.mkdir()
        (folder / "n.prototxt").write_text(data + text.replace('"data"', '"x"'))
        blobs = held(text) or [("unused", "ReLU", [])]
        rows = [
            (name, kind, "x", "x", {}, [a.shape for a in arrays]) for name, kind, arrays in blobs
        ]
        caffe_files.write(folder / "n.caffemodel", rows, [(name, a) for name, _, a in blobs])
    import fuzz_caffe

    result = fuzz_caffe.in_child(tmp_path, 600)
    assert result["faults"] == [] and result["read"] + result["refused"] == 600
    assert result["read"] > 10 and result["refused"] > 200


FLOOR = ["round_mode: FLOOR", "round_mode: 1", "ceil_mode: false", "ceil_mode: 0"]
CEIL = ["", "round_mode: CEIL", "round_mode: 0", "ceil_mode: true", "ceil_mode: 1 round_mode: CEIL"]


@pytest.mark.parametrize("words", [*FLOOR, *CEIL])
@pytest.mark.parametrize("pool, pad", [("MAX", 0), ("AVE", 0), ("AVE", 1)])
def test_windows_are_counted_as_the_file_says(tmp_path, words, pool, pad):
    settings = f"pool: {pool} kernel_size: 3 stride: 2 pad: {pad} {words}"
    ours, theirs = computed(tmp_path, layer("Pooling", f"pooling_param {{ {settings} }}"))
    mode = {"MAX": "max", "AVE": "average"}[pool]
    rounded = math.floor if words in FLOOR else math.ceil
    expected = naive.pooling(X[0].astype("f8"), mode, (3, 3), (2, 2), (pad, pad), rounded)
    np.testing.assert_allclose(ours[0], expected, rtol=0, atol=1e-6)
    if theirs is not None and "round_mode" not in words:
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "settings, said",
    [
        ("kernel_size: 1 stride: 4", "l: its last window holds no pixel (kernel (1, 1), stride"),
        ("pool: AVE kernel_size: 1 stride: 4", "there it gives 0 or NaN, as Caffe does"),
        ("kernel_size: 1 stride: 4 round_mode: FLOOR", None),
        ("kernel_size: 1 stride: 5", None),
        ("kernel_size: 3 stride: 2", None),
        ("global_pooling: true", None),
    ],
)
def test_windows_without_a_pixel_are_said(settings, said):
    """Of 6 rows a window of 1 begins at 0, 4 and 8 with stride 4, and at 0 and 5 with stride 5."""
    text = INPUT.replace("5 ", "6 ") + layer("Pooling", f"pooling_param {{ {settings} }}")
    notes = planned(text).notes()
    assert (said is None) == (notes == []) and (said or "") in "".join(notes)


def test_depthwise_gradients_are_those_of_its_groups():
    """Against a convolution for each channel, which loops confirm in test_models."""
    x = tf.constant(X.transpose(0, 2, 3, 1))
    one = Convolution(8, (3, 3), (2, 2), (1, 1, 1, 1), groups=4)
    one(x)
    parts = [Convolution(2, (3, 3), (2, 2), (1, 1, 1, 1)) for _ in range(4)]
    gradients = []
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(one(x) ** 3)
    gradients.append(tape.gradient(loss, x))
    for i, part in enumerate(parts):
        part.build((None, 6, 5, 1))
        part.set_weights([one.kernel[..., 2 * i : 2 * i + 2], one.bias[2 * i : 2 * i + 2]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        several = [part(x[..., i : i + 1]) for i, part in enumerate(parts)]
        loss = tf.reduce_sum(tf.concat(several, -1) ** 3)
    gradients.append(tape.gradient(loss, x))
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-4)


def test_the_layers_reload_and_compute_in_sixteen_bits(tmp_path):
    """One network of all our own layers: saved, loaded with safe_mode, and in half precision."""
    image = keras.Input((6, 5, 4))
    x = Convolution(4, (3, 3), (1, 1), (1, 1, 1, 1), groups=4, name="depthwise")(image)
    x = Convolution(4, (2, 2), (1, 1), dilation=(2, 2), groups=4, name="dilated")(x)
    x = fork_layers.Interpolation(7, 9, name="interpolation")(x)
    x = fork_layers.Clip(-1.5, 2.5, name="clip")(fork_layers.Swish(2.0, name="swish")(x))
    x = fork_layers.Tile((1, 2, 1), name="tile")(fork_layers.Absolute(name="absolute")(x))
    model = keras.Model(
        image, caffe_layers.Pooling("average", (2, 2), (2, 2), padding_counts=True)(x)
    )
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    pixels = X.transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(again(pixels), model(pixels))
    with arithmetic.computing(model, "bfloat16"):
        y = model(pixels)
    expected = np.asarray(model(pixels))
    assert y.dtype == tf.bfloat16 and expected.shape == (1, 4, 9, 4)
    np.testing.assert_allclose(tf.cast(y, "float32"), expected, atol=0.05 * expected.max())
