#!/usr/bin/env bash
# keras.models.clone_model followed by set_weights gives a copy whose weights are all equal and whose
# outputs are not, where the model holds an adapted Normalization layer (as every EfficientNet of
# keras.applications does).
#
# Why: Normalization computes with `mean` and `variance`, which it derives from its weights in
# finalize_state(). adapt() and load_own_variables() call that; set_weights() does not, and
# clone_model() makes the layer anew. So the copy computes with mean 0 and variance 1.
# What helps: call finalize_state() on each Normalization layer of the copy, or save and load the
# model in place of cloning it.
#
# Seen with keras 3.15.1 on tensorflow 2.21.0, numpy 2.4.6:
#   weights equal: True
#   largest difference of outputs: 205.91, where the largest output is 2.50
#   after finalize_state(): 0.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import keras
import numpy as np

x = np.random.default_rng(0).uniform(100, 200, (64, 4)).astype("float32")
keras.utils.set_random_seed(0)
normalization = keras.layers.Normalization()
normalization.adapt(x)
model = keras.Sequential([keras.Input((4,)), normalization, keras.layers.Dense(3)])

copy = keras.models.clone_model(model)
copy.set_weights(model.get_weights())
equal = all(map(np.array_equal, copy.get_weights(), model.get_weights()))
expected = np.asarray(model(x))
apart = float(np.abs(np.asarray(copy(x)) - expected).max())
print("keras", keras.__version__, "numpy", np.__version__)
print("weights equal:", equal)
print(
    f"largest difference of outputs: {apart:.2f}, "
    f"where the largest output is {np.abs(expected).max():.2f}"
)
copy.layers[0].finalize_state()
after = float(np.abs(np.asarray(copy(x)) - expected).max())
print("after finalize_state():", after)
assert equal and apart > 10 * np.abs(expected).max() and after == 0.0, "the behaviour has changed"
PYTHON
