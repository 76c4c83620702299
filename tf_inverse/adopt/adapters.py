"""The conventions of this package, built around any model: RGB 0..255 in and out, one input."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any, TypeGuard

import keras
import numpy as np

from tf_inverse.adopt import layouts
from tf_inverse.adopt.pixels import PIXELS as PIXELS
from tf_inverse.adopt.pixels import Pixels, Range, transform
from tf_inverse.errors import UsageError
from tf_inverse.layers.frozen_inputs import Fixed
from tf_inverse.networks import picture as files
from tf_inverse.tensors import Array, Model, Tensor

# Rec. 601, as every reader of pictures turns RGB into grey.
LUMA = ((0.299,), (0.587,), (0.114,))


def classifier(
    model: Model,
    values: Pixels = PIXELS,
    channels: int | None = None,
    fixed: layouts.Fixings = None,
) -> Model:
    """A classifier that takes images of `channels` channels in 0..255.

    Args:
        model: One image input, and others that are fixed.
        values: What pixels it expects.
        channels: Of the images that will come, where they are not the model's own.
        fixed: Value of every further input, by name; of an image its values, or a picture's file.

    Raises:
        UsageError: The input is not an image, or an input is neither the image nor fixed; or the
            pixels are of three channels, and the image is grey.
        RefusedInput: A picture cannot be read.
    """
    image = layouts.free(model, fixed or {}, "classifier")
    shape, size, own, first = layouts.picture(model, fixed)
    flat = len(shape) == 2
    channels = channels or own
    kept = (values, channels, first, flat) == (PIXELS, own, False, False)
    if kept and _of_one_tensor(model):
        return model
    x = keras.Input((*size, channels), name="pixels")
    h = _to_channels(x, channels, own)
    if values != PIXELS:
        h = _affine(h, *transform(values, own), "to_range")
    if first:
        h = keras.layers.Permute((3, 1, 2), name="channels_first")(h)
    if flat:
        h = keras.layers.Reshape(size, name="without_channels")(h)
    return keras.Model(
        x, _call(model, h, image, _read(model, fixed or {}, values)), name=model.name
    )


def generator(model: Model, values: Range = PIXELS, fixed: layouts.Fixings = None) -> Model:
    """A generator of images in 0..255 from codes alone.

    Args:
        model: One code input, and others that are fixed.
        values: (low, high) of the pixels that it gives.
        fixed: Value of every further input, by name: the label of a class-conditional one.

    Raises:
        UsageError: Its output is not one image, or an input is neither the code nor fixed.
    """
    code, size = layouts.free(model, fixed or {}, "generator"), layouts.code_size(model, fixed)
    shape = layouts.output_shape(model)
    first, flat = layouts.channels_first((None, *shape)), len(shape) == 2
    kept = (values, first, flat, len(code.shape)) == (PIXELS, False, False, 2)
    if kept and _of_one_tensor(model) and _gives_one_tensor(model):
        return model
    c = keras.Input((size,), name="codes")
    h = c
    if len(code.shape) != 2:
        h = keras.layers.Reshape(code.shape[1:], name="as_code")(c)
    y = _call(model, h, code, fixed or {})
    y = keras.tree.flatten(y)[0]
    if first:
        y = keras.layers.Permute((2, 3, 1), name="channels_last")(y)
    if flat:
        y = keras.layers.Reshape((*shape, 1), name="with_a_channel")(y)
    low, high = values
    if values != PIXELS:
        scale = 255.0 / (high - low)
        y = keras.layers.Rescaling(scale, -low * scale, dtype="float32", name="to_pixels")(y)
    return keras.Model(c, y, name=model.name)


def prepared(
    model: Model, matrix: Array, shift: Array, size: tuple[int, ...] | None = None
) -> Model:
    """A classifier of RGB 0..255 that does x A + b before anything else.

    Args:
        model: Takes what is prepared.
        matrix: A, [3, 3].
        shift: b, [3].
        size: (H, W, 3) of its input, where the model leaves that open.
    """
    if np.allclose(matrix, np.eye(3)) and np.allclose(shift, 0.0) and size is None:
        return model
    x = keras.Input(size or model.input_shape[1:], name="pixels")
    return keras.Model(x, model(_affine(x, matrix, shift, "preprocessing")), name=model.name)


def with_encoder(classifier: Model, encoder: Model) -> tuple[Model, str]:
    """A classifier and another model on the same images as one; the path of the encoding.

    Args:
        classifier: Takes RGB 0..255.
        encoder: Takes the same, of any size; its one output is the encoding.

    Raises:
        UsageError: The encoder has several outputs.
    """
    if len(encoder.outputs) > 1:
        told = ", ".join(str(list(one.shape[1:])) for one in encoder.outputs)
        raise UsageError(
            f"expected an encoder with one output, {encoder.name} gives {told}: save a model of "
            f"one of them, keras.Model(E.inputs, E.outputs[0]), as of the means of a variational "
            f"autoencoder, or of several, keras.layers.Concatenate()(E.outputs)"
        )
    x = keras.Input(classifier.input_shape[1:], name="image")
    h, size = x, encoder.input_shape[1:3]
    if None not in size and size != classifier.input_shape[1:3]:
        h = keras.layers.Resizing(*size, antialias=True, name="to_encoder")(h)
    h = encoder(h)
    outputs = [*keras.tree.flatten(classifier(x)), *keras.tree.flatten(h)]
    return keras.Model(x, outputs, name=classifier.name), encoder.name


def _call(model: Model, h: Tensor, free: keras.KerasTensor, fixed: Mapping[str, Any]) -> Any:
    values = [
        h if one.name == free.name else _fixed(one, fixed[one.name])(h) for one in model.inputs
    ]
    # A model takes its inputs as it was made: one tensor, or a list or dictionary of them.
    return model(keras.tree.pack_sequence_as(inputs(model), values))


def _of_one_tensor(model: Model) -> bool:
    return isinstance(inputs(model), keras.KerasTensor)


def _gives_one_tensor(model: Model) -> bool:
    """Whether a model gives its image as it is, and not in a list or a dictionary."""
    return isinstance(model, keras.Sequential) or isinstance(model.output, keras.KerasTensor)


def inputs(model: Model) -> Any:
    """Inputs as the model takes them: a tensor, or several in a list or a dictionary."""
    # A Sequential model that nobody has called yet knows its inputs, but not as `input`.
    return model.inputs[0] if isinstance(model, keras.Sequential) else model.input


def _read(model: Model, fixed: Mapping[str, Any], values: Pixels) -> dict[str, Any]:
    """Values of fixed inputs, with the pixels of a picture in place of its file's name."""
    shapes = {one.name: tuple(one.shape[1:]) for one in model.inputs}
    return {
        name: _pixels(value, shapes[name], values) if _is_file(value, shapes[name]) else value
        for name, value in fixed.items()
    }


