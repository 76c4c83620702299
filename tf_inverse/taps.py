"""Outputs of layers anywhere in a Keras model: at its top, in models within it, or in layers.

A layer is named by its path, `backbone/block5_conv3`, or by its last part where that is the only
layer so called. A layer with several outputs has a path for each: `heads/0`, or `heads/name` where
they are a dictionary. What a layer gives is caught as the model runs, so that subclassed models,
wrappers and models within models are all the same.
"""

from __future__ import annotations

import contextlib
import difflib
import functools

import keras
import tensorflow as tf
from keras.src.models import Functional

from tf_inverse.errors import UsageError


def walk(model: keras.layers.Layer, prefix: str = ""):
    """(path, layer) of every layer within, each followed by those inside it."""
    for layer in model._flatten_layers(include_self=False, recursive=False):
        yield prefix + layer.name, layer
        yield from walk(layer, f"{prefix}{layer.name}/")


def top(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Layers at the top of a functional or sequential model with one output each, by name."""
    if not isinstance(model, Functional | keras.Sequential):
        return {}
    return {
        layer.name: layer
        for layer in model.layers
        if len(layer._inbound_nodes) == 1 and isinstance(layer.output, keras.KerasTensor)
    }


def shapes(model: keras.Model) -> dict[str, tuple[int | None, ...]]:
    """Shape, without the batch axis, of what every layer gives; runs the model once, on nothing.

    Layers that are called several times are left out: it is not clear which call is meant.
    """
    found = {}

    def run(x):
        with recorded(dict(walk(model))) as seen:
            model(x, training=False)
        found.update({path: tuple(h.shape[1:]) for path, h in _single(seen)})
        return x

    spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    tf.function(run, autograph=False).get_concrete_function(spec)
    return found


def resolve(path: str, names, owner: str) -> str:
    """The full path of a layer that is named by it or by its last part.

    Args:
        path: As the user wrote it.
        names: Full paths that there are.
        owner: Name of the model, for the refusal.

    Raises:
        UsageError: There is none, or there are several.
    """
    if path in names:
        return path
    ends = [name for name in names if name.endswith(f"/{path}")]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise UsageError(
            f"expected one layer of {owner}, {path!r} is any of {', '.join(ends[:4])}; write it out"
        )
    lasts = {name.rpartition("/")[2]: name for name in names}
    near = difflib.get_close_matches(path, [*names, *lasts], 3, 0.4) or list(names)[-3:]
    near = dict.fromkeys(lasts.get(name, name) for name in near)
    raise UsageError(f"expected a layer of {owner}, got {path!r}; near it are {', '.join(near)}")


def run(model: keras.Model, x, paths: tuple[str, ...]) -> list:
    """Outputs of the layers at full paths, as the model runs on x without training."""
    layers = dict(walk(model))
    wanted = {path: layers[path] for path in map(functools.partial(_owner, layers), paths)}
    with recorded(wanted) as seen:
        model(x, training=False)
    outputs = dict(_single(seen))
    return [outputs[path] for path in paths]


def _owner(layers, path):
    return path if path in layers else path.rpartition("/")[0]


@contextlib.contextmanager
def recorded(layers: dict[str, keras.layers.Layer]):
    """While open, every call of the layers is noted: path -> list of what they gave."""
    seen: dict[str, list] = {}

    def recording(path, call):
        @functools.wraps(call)
        def recorder(*args, **kwargs):
            output = call(*args, **kwargs)
            seen.setdefault(path, []).append(output)
            return output

        return recorder

    calls = {path: layer.call for path, layer in layers.items()}
    try:
        for path, layer in layers.items():
            # Into the instance itself: Keras's own setattr would track it as part of the model.
            layer.__dict__["call"] = recording(path, calls[path])
        yield seen
    finally:
        for layer in layers.values():
            layer.__dict__.pop("call", None)


def _single(seen):
    """(path, tensor) of layers called once, each output of theirs by itself."""
    for path, outputs in seen.items():
        if len(outputs) == 1:
            yield from _parts(path, outputs[0])


def _parts(path, output):
    if tf.is_tensor(output):
        yield path, output
        return
    if not isinstance(output, dict | list | tuple):
        return
    items = output.items() if isinstance(output, dict) else enumerate(output)
    for key, value in items:
        if tf.is_tensor(value):
            yield f"{path}/{key}", value
