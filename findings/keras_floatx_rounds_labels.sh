#!/usr/bin/env bash
# keras.config.set_floatx("bfloat16") is there to train in half precision. Losses then cast the *labels*
# to it as well, whole numbers though they are. bfloat16 has 8 bits for a number, so that from class 257
# on every other class is taken for its neighbour, from 513 on three of four, in silence: the loss of a
# perfect classifier of 600 classes is 20 on class 257, and it is trained to answer 256. Metrics leave
# labels alone, so that the accuracy is 1 beside such a loss.
# float16 does so from class 2,049 on. The last class of ImageNet, 999, becomes 1000: on TensorFlow's
# CPU that alone is noticed, by an error that names a label which nobody gave.
#
# A dtype policy of the layers (keras.config.set_dtype_policy("mixed_bfloat16"), or "bfloat16") leaves
# losses in float32, and their labels whole.
#
# Seen with Keras 3.15.1, TensorFlow 2.21.0 and NumPy 2.4.6 on Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "tensorflow==2.21.0" "numpy==2.4.6"
TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=tensorflow "$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import keras
import numpy as np

labels = np.array([3, 255, 257, 513])
logits = np.full((4, 600), -10.0, np.float32)
logits[np.arange(4), labels] = 10.0  # the right answer each time


def told():
    """The loss of each image, and the accuracy, of a classifier that is always right."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
    accuracy = keras.metrics.SparseCategoricalAccuracy()
    accuracy.update_state(labels, logits)
    return np.asarray(loss(labels, logits)).astype(float).round(2).tolist(), float(accuracy.result())


found = {}
for policy, floatx in (("mixed_bfloat16", "float32"), (None, "bfloat16")):
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy or floatx)
    found[floatx] = told()
    print(f"floatx {floatx}, policy {policy or floatx}: labels {labels.tolist()}, "
          f"losses {found[floatx][0]}, "
          f"accuracy {found[floatx][1]}")
try:
    keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
        np.array([999]), np.zeros((1, 1000), "f4")
    )
    raised = "nothing"
except Exception as error:
    raised = " ".join(str(error).split())
print("label 999 of 1000 classes:", raised.partition("} ")[2][:95])
assert found["float32"] == ([0.0] * 4, 1.0)
losses, accuracy = found["bfloat16"]
assert losses[:2] == [0.0, 0.0] and min(losses[2:]) > 19, "labels are whole now"
assert accuracy == 1.0, "metrics have changed"
assert "label value of 1000" in raised, "class 999 has changed"
PYTHON
