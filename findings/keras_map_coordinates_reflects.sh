#!/usr/bin/env bash
# keras.ops.image.map_coordinates on TensorFlow takes other pixels than its documentation says wherever
# coordinates lie outside the image and fill_mode is "reflect": on the side of negative coordinates, above
# and to the left, the picture goes on as by "mirror" (c b | a b c), on the other side as it should
# (a b c | c b). So a warped image has another border above than below, by whole pixels, and the same
# code on JAX has not. elastic_transform and the layer RandomElasticTransform take their pixels by
# that function, with "reflect" by default.
# With fill_mode="mirror" TensorFlow raises InvalidArgumentError once a coordinate is at the number of
# pixels or beyond.
#
# Why: backend/tensorflow/image.py takes the absolute value of a coordinate, which mirrors about pixel 0,
# and then folds at twice the number of pixels, which is the period of "reflect" and not of "mirror".
# What helps: fill_mode="nearest"; or to pad by keras.ops.pad(mode="symmetric" or "reflect"), and to add
# the padding to the coordinates.
# Upstream: Keras's issue 21420 (open) tells of outside coordinates with "constant", which are right now;
# no report of these two was found.
#
# Seen with Keras 3.15.1 on TensorFlow 2.21.0 and on JAX 0.10.2, NumPy 2.4.6, SciPy 1.17.1 on Python 3.11,
# x86-64. Of the pixels 0, 10, 20, 30 at the coordinates -3, -2, -1, 0, 3, 4, 5, 6 and, last, -0.5:
#   reflect, by scipy: 20 10 0 0 30 30 20 10 | 0
#   reflect, tensorflow: 30 20 10 0 30 30 20 10 | 5
#   reflect, jax: 20 10 0 0 30 30 20 10 | 0
#   mirror, by scipy: 30 20 10 0 30 20 10 0 | 5
#   mirror, tensorflow: InvalidArgumentError
#   mirror, jax: 30 20 10 0 30 20 10 0 | 5
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 tensorflow-cpu==2.21.0 jax==0.10.2 jaxlib==0.10.2 \
    numpy==2.4.6 scipy==1.17.1
cat >"$folder/run.py" <<'PYTHON'
import importlib.metadata

import keras
import numpy as np
from scipy import ndimage

name = keras.backend.backend()
print(*(f"{package} {importlib.metadata.version(package)}" for package in
        ("keras", "tensorflow-cpu" if name == "tensorflow" else name, "scipy")))
pixels = np.array([0, 10, 20, 30], "float32")
coordinates = np.array([[-3, -2, -1, 0, 3, 4, 5, 6, -0.5]], "float32")


def told(values):
    *whole, half = (f"{value:.0f}" for value in values)
    return f"{' '.join(whole)} | {half}"


for mode in ("nearest", "reflect", "mirror"):
    expected = ndimage.map_coordinates(pixels.astype("float64"), coordinates, order=1, mode=mode)
    try:
        found = keras.ops.convert_to_numpy(
            keras.ops.image.map_coordinates(pixels, coordinates, order=1, fill_mode=mode))
    except Exception as error:
        found = None
        print(f"{mode}, {name}: {type(error).__name__}")
        assert type(error).__name__ == "InvalidArgumentError", "mirror has changed"
    else:
        print(f"{mode}, by scipy: {told(expected)}")
        print(f"{mode}, {name}: {told(found)}")
    if name == "jax" or mode == "nearest":
        assert np.abs(found - expected).max() < 1e-4, f"{name}'s {mode} has changed"
    elif mode == "reflect":
        assert np.abs(found - expected)[[0, 1, 2, 8]].min() > 4, "reflect has changed"
        assert np.abs(found - expected)[3:8].max() < 1e-4, "reflect has changed"
    else:
        assert found is None, "mirror has changed"
PYTHON
for backend in tensorflow jax; do
    KERAS_BACKEND=$backend JAX_PLATFORMS=cpu TF_CPP_MIN_LOG_LEVEL=3 \
        "$folder/venv/bin/python" -W ignore "$folder/run.py" 2>"$folder/log" || {
        cat "$folder/log"
        exit 1
    }
done
