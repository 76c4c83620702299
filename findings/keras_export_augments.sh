#!/usr/bin/env bash
# Keras 3's `model.export` exports random augmentation at work.
#
# Versions: keras 3.15.1, tensorflow 2.21.0. The tutorials put RandomFlip and its like at the front
# of a classifier, "only active during training": `predict` and `evaluate` do leave them out. The
# SavedModel that `model.export` writes to serve the same model does not: it flips, rotates and
# shifts the pictures that it is asked about, others each time, and says nothing. So does the model
# when it is called without `training`. Where the same picture is asked about twice, the answers
# differ by as much as two pictures do.
#
# Seen: predict differs from predict by 0; the exported function differs from itself and from
# predict. Exported as `lambda x: model(x, training=False)` through ExportArchive, it gives what
# predict gives. The same model without the layers is exported exactly.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 tensorflow-cpu==2.21.0
cat >"$folder/run.py" <<'PY'
import sys

import keras
import numpy as np
import tensorflow as tf

print("keras", keras.__version__, "tensorflow", tf.__version__)
x = np.random.default_rng(0).random((16, 12, 12, 3), np.float32)


def classifier(*augmentation):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            *augmentation,
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(5),
        ]
    )


def apart(a, b):
    return float(np.abs(np.asarray(a) - np.asarray(b)).max())


def served(model, name):
    model.export(f"{sys.argv[1]}/{name}", verbose=False)
    return tf.saved_model.load(f"{sys.argv[1]}/{name}")


model = classifier(keras.layers.RandomFlip(), keras.layers.RandomTranslation(0.2, 0.2))
expected = model.predict(x, verbose=0)
between = apart(expected[0], expected[1])
print(f"two pictures differ by {between:.2f}")
print(f"predict and predict again: {apart(expected, model.predict(x, verbose=0)):.2f}")

loaded = served(model, "augmented")
self, other = apart(loaded.serve(x), loaded.serve(x)), apart(loaded.serve(x), expected)
print(f"exported and exported again: {self:.2f}; exported and predict: {other:.2f}")

archive = keras.export.ExportArchive()
archive.track(model)
signature = [tf.TensorSpec((None, 12, 12, 3))]
archive.add_endpoint("serve", lambda x: model(x, training=False), input_signature=signature)
archive.write_out(f"{sys.argv[1]}/told", verbose=False)
kept = tf.saved_model.load(f"{sys.argv[1]}/told")
told = apart(kept.serve(x), expected)
print(f"exported with training=False and predict: {told:.6f}")

plain = classifier()
kept_plain = served(plain, "plain")
without = apart(kept_plain.serve(x), plain.predict(x, verbose=0))
print(f"the model without augmentation, exported and predict: {without:.6f}")

same = apart(expected, model.predict(x, verbose=0)) == 0.0
if not (same and self > 0.1 and other > 0.1 and told < 1e-5 and without < 1e-5):
    sys.exit("the behaviour has changed")
PY
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" "$folder/run.py" "$folder" 2>"$folder/err" || {
  tail -5 "$folder/err" >&2
  exit 1
}
