#!/usr/bin/env bash
# GradCAMpp of the package torchcam is not Grad-CAM++: it leaves out the paper's division, without a word,
# and weights each channel by the sum of the cubes of its positive gradients. A channel whose gradient is
# ten times another's counts a thousand times as much, where Grad-CAM++ counts it 7.86 times and plain
# Grad-CAM 10 times. So the map shows the strongest channel alone: of two equally bright objects of which
# the network sees one by a weight of 10 and the other by 1, the second has 0.001 of the map, not 0.127,
# and is gone from any picture of it. The paper made the method for images of several objects.
#
# Why: gradient.py divides alpha[idx][mask] in place. A tensor at a mask of booleans is a copy, so that the
# quotient is dropped and alpha stays the squared gradient.
# What helps: SmoothGradCAMpp with std near 0, whose formula is the paper's.
# Upstream: no report was found.
#
# Seen with torchcam 0.5.0, torch 2.13.0, NumPy 2.4.6 on Python 3.11; a network of two channels, each seeing
# one object of 2 x 2 pixels, whose answer is a weighted sum of the channels' means. Told is the map at the
# object of weight 1 by the map at the other; the paper's is by NumPy in float64:
#   weights 1 and 1: GradCAMpp 1.000, SmoothGradCAMpp 1.000, by the paper 1.000
#   weights 1 and 3: GradCAMpp 0.037, SmoothGradCAMpp 0.354, by the paper 0.354
#   weights 1 and 10: GradCAMpp 0.001, SmoothGradCAMpp 0.127, by the paper 0.127
#
# On Linux pip takes torch's build for GPUs, some gigabytes; a build of 2.13.0 for CPUs serves as well.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torchcam==0.5.0 torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
import torch
from torchcam.methods import GradCAMpp, SmoothGradCAMpp

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("torchcam", "torch", "numpy")))
SIDE, PIXELS = 8, 4


class Network(torch.nn.Module):
    """The weighted sum of the means of two channels, which are the image's own."""

    def __init__(self, weights):
        super().__init__()
        self.features = torch.nn.Conv2d(2, 2, 1, bias=False)
        self.features.weight.data[:] = torch.eye(2)[:, :, None, None]
        self.weights = torch.tensor(weights)

    def forward(self, x):
        return (self.features(x).mean((2, 3)) * self.weights).sum(1, keepdim=True)


image = torch.zeros(1, 2, SIDE, SIDE)
image[0, 0, :2, :2] = 1
image[0, 1, -2:, -2:] = 1


def told(method, network, **options):
    with method(network, "features", input_shape=(2, SIDE, SIDE), **options) as extractor:
        (cam,) = extractor(0, network(image), normalized=False)
    return (cam[0, 0, 0] / cam[0, -1, -1]).item()


def defined(weights):
    """Chattopadhay and others (2018): alpha is g^2 / (2 g^2 + g^3 * the channel's sum)."""
    gradient = np.array(weights, "float64") / SIDE**2
    alpha = gradient**2 / (2 * gradient**2 + gradient**3 * PIXELS)
    channel = SIDE**2 * alpha * gradient
    return channel[0] / channel[1]


for weights in ((1.0, 1.0), (1.0, 3.0), (1.0, 10.0)):
    network = Network(weights).eval()
    found, smooth = told(GradCAMpp, network), told(SmoothGradCAMpp, network, std=1e-6)
    paper = defined(weights)
    print(f"weights {weights[0]:.0f} and {weights[1]:.0f}: GradCAMpp {found:.3f}, "
          f"SmoothGradCAMpp {smooth:.3f}, by the paper {paper:.3f}")
    assert abs(found - (weights[0] / weights[1]) ** 3) < 1e-5, "GradCAMpp has changed"
    assert abs(smooth / paper - 1) < 1e-3, "SmoothGradCAMpp has changed"
PYTHON
