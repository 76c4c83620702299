#!/usr/bin/env bash
# cv2.dnn.readNetFromCaffe reads three layers of Caffe's forks without a word and computes something
# else than the forks do:
#
# - Axpy (SENet's Caffe), bottoms a, x, y: the fork computes a * x + y with one factor of a for each
#   channel of x; OpenCV computes a * y + x.
# - Swish with swish_param { beta: 2 }: Caffe computes x * sigmoid(2 x); OpenCV x * sigmoid(x).
# - Interp (DeepLab, PSPNet) with pad_end: -1: the fork crops before it resizes; OpenCV ignores the pad.
#
# So OpenCV is no oracle for a converter of these layers, and a network run by OpenCV answers
# otherwise than in the Caffe it was trained with. What helps: write Axpy as Scale and Eltwise, fold
# beta into the weights around, and crop in a layer of its own.
#
# Seen with opencv-python-headless 4.14.0.94, numpy 2.4.6, on numbers from N(0, 1):
#   Axpy: 4.04 from a x + y, 0.0e+00 from a y + x
#   Swish with beta 2: 0.21 from x sigmoid(2 x), 3.0e-08 from x sigmoid(x)
#   Interp with pad_end -1: the last of 7 columns is 4.0, of the cropped map 3.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q opencv-python-headless==4.14.0.94 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np

rng = np.random.default_rng(0)


def run(text, **inputs):
    """The last layer's output of a prototxt without weights."""
    net = cv2.dnn.readNetFromCaffe(bufferProto=np.frombuffer(text.encode(), np.uint8))
    for name, value in inputs.items():
        net.setInput(value, name)
    return net.forward()


def declared(**shapes):
    """The inputs of a prototxt."""
    return "".join(
        f'input: "{name}" input_shape {{ {" ".join(f"dim: {n}" for n in shape)} }}\n'
        for name, shape in shapes.items()
    )


def apart(a, b):
    return float(np.abs(a - b).max())


print("opencv", cv2.__version__, "numpy", np.__version__)
a = rng.standard_normal((1, 3, 1, 1)).astype("f4")
x, y = rng.standard_normal((2, 1, 3, 4, 4)).astype("f4")
text = declared(a=a.shape, x=x.shape, y=y.shape)
text += 'layer { name: "s" type: "Axpy" bottom: "a" bottom: "x" bottom: "y" top: "s" }'
found = run(text, a=a, x=x, y=y)
axpy = apart(found, a * x + y), apart(found, a * y + x)
print(f"Axpy: {axpy[0]:.2f} from a x + y, {axpy[1]:.1e} from a y + x")

text = declared(x=x.shape)
text += 'layer { name: "s" type: "Swish" bottom: "x" top: "s" swish_param { beta: 2.0 } }'
found = run(text, x=x)
swish = [apart(found, x / (1 + np.exp(-beta * x))) for beta in (2, 1)]
print(f"Swish with beta 2: {swish[0]:.2f} from x sigmoid(2 x), {swish[1]:.1e} from x sigmoid(x)")

ramp = np.broadcast_to(np.arange(5, dtype="f4"), (1, 1, 5, 5)).copy()
text = declared(x=ramp.shape)
text += (
    'layer { name: "s" type: "Interp" bottom: "x" top: "s" '
    "interp_param { height: 7 width: 7 pad_end: -1 } }"
)
found = run(text, x=ramp)
ends = [float(found[0, 0, 0, -1]), 3.0]
print(f"Interp with pad_end -1: the last of 7 columns is {ends[0]:.1f}, of the cropped map {ends[1]}")

assert axpy[0] > 0.1 > 1e-5 > axpy[1], "Axpy has changed"
assert swish[0] > 0.1 > 1e-4 > swish[1], "Swish has changed"
assert ends[0] == 4.0, "Interp has changed"
PYTHON
