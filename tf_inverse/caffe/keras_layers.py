"""One Keras layer, or a few, for each step of a plan; the last one carries the step's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import keras

from tf_inverse.caffe import axes, build_moves
from tf_inverse.caffe.blob_shape import BlobShape, Options
from tf_inverse.caffe.shape_inference import Step
from tf_inverse.layers import caffe_layers, convolution, fork_layers
from tf_inverse.tensors import Tensor

Builder: TypeAlias = Callable[[Step, list[Tensor], str], Tensor | list[Tensor]]
"""Makes a step: (step, tensors of its bottoms, name) -> the tensor of its top, or a list."""


def apply(step: Step, tensors: list[Tensor], name: str) -> list[Tensor]:
    """Apply a step to the tensors of its bottoms.

    Returns:
        The tensors of its tops.
    """
    result = BUILDERS[step.layer.type](step, tensors, name)
    return result if isinstance(result, list) else [result]


def parts(step: Step) -> tuple[str, ...]:
    """What follows a step's name in those of the layers that it is made of beside its own."""
    if step.layer.type == "Slice":
        return tuple(map(str, range(1, len(step.outputs))))
    if step.layer.type == "Eltwise":
        return tuple(map(str, range(len(step.options["coeff"]))))
    return PARTS.get(step.layer.type, ())


def _simple(make: Callable[[Options, str], keras.layers.Layer]) -> Builder:
    """A builder from make(options, name), a layer of one tensor."""

    def build(step: Step, tensors: list[Tensor], name: str) -> Tensor:
        return make(step.options, name)(tensors[0])

    return build


def _convolution(step: Step, tensors: list[Tensor], name: str) -> Tensor:
    o = step.options
    layer = convolution.convolution(
        o["filters"],
        o["kernel"],
        o["strides"],
        o["pads"],
        o["dilation"],
        o["groups"],
        use_bias=o["bias"],
        kernel_initializer="zeros",
        name=name,
    )
    return layer(tensors[0])


def _deconvolution(step: Step, tensors: list[Tensor], name: str) -> Tensor:
    o = step.options
    layer = convolution.deconvolution(
        o["filters"],
        o["kernel"],
        o["strides"],
        o["pads"],
        o["groups"],
        use_bias=o["bias"],
        kernel_initializer="zeros",
        name=name,
    )
    return layer(tensors[0])


def _product(step: Step, tensors: list[Tensor], name: str) -> Tensor:
    o = step.options
    x = axes.caffe_order(step.shapes[0], tensors[0], name)
    x = keras.layers.Flatten(name=f"{name}_flatten")(x) if len(step.shapes[0]) > 1 else x
    dense = keras.layers.Dense(
        o["filters"], use_bias=o["bias"], kernel_initializer="zeros", name=name
    )
    return dense(x)


def _pooling(step: Step, tensors: list[Tensor], name: str) -> Tensor:
    o, size = step.options, step.shapes[0][1:]
    if o["global"]:
        average = o["mode"] == "average"
        kind = keras.layers.GlobalAveragePooling2D if average else keras.layers.GlobalMaxPooling2D
        return kind(keepdims=True, name=name)(tensors[0])
    layer = caffe_layers.pooling(
        o["mode"],
        o["kernel"],
        o["strides"],
        o["pads"],
        size,
        o["overhang"],
        o["padding_counts"],
        name,
    )
    return layer(tensors[0])


def _prelu(step: Step, tensors: list[Tensor], name: str) -> Tensor:
    axes = [1, 2, 3][: len(step.shapes[0])]
    shared = axes if step.options["channel_shared"] else axes[:-1]
    return keras.layers.PReLU(shared_axes=shared or None, name=name)(tensors[0])


def _relu(o: Options, name: str) -> keras.layers.Layer:
    if o["negative_slope"]:
        return keras.layers.LeakyReLU(o["negative_slope"], name=name)
    return keras.layers.ReLU(name=name)


