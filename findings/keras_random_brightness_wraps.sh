#!/usr/bin/env bash
# keras.layers.RandomBrightness of uint8 images, as tensorflow_datasets and decoders give them, wraps around
# where it is called on a batch or is part of a model whose input is uint8: made brighter, a white pixel
# turns nearly black, and made darker, a black one nearly white. Its clip to value_range comes too late.
# Nothing warns, the result looks like an image, and a network trains on it. In the map of a
# tf.data.Dataset the same layer gives the same images rightly. Its documentation takes floats and
# whole numbers.
#
# Why: transform_images adds the shift in the images' own type, where 250 + 51 is 45 and -51 is 205, and
# clips what is in [0, 255] already. Unlike most of its neighbours the layer does not cast to its
# compute dtype: RandomInvert, RandomHue and Solarization give floats. In tf.data Keras casts before it.
# What helps: put Rescaling(1 / 255) before it with value_range=(0, 1), or cast to float32.
#
# Seen with keras 3.15.1 on tensorflow 2.21.0, numpy 2.4.6; pixels 0, 60, 120, 180, 250, shifted by 51
# (factor 0.2) and by -51:
#   uint8, brighter: 51, 111, 171, 231, 45
#   float32, brighter: 51, 111, 171, 231, 255
#   uint8, darker: 205, 9, 69, 129, 199
#   float32, darker: 0, 9, 69, 129, 199
#   uint8, brighter, in a model: 51, 111, 171, 231, 45
#   uint8, brighter, in tf.data: 51, 111, 171, 231, 255
#   RandomInvert of uint8 gives float32, RandomBrightness uint8
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tensorflow-cpu==2.21.0 keras==3.15.1 numpy==2.4.6
KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - 2>"$folder/log" <<'PYTHON' ||
import importlib.metadata

import keras
import numpy as np
import tensorflow as tf
from keras import layers

print(*(f"{name} {importlib.metadata.version(name)}" for name in
        ("keras", "tensorflow-cpu", "numpy")))
grey = np.array([0, 60, 120, 180, 250])
images = np.tile(grey[None, None, :, None], (1, 4, 1, 3))


def shifted(images, factor):
    """The grey values of a row, in float64, after a shift by factor x 255."""
    layer = layers.RandomBrightness((factor, factor), value_range=(0, 255), seed=0)
    return np.asarray(layer(images, training=True))[0, 0, :, 0].astype("float64")


for way, factor in (("brighter", 0.2), ("darker", -0.2)):
    added = grey + 255 * factor
    for dtype, expected in (("uint8", added % 256), ("float32", np.clip(added, 0, 255))):
        found = shifted(images.astype(dtype), factor)
        print(f"{dtype}, {way}:", ", ".join(f"{value:.0f}" for value in found))
        np.testing.assert_allclose(found, expected, atol=0.01, err_msg="RandomBrightness has changed")
bright = layers.RandomBrightness((0.2, 0.2), seed=0)
model = keras.Sequential([keras.Input((4, 5, 3), dtype="uint8"), bright])
rows = tf.data.Dataset.from_tensors(images.astype("uint8")).map(lambda x: bright(x, training=True))
for place, result, expected in (
    ("a model", model(images.astype("uint8"), training=True), (grey + 51) % 256),
    ("tf.data", next(iter(rows)), np.clip(grey + 51, 0, 255)),
):
    found = np.asarray(result)[0, 0, :, 0]
    print(f"uint8, brighter, in {place}:", ", ".join(f"{value:.0f}" for value in found))
    np.testing.assert_allclose(found, expected, atol=0.01, err_msg="RandomBrightness has changed")
types = [keras.backend.standardize_dtype(layer(images.astype("uint8"), training=True).dtype)
         for layer in (layers.RandomInvert(1.0, seed=0), bright)]
print("RandomInvert of uint8 gives {}, RandomBrightness {}".format(*types))
assert types == ["float32", "uint8"], "the types of results have changed"
PYTHON
    { cat "$folder/log"; exit 1; }
