#!/usr/bin/env bash
# Three of Keras's layers that change colours give images that their documentation rules out, without a
# word, and a network is trained on them:
#
# - RandomSaturation with its own value_range, (0, 255): a factor above 0.5 makes saturations above 1, which
#   no colour has, so that pixels are negative: -370 of 0 to 255 by a factor of 0.75. Nothing cuts them off;
#   cast to uint8 they wrap or are black. With value_range=(-1, 1) the factor 0.5, "a no-op", changes
#   colours by half of the range. RandomColorJitter's saturation does the same. (0, 1) is right.
# - Solarization: of a pair of factors the lower one is taken as a level of 0 to 255, not as a part of the
#   range. threshold_factor=(0.8, 0.8), documented as the range to draw from, draws from 0.8 to 204 and not
#   204, so that most images are nearly wholly inverted; addition_factor likewise.
# - RandomSharpness: the border of a plain image changes, up to 38 % at the corners.
#
# Why: random_saturation.py cuts the saturation of an HSV image, whose range is [0, 1], at the ends of
# value_range, and gives rgb_to_hsv negative numbers; solarization.py multiplies the upper factor alone by
# 255; random_sharpness.py smooths with zeros around the image, where Pillow leaves the border as it is.
# What helps: Rescaling to (0, 1) before, with value_range=(0, 1); one number as a factor of Solarization,
# whose lower end is 0 then; to crop the border after RandomSharpness.
# Upstream: no report of these was found; the layers came with pull requests 20646, 20673 and 20697 (2024).
#
# Seen with Keras 3.15.1 on TensorFlow 2.21.0, NumPy 2.4.6 on Python 3.11; the largest difference from
# colorsys, and the range of what comes out, of four colours:
#   RandomSaturation 0.30 of (0, 255): off by 0.0, from 95.6 to 200.0
#   RandomSaturation 0.60 of (0, 255): off by 85.0, from -85.0 to 200.0
#   RandomSaturation 0.75 of (0, 255): off by 370.0, from -370.0 to 200.0
#   RandomSaturation 0.75 of (0, 1): off by 0.0, from 0.0 to 0.8
#   RandomSaturation 0.50 of (-1, 1): off by 0.9, from -0.2 to 0.6
#   RandomColorJitter 0.75 of (0, 255): off by 370.0, from -370.0 to 200.0
#   Solarization (0.8, 0.8): thresholds from 2 to 204, 102 on average; asked for 204
#   Solarization (0.9, 1.0): thresholds from 2 to 255, 127 on average; asked for 230 to 255
#   RandomSharpness of an image of 100: 138.5 at a corner, 123.1 at an edge, 100.0 within
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 tensorflow-cpu==2.21.0 numpy==2.4.6
cat >"$folder/run.py" <<'PYTHON'
import colorsys

import keras
import numpy as np

print(f"keras {keras.__version__} on {keras.backend.backend()}, numpy {np.__version__}")
COLOURS = np.array([[96, 79, 108], [200, 100, 50], [10, 10, 200], [128, 128, 128]]) / 255


def saturated(factor):
    """The colours of [0, 1] as a saturation by `factor` is documented: 0 is grey, 0.5 changes nothing."""
    scale = factor / (1 - factor)
    hsv = (colorsys.rgb_to_hsv(*colour) for colour in COLOURS)
    return np.array([colorsys.hsv_to_rgb(h, min(1, s * scale), v) for h, s, v in hsv])


def check(name, make, factor, low, high, wrong):
    images = (COLOURS * (high - low) + low).astype("float32")[None, None]
    out = np.asarray(make((low, high))(images, training=True))[0, 0]
    off = np.abs(out - (saturated(factor) * (high - low) + low)).max()
    print(f"{name} {factor:.2f} of {low, high}: off by {off:.1f}, "
          f"from {out.min() + 0.0:.1f} to {out.max():.1f}")
    assert (off > 0.3 * (high - low)) if wrong else (off < 1e-3 * (high - low)), f"{name} has changed"
    return out


def saturation(factor):
    return lambda ends: keras.layers.RandomSaturation((factor, factor), value_range=ends)


check("RandomSaturation", saturation(0.3), 0.3, 0, 255, False)
check("RandomSaturation", saturation(0.6), 0.6, 0, 255, True)
assert check("RandomSaturation", saturation(0.75), 0.75, 0, 255, True).min() < -300
check("RandomSaturation", saturation(0.75), 0.75, 0, 1, False)
check("RandomSaturation", saturation(0.5), 0.5, -1, 1, True)
check("RandomColorJitter", lambda ends: keras.layers.RandomColorJitter(
    ends, saturation_factor=(0.75, 0.75)), 0.75, 0, 255, True)

ramp = np.arange(256, dtype="float32")
levels = np.repeat(ramp.reshape(1, 16, 16, 1), 3, -1)
for lower, upper in ((0.8, 0.8), (0.9, 1.0)):
    seen = []
    for seed in range(200):
        layer = keras.layers.Solarization(threshold_factor=(lower, upper), seed=seed)
        seen.append((np.asarray(layer(levels, training=True))[0, ..., 0].ravel() == ramp).sum())
    asked = f"{255 * lower:.0f}" + (f" to {255 * upper:.0f}" if upper > lower else "")
    print(f"Solarization {lower, upper}: thresholds from {min(seen)} to {max(seen)}, "
          f"{np.mean(seen):.0f} on average; asked for {asked}")
    assert min(seen) < 30 and np.mean(seen) < 255 * lower * 0.7, "Solarization has changed"

plain = np.full((1, 6, 6, 3), 100, "float32")
sharp = np.asarray(keras.layers.RandomSharpness((1.0, 1.0))(plain, training=True))[0, ..., 0]
print(f"RandomSharpness of an image of 100: {sharp[0, 0]:.1f} at a corner, {sharp[0, 2]:.1f} at an edge, "
      f"{sharp[2, 2]:.1f} within")
assert sharp[0, 0] > 130 and sharp[0, 2] > 115 and abs(sharp[2, 2] - 100) < 1e-3, "sharpness has changed"
PYTHON
KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" -W ignore "$folder/run.py" \
    2>"$folder/log" || {
    cat "$folder/log"
    exit 1
}
