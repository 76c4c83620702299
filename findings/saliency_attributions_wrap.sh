#!/usr/bin/env bash
# The package saliency (PAIR) explains an image that is kept as uint8, as images are, wrongly and without
# a word: IntegratedGradients, and XRAI with its default baselines, take the baseline off the image in
# 8 bits. Where the baseline is the brighter one, 20 - 240 is 36 and not -220, so that a dark object
# which decides the score gets an attribution near 0 and of the wrong sign.
#
# Two more of its results are not what they are taken for:
# - BlurIG with sqrt=True depends on batch_size: every batch is weighted by the last of its steps alone.
#   Only batch_size=1 adds up to the change of the score that it explains.
# - VisualizeImageDiverging maps 0 to 0.5, and cuts what is large and positive at 1, but what is large
#   and negative at -1, three times as far from 0.5 as is 1. Drawn from -1 to 1, pixels of no influence
#   look like supporting ones.
#
# Why: x_value - x_baseline in integrated_gradients.py keeps the arrays' type, and XRAI makes its
# baselines by ones_like(x_value); blur_ig.py multiplies a batch's sum by one step's width;
# visualization.py scales the span to [0, 1] and clips to [-1, 1].
# What helps: give it images as float32; batch_size=1 with sqrt; divide by the largest absolute value.
#
# Seen with saliency 0.2.1, numpy 2.4.6, scipy 1.17.1, scikit-image 0.26.0 on Python 3.11. The score is
# linear, minus the mean of a dark square's values, so that all sums have a closed form:
#   IntegratedGradients against the bright baseline, sum of 220: float32 220.0, uint8 -36.0
#   XRAI, the square against the rest: float32 0.143 against 0.000, uint8 -0.023 against 0.000
#   BlurIG, sqrt False, sum of -1.1: batch_size 1: -1.2, 7: -1.2, 60: -1.2
#   BlurIG, sqrt True, sum of -5.6: batch_size 1: -5.0, 7: -3.1, 60: 0.3
#   VisualizeImageDiverging of -3, -1, 0, 1: -1.0, 0.0, 0.5, 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q saliency==0.2.1 numpy==2.4.6 scipy==1.17.1 scikit-image==0.26.0
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
from saliency import core as saliency
from scipy import ndimage

print(*(f"{name} {importlib.metadata.version(name)}" for name in
        ("saliency", "numpy", "scipy", "scikit-image")))
square = np.zeros((32, 32), bool)
square[8:24, 8:24] = True
image = np.full((32, 32, 3), 240, np.uint8)
image[square] = 20
darkness = np.where(square[..., None], -1 / (3 * square.sum()), np.zeros(3))


def linear(weights):
    """A model as the package takes it, whose score is the sum of its inputs times these weights."""
    def call(batch, call_model_args=None, expected_keys=None):
        return {saliency.INPUT_OUTPUT_GRADIENTS: np.broadcast_to(weights, batch.shape)}

    return call


def integrated(pixels):
    baseline = np.full_like(pixels, 240)
    found = saliency.IntegratedGradients().GetMask(
        pixels, linear(darkness), x_baseline=baseline, x_steps=20, batch_size=20)
    return float(found.sum())


def regions(pixels):
    """XRAI's attribution of the square and of the rest."""
    found = saliency.XRAI().GetMask(
        pixels, linear(darkness), segments=[square, ~square], batch_size=20)
    return float(found[square].mean()), float(found[~square].mean())


exact = image.astype("float32")
expected = float((darkness * (exact - 240)).sum())
sums = {pixels.dtype.name: integrated(pixels) for pixels in (exact, image)}
told = ", ".join(f"{name} {value:.1f}" for name, value in sums.items())
print(f"IntegratedGradients against the bright baseline, sum of {expected:.0f}: {told}")
assert abs(sums["float32"] - expected) < 0.01, "IntegratedGradients of floats has changed"
assert abs(sums["uint8"] + 36) < 0.01, "IntegratedGradients of uint8 has changed"
parts = {pixels.dtype.name: regions(pixels) for pixels in (exact, image)}
told = ", ".join(f"{name} {a:.3f} against {b:.3f}" for name, (a, b) in parts.items())
print(f"XRAI, the square against the rest: {told}")
assert parts["float32"][0] > 0.1 > 0 > parts["uint8"][0], "XRAI has changed"

rng = np.random.default_rng(0)
x, weights = rng.uniform(0, 1, (32, 32, 3)), rng.standard_normal((32, 32, 3))
for sqrt in (False, True):
    last = 2 if sqrt else 4
    blurred = ndimage.gaussian_filter(x, [last, last, 0], mode="constant")
    expected = float((weights * (x - blurred)).sum())
    sums = {
        size: float(saliency.BlurIG().GetMask(
            x, linear(weights), max_sigma=4, steps=60, sqrt=sqrt, batch_size=size).sum())
        for size in (1, 7, 60)
    }
    told = ", ".join(f"{size}: {value:.1f}" for size, value in sums.items())
    print(f"BlurIG, sqrt {sqrt}, sum of {expected:.1f}: batch_size {told}")
    assert abs(sums[1] - expected) < 0.2 * abs(expected), "BlurIG one by one has changed"
    apart = max(sums.values()) - min(sums.values())
    assert apart > 1 if sqrt else apart < 1e-6, "how BlurIG adds batches has changed"

values = np.array([-3, -1, 0, 1])
shown = saliency.VisualizeImageDiverging(values.reshape(2, 2, 1), percentile=100).ravel()
print("VisualizeImageDiverging of -3, -1, 0, 1:", ", ".join(f"{value:.1f}" for value in shown))
assert shown.tolist() == [-1, 0, 0.5, 1], "VisualizeImageDiverging has changed"
PYTHON
