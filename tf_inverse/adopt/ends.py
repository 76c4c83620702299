"""The end of a classifier as the search wants it: logits and an encoding as layers of their own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from tf_inverse import private
from tf_inverse.errors import UsageError
from tf_inverse.layers import taps
from tf_inverse.layers.frozen_inputs import Graph
from tf_inverse.networks import logits
from tf_inverse.tensors import Model

POOLED, FEATURES, GIVEN, TAKEN = "_pooled", "_sae", "_given", "_input"
POOLINGS = {4: keras.layers.GlobalAveragePooling2D, 3: keras.layers.GlobalAveragePooling1D}


def with_logits(f: keras.Model) -> keras.Model:
    """A classifier whose last layer has softmax or sigmoid inside, with that as a layer of its own.

    The new last layer takes over the name, so that it gives what it gave before; the layer before
    it is called NAME_logits, with a number where the model has such a layer already. Models of the
    user's own class stay as they are, and so does one whose outputs would not be the same bit for
    bit.

    Args:
        f: Takes images; its first output counts.
    """
    made = _edited(f, _split)
    if made is None or None in f.input_shape[1:]:
        return f
    x = np.random.default_rng(0).uniform(0, 255, (2, *f.input_shape[1:])).astype(np.float32)
    before, after = (keras.tree.flatten(model(x, training=False)) for model in (f, made))
    same = (np.array_equal(a, b, equal_nan=True) for a, b in zip(before, after, strict=True))
    return made if all(same) else f


def with_pooled(f: keras.Model) -> keras.Model:
    """A classifier of maps alone with one more output: the mean over the last of them.

    It is called LAYER_pooled. The output's own map is taken where it is no narrower than the one
    before it, as features are; one of classes is narrower.

    Raises:
        UsageError: There is no map of a fixed number of channels, or a layer has the name already.
    """
    made = _edited(f, _pooled)
    if made is None:
        raise UsageError(
            f"expected --encoder=LAYER: {f.name} has no layer without a map, and its last map "
            f"cannot be pooled"
        )
    return made


def with_input(f: keras.Model) -> keras.Model | None:
    """A classifier with one more output: what its last layer with weights takes.

    It is called LAYER_input. Transformers need it that pick the class token by a plain operation,
    `x[:, 0]`: all their layers give tokens, but for the last.

    Returns:
        None where that layer takes a map, the image, or several tensors, or cannot be told.
    """
    return _edited(f, _taken) if private.is_functional(f) else None


def with_features(f: keras.Model, sae: keras.Model, layer: str) -> tuple[keras.Model, str]:
    """A classifier with a sparse autoencoder on a layer's output, as one more output of its own.

    Args:
        f: Takes images; its first output counts.
        sae: Takes what the layer gives: an encoder, whose output are the features, or a whole
            autoencoder, one of whose layers gives them.
        layer: Name or path of a layer of the classifier.

    Returns:
        The classifier, and the path of the autoencoder in it, LAYER_sae.

    Raises:
        UsageError: There is no such layer, or it is inside a model within the classifier that does
            not give the output; or the autoencoder takes something else; or a layer has that name
            already.
    """
    path = taps.resolve(layer, taps.shapes(f), f.name)
    prefix, inside = _place(f, path)
    name = inside.rpartition("/")[2] + FEATURES

    def attach(h: keras.KerasTensor) -> list[keras.KerasTensor]:
        takes = sae.inputs[0].shape
        sides = zip(h.shape[1:], takes[1:], strict=False)
        if (
            len(sae.inputs) != 1
            or len(h.shape) != len(takes)
            or any(wanted not in (None, side) for side, wanted in sides)
        ):
            raise UsageError(
                f"expected a sparse autoencoder of what {path} gives, {list(h.shape[1:])}, "
                f"{sae.name} takes {[list(one.shape[1:]) for one in sae.inputs]}"
            )
        return keras.tree.flatten(keras.Model(sae.inputs[0], sae.outputs, name=name)(h))

    made = _beside(f, path, FEATURES, attach)
    if made is None:
        raise UsageError(
            f"expected --sae-layer at the top of {f.name}, or of the model within that gives its "
            f"output; {path} is elsewhere, or has several outputs"
        )
    return made, prefix + name


def exposed(f: keras.Model, layer: str) -> tuple[keras.Model, keras.KerasTensor]:
    """A classifier, and what one of its layers gives as a tensor of the classifier itself.

    What a layer inside a model within the classifier gives is one more output, the last one.

    Args:
        f: Takes images.
        layer: Name or path of a layer.

    Raises:
        UsageError: The layer is inside a model within the classifier that does not give the output,
            or it has several outputs, or a map with its channels first.
    """
    h = _given(f, layer)
    if h is not None:
        return f, h
    path = taps.resolve(layer, taps.shapes(f), f.name)
    name = path.rpartition("/")[2] + GIVEN
    made = _beside(f, path, GIVEN, lambda h: [keras.layers.Identity(name=name)(h)])
    if made is None:
        raise UsageError(
            f"expected a layer at the top of {f.name}, or of the model within that gives its "
            f"output, for maps to stand beside it; {path} is elsewhere, or has several outputs or "
            f"its channels first"
        )
    return made, made.outputs[-1]


def members(f: keras.Model) -> list[str]:
    """Names of the models whose answers a classifier joins, as an ensemble does; none of another.

    Args:
        f: Takes images; its first output counts.
    """
    history = private.history(f.outputs[0])
    if private.is_functional(history.operation):
        return members(history.operation)
    joined = private.calls(history.operation)[history.node_index].input_tensors
    makers = [private.history(one).operation for one in joined]
    each = [one.name for one in makers if private.is_functional(one)]
    return each if len(each) == len(makers) > 1 else []


def _beside(
    f: keras.Model,
    path: str,
    ending: str,
    attach: Callable[[keras.KerasTensor], list[keras.KerasTensor]],
) -> keras.Model | None:
    """A classifier with more outputs beside a layer, in the model that the layer is in.

    Args:
        f: Functional or sequential.
        path: Of the layer.
        ending: What the layer's path is followed by in that of the new layer.
        attach: What the layer gives -> the new outputs.

    Returns:
        None where the layer is in a model within that does not give the output, or where `_given`
        has nothing of it.
    """
    prefix, name = _place(f, path)
    new = name.rpartition("/")[2] + ending

    def edit(model: Model) -> Model | None:
        h = _given(model, name)
        if h is None:
            return None
        _expect_new(model, new)
        outputs = [*model.outputs, *attach(h)]
        return keras.Model(private.functional(model).input, outputs, name=model.name)

    made = _edited(f, edit) if prefix else edit(f)
    return made if made is not None and prefix + new in taps.shapes(made) else None


def _place(f: keras.Model, path: str) -> tuple[str, str]:
    """Path of the model that a layer is in, with its slash, and the layer's name in that model.

    A layer of a SavedModel's graph has that of the graph before its own, `graph/conv`.
    """
    graphs = [one for one, layer in taps.walk(f) if isinstance(layer, Graph)]
    own = next((one for one in graphs if path.startswith(f"{one}/")), path)
    prefix = own[: len(own) - len(own.rpartition("/")[2])]
    return prefix, path.removeprefix(prefix)


def _given(model: Model, name: str) -> keras.KerasTensor | None:
    """What a layer at the top of a model, or of a graph there, gives.

    None where it is not there, or not once, or gives several tensors; and of a map with its
    channels first, since everything else here has them last.
    """
    if not private.is_functional(model):
        return None
    own, _, within = name.partition("/")
    layers = [layer for layer in model.layers if layer.name == own]
    calls = [node for layer in layers for node in _calls(model, layer)]
    outputs: list[keras.KerasTensor] = list(calls[0].outputs) if len(calls) == 1 else []
    if len(outputs) > 1 and isinstance(layers[0], Graph):
        names = keras.tree.flatten({key: key for key in layers[0].outputs})
        outputs = [h for key, h in zip(names, outputs, strict=True) if key == within]
    elif within:
        return None
    if len(outputs) != 1:
        return None
    turned = len(outputs[0].shape) == 4 and own in taps.channels_first(dict(taps.walk(model)))
    return None if turned else outputs[0]


def _edited(model: Model, edit: Callable[[Model], Model | None]) -> Model | None:
    """The model with the innermost model that gives its first output edited; None for no change.

    Args:
        model: Functional or sequential.
        edit: model -> model, likewise; outputs may be added at its end.
    """
    history = private.history(model.outputs[0])
    inner = history.operation
    if not private.is_functional(inner):
        return edit(model)
    node = private.calls(inner)[history.node_index]
    if len(_calls(model, inner)) > 1 or _is_used(model, node.outputs):
        return None
    made = _edited(inner, edit)
    if made is None:
        return None
    given = keras.tree.flatten(made(*node.arguments.args, **node.arguments.kwargs))
    new = {id(old): h for old, h in zip(node.outputs, given, strict=False)}
    outputs = [new.get(id(old), old) for old in model.outputs] + given[len(node.outputs) :]
    return keras.Model(private.functional(model).input, outputs, name=model.name)


def _calls(model: Model, layer: keras.layers.Layer) -> list[Any]:
    """The calls of a layer that belong to a model: others may call it too."""
    return [node for node in private.nodes(model) if node.operation is layer]


def _is_new(model: Model, name: str) -> bool:
    """Whether no layer at the top of a model has a name: Keras takes each name once."""
    return all(one.name != name for one in private.functional(model).operations)


def _expect_new(model: Model, name: str) -> None:
    if not _is_new(model, name):
        raise UsageError(
            f"expected no layer {name} in {model.name}, which the new layer is to be called; take "
            f"another layer, or rename that one where the model was made"
        )


def _is_used(model: Model, tensors: Iterable[keras.KerasTensor]) -> bool:
    """Whether some of the tensors go into a layer of the model, beside being its outputs."""
    ids = {id(one) for one in tensors}
    return any(id(one) in ids for node in private.nodes(model) for one in node.input_tensors)


def _split(model: Model) -> Model | None:
    layer = private.history(model.outputs[0]).operation
    config = layer.get_config() if isinstance(layer, keras.layers.Layer) else {}
    if not logits.kind(layer) or "activation" not in config or not layer.weights:
        return None
    calls = _calls(model, layer)
    if len(calls) > 1 or _is_used(model, calls[0].outputs):
        return None
    names = (f"{layer.name}_logits{i and f'_{i}' or ''}" for i in itertools.count())
    config |= {"activation": "linear", "name": next(one for one in names if _is_new(model, one))}
    plain = layer.__class__.from_config(config)
    h = plain(calls[0].input_tensors[0])
    if [w.shape for w in plain.weights] != [w.shape for w in layer.weights]:
        return None
    plain.set_weights(layer.get_weights())
    last = keras.layers.Activation(layer.activation, dtype=layer.dtype_policy, name=layer.name)
    return keras.Model(
        private.functional(model).input, [last(h), *model.outputs[1:]], name=model.name
    )


def _pooled(model: Model) -> Model | None:
    found = _last_map(model)
    if found is None:
        return None
    layer, h = found
    _expect_new(model, layer.name + POOLED)
    options = {"name": layer.name + POOLED}
    if getattr(layer, "data_format", None) == "channels_first":
        options["data_format"] = "channels_first"
    pooled = POOLINGS[len(h.shape)](**options)(h)
    return keras.Model(private.functional(model).input, [*model.outputs, pooled], name=model.name)


def _taken(model: Model) -> Model | None:
    h: keras.KerasTensor = model.outputs[0]
    while True:
        history = private.history(h)
        layer = history.operation
        inputs = private.calls(layer)[history.node_index].input_tensors
        if len(inputs) != 1:
            return None
        h = inputs[0]
        if getattr(layer, "weights", None):
            break
    own = private.history(h).operation
    if len(h.shape) != 2 or h.shape[1] is None or isinstance(own, keras.layers.InputLayer):
        return None
    _expect_new(model, layer.name + TAKEN)
    taken = keras.layers.Identity(name=layer.name + TAKEN)(h)
    return keras.Model(private.functional(model).input, [*model.outputs, taken], name=model.name)


def _last_map(model: Model) -> tuple[keras.layers.Layer, keras.KerasTensor] | None:
    """The layer whose map is to be pooled, and its output; None where there is no map."""
    maps = {}
    for layer in model.layers:
        calls = _calls(model, layer)
        h = calls[0].outputs[0] if len(calls) == 1 and len(calls[0].outputs) == 1 else None
        if h is not None and len(h.shape) in POOLINGS and _channels(layer, h):
            maps[layer.name] = layer, h
    own = private.history(model.outputs[0]).operation
    ends = {own.name, logits.before(model, own.name)}
    hidden = [one for name, one in maps.items() if name not in ends]
    hidden = [one for one in hidden if not isinstance(one[0], keras.layers.InputLayer)]
    end, last = maps.get(own.name), hidden[-1] if hidden else None
    if end is None or last is None:
        return end or last
    return end if _channels(*end) >= _channels(*last) else last


def _channels(layer: keras.layers.Layer, h: keras.KerasTensor) -> int:
    """The number of channels of a layer's map; 0 where it is not fixed."""
    return h.shape[1 if getattr(layer, "data_format", None) == "channels_first" else -1] or 0
