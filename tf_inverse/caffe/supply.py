"""Blobs that a weight file need not hold: shared ones, and those that a filler defines.

Caffe fills every blob before it copies a file's into the net, and lets layers share a blob by the
name of its `param`. So a layer may be complete though the file has nothing for it.
"""

import math

import numpy as np

from tf_inverse.caffe.caffemodel import Blob, Caffemodel, Layer
from tf_inverse.caffe.message import Message
from tf_inverse.errors import ConversionError, RefusedInput

# The fields that describe how a layer's first and second blob are filled.
FILLERS = ("weight_filler", "bias_filler")


def complete(plan, file: Caffemodel) -> tuple[Caffemodel, list[str]]:
    """A file with all that its network shares or fills.

    Args:
        plan: Of the network.
        file: As read.

    Returns:
        (file, one line for each layer that was added).

    Raises:
        ConversionError: Layers that share a blob hold different numbers.
        RefusedInput: A filler with a setting that is not known here.
    """
    held = file.weights()
    named = _named(plan, held)
    added, notes = [], []
    for step in plan.steps:
        layer = step.layer
        if not step.weights or layer.name in held:
            continue
        blobs, how = _shared(step, named), "shared"
        if blobs is None:
            blobs, how = _filled(step), "from its filler"
        if blobs is not None:
            added.append(Layer(layer.name, layer.type, layer.bottoms, layer.tops, blobs))
            notes.append(f"{layer.name}: the file holds no weights for it, they are {how}")
    return file._replace(layers=(*file.layers, *added)), notes


def _named(plan, held):
    """{name of a param: its blob}; what layers share must be equal wherever the file has it."""
    blobs = {}
    for step in plan.steps:
        layer = held.get(step.layer.name)
        for name, blob in zip(step.layer.shared, layer.blobs if layer else (), strict=False):
            if name and not np.array_equal(blobs.setdefault(name, blob).values, blob.values):
                raise ConversionError(
                    f"layer {layer.name!r} shares {name!r} with another layer, but the file holds "
                    f"other numbers for it"
                )
    return blobs


def _shared(step, named):
    """The blobs of a layer that has all of them from others, None if it has not."""
    names = step.layer.shared[: len(step.weights)]
    found = [named.get(name) for name in names]
    if len(found) < len(step.weights) or None in found:
        return None
    return tuple(found)


def _filled(step):
    """The blobs of a layer whose fillers say each number, None where they do not.

    A filler draws at random unless it is told otherwise, and the weight's must be told so in words:
    a layer that was forgotten must not become a layer of zeros.
    """
    param = step.layer.param
    if FILLERS[0] not in param.fields:
        return None
    arrays = [
        _fill(param.message(name), shape)
        for name, shape in zip(FILLERS, step.weights, strict=False)
    ]
    if any(array is None for array in arrays):
        return None
    return tuple(Blob(shape, False, a) for a, shape in zip(arrays, step.weights, strict=True))


def _fill(filler: Message, shape):
    """The numbers of a filler, None for one that draws at random."""
    kind, value = filler.word("type", "constant"), filler.number("value", 0.0)
    if kind not in ("constant", "bilinear"):
        return None
    unknown = filler.unknown()
    if unknown:
        raise RefusedInput("; ".join(unknown))
    if kind == "constant":
        return np.broadcast_to(np.float32(value), shape)
    if len(shape) != 4 or shape[2] != shape[3]:
        raise RefusedInput(f"{filler.where}: expected a square kernel to fill, got {shape}")
    return np.broadcast_to(bilinear(shape[2]), shape)


def bilinear(side: int) -> np.ndarray:
    """Caffe's kernel for bilinear interpolation, [side, side]."""
    half = math.ceil(side / 2)
    centre = (side - 1) / (2 * half)
    weight = 1 - abs(np.arange(side) / half - centre)
    return np.outer(weight, weight).astype(np.float32)
