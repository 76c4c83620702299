#!/usr/bin/env bash
# A Keras model that was quantised by model.quantize("int8") and exported by
# export(format="openvino") answers about 0 to every input in OpenVINO. The export reports success and
# OpenVINO says nothing. The same happens where ov.convert_model() reads the SavedModel that
# export() writes, and with TensorFlow's own tf.matmul(a, b, output_type=tf.int32) of int8 matrices.
#
# Why: TensorFlow multiplies int8 matrices into int32, as does Keras in quantised Dense and EinsumDense
# layers. OpenVINO's reader of TensorFlow graphs makes of it a MatMul with an int8 result and turns that
# result into int32, so that each sum is cut to [-128, 127] where sums of ten thousands are usual.
# What helps: export as ONNX and give that file to OpenVINO, or quantise to int4, whose weights are
# made floats before they are multiplied. Compare a batch of answers after any export.
#
# Seen with openvino 2026.4.1, keras 3.15.1, tensorflow 2.21.0, tf2onnx 1.17.0, numpy 2.4.6 on Linux,
# x86-64; a network of two Dense layers, whose largest answer is 2.5:
#   int8, export(format="openvino"): off by 2.46, MatMul gives int8, int8
#   int8, OpenVINO reads export()'s SavedModel: off by 2.46, MatMul gives int8, int8
#   int8, TensorFlow runs export()'s SavedModel: off by 0
#   int8, OpenVINO reads export(format="onnx"): off by 0.01
#   int4, export(format="openvino"): off by 0.00
#   tf.matmul of 16 products 100 x 100: 160000 by TensorFlow, 127 by OpenVINO
# It is no matter of the processor: such a product of int8 gives 127 by the kernels for AVX-512 with VNNI
# and without, for AVX2 and for SSE4.1 (ONEDNN_MAX_CPU_ISA chooses them). Other than x86-64 was not tried.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q openvino==2026.4.1 tensorflow-cpu==2.21.0 keras==3.15.1 \
    tf2onnx==1.17.0 onnx==1.23.2 numpy==2.4.6 scipy==1.17.1
cd "$folder"
KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" -W ignore - 2>log <<'PYTHON' ||
import importlib.metadata

import keras
import numpy as np
import openvino as ov
import tensorflow as tf
from keras import layers

x = np.random.default_rng(0).standard_normal((5, 16)).astype("float32")


def openvino(network):
    """OpenVINO's answers on the CPU, and the types of the results of its matrix products."""
    products = [op for op in network.get_ordered_ops() if op.get_type_name() == "MatMul"]
    types = ", ".join(op.output(0).get_element_type().get_type_name() for op in products)
    return ov.compile_model(network, "CPU")(x)[0], types.replace("i8", "int8")


def quantised(mode):
    """A network of two Dense layers, quantised."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((16,)), layers.Dense(32, activation="relu"), layers.Dense(4)])
    model.quantize(mode)
    return model


print(*(f"{name} {importlib.metadata.version(name)}" for name in
        ("openvino", "keras", "tensorflow-cpu", "tf2onnx", "numpy")))
core = ov.Core()
model = quantised("int8")
expected = np.asarray(model(x))
largest = float(np.abs(expected).max())
print(f"largest answer: {largest:.2f}")
model.export("int8.xml", format="openvino", verbose=False)
model.export("int8", format="tf_saved_model", verbose=False)
model.export("int8.onnx", format="onnx", verbose=False)
for name, network in (('export(format="openvino")', core.read_model("int8.xml")),
                      ("OpenVINO reads export()'s SavedModel", ov.convert_model("int8"))):
    found, types = openvino(network)
    off = float(np.abs(found - expected).max())
    print(f"int8, {name}: off by {off:.2f}, MatMul gives {types}")
    assert off > largest / 2 and types == "int8, int8", "OpenVINO's reading has changed"
loaded = tf.saved_model.load("int8")
off = float(np.abs(loaded.serve(x) - expected).max())
print(f"int8, TensorFlow runs export()'s SavedModel: off by {off:.2g}")
assert off < 1e-4, "Keras's export has changed"
found, _ = openvino(core.read_model("int8.onnx"))
off = float(np.abs(found - expected).max())
print(f'int8, OpenVINO reads export(format="onnx"): off by {off:.2f}')
assert off < largest / 50, "the way by ONNX has changed"
model = quantised("int4")
model.export("int4.xml", format="openvino", verbose=False)
off = float(np.abs(openvino(core.read_model("int4.xml"))[0] - np.asarray(model(x))).max())
print(f'int4, export(format="openvino"): off by {off:.2f}')
assert off < largest / 50, "int4 has changed"


class Product(tf.Module):
    """The product of an int8 matrix with another one, as TensorFlow gives it in int32."""

    @tf.function(input_signature=[tf.TensorSpec((1, 16), tf.int8)])
    def __call__(self, a):
        return tf.matmul(a, tf.fill((16, 1), tf.constant(100, tf.int8)), output_type=tf.int32)


product, a = Product(), np.full((1, 16), 100, np.int8)
tf.saved_model.save(product, "product", signatures=product.__call__)
by_openvino = int(ov.compile_model(ov.convert_model("product"), "CPU")(a)[0].item())
by_tensorflow = int(product(a).numpy().item())
print(f"tf.matmul of 16 products 100 x 100: {by_tensorflow} by TensorFlow, {by_openvino} by OpenVINO")
assert by_tensorflow == 16 * 100 * 100 != by_openvino, "the product has changed"
PYTHON
    { cat log; exit 1; }
