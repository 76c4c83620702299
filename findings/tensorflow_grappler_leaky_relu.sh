#!/usr/bin/env bash
# Training a Conv2D with a bias and LeakyReLU after it by TensorFlow on a CPU logs an error: "remapper
# failed: INVALID_ARGUMENT: Mutation::Apply error: fanout '.../LeakyReluGrad' exist for missing node
# '.../BiasAdd'". It reads as if a node of the gradient were lost. Nothing is: in float32 the trained
# weights are those of a run without that optimizer of graphs, bit by bit.
#
# Why, as the message and the cases tell: with oneDNN, which is on by default, Grappler's remapper
# would fuse the convolution, its BiasAdd and LeakyReLU, while LeakyReLU's gradient reads the BiasAdd
# as well; so the change is refused. ReLU's gradient reads ReLU's own result. With ReLU, without the
# convolution's bias, and with Dense in place of Conv2D nothing is logged.
# What helps: the line can be left as it is. To be rid of it turn the remapper off by
# tf.config.optimizer.set_experimental_options({"remapping": False}), or oneDNN by
# TF_ENABLE_ONEDNN_OPTS=0 in the environment, which rounds otherwise.
#
# Seen with tensorflow 2.21.0, keras 3.15.1, numpy 2.4.6 on Linux, x86-64 with AVX-512:
#   Conv2D and LeakyReLU: error
#   Conv2D and LeakyReLU, no remapper: no error, weights apart by 0.0e+00
#   Conv2D and LeakyReLU, no oneDNN: no error, weights apart by 3.0e-08
#   Conv2D and ReLU: no error
#   Conv2D without bias and LeakyReLU: no error
#   Dense and LeakyReLU: no error
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tensorflow-cpu==2.21.0 keras==3.15.1 numpy==2.4.6
cd "$folder"
cat > train.py <<'PYTHON'
import sys

import keras
import numpy as np
import tensorflow as tf
from keras import layers

first, second, results, remapping = sys.argv[1:]
tf.config.optimizer.set_experimental_options({"remapping": remapping == "remapper"})
keras.utils.set_random_seed(0)
made = {
    "Conv2D": lambda: layers.Conv2D(8, 3),
    "Conv2D without bias": lambda: layers.Conv2D(8, 3, use_bias=False),
    "Dense": lambda: layers.Dense(8),
    "LeakyReLU": layers.LeakyReLU,
    "ReLU": layers.ReLU,
}
model = keras.Sequential(
    [keras.Input((8, 8, 3)), made[first](), made[second](), layers.Flatten(), layers.Dense(1)]
)
model.compile("sgd", "mse")
rng = np.random.default_rng(0)
x, y = rng.standard_normal((64, 8, 8, 3)), rng.standard_normal((64, 1))
model.fit(x, y, batch_size=8, verbose=0)
np.save(results, np.concatenate([weight.ravel() for weight in model.get_weights()]))
PYTHON
KERAS_BACKEND=tensorflow "$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import os
import subprocess
import sys

import numpy as np

ERROR = "remapper failed: INVALID_ARGUMENT: Mutation::Apply error: fanout"


def train(first, second, remapping="remapper", one_dnn="1"):
    """Whether a training in a process of its own logs the error, and the weights it ends with."""
    run = subprocess.run(
        [sys.executable, "train.py", first, second, "weights.npy", remapping],
        env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": one_dnn, "TF_CPP_MIN_LOG_LEVEL": "1"},
        stderr=subprocess.PIPE, text=True, check=True,
    )
    lines = [line for line in run.stderr.splitlines() if ERROR in line]
    return any("LeakyReluGrad" in line and "BiasAdd" in line for line in lines), np.load("weights.npy")


def said(error):
    return "error" if error else "no error"


print(*(f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow-cpu", "keras", "numpy")))
error, weights = train("Conv2D", "LeakyReLU")
print("Conv2D and LeakyReLU:", said(error))
assert error, "the error is no longer logged, or this CPU has no oneDNN"
for name, options in (("remapper", {"remapping": "none"}), ("oneDNN", {"one_dnn": "0"})):
    error, others = train("Conv2D", "LeakyReLU", **options)
    apart = float(np.abs(others - weights).max())
    print(f"Conv2D and LeakyReLU, no {name}: {said(error)}, weights apart by {apart:.1e}")
    assert not error and apart < 1e-6, f"what is trained without {name} has changed"
for first, second in (("Conv2D", "ReLU"), ("Conv2D without bias", "LeakyReLU"), ("Dense", "LeakyReLU")):
    error, _ = train(first, second)
    print(f"{first} and {second}:", said(error))
    assert not error, "other layers log the error as well"
PYTHON
