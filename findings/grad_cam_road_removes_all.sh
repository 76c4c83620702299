#!/usr/bin/env bash
# ROAD in the package grad-cam (pytorch-grad-cam) does not remove the share of pixels that it is asked for
# where a map has pixels of 0, as maps have that end in a ReLU. ROADMostRelevantFirst(p), which removes the
# 100 - p percent that a map finds most relevant, removes every pixel of the image where p percent of the
# map and more are 0: the network is asked about noise around 0, and the confidence drops whatever the map
# shows. So a map that points at an empty corner passes for faithful once its rest is 0:
# ROADMostRelevantFirstAverage tells -0.62 of it, and -0.07 where ties are broken by chance.
# ROADLeastRelevantFirst removes all zeros at once too, 74 % of the image where 10 % are asked for, and
# ROADCombined and ARCC are made of both.
#
# Why: perturbation_confidence.py keeps the pixels below the percentile's value. Where that value is the
# map's least, none is below.
# What helps: add to the map a number at random for each pixel, smaller than its steps, before the metric.
# Upstream: no report was found.
#
# Seen with grad-cam 1.5.7, torch 2.13.0, NumPy 2.4.6, SciPy 1.17.1 on Python 3.11; a network whose answer
# is the mean of a bright square, and a map that has a peak in another corner and is 0 elsewhere:
#   pixels of 0 in the map: 74%
#   most relevant 90%: removed 100%, the answer changes by -0.79, by definition -0.24
#   most relevant 50%: removed 100%, the answer changes by -0.79, by definition -0.07
#   most relevant 20%: removed 20%, the answer changes by 0.00, by definition 0.00
#   least relevant 10%: removed 74%
#   average over percentiles: -0.62, by definition -0.06, of the map with ties broken -0.07
#
# On Linux pip takes torch's build for GPUs, some gigabytes; a build of 2.13.0 for CPUs serves as well.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q grad-cam==1.5.7 torch==2.13.0 torchvision==0.28.0 numpy==2.4.6 \
    scipy==1.17.1
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
import torch

try:
    import torchvision  # noqa: F401
except RuntimeError:
    # Its build for GPUs beside torch's for CPUs lacks these two operators, which nothing here calls.
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from pytorch_grad_cam.metrics.road import (
    NoisyLinearImputer,
    ROADLeastRelevantFirst,
    ROADMostRelevantFirst,
    ROADMostRelevantFirstAverage,
)
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("grad-cam", "torch", "numpy", "scipy")))
torch.manual_seed(0)
rng = np.random.default_rng(0)
SIDE = 32


class Network(torch.nn.Module):
    """The mean of a square, as the answer of the one class."""

    def forward(self, x):
        return x[:, :, 8:16, 8:16].mean((1, 2, 3))[:, None]


image = torch.rand(1, 3, SIDE, SIDE) * 0.2
image[:, :, 8:16, 8:16] += 0.7
rows, columns = np.mgrid[:SIDE, :SIDE]
sparse = np.maximum(0, 1 - np.hypot(rows - 26, columns - 26) / 12).astype("float32")
broken = sparse + rng.random(sparse.shape).astype("float32") * 1e-4
network, targets = Network(), [ClassifierOutputTarget(0)]
zeros = (sparse == 0).mean()
print(f"pixels of 0 in the map: {zeros:.0%}")


def removed(metric, cam):
    """The share of pixels that the metric changes, and the change of the answer."""
    change, seen = metric(image, cam[None], targets, network, return_visualization=True)
    return ((seen - image).abs().sum(1) > 0).float().mean().item(), change.item()


def defined(percentile):
    """ROAD by its paper: so many pixels are removed, the most relevant first, ties by chance."""
    order = np.lexsort((rng.random(sparse.size), -sparse.ravel()))
    mask = np.ones(sparse.size, "float32")
    mask[order[:round(sparse.size * (1 - percentile / 100))]] = 0
    seen = NoisyLinearImputer()(image[0], torch.from_numpy(mask.reshape(sparse.shape)))
    return (network(seen[None]) - network(image)).item()


for percentile in (10, 50, 80):
    (share, change), asked = removed(ROADMostRelevantFirst(percentile), sparse), 1 - percentile / 100
    expected, (share_broken, _) = defined(percentile), removed(ROADMostRelevantFirst(percentile), broken)
    print(f"most relevant {asked:.0%}: removed {share:.0%}, the answer changes by {change:.2f}, "
          f"by definition {expected:.2f}")
    assert abs(share_broken - asked) < 0.01
    if percentile / 100 < zeros:
        assert share == 1 and change < -0.7, "ROAD has changed"
    else:
        assert abs(share - asked) < 0.01 and abs(change - expected) < 0.02
share, _ = removed(ROADLeastRelevantFirst(90), sparse)
print(f"least relevant 10%: removed {share:.0%}")
assert abs(share - zeros) < 0.01, "ROAD has changed"

average, fair = (ROADMostRelevantFirstAverage()(image, cam[None], targets, network).item()
                 for cam in (sparse, broken))
expected = np.mean([defined(percentile) for percentile in range(10, 100, 10)])
print(f"average over percentiles: {average:.2f}, by definition {expected:.2f}, "
      f"of the map with ties broken {fair:.2f}")
assert average < expected - 0.1 and abs(fair - expected) < 0.05, "ROAD has changed"
PYTHON