def _is_file(value: object, shape: tuple[int | None, ...]) -> TypeGuard[str | pathlib.Path]:
    return isinstance(value, str | pathlib.Path) and len(shape) in (2, 3) and None not in shape


def _pixels(file: str | pathlib.Path, shape: tuple[int, ...], values: Pixels) -> Array:
    first, flat = layouts.channels_first((None, *shape)), len(shape) == 2
    channels = 1 if flat else shape[0 if first else -1]
    if channels not in layouts.CHANNELS:
        raise UsageError(f"expected no picture for an input of {list(shape)}, got {file}")
    matrix, shift = transform(values, channels)
    rows, columns = shape[1:] if first else shape[:2]
    x = files.read(file, (rows, columns), channels) @ matrix + shift
    return x[..., 0] if flat else x.transpose(2, 0, 1) if first else x


def _fixed(one: keras.KerasTensor, value: Any) -> Fixed:
    """A fixed input; one number stands for a one-hot row, or for each entry of a map."""
    shape = tuple(one.shape[1:])
    if None in shape:
        raise UsageError(f"expected a fixed size of input {one.name}, which takes {list(shape)}")
    kind = keras.backend.standardize_dtype(one.dtype)
    if kind == "string":
        raise UsageError(
            f"expected no input of words, as {one.name}, to be fixed here: save a model of the "
            f"others alone that gives it, as tf.constant"
        )
    if isinstance(value, str | pathlib.Path):
        raise UsageError(f"expected a number for input {one.name}, which is no image, got {value}")
    value = np.asarray(value)
    if value.dtype.kind not in "biuf":
        raise UsageError(f"expected numbers for input {one.name}, got {value.dtype}")
    _expect_of_kind(value, kind, one.name)
    if value.size == 1 and len(shape) > 1:
        value = np.full(shape, value.reshape(()))
    elif value.size == 1 and np.prod(shape) > 1:
        label = value.item()
        if keras.backend.is_int_dtype(one.dtype):
            raise UsageError(
                f"expected {int(np.prod(shape))} whole numbers for input {one.name}, as of words, "
                f"got one: give all, with blanks between, or an .npy file"
            )
        if label not in range(shape[0]):
            raise UsageError(
                f"expected a label from 0 to {shape[-1] - 1} for input {one.name}, got {label:g}"
            )
        value = np.eye(shape[0])[int(label)]
    if value.size != np.prod(shape):
        raise UsageError(
            f"expected {int(np.prod(shape))} numbers for input {one.name}, got {value.size}"
        )
    return Fixed(value.reshape(shape).astype(kind).tolist(), kind, name=f"fixed_{one.name}")


def _expect_of_kind(value: Array, kind: str, name: str) -> None:
    """Refuses numbers that are not finite, or that an input of whole numbers would change."""
    off, what = ~np.isfinite(value), "finite numbers"
    if "int" in kind:
        limits = np.iinfo(kind)
        off |= (value != np.rint(value)) | (value < limits.min) | (value > limits.max)
        what = f"whole numbers ({kind})"
    if off.any():
        raise UsageError(f"expected {what} for input {name}, got {value[off].flat[0]:g}")


def _to_channels(x: Tensor, given: int, wanted: int) -> Tensor:
    if given == wanted:
        return x
    matrix = np.array(LUMA) if wanted == 1 else np.ones((1, 3))
    return _mixed(x, matrix, np.zeros(wanted), "to_channels")


def _affine(x: Tensor, matrix: Array, shift: Array, name: str) -> Tensor:
    """The product x A + b over channels; where A mixes none, the layer's config has the numbers."""
    scales = np.diag(matrix)
    if not np.allclose(matrix, np.diag(scales)):
        return _mixed(x, matrix, shift, name)
    return keras.layers.Rescaling(scales.tolist(), shift.tolist(), name=name)(x)


def _mixed(x: Tensor, matrix: Array, shift: Array, name: str) -> Tensor:
    """A product with a matrix over the channels: x A + b."""
    layer = keras.layers.Conv2D(matrix.shape[1], 1, trainable=False, dtype="float32", name=name)
    h = layer(x)
    layer.set_weights([matrix[np.newaxis, np.newaxis], shift])
    return h
