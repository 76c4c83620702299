#!/usr/bin/env bash
# shap explains an image of floats in [0, 1] as if it were black, without a word, where its masker is
# shap.maskers.Image("inpaint_telea", shape) or "inpaint_ns", as its guides use it for a network of images.
# Every pixel comes out 0, those that are not hidden as well, so that the network is asked about black
# images only. base_values + values.sum(), which has to be the network's answer to the image (SHAP's "local
# accuracy"), is its answer to black; a network that is sure of a white object is told to see nothing in it.
# Images in [-1, 1], as of MobileNet, and those with a mean taken off are as lost. Of [0, 255] each pixel is
# cut down to a whole number. "blur(8,8)" and a grey value are right in every range.
#
# Why: maskers/_image.py gives OpenCV's inpaint the image as uint8 and makes floats of what comes back.
# What helps: a Rescaling layer in the network, so that images go from 0 to 255; or another mask. Compare
# base_values + values.sum() with the answer.
# Upstream: no report was found.
#
# Seen with shap 0.51.0, opencv-python-headless 4.14.0.94, NumPy 2.4.6 on Python 3.11; an image with a bright
# left half, and a network whose answer is the mean of that half by the image's white:
#   inpaint_telea, [0, 1]: the answer is 0.90, base + values 0.00; kept pixels off by up to 0.90
#   inpaint_ns, [0, 1]: the answer is 0.90, base + values 0.00; kept pixels off by up to 0.90
#   inpaint_telea, [0, 255]: the answer is 0.90, base + values 0.90; kept pixels off by up to 0.00
#   blur(8,8), [0, 1]: the answer is 0.90, base + values 0.90; kept pixels off by up to 0.00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q shap==0.51.0 opencv-python-headless==4.14.0.94 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - 2>"$folder/log" <<'PYTHON' || { cat "$folder/log"; exit 1; }
import importlib.metadata

import numpy as np
import shap

print(*(f"{name} {importlib.metadata.version(name)}" for name in
        ("shap", "opencv-python-headless", "numpy")))
SHAPE = (16, 16, 3)
image = np.full(SHAPE, 0.1, "float32")
image[:, :8] = 0.9

for name, white, wrong in (("inpaint_telea", 1, True), ("inpaint_ns", 1, True),
                           ("inpaint_telea", 255, False), ("blur(8,8)", 1, False)):
    x = np.round(image * white) if white > 1 else image

    def network(images):
        """The mean of the left half, as a part of white, for each image."""
        return images.reshape(-1, *SHAPE)[:, :, :8].mean((1, 2, 3))[:, None] / white

    masker = shap.maskers.Image(name, SHAPE)
    corner = np.ones(SHAPE, bool)
    corner[:2, :2] = False
    kept = np.abs(masker(corner.ravel(), x)[0][0] - x)[corner].max() / white
    told = shap.Explainer(network, masker)(x[None], max_evals=100, batch_size=10, silent=True)
    answer, total = network(x[None]).item(), (told.base_values.sum() + told.values.sum()).item()
    print(f"{name}, [0, {white}]: the answer is {answer:.2f}, base + values {total:.2f}; "
          f"kept pixels off by up to {kept:.2f}")
    assert abs(answer - 0.9) < 0.01
    assert (total < 0.01 and kept > 0.89) if wrong else (abs(total - answer) < 0.01 > kept), \
        f"{name} has changed"
PYTHON
