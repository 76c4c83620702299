#!/usr/bin/env bash
# A model that Keras 3 saves as .h5 and loads again gives other outputs, without a word, where a
# layer has several axes or where a Normalization layer is in a model within the model.
#
# Why: loading takes `axis` out of a layer's configuration and puts it back only where it is one
# number or a list of one (keras/src/legacy/saving/saving_utils.py), so that a longer list becomes
# the default, the last axis. And finalize_state(), which makes of a Normalization's weights what it
# computes with, is called for the layers of the model alone, not for those of a model within it.
# What helps: save as .keras. Of an .h5 file that is there, call finalize_state() on every
# Normalization layer (model._flatten_layers()), and give the axes anew.
#
# Seen with keras 3.15.1 on tensorflow 2.21.0, numpy 2.4.6; largest difference of outputs:
#   Softmax over two axes: 0.996 (as .keras: 0)
#   LayerNormalization over two axes: 3.19 (as .keras: 0)
#   Normalization in a model within: 11.0 (as .keras: 0)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import keras
import numpy as np
from keras import layers

x = np.random.default_rng(0).normal(5, 3, (64, 4, 4, 3)).astype("float32")
image = keras.Input((4, 4, 3))
normalization = layers.Normalization()
normalization.adapt(x)
within = keras.Sequential([keras.Input((4, 4, 3)), normalization])
cases = {
    "Softmax over two axes": layers.Softmax(axis=(1, 2)),
    "LayerNormalization over two axes": layers.LayerNormalization((1, 2), center=False, scale=False),
    "Normalization in a model within": within,
}
print("keras", keras.__version__, "numpy", np.__version__)
for name, layer in cases.items():
    model, apart = keras.Model(image, layer(image)), {}
    for kind in ("h5", "keras"):
        model.save(f"model.{kind}")
        loaded = keras.models.load_model(f"model.{kind}", compile=False)
        apart[kind] = float(np.abs(np.asarray(loaded(x)) - np.asarray(model(x))).max())
    print(f"{name}: {apart['h5']:.3g} (as .keras: {apart['keras']:.3g})")
    assert apart["h5"] > 0.1 and apart["keras"] < 1e-5, "the behaviour has changed"
PYTHON
