"""The layer before a final softmax or sigmoid: the same units without limits."""

from __future__ import annotations

import keras
import numpy as np

from tf_inverse import private
from tf_inverse.layers import taps
from tf_inverse.layers.frozen_inputs import Graph

SCALES = ("Divide", "TrueDivide", "Multiply")
"""Keras's plain operations that change the scale of units, and nothing else about them."""

PLACING = (
    keras.layers.Reshape,
    keras.layers.Flatten,
    keras.layers.Permute,
    keras.layers.Cropping2D,
    keras.layers.UpSampling2D,
    keras.layers.Identity,
)
"""Layers that change no value, or that blend neighbours."""


def kind(layer: object) -> str | None:
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
    if layer is None or not _is_bare(layer) or len(private.calls(layer)) != 1:
        return None
    prefix = path[: len(path) - len(layer.name)]
    if isinstance(private.history(layer.input).operation, keras.layers.InputLayer):
        return None
    found = source(_unscaled(layer.input), prefix)
    return found if found in dict(taps.walk(model)) else None


def behind(model: keras.Model, path: str) -> list[str]:
    """Paths of the layers whose output are the logits of probabilities, up to a scale.

    A temperature may be a layer of its own, `Rescaling`: what it takes are logits as well.

    Args:
        model: Any.
        path: Full path of the layer that gives the probabilities.
    """
    layers, found = dict(taps.walk(model)), before(model, path)
    paths = []
    while found in layers:
        paths.append(found)
        layer = layers[found]
        if not isinstance(layer, keras.layers.Rescaling) or len(private.calls(layer)) != 1:
            break
        found = source(_unscaled(layer.input), found[: len(found) - len(layer.name)])
    return paths


def _unscaled(tensor: keras.KerasTensor) -> keras.KerasTensor:
    """What plain operations scale by a positive number, as a temperature, to give a tensor."""
    history = private.history(tensor)
    kinds = tuple(filter(None, map(private.operation, SCALES)))
    while isinstance(history.operation, kinds):
        arguments = private.calls(history.operation)[history.node_index].arguments
        x, by = [*arguments.args, *arguments.kwargs.values()][:2]
        if isinstance(history.operation, private.operation("Multiply") or ()):
            x, by = (x, by) if isinstance(x, keras.KerasTensor) else (by, x)
        if not isinstance(x, keras.KerasTensor) or isinstance(by, keras.KerasTensor):
            break
        if np.ndim(by) != 0 or not np.all(np.asarray(by) > 0):
            break
        tensor, history = x, private.history(x)
    return tensor


def squashed(tensor: keras.KerasTensor) -> str | None:
    """The name of the function that an image's values went through last: tanh, sigmoid, or None.

    Layers that only place values elsewhere may follow it.

    Args:
        tensor: Symbolic, of a functional or sequential model.
    """
    history = private.history(tensor)
    layer = history.operation
    if private.is_functional(layer):
        return squashed(layer.outputs[history.tensor_index])
    if isinstance(layer, PLACING):
        return squashed(private.calls(layer)[history.node_index].input_tensors[0])
    name = getattr(getattr(layer, "activation", None), "__name__", type(layer).__name__.lower())
    return name if name in ("tanh", "sigmoid") else None


def _is_bare(layer: object) -> bool:
    return isinstance(layer, keras.layers.Softmax | keras.layers.Activation) and bool(kind(layer))


def source(tensor: keras.KerasTensor, prefix: str = "") -> str:
    """The path of the layer that a tensor comes from, models within the model opened.

    Of a SavedModel, whose layers are outputs of one layer, it is that of the output.

    Args:
        tensor: Symbolic, of a functional or sequential model.
        prefix: Path of the model that it is in, with a slash.
    """
    history = private.history(tensor)
    path = prefix + history.operation.name
    if isinstance(history.operation, Graph) and len(history.operation.outputs) > 1:
        names = keras.tree.flatten({name: name for name in history.operation.outputs})
        return f"{path}/{names[history.tensor_index]}".rstrip("/")
    if getattr(history.operation, "outputs", None) and hasattr(history.operation, "layers"):
        inner = history.operation.outputs[history.tensor_index]
        return source(inner, f"{path}/")
    return path
