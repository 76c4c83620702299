"""A model of whole-number pixels as one of floats: no gradient passes a cast to whole numbers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_inverse import private
from tf_inverse.adopt import adapters
from tf_inverse.tensors import Model

SIDE = 32
"""Rows and columns of the pictures that are compared where a model takes any size."""


def as_floats(model: Model) -> Model:
    """The model with float pictures in place of pictures of whole numbers (`dtype="uint8"`).

    It gives the same for whole numbers, and gradients get through it. A model whose pictures are
    floats comes back as it is; and so does one that does not give the same then, as where it counts
    on whole numbers, or takes none of up to 255.

    Args:
        model: Any.
    """
    inputs = getattr(model, "inputs", None) or []  # A Sequential that nobody built has none.
    if not private.is_functional(model) or not any(map(_is_whole, inputs)):
        return model
    try:
        made = model.__class__.from_config(_with_floats(model.get_config()))
        made.set_weights(model.get_weights())
    except (TypeError, ValueError):  # Layers that cannot be made anew stay as they are.
        return model
    for layer in private.layers(made):
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    rng = np.random.default_rng(0)
    shapes = [one.shape for one in model.inputs]
    shapes = [(shape[0] or 2, *(side or SIDE for side in shape[1:])) for shape in shapes]
    # Ones and zeros beside the pictures: classes, for one, that each embedding has.
    x = [rng.integers(0, 256 if len(shape) > 2 else 2, shape) for shape in shapes]
    try:
        before, after = (keras.tree.flatten(_called(f, x)) for f in (model, made))
    except (ValueError, TypeError, tf.errors.OpError):  # These are no pixels, as tokens are none.
        return model
    pairs = zip(before, after, strict=True)
    return made if all(np.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in pairs) else model


def _is_whole(one: keras.KerasTensor) -> bool:
    return len(one.shape) > 2 and "int" in keras.backend.standardize_dtype(one.dtype)


def _with_floats(config: dict[str, Any]) -> dict[str, Any]:
    for entry in config["layers"]:
        own = entry["config"]
        if entry["class_name"] == "InputLayer" and len(own["batch_shape"]) > 2:
            own["dtype"] = "float32"
    return config


def _called(model: Model, x: list[np.ndarray]) -> Any:
    return model(keras.tree.pack_sequence_as(adapters.inputs(model), x), training=False)
