"""From a plan to a Keras model with the same layer names.

Blobs (C, H, W) are tensors [B, H, W, C]; wherever Caffe sees the order of the numbers (flatten,
reshape), the tensor is first brought into Caffe's order.
"""

from __future__ import annotations

import re

import keras
import numpy as np
from numpy.typing import ArrayLike

from tf_inverse.caffe import axes, keras_layers
from tf_inverse.caffe.blob_shape import BlobShape
from tf_inverse.caffe.shape_inference import Plan
from tf_inverse.errors import ConversionError
from tf_inverse.layers.pixels import FromPixels, ToPixels, centre_crop
from tf_inverse.tensors import Tensor

OWN = ("pixels", "code_to_map")
"""Layers that are put around a network."""


def keras_names(plan: Plan) -> dict[str, str]:
    """Names of Keras layers by Caffe's; what Keras forbids, as the "/" of "fire2/relu", is "_".

    Keras takes each name once, those of inputs and of the layers that are put in among them; a name
    that is taken is followed by "_".
    """
    names: dict[str, str] = {}
    taken = {*plan.inputs, *OWN}
    for step in plan.steps:
        name = re.sub(r"[^A-Za-z0-9_.\-]", "_", step.layer.name)
        name = name if name[0].isalnum() else f"layer{name}"
        while taken & {name, *(f"{name}_{part}" for part in keras_layers.parts(step))}:
            name += "_"
        taken |= {name, *(f"{name}_{part}" for part in keras_layers.parts(step))}
        names[step.layer.name] = name
    return names


def classifier(
    plan: Plan, mean: ArrayLike = (0.0,), scale: float = 1.0, channels: str = "bgr"
) -> keras.Model:
    """A classifier of RGB images 0..255; the mean and the order of channels are inside.

    Args:
        plan: With one input (C, H, W).
        mean: [C] or [H, W, C] (its centre is used), in the network's order of channels.
        scale: What the network multiplies pixels by after the mean is taken off.
        channels: "bgr" or "rgb": the network's order.
    """
    shape = _only_input(plan)
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ConversionError(f"expected a classifier's input (1 or 3, H, W), got {shape}")
    image = keras.Input((*shape[1:], shape[0]), name=next(iter(plan.inputs)))
    mean = centre_crop(mean, *shape[1:], shape[0])
    pixels = FromPixels(channels, mean.shape, scale, name="pixels")
    model = keras.Model(image, _outputs(plan, [pixels(image)]), name=_name(plan))
    pixels.mean.assign(mean)
    return model


def generator(
    plan: Plan, mean: ArrayLike = (0.0,), scale: float = 1.0, channels: str = "bgr"
) -> keras.Model:
    """A generator of RGB images 0..255, unclipped, from codes [B, d].

    Args:
        plan: With one input (d,) or (C, H, W), and one output, an image.
        mean: [C] or [H, W, C], in the network's order of channels, added to its output.
        scale: What the network's pixels were multiplied by.
        channels: "bgr" or "rgb": the network's order.
    """
    shape = _only_input(plan)
    code = keras.Input((int(np.prod(shape)),), name=next(iter(plan.inputs)))
    x = code
    if len(shape) == 3:
        x = keras.layers.Reshape((*shape[1:], shape[0]), name="code_to_map")(code)
    image = _outputs(plan, [x])
    if isinstance(image, list) or len(image.shape) != 4 or image.shape[-1] not in (1, 3):
        raise ConversionError("expected a generator with one output, an image of 1 or 3 channels")
    mean = centre_crop(mean, *image.shape[1:])
    pixels = ToPixels(channels, mean.shape, scale, name="pixels")
    model = keras.Model(code, pixels(image), name=_name(plan))
    pixels.mean.assign(mean)
    return model


def raw(plan: Plan) -> keras.Model:
    """The network alone, its inputs as Caffe takes them but [B, H, W, C]."""
    inputs = [
        keras.Input(axes.keras_shape(shape), name=name) for name, shape in plan.inputs.items()
    ]
    taken = inputs[0] if len(inputs) == 1 else inputs
    return keras.Model(taken, _outputs(plan, inputs), name=_name(plan))


def _outputs(plan: Plan, inputs: list[Tensor]) -> Tensor | list[Tensor]:
    """Tensors of the blobs that no layer reads: the network's results."""
    tensors, names = dict(zip(plan.inputs, inputs, strict=True)), keras_names(plan)
    for step in plan.steps:
        tops = keras_layers.apply(
            step, [tensors[b] for b in step.layer.bottoms], names[step.layer.name]
        )
        tensors |= dict(zip(step.layer.tops, tops, strict=True))
    results = [tensors[blob] for blob in plan.outputs()]
    return results[0] if len(results) == 1 else results


def _only_input(plan: Plan) -> BlobShape:
    if len(plan.inputs) != 1:
        raise ConversionError(f"expected a network with one input, got {list(plan.inputs)}")
    return next(iter(plan.inputs.values()))


def _name(plan: Plan) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", plan.name) or "caffe"
