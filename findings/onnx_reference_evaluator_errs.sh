#!/usr/bin/env bash
# The onnx package's own ReferenceEvaluator, by which runtimes and converters are judged, computes five
# operators of vision networks otherwise than ONNX's specification, without a word. Who tests an export
# or a reader against it finds a fault where there is none, or copies one:
#
# - LRN (AlexNet, GoogLeNet, CaffeNet): normalises as many channels as the batch has images. Of one image
#   only channel 0 is normalised, and every other channel comes out as it went in where the bias is 1.
# - LpNormalization with p=1: divides by the sum, not by the sum of absolute values.
# - AveragePool with ceil_mode=1: the last window, which sticks out of the image, is not the mean of the
#   pixels that it holds.
# - MaxPool with auto_pad=SAME_LOWER: leaves out the last window, so that the result is too small.
# - Softmax before opset 13, as in older files: normalises one axis, not all axes from `axis` on.
#
# Why: op_lrn.py loops over shape[0] in place of shape[1] (onnx issue 7805, mended on the main branch in
# August 2026 and in no release yet); op_lp_normalization.py takes no absolute value; op_softmax.py
# serves every version of the operator by the rule of opset 13.
# What helps: ONNX Runtime as the judge, whose answers below are those of plain loops; or a formula.
#
# Seen with onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6; the largest difference from plain loops over
# random numbers, or the shape where it differs:
#   LRN, 1 image: reference 3.8, ONNX Runtime 0.0
#   LRN, as many images as channels: reference 0.0, ONNX Runtime 0.0
#   LpNormalization, p=1: reference 68.4, ONNX Runtime 0.0
#   AveragePool, ceil_mode=1: reference 1.7, ONNX Runtime 0.0
#   MaxPool, SAME_LOWER: reference (1, 3, 3, 4) for (1, 3, 4, 5), ONNX Runtime 0.0
#   Softmax, opset 11: reference 0.8, ONNX Runtime 0.0
#   Softmax, opset 13: reference 0.0, ONNX Runtime 0.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import itertools

import numpy as np
import onnxruntime
from onnx import checker, helper, shape_inference
from onnx.reference import ReferenceEvaluator

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("onnx", "onnxruntime", "numpy")))
FLOAT = 1
x = np.random.default_rng(0).standard_normal((1, 3, 7, 9)).astype("float32")


def answers(kind, x, opset=21, **attributes):
    """What the reference and ONNX Runtime answer to x for a valid model of this one operator."""
    node = helper.make_node(kind, ["x"], ["y"], **attributes)
    graph = helper.make_graph(
        [node], "net", [helper.make_tensor_value_info("x", FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", FLOAT, None)])
    opsets = [helper.make_opsetid("", opset)]
    model = shape_inference.infer_shapes(
        helper.make_model(graph, opset_imports=opsets, ir_version=10))
    checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return ReferenceEvaluator(model).run(None, {"x": x})[0], session.run(None, {"x": x})[0]


def tell(name, found, expected):
    """Prints and returns how far both are from what plain loops give."""
    off = [float(np.abs(one - expected).max()) if one.shape == expected.shape else one.shape
           for one in found]
    told = [f"{one:.1f}" if isinstance(one, float) else f"{one} for {expected.shape}" for one in off]
    print(f"{name}: reference {told[0]}, ONNX Runtime {told[1]}")
    assert isinstance(off[1], float) and off[1] < 1e-3, f"ONNX Runtime's {name} has changed"
    return off[0]


def normalised(x, size, alpha, beta, bias):
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        near = x[:, max(0, c - size // 2):c + size // 2 + 1].astype("float64")
        y[:, c] = x[:, c] / (bias + alpha / size * (near ** 2).sum(1)) ** beta
    return y


def pooled(x, reduce, window, stride, rows, columns, before):
    """Every window's value, of the pixels that it holds of the image alone."""
    y = np.empty((*x.shape[:2], rows, columns), x.dtype)
    for r, c in itertools.product(range(rows), range(columns)):
        top, left = r * stride - before[0], c * stride - before[1]
        part = x[:, :, max(0, top):top + window, max(0, left):left + window]
        y[:, :, r, c] = reduce(part, axis=(2, 3))
    return y


lrn = {"size": 3, "alpha": 0.5, "beta": 0.75, "bias": 1.0}
for name, images in (("1 image", 1), ("as many images as channels", 7)):
    maps = 5 * np.random.default_rng(1).random((images, 7, 3, 3)).astype("float32")
    off = tell(f"LRN, {name}", answers("LRN", maps, **lrn), normalised(maps, **lrn))
    assert off > 1 if images == 1 else off < 1e-3, "the reference's LRN has changed"
found = answers("LpNormalization", x, axis=1, p=1)
off = tell("LpNormalization, p=1", found, x / np.abs(x).sum(1, keepdims=True))
assert off > 1, "the reference's LpNormalization has changed"
found = answers("AveragePool", x, kernel_shape=[3, 3], strides=[3, 3], ceil_mode=1)
off = tell("AveragePool, ceil_mode=1", found, pooled(x, np.mean, 3, 3, 3, 3, (0, 0)))
assert off > 0.1, "the reference's AveragePool has changed"
found = answers("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_LOWER")
off = tell("MaxPool, SAME_LOWER", found, pooled(x, np.max, 2, 2, 4, 5, (1, 1)))
assert off == (1, 3, 3, 4), "the reference's MaxPool has changed"
for opset, axes in ((11, (1, 2, 3)), (13, 1)):
    e = np.exp(x.astype("float64"))
    off = tell(f"Softmax, opset {opset}", answers("Softmax", x, opset, axis=1),
               e / e.sum(axes, keepdims=True))
    assert off > 0.5 if opset == 11 else off < 1e-3, "the reference's Softmax has changed"
PYTHON
