#!/usr/bin/env bash
# OcclusionSensitivity of the package tf-explain is right for square images alone. Of an image of 8
# rows and 16 columns it never covers the columns from 8 on, and writes each score to another place: of
# a network that looks at the right quarter its map is the same everywhere. explain() then stretches
# the map to the image's shape, so that nothing shows.
# And the grey patch it covers with is 127.5 whatever the pixels' range: of an image in [0, 1], as many
# networks take them, it is 127.5 times white, and the scores are those of inputs far from any image.
#
# Why: get_sensitivity_map() walks the columns by the image's rows and the rows by its columns, pairs the
# patches with places in another order, and gives cv2.resize (rows, columns) where it takes
# (columns, rows). For a square none of that matters. What helps: pad to a square, and put a
# Rescaling(1 / 255) layer before the network so that it takes [0, 255].
#
# Seen with tf-explain 0.3.1, keras 3.15.1 on tensorflow 2.21.0, numpy 2.4.6, OpenCV 4.14.0.94; a white
# image, and a network whose score is the share of white in its right quarter:
#   16 x 16: map 16 x 16, from 0.000 to 0.125; by a loop 16 x 16, from 0.000 to 0.125
#   8 x 16: map 16 x 8, from 0.000 to 0.000; by a loop 8 x 16, from 0.000 to 0.250
#   16 x 16, in [0, 1]: map 16 x 16, from -31.625 to 0.000; by a loop 16 x 16, from 0.000 to 0.125
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tf-explain==0.3.1 tensorflow-cpu==2.21.0 keras==3.15.1 numpy==2.4.6 \
    opencv-python-headless==4.14.0.94
KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" -W ignore - <<'PYTHON' 2>&1 |
import importlib.metadata

import cv2
import keras
import numpy as np
from tf_explain.core.occlusion_sensitivity import OcclusionSensitivity

PATCH = 4


def right_quarter(height, white):
    """A network of one class, whose score is the share of white in the right quarter of an image."""
    weights = np.zeros((height, 16, 3))
    weights[:, 12:] = 1 / (weights[:, 12:].size * white)
    inputs = keras.Input(weights.shape)
    dense = keras.layers.Dense(1, use_bias=False)
    model = keras.Model(inputs, dense(keras.layers.Flatten()(inputs)))
    dense.set_weights([weights.reshape(-1, 1)])
    return model


def by_loop(model, image, grey):
    """One less the score with each patch in grey, at the patch's own place, enlarged to the image."""
    height, width = image.shape[:2]
    found = np.zeros((height // PATCH, width // PATCH))
    for row, column in np.ndindex(found.shape):
        covered = image.copy()
        covered[row * PATCH:(row + 1) * PATCH, column * PATCH:(column + 1) * PATCH] = grey
        found[row, column] = 1 - np.asarray(model(covered[None]))[0, 0]
    return cv2.resize(found, (width, height))


print(*(f"{name} {importlib.metadata.version(name)}" for name in
        ("tf-explain", "tensorflow-cpu", "keras", "numpy", "opencv-python-headless")))
for name, height, white in (("16 x 16", 16, 255), ("8 x 16", 8, 255), ("16 x 16, in [0, 1]", 16, 1)):
    model, image = right_quarter(height, white), np.full((height, 16, 3), white, "float32")
    found = OcclusionSensitivity().get_sensitivity_map(model, image, 0, PATCH)
    expected = by_loop(model, image, white / 2)
    maps = [f"{one.shape[0]} x {one.shape[1]}, from {round(float(one.min()), 3) + 0:.3f} to {one.max():.3f}"
            for one in (found, expected)]
    print(f"{name}: map {maps[0]}; by a loop {maps[1]}")
    assert abs(expected.max() - 2 / height) < 1e-4, "the loop is wrong"
    if name == "16 x 16":
        assert np.allclose(found, expected, atol=1e-4), "square images have changed"
    elif height == 8:
        assert found.shape == (16, 8) and np.ptp(found) < 1e-4, "images that are not square have changed"
    else:
        assert found.min() < -30, "the patch has changed"
print("as described")
PYTHON
  grep -v -E "absl|cudart|oneDNN|/step"
