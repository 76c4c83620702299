#!/usr/bin/env bash
# Keras 3: `Dropout(...)(x, training=True)` does nothing in `predict`, so that Monte Carlo dropout
# tells no uncertainty at all.
#
# Versions: keras 3.15.1, tensorflow 2.21.0; tf_keras 2.21.0, which is Keras 2. A layer that is
# called with training=True while a functional model is built was in training whatever the model was
# asked for: Monte Carlo dropout (Gal and Ghahramani 2016) is written so everywhere. In Keras 3 the
# training=False with which `predict` and `evaluate` call the model goes on to the layer instead.
# All passes of `predict` are the same, their spread is 0, and no line says so; a plain call of the
# model, without `training`, does drop. Keras 2 drops in all of them.
#
# Seen: the standard deviation of 50 passes is 0 from predict and above 0.5 from a plain call in
# Keras 3, and above 0.5 from both in Keras 2. A subclass of Dropout whose call sets training=True
# drops in all of them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 tensorflow-cpu==2.21.0 tf_keras==2.21.0
cat >"$folder/run.py" <<'PY'
import sys

import keras
import numpy as np
import tensorflow as tf
import tf_keras

print("keras", keras.__version__, "tensorflow", tf.__version__, "tf_keras", tf_keras.__version__)
x = np.ones((1, 100), np.float32)


def spread(passes):
    return float(np.std([np.asarray(passes()) for _ in range(50)], axis=0).mean())


def spreads(keras, dropout):
    """Of 50 passes of predict, and of plain calls."""
    inputs = keras.Input((100,))
    model = keras.Model(inputs, dropout(inputs))
    return spread(lambda: model.predict(x, verbose=0)), spread(lambda: model(x))


class Always(keras.layers.Dropout):
    def call(self, inputs, training=None):
        return super().call(inputs, training=True)


three = spreads(keras, lambda h: keras.layers.Dropout(0.5)(h, training=True))
two = spreads(tf_keras, lambda h: tf_keras.layers.Dropout(0.5)(h, training=True))
always = spreads(keras, Always(0.5))
for name, (predicted, called) in (("Keras 3", three), ("Keras 2", two), ("a subclass", always)):
    print(f"{name}: spread of 50 passes {predicted:.2f} by predict, {called:.2f} by plain calls")
if three[0] != 0.0 or min(three[1], *two, *always) < 0.5:
    sys.exit("the behaviour has changed")
PY
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" "$folder/run.py" 2>"$folder/err" || {
  tail -5 "$folder/err" >&2
  exit 1
}
