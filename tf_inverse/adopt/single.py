"""Models of half precision as models that compute in float32: what decides a sample is float32."""

from __future__ import annotations

import keras
import numpy as np
from keras.src.models import Functional

HALVES = ("float16", "bfloat16")


def single(model: keras.Model) -> keras.Model:
    """The model itself, or a copy that computes in float32 where it computes in half precision.

    Weights keep their values. Classes of the user's own stay as they are: only they know how their
    parts are made.

    Args:
        model: With known shapes.
    """
    layers = [model, *model._flatten_layers(include_self=False)]
    if not any(layer.compute_dtype in HALVES for layer in layers):
        return model
    if not isinstance(model, Functional | keras.Sequential):
        return model
    copy = keras.models.clone_model(model, clone_function=_cloned, recursive=True)
    copy.set_weights([np.asarray(w, np.float32) if _is_half(w) else w for w in model.get_weights()])
    return copy


def precisions(model: keras.Model) -> list[str]:
    """The half precisions that some layer of a model computes in."""
    layers = model._flatten_layers(include_self=False)
    return sorted({layer.compute_dtype for layer in layers} & set(HALVES))


def _cloned(layer):
    return layer.__class__.from_config(_widened(layer.get_config()))


def _widened(value):
    """A configuration with every half precision in it turned into float32."""
    if isinstance(value, dict):
        policy = value.get("class_name") == "DTypePolicy" and value.get("config")
        if policy and policy.get("name", "").endswith(HALVES):
            return "float32"
        return {key: _widened(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_widened(one) for one in value)
    return "float32" if value in HALVES or value in _MIXED else value


_MIXED = tuple(f"mixed_{half}" for half in HALVES)


def _is_half(array):
    return str(array.dtype) in HALVES
