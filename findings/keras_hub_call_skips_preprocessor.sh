#!/usr/bin/env bash
# A classifier of KerasHub gives one answer by model.predict(x) and another by model(x): predict(),
# fit() and evaluate() run its preprocessor first, a call does not. The preprocessor is saved with
# the model, and is in nothing that is made of the model's graph: a functional model around it, and
# the SavedModel that export() writes, take prepared pixels, and say so nowhere. Gradients go through
# a call, so saliency maps, adversarial examples and activation maximisation of raw pixels are those
# of another function than predict() computes.
#
# Why: a task is a functional model of its backbone alone; PipelineModel puts the preprocessor into
# the data of predict(). What helps: model(model.preprocessor(x)), or a Rescaling layer of the
# converter's scale and offset before the model.
#
# Seen with keras-hub 0.32.0, keras 3.15.1, tensorflow 2.21.0, for a small network with random
# weights and outputs up to 0.46: a call, a model around it and export()'s SavedModel are 81 off
# predict(x), as is a call of the model loaded from a .keras file; predict() of that one, and a call
# of what the preprocessor gives, are not off.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras-hub==0.32.0 keras==3.15.1 tensorflow==2.21.0
cd "$folder"
PYTHONWARNINGS=ignore KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON' 2>&1 |
import keras
import keras_hub
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(0)
backbone = keras_hub.models.ResNetBackbone(
    input_conv_filters=[64],
    input_conv_kernel_sizes=[3],
    stackwise_num_filters=[64],
    stackwise_num_blocks=[1],
    stackwise_num_strides=[1],
    block_type="basic_block",
    image_shape=(32, 32, 3),
)
converter = keras_hub.layers.ResNetImageConverter(image_size=(32, 32), scale=1 / 127.5, offset=-1.0)
model = keras_hub.models.ResNetImageClassifier(
    backbone=backbone,
    num_classes=4,
    preprocessor=keras_hub.models.ResNetImageClassifierPreprocessor(image_converter=converter),
)
x = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype("float32")
expected = model.predict(x, verbose=0)
print("versions", keras_hub.__version__, keras.__version__, tf.__version__)
print("largest output", float(np.abs(expected).max()))

model.save("model.keras")
again = keras.models.load_model("model.keras")
model.export("exported", verbose=False)
exported = tf.saved_model.load("exported")
pixels = keras.Input((32, 32, 3))
found = {
    "a call": model(x),
    "a model around it": keras.Model(pixels, model(pixels)).predict(x, verbose=0),
    "export()": exported.serve(x),
    "a call of the loaded model": again(x),
    "predict of the loaded model": again.predict(x, verbose=0),
    "a call after the preprocessor": model(model.preprocessor(x)),
}
off = {name: float(np.abs(np.asarray(y) - expected).max()) for name, y in found.items()}
for name, value in off.items():
    print(f"{name}: {value:.3g}")
same = ("predict of the loaded model", "a call after the preprocessor")
assert all((off[name] < 1e-4) == (name in same) for name in off), "KerasHub has changed"
print("as described")
PYTHON
  grep -v -E "absl|cudart|oneDNN"
