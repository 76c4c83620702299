#!/usr/bin/env bash
# Two results of the package frechet-coefficient, which compares sets of images by Keras's networks, are
# wrong without a word:
#
# - hellinger_distance (`--metric hd`) is no Hellinger distance. For two normal distributions of unit
#   variance with means 0 and 1 that distance is 0.34, and the package says 0.9997: sets that are alike
#   are told to have almost nothing in common. Its square root is missing too, so that equal means and
#   standard deviations of 1 and 2 give 0.11 in place of 0.33.
# - load_images(folder, as_gray=True) gives black images for colour files of 8 bits, as PNG and JPEG
#   are, so that any two folders of them look the same.
#
# Why: the exponent of the distance is an eighth of the squared distance of the means, and the code
# divides by 0.125 where it should multiply. rgb2gray turns its weights, all below 1, into the image's
# type, where they are 0.
# What helps: compute the distance from the means and covariances that derive_mean_cov gives, by the
# formula below; load in colour, and take the grey by Pillow's convert("L") before.
# Upstream: no report of either was found.
#
# Seen with frechet-coefficient 2.0.13, Keras 3.15.1 on TensorFlow 2.21.0, NumPy 2.4.6, imageio 2.38.1 on
# Python 3.11; the distances are held against an integral of both densities:
#   means 0 and 1, deviations 1 and 1: hellinger_distance 0.9997, the distance 0.3428
#   means 0 and 0, deviations 1 and 2: hellinger_distance 0.1056, the distance 0.3249
#   means 0 and 0, deviations 1 and 1: hellinger_distance 0.0000, the distance 0.0000
#   load_images of a file of (200, 100, 50): colour 0.784, 0.392, 0.196; gray 0.000, Pillow's 0.486
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q frechet-coefficient==2.0.13 tensorflow-cpu==2.21.0 keras==3.15.1 \
    numpy==2.4.6 imageio==2.38.1 pillow==13.0.0
cd "$folder"
KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" -W ignore - 2>log <<'PYTHON' ||
import importlib.metadata
import os

import frechet_coefficient
import numpy as np
from PIL import Image

print(*(f"{name} {importlib.metadata.version(name)}" for name in
        ("frechet-coefficient", "keras", "tensorflow-cpu", "numpy", "imageio")))


def by_integral(mean1, deviation1, mean2, deviation2):
    """The Hellinger distance of two normal distributions: the root of one minus their overlap."""
    x = np.linspace(-40, 40, 800_001)
    density1, density2 = (
        np.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
        for mean, deviation in ((mean1, deviation1), (mean2, deviation2)))
    overlap = np.sum(np.sqrt(density1 * density2)) * (x[1] - x[0])
    return float(np.sqrt(max(0.0, 1 - overlap)))


def by_package(mean1, deviation1, mean2, deviation2):
    return float(frechet_coefficient.hellinger_distance(
        np.array([mean1]), np.array([[deviation1**2]]),
        np.array([mean2]), np.array([[deviation2**2]])))


for mean, deviation, off in ((1.0, 1.0, 0.6), (0.0, 2.0, 0.2), (0.0, 1.0, 0.0)):
    found, expected = by_package(0.0, 1.0, mean, deviation), by_integral(0.0, 1.0, mean, deviation)
    print(f"means 0 and {mean:.0f}, deviations 1 and {deviation:.0f}: "
          f"hellinger_distance {found:.4f}, the distance {expected:.4f}")
    assert abs(found - expected) > off or not off and found < 1e-6, "the distance has changed"

os.mkdir("images")
Image.new("RGB", (8, 8), (200, 100, 50)).save("images/one.png")
(colour,) = frechet_coefficient.load_images("images")
(gray,) = frechet_coefficient.load_images("images", as_gray=True)
expected = np.asarray(Image.open("images/one.png").convert("L"))[0, 0] / 255
told = ", ".join(f"{value:.3f}" for value in colour[0, 0])
print(f"load_images of a file of (200, 100, 50): colour {told}; "
      f"gray {gray.max():.3f}, Pillow's {expected:.3f}")
assert not gray.any() and colour.all(), "load_images has changed"
PYTHON
{ cat log; exit 1; }
