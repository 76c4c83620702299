"""Blobs that a weight file need not hold: shared ones, and those that a filler defines.

Caffe fills every blob before it copies a file's into the net, and lets layers share a blob by the
name of its `param`. So a layer may be complete though the file has nothing for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tf_inverse.caffe.blob_shape import BlobShape
from tf_inverse.caffe.caffemodel import Blob, Caffemodel, Layer
from tf_inverse.caffe.message import Message
from tf_inverse.caffe.shape_inference import Plan, Step
from tf_inverse.errors import ConversionError, RefusedInput
from tf_inverse.tensors import Array

# The fields that describe how a layer's first and second blob are filled.
FILLERS = ("weight_filler", "bias_filler")


def complete(plan: Plan, file: Caffemodel) -> tuple[Caffemodel, list[str]]:
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


def _named(plan: Plan, held: Mapping[str, Layer]) -> dict[str, Blob]:
    """{name of a param: its blob}; what layers share must be equal wherever the file has it."""
    blobs: dict[str, Blob] = {}
    for step in plan.steps:
        layer = held.get(step.layer.name)
        if layer is None:
            continue
        for name, blob in zip(step.layer.shared, layer.blobs, strict=False):
            if name and not np.array_equal(blobs.setdefault(name, blob).values, blob.values):
                raise ConversionError(
                    f"layer {layer.name!r} shares {name!r} with another layer, but the file holds "
                    f"other numbers for it"
                )
    return blobs


def _shared(step: Step, named: Mapping[str, Blob]) -> tuple[Blob, ...] | None:
    """The blobs of a layer that has all of them from others, None if it has not."""
    names = step.layer.shared[: len(step.weights)]
    found = tuple(named[name] for name in names if name in named)
    return found if len(found) == len(step.weights) else None


def _filled(step: Step) -> tuple[Blob, ...] | None:
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
    blobs = tuple(
        Blob(shape, False, array)
        for array, shape in zip(arrays, step.weights, strict=True)
        if array is not None
    )
    return blobs if len(blobs) == len(arrays) else None


def _fill(filler: Message, shape: BlobShape) -> Array | None:
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
