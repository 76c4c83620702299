#!/usr/bin/env bash
# Keras on JAX: AveragePooling2D over a large window in bfloat16, as mixed_bfloat16 has it, gives no mean.
# Of a map of ones a window of 32 x 32 gives 0.25 and one of 64 x 64 gives 0.0625; in float16 the latter
# gives 0.5. GlobalAveragePooling2D of the same maps is right, and in bfloat16 so are TensorFlow 2.21.0 and
# PyTorch 2.13.0. A network that averages large maps by AveragePooling2D answers otherwise by its backend,
# without a word; a window of 8 x 8 over random numbers is off by half a percent.
#
# Why: the pooling adds by jax.lax.reduce_window in the layer's own type. A sum in bfloat16, of 8 bits,
# stands still at 256 equal terms, one in float16 at 2048. The global layer is jax.numpy.mean, which adds
# in float32.
# What helps: GlobalAveragePooling2D where the window is the whole map; else dtype="float32" for that layer.
#
# Seen with keras 3.15.1, jax 0.10.2, numpy 2.4.6 on a CPU; the mean of ones by AveragePooling2D and by
# GlobalAveragePooling2D:
#   bfloat16, 8 x 8: 1.0000, 1.0000
#   bfloat16, 32 x 32: 0.2500, 1.0000
#   bfloat16, 64 x 64: 0.0625, 1.0000
#   float16, 64 x 64: 0.5000, 1.0000
#   float32, 64 x 64: 1.0000, 1.0000
#   predict of a mixed_bfloat16 model, 64 x 64: 0.0625
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 scipy==1.17.1
KERAS_BACKEND=jax JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata

import keras
import numpy as np
from keras import layers

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("keras", "jax", "numpy")))


def mean(layer, size):
    """What the layer gives for one image of ones."""
    return float(np.asarray(layer(np.ones((1, size, size, 1), "float32"))).astype("float64").item())


seen = {
    ("bfloat16", 8): 1,
    ("bfloat16", 32): 256 / 32**2,
    ("bfloat16", 64): 256 / 64**2,
    ("float16", 64): 2048 / 64**2,
    ("float32", 64): 1,
}
for (dtype, size), expected in seen.items():
    pooled = mean(layers.AveragePooling2D(size, dtype=dtype), size)
    whole = mean(layers.GlobalAveragePooling2D(dtype=dtype), size)
    print(f"{dtype}, {size} x {size}: {pooled:.4f}, {whole:.4f}")
    assert pooled == expected, "AveragePooling2D has changed"
    assert whole == 1, "GlobalAveragePooling2D has changed"
keras.mixed_precision.set_global_policy("mixed_bfloat16")
model = keras.Sequential([keras.Input((64, 64, 1)), layers.AveragePooling2D(64), layers.Flatten()])
found = float(model.predict(np.ones((1, 64, 64, 1), "float32"), verbose=0).astype("float64").item())
print(f"predict of a mixed_bfloat16 model, 64 x 64: {found:.4f}")
assert found == 256 / 64**2, "predict has changed"
PYTHON