def _dropout(o: Options, name: str) -> keras.layers.Layer:
    if o["scale_train"]:
        return keras.layers.Dropout(min(o["dropout_ratio"], 0.999), name=name)
    return caffe_layers.Power(1.0, 1 - o["dropout_ratio"], 0.0, name=name)


def _scale(step: Step, tensors: list[Tensor], name: str) -> Tensor:
    if len(tensors) == 1:
        scale = step.layer.type == "Scale"
        return caffe_layers.Scale(scale, step.options["bias"], name=name)(tensors[0])
    x, factor = tensors[0], _over_map(tensors[1], step.shapes[0], name)
    kind = keras.layers.Multiply if step.layer.type == "Scale" else keras.layers.Add
    return kind(name=name)([x, factor])


def _over_map(factor: Tensor, shape: BlobShape, name: str) -> Tensor:
    """A value for each channel, (C,), as a map of one pixel where it meets a map (C, H, W)."""
    if len(shape) != 3 or len(factor.shape) == 4:
        return factor
    return keras.layers.Reshape((1, 1, shape[0]), name=f"{name}_map")(factor)


def _axpy(step: Step, tensors: list[Tensor], name: str) -> Tensor:
    factor = _over_map(tensors[0], step.shapes[1], name)
    scaled = keras.layers.Multiply(name=f"{name}_scaled")([tensors[1], factor])
    return keras.layers.Add(name=name)([scaled, tensors[2]])


BUILDERS = {
    "Convolution": _convolution,
    "DepthwiseConvolution": _convolution,
    "ConvolutionDepthwise": _convolution,
    "Deconvolution": _deconvolution,
    "InnerProduct": _product,
    "Pooling": _pooling,
    "PReLU": _prelu,
    "Softmax": build_moves.softmax,
    "Concat": build_moves.concat,
    "Eltwise": build_moves.eltwise,
    "Slice": build_moves.cut,
    "Split": build_moves.split,
    "Flatten": build_moves.flatten,
    "Reshape": build_moves.reshape,
    "Crop": build_moves.crop,
    "ReLU": _simple(_relu),
    "Dropout": _simple(_dropout),
    "LRN": _simple(
        lambda o, name: caffe_layers.LRN(
            o["size"], o["alpha"], o["beta"], o["k"], o["across"], name=name
        )
    ),
    "ELU": _simple(lambda o, name: keras.layers.ELU(o["alpha"], name=name)),
    "Sigmoid": _simple(lambda o, name: keras.layers.Activation("sigmoid", name=name)),
    "TanH": _simple(lambda o, name: keras.layers.Activation("tanh", name=name)),
    "Log": _simple(lambda o, name: caffe_layers.Log(o["base"], o["scale"], o["shift"], name=name)),
    "Power": _simple(
        lambda o, name: caffe_layers.Power(o["power"], o["scale"], o["shift"], name=name)
    ),
    "BatchNorm": _simple(
        lambda o, name: keras.layers.BatchNormalization(
            epsilon=o["eps"], center=False, scale=False, name=name
        )
    ),
    "Scale": _scale,
    "Bias": _scale,
    "Axpy": _axpy,
    "Permute": build_moves.permute,
    "Tile": build_moves.tile,
    "Interp": build_moves.interp,
    "ReLU6": _simple(
        lambda o, name: keras.layers.ReLU(6.0, negative_slope=o["negative_slope"], name=name)
    ),
    "Clip": _simple(lambda o, name: fork_layers.Clip(o["low"], o["high"], name=name)),
    "AbsVal": _simple(lambda o, name: fork_layers.Absolute(name=name)),
    "Swish": _simple(lambda o, name: fork_layers.Swish(o["beta"], name=name)),
}

PARTS = {
    "InnerProduct": ("chw", "flatten"),
    "Flatten": ("chw", "reshape"),
    "Reshape": ("chw", "reshape"),
    "Scale": ("map",),
    "Bias": ("map",),
    "Axpy": ("map", "scaled"),
    "Interp": ("part",),
}
