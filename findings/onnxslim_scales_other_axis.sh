#!/usr/bin/env bash
# onnxslim changes what a network computes, without a word, where a product by constants follows a
# convolution or a dense layer and is not one factor for each channel:
#
# - Conv or ConvTranspose, then Mul by a window over columns or rows (a vignette, positional weights, a mask
#   of attention): where the map is as wide or as high as it has channels, as 8 x 8 of 8, the window goes
#   into the weights, a factor for each channel. Of any other width the file stays right.
# - Gemm, Reshape, then Mul: the factors go into the dense layer as well where the reshape has moved its
#   outputs to another axis, or where other layers read the dense layer's outputs too, which then have been
#   multiplied.
#
# The command line prints a table of fewer nodes, and every shape is as before.
# Why: convmul.py takes any constant whose axes of length 1 are dropped and that is as long as the channels
# (convadd.py asks for its axis since an earlier correction); in gemm.py GemmMul asks neither for the last
# axis nor for other users of the Gemm, as GemmAdd does.
# What helps: onnxslim.slim(model, skip_fusion_patterns=["FusionConvMul", "FusionConvTransposeMul",
# "FusionGemmMul"]); and to compare a batch of answers after any such tool. onnxsim 0.8.1 and onnxoptimizer
# 0.4.2 leave these files right.
# Upstream: no report of these was found; issue 323 (August 2026, closed) tells of a bias's shape after
# MatMul.
#
# Seen with onnxslim 0.1.98, onnx 1.23.2, onnxruntime 1.32.0, NumPy 2.4.6 on Python 3.11; the largest
# difference of ONNX Runtime's answers from NumPy's in float64, of outputs of about 1:
#   Conv of 8 channels, 8 columns tapered: off by 0.0 before, 1.9 after onnxslim, 0.0 without the patterns
#   Conv of 8 channels, 8 rows tapered: off by 0.0 before, 2.4 after onnxslim, 0.0 without the patterns
#   Conv of 8 channels, 9 columns tapered: off by 0.0 before, 0.0 after onnxslim, 0.0 without the patterns
#   ConvTranspose to 8 channels, 8 columns tapered: off by 0.0 before, 2.1 after onnxslim, 0.0 without the
#   patterns
#   Gemm, its outputs a column, by 16 factors: off by 0.0 before, 1.8 after onnxslim, 0.0 without the patterns
#   Gemm read by a Relu as well: off by 0.0 before, 2.6 after onnxslim, 0.0 without the patterns
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnxslim==0.1.98 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
import onnxruntime
import onnxslim
from onnx import TensorProto, checker, helper, numpy_helper

print(*(f"{name} {importlib.metadata.version(name)}" for name in
        ("onnxslim", "onnx", "onnxruntime", "numpy")))
PATTERNS = ["FusionConvMul", "FusionConvTransposeMul", "FusionGemmMul"]
rng = np.random.default_rng(0)


def model(nodes, x, outputs, **constants):
    """The nodes as a checked file, from x to the outputs by their shapes."""
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
               for name, shape in (("x", x.shape), *outputs.items())]
    graph = helper.make_graph([helper.make_node(*node, **attributes) for *node, attributes in nodes],
                              "graph", tensors[:1], tensors[1:],
                              [numpy_helper.from_array(value, name) for name, value in constants.items()])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(made, full_check=True)
    return made


def answers(made, x):
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})


def check(name, nodes, x, outputs, expected, wrong, **constants):
    """Before, onnxslim's file, and its file without the three patterns, against `expected` of NumPy."""
    made = [model(nodes, x, outputs, **constants) for _ in range(3)]
    found = answers(made[0], x), answers(onnxslim.slim(made[1]), x), answers(
        onnxslim.slim(made[2], skip_fusion_patterns=PATTERNS), x)
    off = [max(np.abs(a - b).max() for a, b in zip(each, expected)) for each in found]
    print(f"{name}: off by {off[0]:.1f} before, {off[1]:.1f} after onnxslim, "
          f"{off[2]:.1f} without the patterns")
    assert off[0] < 1e-4 > off[2] and (off[1] > 0.3 if wrong else off[1] < 1e-4), f"{name} has changed"


def convolved(x, weights):
    """A convolution of x [1, c, h, w] without padding, in float64."""
    windows = np.lib.stride_tricks.sliding_window_view(x.astype("float64"), (3, 3), axis=(2, 3))
    return np.einsum("bchwij,ocij->bohw", windows, weights.astype("float64"))


weights = (rng.normal(size=(8, 3, 3, 3)) / 5).astype("float32")
for width, window in ((8, "columns"), (8, "rows"), (9, "columns")):
    size = width + 2
    x = rng.normal(size=(1, 3, size, size)).astype("float32")
    taper = np.hanning(width + 2)[1:-1].astype("float32")
    taper = taper.reshape(-1, 1) if window == "rows" else taper
    check(f"Conv of 8 channels, {width} {window} tapered",
          [("Conv", ["x", "w"], ["y"], {}), ("Mul", ["y", "taper"], ["z"], {})], x,
          {"z": [1, 8, width, width]}, [convolved(x, weights) * taper], width == 8, w=weights, taper=taper)
x = rng.normal(size=(1, 3, 10, 10)).astype("float32")
taper = np.hanning(10)[1:-1].astype("float32")
# With these pads a ConvTranspose is a Conv of the flipped kernels.
check("ConvTranspose to 8 channels, 8 columns tapered",
      [("ConvTranspose", ["x", "w"], ["y"], {"pads": [2, 2, 2, 2]}), ("Mul", ["y", "taper"], ["z"], {})], x,
      {"z": [1, 8, 8, 8]}, [convolved(x, weights) * taper], True,
      w=np.ascontiguousarray(weights[..., ::-1, ::-1].swapaxes(0, 1)), taper=taper)

x = rng.normal(size=(4, 6)).astype("float32")
dense = (rng.normal(size=(6, 16)) / 2).astype("float32")
factors = rng.random(16).astype("float32")
y = x.astype("float64") @ dense
check("Gemm, its outputs a column, by 16 factors",
      [("Gemm", ["x", "w"], ["y"], {"transB": 1}), ("Reshape", ["y", "shape"], ["r"], {}),
       ("Mul", ["r", "factors"], ["z"], {})], x, {"z": [4, 16, 16]}, [y[..., None] * factors], True,
      w=np.ascontiguousarray(dense.T), shape=np.array([4, 16, 1]), factors=factors)
check("Gemm read by a Relu as well",
      [("Gemm", ["x", "w"], ["y"], {"transB": 1}), ("Reshape", ["y", "shape"], ["r"], {}),
       ("Mul", ["r", "two"], ["z"], {}), ("Relu", ["y"], ["relu"], {})], x,
      {"z": [4, 2, 8], "relu": [4, 16]}, [y.reshape(4, 2, 8) * 2, np.maximum(y, 0)], True,
      w=np.ascontiguousarray(dense.T), shape=np.array([4, 2, 8]), two=np.array(2, "float32"))
PYTHON
