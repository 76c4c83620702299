"""The layer before a final softmax or sigmoid: the same units without limits."""

from __future__ import annotations

import keras

from tf_inverse.layers import taps


def kind(layer) -> str | None:
    """What a layer ends in: softmax, sigmoid, or None for anything else."""
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    name = getattr(getattr(layer, "activation", None), "__name__", None)
    return name if name in ("softmax", "sigmoid") else None


def before(model: keras.Model, path: str) -> str | None:
    """The path of the layer whose output a layer of nothing but softmax or sigmoid takes.

    Args:
        model: Any.
        path: Full path of a layer.

    Returns:
        None where the layer at the path is another, or takes what no layer gives.
    """
    layer = dict(taps.walk(model)).get(path)
    if not _is_bare(layer) or len(layer._inbound_nodes) != 1:
        return None
    history, prefix = layer.input._keras_history, path[: len(path) - len(layer.name)]
    if isinstance(history.operation, keras.layers.InputLayer):
        return None
    found = source(history, prefix)
    return found if found in dict(taps.walk(model)) else None


def _is_bare(layer):
    return isinstance(layer, keras.layers.Softmax | keras.layers.Activation) and bool(kind(layer))


def source(history, prefix: str = "") -> str:
    """The path of the layer that a tensor comes from, models within the model opened.

    Args:
        history: `_keras_history` of the tensor.
        prefix: Path of the model that it is in, with a slash.
    """
    path = prefix + history.operation.name
    if getattr(history.operation, "outputs", None) and hasattr(history.operation, "layers"):
        inner = history.operation.outputs[history.tensor_index]
        return source(inner._keras_history, f"{path}/")
    return path
