"""Keras layers for the steps that join, cut and move numbers; see `keras_layers.apply`."""

from __future__ import annotations

import keras

from tf_inverse.caffe import axes
from tf_inverse.caffe.shape_inference import Step
from tf_inverse.layers import caffe_layers, fork_layers
from tf_inverse.tensors import Tensor


def softmax(step: Step, tensors: list[Tensor], name: str) -> Tensor:
    """Softmax along an axis."""
    axis = step.options["axis"]
    axis = axes.AXES[axis] if len(step.shapes[0]) == 3 else axis
    return keras.layers.Softmax(axis=axis, name=name)(tensors[0])


def concat(step: Step, tensors: list[Tensor], name: str) -> Tensor:
    """The bottoms one after the other."""
    axis = step.options["axis"]
    axis = axes.AXES[axis] if len(step.shapes[0]) == 3 else axis
    if len(tensors) == 1:
        return keras.layers.Identity(name=name)(tensors[0])
    return keras.layers.Concatenate(axis=axis, name=name)(tensors)


def eltwise(step: Step, tensors: list[Tensor], name: str) -> Tensor:
    """Bottoms of one shape, joined number by number."""
    o = step.options
    if o["operation"] == "SUM" and set(o["coeff"]) - {1.0}:
        tensors = [
            caffe_layers.Power(1.0, c, 0.0, name=f"{name}_{i}")(x)
            for i, (c, x) in enumerate(zip(o["coeff"], tensors, strict=True))
        ]
    kinds = {"SUM": keras.layers.Add, "PROD": keras.layers.Multiply, "MAX": keras.layers.Maximum}
    if len(tensors) == 1:
        return keras.layers.Identity(name=name)(tensors[0])
    return kinds[o["operation"]](name=name)(tensors)


def cut(step: Step, tensors: list[Tensor], name: str) -> list[Tensor]:
    """One tensor for each part."""
    i, bounds = step.options["axis"] - 1, step.options["bounds"]
    parts = []
    for number, (start, shape) in enumerate(zip(bounds, step.outputs, strict=False)):
        starts = [0] * len(shape)
        starts[i] = start
        part = f"{name}_{number}" if number else name
        cut = caffe_layers.Slice(
            axes.keras_shape(tuple(starts)), axes.keras_shape(shape), name=part
        )
        parts.append(cut(tensors[0]))
    return parts


def split(step: Step, tensors: list[Tensor], name: str) -> list[Tensor]:
    """The same tensor for every top."""
    return [keras.layers.Identity(name=name)(tensors[0])] * len(step.layer.tops)


def flatten(step: Step, tensors: list[Tensor], name: str) -> Tensor:
    """The numbers in Caffe's order, on fewer axes."""
    if len(step.options["shape"]) > 1:
        return reshape(step, tensors, name)
    return keras.layers.Flatten(name=name)(axes.caffe_order(step.shapes[0], tensors[0], name))


def reshape(step: Step, tensors: list[Tensor], name: str) -> Tensor:
    """The numbers, in Caffe's order, in another shape."""
    shape = step.options["shape"]
    x = axes.caffe_order(step.shapes[0], tensors[0], name)
    if len(shape) != 3:
        return keras.layers.Reshape(shape, name=name)(x)
    x = keras.layers.Reshape(shape, name=f"{name}_reshape")(x)
    return keras.layers.Permute((2, 3, 1), name=name)(x)


def crop(step: Step, tensors: list[Tensor], name: str) -> Tensor:
    """A part of the first bottom."""
    starts, sizes = step.options["starts"], step.options["sizes"]
    return caffe_layers.Slice(axes.keras_shape(starts), axes.keras_shape(sizes), name=name)(
        tensors[0]
    )


def permute(step: Step, tensors: list[Tensor], name: str) -> Tensor:
    """The axes in another order."""
    order = step.options["order"]
    if len(step.shapes[0]) == 3:
        order = (0, *(axes.AXES[order[axis]] for axis in (2, 3, 1)))
    return keras.layers.Permute(order[1:], name=name)(tensors[0])


def tile(step: Step, tensors: list[Tensor], name: str) -> Tensor:
    """Copies one after the other."""
    repeats = [1] * len(step.shapes[0])
    repeats[step.options["axis"] - 1] = step.options["tiles"]
    return fork_layers.Tile(axes.keras_shape(tuple(repeats)), name=name)(tensors[0])


def interp(step: Step, tensors: list[Tensor], name: str) -> Tensor:
    """The map, cut and resized."""
    o, x = step.options, tensors[0]
    if o["size"] != step.shapes[0][1:]:
        starts, sizes = (o["before"], o["before"], 0), (*o["size"], step.shapes[0][0])
        x = caffe_layers.Slice(starts, sizes, name=f"{name}_part")(x)
    return fork_layers.Interpolation(*o["to"], name=name)(x)
