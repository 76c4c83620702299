"""The paper's networks with their layers' names and kernels but few channels, and files of them.

Conversion of 117 million weights takes half a minute; of these, nothing.
"""

import numpy as np
from oracles import deepsim_torch

from tf_inverse.models import caffenet, generator

NARROWER = 32
WIDTHS = (8, 8, 8, 8, 256, 128, 128)


def architectures(thin=NARROWER):
    """Those of `models.generator`, all channels but the codes of fc8 and the image's divided."""
    return {code: _thin(one, code, thin) for code, one in generator.ARCHITECTURES.items()}


def _thin(one, code, thin):
    layers = tuple(
        layer._replace(filters=layer.filters // (1 if layer.filters == 3 else thin))
        for layer in one.layers
    )
    *sides, channels = one.shape
    height, width, depth = one.grid or (0, 0, 0)
    return one._replace(
        shape=(*sides, channels // (1 if code == "fc8" else thin)),
        layers=layers,
        dense=tuple(units // thin for units in one.dense),
        grid=one.grid and (height, width, depth // thin),
    )


def apply(monkeypatch):
    """Make the package's tables thin while a test runs."""
    monkeypatch.setattr(generator, "ARCHITECTURES", architectures())
    monkeypatch.setattr(caffenet, "WIDTHS", WIDTHS)


def caffenet_shapes(classes=1000, widths=WIDTHS):
    """{tensor: shape} of CaffeNet's state dict."""
    conv = [(11, 3, 1), (5, widths[0], 2), (3, widths[1], 1), (3, widths[2], 2), (3, widths[3], 2)]
    shapes = {}
    for i, (kernel, inputs, groups) in enumerate(conv, 1):
        shapes[f"conv{i}.weight"] = (widths[i - 1], inputs // groups, kernel, kernel)
        shapes[f"conv{i}.bias"] = (widths[i - 1],)
    sizes = (36 * widths[4], *widths[5:], classes)
    for i in (6, 7, 8):
        shapes[f"fc{i}.weight"] = (sizes[i - 5], sizes[i - 6])
        shapes[f"fc{i}.bias"] = (sizes[i - 5],)
    return shapes


def caffenet_weights(classes=1000, seed=0):
    """Random weights of a thin CaffeNet by name."""
    return deepsim_torch.random(caffenet_shapes(classes), seed)


def generator_weights(code="fc6", seed=1, contrast=60.0):
    """Random weights of a thin generator by name; images have contrast."""
    arrays = deepsim_torch.random(deepsim_torch.shapes(code, NARROWER), seed)
    last = "conv1_1.weight" if "conv1_1.weight" in arrays else "deconv0.weight"
    arrays[last] *= np.float32(contrast if last.startswith("deconv") else 1.0)
    return arrays
