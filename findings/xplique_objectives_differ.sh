#!/usr/bin/env bash
# In the package Xplique objectives of feature visualisation are added, subtracted and multiplied, and
# the difference of two is not their difference: a - b is -(a + b), so that the image that should
# excite a and not b excites neither. a + b * 2 is (a + b) * 2. And an operator changes its operands:
# after a - b the objective b has another sign, after a * 3 the objective a is three times itself.
#
# Why: the terms are summed in a loop that multiplies the sum so far by each term's factor, in place of
# the term (Objective.compile). `-` and `*` write their factors into the objects they are given.
# What helps: of two terms, let the first alone have a factor (b * -1 + a for a - b); of more, let a
# layer of the model compute their sum. Make each objective anew.
#
# Seen with xplique 2.0.2, keras 3.15.1 on tensorflow 2.20.0, numpy 2.3.5. Of a network whose neuron a is
# the mean of an image's left half and b of its right half; the objective's gradient in units of a's
# and of b's own, and what optimize() ends in:
#   a: 1 a, 0 b
#   b: 0 a, 1 b
#   a + b: 1 a, 1 b
#   a - b: -1 a, -1 b
#   a + b * 2: 2 a, 2 b
#   a * 2 + b: 2 a, 1 b
#   b * -1 + a: 1 a, -1 b
#   b after a - b: 0 a, -1 b
#   a after a * 3: 3 a, 0 b
#   optimize(a): left half 0.95, right half 0.58
#   optimize(a - b): left half 0.09, right half 0.09
#
# Xplique itself is installed without its requirements, as they name TensorFlow for GPUs (gigabytes);
# those that it imports follow by the versions it allows.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-deps xplique==2.0.2
"$folder/venv/bin/pip" install -q tensorflow-cpu==2.20.0 keras==3.15.1 tf-keras==2.20.1 \
    tensorflow-probability==0.25.0 numpy==2.3.5 scipy==1.15.3 scikit-learn==1.7.2 \
    scikit-image==0.25.2 opencv-python-headless==5.0.0.93 matplotlib==3.11.2 \
    einops==0.8.2 deprecated==1.3.1
KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import keras
import numpy as np
import tensorflow as tf
from xplique.features_visualizations import Objective, optimize

left = np.zeros((8, 8, 3), "float32")
left[:, :4] = 1 / left[:, :4].size
right = left[:, ::-1]
image = keras.Input((8, 8, 3))
dense = keras.layers.Dense(2, use_bias=False, name="halves")
model = keras.Model(image, dense(keras.layers.Flatten()(image)))
dense.set_weights([np.stack([left.ravel(), right.ravel()], -1)])


def a():
    return Objective.neuron(model, "halves", 0)


def b():
    return Objective.neuron(model, "halves", 1)


def gradient(objective):
    """The gradient's parts along the two neurons' own gradients."""
    network, loss, _, _ = objective.compile()
    pixels = tf.zeros((1, 8, 8, 3))
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        outputs = network(pixels)
        # As optimize() does of a network with one output.
        outputs = tf.expand_dims(outputs, 0) if len(network.outputs) == 1 else outputs
        total = tf.reduce_sum(loss(outputs))
    found = tape.gradient(total, pixels).numpy()[0]
    return np.array([(found * half).sum() / (half**2).sum() for half in (left, right)])


print(*(f"{name} {importlib.metadata.version(name)}" for name in
        ("xplique", "keras", "tensorflow-cpu", "numpy")))
unit = gradient(a())[0]
subtracted, multiplied = b(), a()
a() - subtracted
multiplied * 3
cases = {
    "a": (a(), [1, 0]),
    "b": (b(), [0, 1]),
    "a + b": (a() + b(), [1, 1]),
    "a - b": (a() - b(), [-1, -1]),
    "a + b * 2": (a() + b() * 2, [2, 2]),
    "a * 2 + b": (a() * 2 + b(), [2, 1]),
    "b * -1 + a": (b() * -1 + a(), [1, -1]),
    "b after a - b": (subtracted, [0, -1]),
    "a after a * 3": (multiplied, [3, 0]),
}
for name, (objective, expected) in cases.items():
    found = gradient(objective) / unit
    print(f"{name}: {found[0]:.0f} a, {found[1]:.0f} b")
    np.testing.assert_allclose(found, expected, atol=1e-5, err_msg="Xplique has changed")
ends = {}
for name, objective in (("a", a()), ("a - b", a() - b())):
    keras.utils.set_random_seed(0)
    images, _ = optimize(objective, nb_steps=50, use_fft=False, transformations=None, custom_shape=None)
    found = np.asarray(images[-1])[0]
    ends[name] = found[:, :4].mean(), found[:, 4:].mean()
    print(f"optimize({name}): left half {ends[name][0]:.2f}, right half {ends[name][1]:.2f}")
assert ends["a"][0] > 0.8 and max(ends["a - b"]) < 0.3, "what optimize makes has changed"
PYTHON
