#!/usr/bin/env bash
# OpenVINO runs an ONNX file's Resize as if two of its attributes were not there, without a word:
#
# - antialias=1 (PyTorch's interpolate(antialias=True), and preprocessing that was put into the file):
#   a smaller image is not smoothed before pixels are left out. Fine stripes stay or turn into a moire,
#   and a classifier sees another image than the one it was tested with.
# - exclude_outside=1, which tf2onnx writes for every bicubic resize of TensorFlow, so for Keras's
#   Resizing and UpSampling2D with "bicubic" too: pixels at the border come out otherwise, since the edge
#   is repeated where the window sticks out.
#
# Of the first, for cubic, OpenVINO's issue 35893 tells (May 2026, open); linear is no better.
# What helps: resize before the network, by Pillow or in float by the framework; or ONNX Runtime. Compare
# a batch of answers after any conversion.
#
# Seen with openvino 2026.4.1, onnxruntime 1.32.0, onnx 1.23.2, Pillow 13.0.0, numpy 2.4.6 on Linux, x86-64;
# the largest difference from Pillow's resize of the same float image, of values in [0, 1]:
#   linear, 24 to 6, antialias=1, exclude_outside=1: OpenVINO 0.229, ONNX Runtime 0.000
#   cubic, 24 to 6, antialias=1, exclude_outside=1: OpenVINO 0.290, ONNX Runtime 0.000
#   linear, 24 to 48: OpenVINO 0.000, ONNX Runtime 0.000
#   cubic, 24 to 48, exclude_outside=1: OpenVINO 0.020, ONNX Runtime 0.000
#   OpenVINO's linear resize with antialias=1 is the one without: True
# Keras 3.15.1's UpSampling2D(2, interpolation="bicubic"), exported to ONNX by tf2onnx 1.17.0, is off by
# 0.027 of [0, 1] in the same OpenVINO, and not in ONNX Runtime.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 pillow==13.0.0 \
    numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
import onnxruntime
import openvino
from onnx import checker, helper, numpy_helper
from PIL import Image

print(*(f"{name} {importlib.metadata.version(name)}" for name in
        ("openvino", "onnxruntime", "onnx", "pillow", "numpy")))
FLOAT = 1
FILTERS = {"linear": Image.Resampling.BILINEAR, "cubic": Image.Resampling.BICUBIC}
x = np.random.default_rng(0).random((1, 1, 24, 24)).astype("float32")


def answers(size, **attributes):
    """OpenVINO's and ONNX Runtime's resize of x to size x size."""
    node = helper.make_node(
        "Resize", ["x", "", "", "sizes"], ["y"], coordinate_transformation_mode="half_pixel",
        cubic_coeff_a=-0.5, **attributes)
    shape = (1, 1, size, size)
    graph = helper.make_graph(
        [node], "net", [helper.make_tensor_value_info("x", FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", FLOAT, shape)],
        [numpy_helper.from_array(np.array(shape, np.int64), "sizes")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    checker.check_model(model)
    core, data = openvino.Core(), model.SerializeToString()
    compiled = core.compile_model(core.read_model(data), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled(x)[0], onnxruntime.InferenceSession(data).run(None, {"x": x})[0]


def off(size, mode, **attributes):
    """How far both are from Pillow's float resize."""
    expected = Image.fromarray(x[0, 0]).resize((size, size), FILTERS[mode])
    found = answers(size, mode=mode, **attributes)
    return [float(np.abs(one[0, 0] - np.asarray(expected)).max()) for one in found]


for mode, size, attributes in (
    ("linear", 6, {"antialias": 1, "exclude_outside": 1}),
    ("cubic", 6, {"antialias": 1, "exclude_outside": 1}),
    ("linear", 48, {}),
    ("cubic", 48, {"exclude_outside": 1}),
):
    by_openvino, by_onnxruntime = off(size, mode, **attributes)
    told = "".join(f", {name}={value}" for name, value in attributes.items())
    print(f"{mode}, 24 to {size}{told}: OpenVINO {by_openvino:.3f}, ONNX Runtime {by_onnxruntime:.3f}")
    assert by_onnxruntime < 1e-4, "ONNX Runtime's Resize or Pillow's has changed"
    assert by_openvino > 0.01 if attributes else by_openvino < 1e-4, "OpenVINO's Resize has changed"
same = np.array_equal(answers(6, mode="linear", antialias=1)[0], answers(6, mode="linear")[0])
print(f"OpenVINO's linear resize with antialias=1 is the one without: {same}")
assert same, "OpenVINO's antialias has changed"
PYTHON
