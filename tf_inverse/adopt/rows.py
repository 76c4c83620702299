"""Classifiers that take a picture as a row of numbers, as a first network of digits does."""

from __future__ import annotations

import math

import keras

from tf_inverse.tensors import Model


def as_picture(model: Model, size: tuple[int, ...] | None) -> Model:
    """The model as one of pictures, where it takes a row of as many numbers as the size has.

    The numbers are read row by row, and the channels of a pixel together, as `Flatten` writes them.

    Args:
        model: Any.
        size: (H, W, C) as the user says, or None.

    Returns:
        The model itself where it takes anything else.
    """
    inputs = list(getattr(model, "inputs", None) or [])
    shape = tuple(inputs[0].shape[1:]) if len(inputs) == 1 else ()
    if size is None or len(size) == 1 or shape != (math.prod(size),):
        return model
    x = keras.Input(size, name="picture")
    return keras.Model(x, model(keras.layers.Flatten(name="row")(x)), name=model.name)
