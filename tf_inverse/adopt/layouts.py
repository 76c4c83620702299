"""How a model takes or gives images and codes: the layout of its inputs and of its output."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras

from tf_inverse.errors import UsageError
from tf_inverse.tensors import Model

CHANNELS = (1, 3)

Fixings = dict[str, Any] | None
"""A value for each further input of a model, by name."""


class Picture(NamedTuple):
    """How the image input of a classifier is read.

    Attributes:
        shape: Of the input, without the batch axis.
        size: Rows and columns, None where any will do.
        channels: 1 or 3.
        first: Whether channels come first.
    """

    shape: tuple[int | None, ...]
    size: tuple[int | None, ...]
    channels: int
    first: bool


def picture(model: Model, fixed: Fixings = None) -> Picture:
    """The image input of a classifier.

    Args:
        model: One image input, and others that are fixed.
        fixed: Value of every further input, by name.

    Raises:
        UsageError: The input is not an image, or an input is neither the image nor fixed.
    """
    shape = tuple(free(model, fixed or {}, "classifier").shape)
    first, flat = channels_first(shape), len(shape) == 3
    channels = 1 if flat else shape[1 if first else -1]
    if len(shape) not in (3, 4) or channels not in CHANNELS:
        raise UsageError(
            f"expected a classifier of images [rows, columns, 1 or 3] or [rows, columns], "
            f"{model.name} takes {list(shape[1:])}{_way(shape[1:])}"
        )
    return Picture(shape[1:], shape[2:] if first else shape[1:3], channels, first)


def _way(shape: tuple[int | None, ...]) -> str:
    """What the owner of a classifier of other images can do, as the end of a sentence."""
    if len(shape) == 1:
        return (
            "; where these are the pixels of a picture, row by row, say of which, as "
            "--size=28,28,1; rows of other numbers need no generator: docs/vectors.md"
        )
    if len(shape) == 3:
        return (
            "; for other bands, as a satellite's, save a model that makes them of three channels "
            "and goes on with this one"
        )
    if len(shape) == 4:
        return "; of a film, save a model of one picture that holds the others fixed"
    return ""


def code_size(model: Model, fixed: Fixings = None) -> int:
    """Entries of a code of a generator.

    Raises:
        UsageError: It has an input that is neither the code nor fixed, or leaves the size open; or
            codes are whole numbers.
    """
    code = free(model, fixed or {}, "generator")
    shape = code.shape[1:]
    if not keras.backend.is_float_dtype(code.dtype):
        raise UsageError(
            f"expected codes that have gradients, {model.name} takes whole numbers {list(shape)} "
            f"({keras.backend.standardize_dtype(code.dtype)}), as tokens of a VQ-VAE: save the "
            f"part of it that takes what its embedding gives"
        )
    if None in shape:
        raise UsageError(
            f"expected codes of a fixed size, {model.name} takes {list(shape)}: save it with one, "
            f"x = keras.Input(SIZE); keras.Model(x, model(x))"
        )
    return math.prod(shape)


def image_shape(model: Model) -> tuple[int, int, int]:
    """Rows, columns and channels of a generator's image, in whichever layout it gives them.

    Raises:
        UsageError: Its output is not one image.
    """
    shape = output_shape(model)
    if len(shape) == 2:
        return shape[0], shape[1], 1
    if channels_first((None, *shape)):
        return shape[1], shape[2], shape[0]
    return shape[0], shape[1], shape[2]


def output_shape(model: Model) -> tuple[int, ...]:
    """The shape of a generator's image as it gives it, without the batch axis.

    Raises:
        UsageError: Its output is not one image.
    """
    shapes = [tuple(out.shape[1:]) for out in model.outputs]
    shape = shapes[0]
    own = shape[0] if channels_first((None, *shape)) else shape[-1] if shape else None
    is_image = len(shape) == 2 or len(shape) == 3 and own in CHANNELS
    if len(shapes) == 1 and is_image and None not in shape:
        return shape
    raise UsageError(
        f"expected a generator whose output is an image [rows, columns, 1 or 3] or "
        f"[rows, columns], {model.name} gives {', '.join(str(list(one)) for one in shapes)}; "
        f"save a model that gives the image alone, {_image_alone(shapes)}"
    )


def _image_alone(shapes: list[tuple[int | None, ...]]) -> str:
    """How a model of the image alone is made of a generator that gives these shapes."""
    if len(shapes) > 1:
        return "keras.Model(G.inputs, G.outputs[0]), say, if that is the first of them"
    sides = [side for side in shapes[0] if side is not None]
    if len(sides) < len(shapes[0]):
        return "with sides that are fixed: keras.Model(x, G(x)) for an x = keras.Input(SIZE)"
    if len(sides) == 1:
        roots = [(math.isqrt(sides[0] // one), one) for one in CHANNELS]
        squares = [f"{n}, {n}, {one}" for n, one in roots if n * n * one == sides[0]]
        text = squares[0] if squares else "ROWS, COLUMNS, CHANNELS"
        return f"keras.Model(G.inputs, keras.layers.Reshape(({text}))(G.outputs[0]))"
    if len(sides) == 3 and sides[-1] > 3:
        return "keras.Model(G.inputs, G.outputs[0][..., :3]) if these are the first channels"
    return "keras.Model(G.inputs, IMAGE)"


def free(model: Model, fixed: Mapping[str, Any], role: str) -> keras.KerasTensor:
    """The only input of a model that is left when the others are fixed.

    Args:
        model: Functional or sequential.
        fixed: Value of every other input, by name.
        role: What the model is, for the message.

    Raises:
        UsageError: No input is left, or several are.
    """
    names = [one.name for one in model.inputs]
    unknown = [name for name in fixed if name not in names]
    left = [one for one in model.inputs if one.name not in fixed]
    if unknown or len(left) != 1:
        told = [f"{one.name} {list(one.shape[1:])}" for one in model.inputs]
        raise UsageError(
            f"expected one input of the {role} {model.name} to be left free and the others fixed "
            f"(--fixed=NAME=VALUE); its inputs are {', '.join(told)}, fixed are "
            f"{', '.join(fixed) or 'none'}"
        )
    return left[0]


def channels_first(shape: tuple[int | None, ...]) -> bool:
    """Whether channels come before rows and columns in a shape that begins with the batch axis."""
    return len(shape) == 4 and shape[1] in CHANNELS and shape[-1] not in CHANNELS
