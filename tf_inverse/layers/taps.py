"""Outputs of layers anywhere in a Keras model: at its top, in models within it, or in layers.

A layer is named by its path, `backbone/block5_conv3`, or by its last part where that is the only
layer so called. A layer with several outputs has a path for each: `heads/0`, or `heads/name` where
they are a dictionary; and so has one that is called several times: `relu/0`, `relu/1`. What a layer
gives is caught as the model runs, so that subclassed models, wrappers and models within models are
all the same. Maps come out with their channels last, as units are addressed, in whichever order the
model has them.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
from collections.abc import Callable, Collection, Iterator
from typing import Any

import keras
import tensorflow as tf

from tf_inverse import private
from tf_inverse.errors import UsageError
from tf_inverse.grammar import meant
from tf_inverse.tensors import Tensor


def walk(model: keras.layers.Layer, prefix: str = "") -> Iterator[tuple[str, keras.layers.Layer]]:
    """(path, layer) of every layer within, each followed by those inside it."""
    for layer in private.layers(model, deep=False):
        yield prefix + layer.name, layer
        yield from walk(layer, f"{prefix}{layer.name}/")


def top(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Layers at the top of a functional or sequential model with one output each, by name."""
    if not private.is_functional(model):
        return {}
    return {
        layer.name: layer
        for layer in model.layers
        # A model within it tells its own output, not what it gives when it is called here.
        if not private.is_functional(layer)
        and len(private.calls(layer)) == 1
        and isinstance(layer.output, keras.KerasTensor)
        and getattr(layer, "data_format", None) != FIRST
    }


def shapes(model: keras.Model) -> dict[str, tuple[int | None, ...]]:
    """Shape, without the batch axis, of what every layer gives, in the order in which they run.

    Keras knows that of its own layers at the top. Where there are others, the model runs once, on
    nothing, which takes seconds for hundreds of layers.
    """
    layers, at_top = dict(walk(model)), top(model)
    if layers.keys() == at_top.keys() and all(map(_is_told, layers.values())):
        run_order = (at_top.get(node.operation.name) for node in private.nodes(model))
        return {
            layer.name: tuple(layer.output.shape[1:])
            for layer in run_order
            if layer is not None and not isinstance(layer, keras.layers.InputLayer)
        }
    found: dict[str, tuple[int | None, ...]] = {}

    def run(x: Tensor) -> Tensor:
        with recorded(layers) as seen:
            model(x, training=False)
        outputs = _tensors(seen, channels_first(layers))
        found.update({path: tuple(h.shape[1:]) for path, h in outputs})
        return x

    spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    tf.function(run, autograph=False).get_concrete_function(spec)
    return found


def _is_told(layer: keras.layers.Layer) -> bool:
    """Whether what a layer says of its shape is certain: a layer of the user's own may be wrong."""
    return type(layer).__module__.partition(".")[0] in ("keras", "tf_inverse")


def resolve(path: str, names: Collection[str], owner: str) -> str:
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
    near = difflib.get_close_matches(path, [*names, *lasts], 3, 0.4)
    near = list(dict.fromkeys(lasts.get(name, name) for name in near))
    there = meant(near) if near else f"the last ones are {', '.join(list(names)[-3:])}"
    raise UsageError(f"expected a layer of {owner}, got {path!r}; {there}")


def run(model: keras.Model, x: Tensor, paths: tuple[str, ...]) -> list:
    """Outputs of the layers at full paths, as the model runs on x without training."""
    layers = dict(walk(model))
    wanted = {path: layers[path] for path in map(functools.partial(_owner, layers), paths)}
    with recorded(wanted) as seen:
        model(x, training=False)
    outputs = dict(_tensors(seen, channels_first(layers)))
    return [outputs[path] for path in paths]


def trunk(model: keras.Model, paths: tuple[str, ...]) -> Callable[[Tensor], Any]:
    """A function of the model's input that gives the outputs of the layers at full paths.

    One forward pass serves them all. It stops after the deepest of them; where one is inside
    another model it runs on, until the graph drops what nobody asks for.
    """
    at_top = top(model)
    if all(path in at_top for path in paths):
        # A model of a list of one input warns whenever it is called with that one.
        inputs = model.inputs[0] if len(model.inputs) == 1 else model.inputs
        part = keras.Model(inputs, [at_top[path].output for path in paths])
        return functools.partial(part, training=False)
    return functools.partial(run, model, paths=paths)


def _owner(layers: Collection[str], path: str) -> str:
    while path not in layers:
        path = path.rpartition("/")[0]
    return path


@contextlib.contextmanager
def recorded(layers: dict[str, keras.layers.Layer]) -> Iterator[dict[str, list[Any]]]:
    """While open, every call of the layers is noted: path -> list of what they gave."""
    seen: dict[str, list] = {}
    graph = private.default_graph()

    def recording(path: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def recorder(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            # What a loop gives inside itself, a recurrent cell's step, cannot be had outside.
            if private.default_graph() is graph:
                seen.setdefault(path, []).append(output)
            return output

        return recorder

    before = [(layer, name, layer.__dict__.get(name)) for _, layer, name in _calls(layers)]
    try:
        for path, layer, name in _calls(layers):
            # Into the instance itself: Keras's own setattr would track it as part of the model.
            layer.__dict__[name] = recording(path, getattr(layer, name))
        yield seen
    finally:
        for layer, name, call in before:
            layer.__dict__.pop(name, None)
            if call is not None:
                layer.__dict__[name] = call


def _calls(layers: dict[str, keras.layers.Layer]) -> Iterator[tuple[str, keras.layers.Layer, str]]:
    """(path, layer, method) of whatever Keras calls: a quantised layer has a method of its own."""
    for path, layer in layers.items():
        mode = getattr(layer, "quantization_mode", None)
        yield path, layer, "call" if mode is None else "quantized_call"


def channels_first(layers: dict[str, keras.layers.Layer]) -> set[str]:
    """Paths of layers whose maps are [channels, rows, columns].

    A convolution tells; what does not tell (an activation, a sum) has what the layers have that
    stand beside it in the smallest model in which any of them tells.
    """
    told = {path: getattr(layer, "data_format", None) for path, layer in layers.items()}
    if FIRST not in told.values():
        return set()
    found = set()
    for path, layer in layers.items():
        around, formats = path, {told[path]} - {None}
        while not formats and around and not isinstance(layer, _BEFORE):
            around = around.rpartition("/")[0]
            beside = f"{around}/" if around else ""
            formats = {form for other, form in told.items() if other.startswith(beside)} - {None}
        if FIRST in formats:
            found.add(path)
    return found


FIRST = "channels_first"
# What stands before the first convolution, where pixels come in with their channels last.
_BEFORE = keras.layers.InputLayer | keras.layers.Rescaling | keras.layers.Permute


def _tensors(seen: dict[str, list[Any]], first: set[str]) -> Iterator[tuple[str, Tensor]]:
    """(path, tensor) of every output of every call of the layers."""
    for path, outputs in seen.items():
        for i, output in enumerate(outputs):
            for part, h in _parts(path if len(outputs) == 1 else f"{path}/{i}", output):
                turned = path in first and len(h.shape) == 4
                yield part, tf.transpose(h, (0, 2, 3, 1)) if turned else h


def _parts(path: str, output: Any) -> Iterator[tuple[str, Tensor]]:
    if tf.is_tensor(output):
        yield path, output
        return
    if not isinstance(output, dict | list | tuple):
        return
    items = output.items() if isinstance(output, dict) else enumerate(output)
    for key, value in items:
        if tf.is_tensor(value):
            yield f"{path}/{key}" if key != "" else path, value
