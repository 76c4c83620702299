"""Layers that adopted networks need and Keras lacks: a fixed input, and a SavedModel's graph."""

from __future__ import annotations

import contextlib
import contextvars
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_inverse.errors import RefusedInput, UsageError, reason
from tf_inverse.layers import fixed_batch, frozen_graph, graph_tensors, saved_tags, signatures
from tf_inverse.tensors import StrPath, Tensor

register = keras.saving.register_keras_serializable("tf_inverse")
_trusted = contextvars.ContextVar("trusted", default=False)


@contextlib.contextmanager
def trust(given: bool) -> Iterator[None]:
    """While open, whether the graph of a SavedModel may be loaded: it can read and write files."""
    token = _trusted.set(given)
    try:
        yield
    finally:
        _trusted.reset(token)


@register
class Fixed(keras.layers.Layer):
    """The same value for every row of a batch: an input that the user has decided."""

    def __init__(self, value: Any, kind: str = "float32", **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.value, self.kind = value, kind

    def call(self, x: Tensor) -> Tensor:
        """[B, ...] of the value, for x [B, ...] of anything."""
        value = tf.constant(self.value, self.kind)
        return tf.repeat(value[tf.newaxis], tf.shape(x)[0], axis=0)

    def compute_output_spec(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Shape [B, ...] and the value's own type."""
        return keras.KerasTensor((x.shape[0], *np.shape(self.value)), self.kind)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return super().get_config() | {"value": self.value, "kind": self.kind}


@register
class Graph(keras.layers.Layer):
    """A SavedModel's function as a layer; gradients flow through it.

    The SavedModel travels inside the `.keras` file. It is loaded only while `trust(True)` is open.
    Of one that tells its layers (`graph_tensors`), what they give are outputs of this layer as
    well; `sizes` are those of its inputs then, without the batch axis. `rows` is the number of
    images that the function takes at a time, where it does not take any number. Maps that it
    gives with channels `first` are turned around, by the names of the outputs.
    """

    def __init__(
        self,
        endpoint: str,
        outputs: dict[str, Any],
        sizes: dict[str, Any] | None = None,
        rows: int | None = None,
        first: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint, self.outputs, self.sizes = endpoint, outputs, sizes
        self.rows, self.first = rows, list(first)
        self._kept: tempfile.TemporaryDirectory[str] | None = None

    def take(self, folder: StrPath, loaded: Any, inside: graph_tensors.Inside | None) -> None:
        """Gives the layer what it runs; it can be called and saved from then on.

        Args:
            folder: Of the SavedModel. Its files are copied.
            loaded: The SavedModel, from `tf.saved_model.load`.
            inside: Of its function, where the layer has `sizes`; else None.
        """
        # The files are kept for as long as the layer lives: saving it copies them.
        kept = tempfile.TemporaryDirectory()
        self._kept = kept
        shutil.copytree(folder, pathlib.Path(kept.name) / "model")
        function = loaded.signatures[self.endpoint]
        specs = {key: tf.TensorSpec(*one) for key, one in self.outputs.items()}
        run = function if inside is None else inside.runner()
        run = _channels_last(run, self.first) if self.first else run
        # Keras's setattr would look for weights in it.
        self.__dict__["_loaded"] = loaded
        self.__dict__["_specs"] = function.structured_input_signature[1]
        self.__dict__["_run"] = fixed_batch.of_any(run, self.rows, specs)

    def call(self, x: Tensor | dict[str, Tensor]) -> Tensor | dict[str, Tensor]:
        """What the function gives for x, a tensor or several by name: likewise one or several."""
        specs = self._specs
        if not isinstance(x, dict):
            (name,) = specs
            x = {name: x}
        # The function computes in its own types, whichever those of the layers around it are.
        out = self._run(**{name: tf.cast(value, specs[name].dtype) for name, value in x.items()})
        return out if self.sizes is not None or len(out) > 1 else next(iter(out.values()))

    def compute_output_spec(self, x: Any) -> keras.KerasTensor | dict[str, keras.KerasTensor]:
        """The declared outputs."""
        specs = {
            name: keras.KerasTensor((None, *shape), kind)
            for name, (shape, kind) in self.outputs.items()
        }
        return specs if len(specs) > 1 else next(iter(specs.values()))

    def save_assets(self, folder: StrPath) -> None:
        """Keras's hook: the SavedModel goes into the file."""
        assert self._kept is not None, "a layer takes its SavedModel, or is loaded"
        shutil.copytree(pathlib.Path(self._kept.name) / "model", pathlib.Path(folder) / "model")

    def load_assets(self, folder: StrPath) -> None:
        """Keras's hook: the SavedModel comes out of the file."""
        _expect_trust()
        own = pathlib.Path(folder) / "model"
        loaded = _loaded(own)
        inside: graph_tensors.Inside | None = None
        if self.sizes is not None:
            opened = _inside(loaded.signatures[self.endpoint], self.sizes, self.rows)
            if isinstance(opened, str) or list(opened.specs) != list(self.outputs):
                raise RefusedInput(
                    f"{own}: TensorFlow {tf.__version__} finds other layers in the SavedModel than "
                    f"the version that it was adopted by; adopt it again"
                )
            inside = opened
        self.take(own, loaded, inside)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        own: dict[str, Any] = {
            "endpoint": self.endpoint,
            "outputs": self.outputs,
            "sizes": self.sizes,
        }
        # A function of any number of images has the configuration that it always had.
        own |= {key: one for key, one in {"rows": self.rows, "first": self.first}.items() if one}
        return super().get_config() | own


def graph(
    folder: StrPath,
    name: str,
    size: tuple[int, ...] | None = None,
    flag: str = "size",
    first: Callable[[str], bool] | None = None,
    signature: str | None = None,
    source: StrPath | None = None,
) -> keras.Model:
    """A SavedModel as a Keras model: one of its functions, as of `signatures.chosen`.

    Args:
        folder: With saved_model.pb.
        name: Of the model.
        size: Shape of an input without the batch axis, where the SavedModel leaves it open.
        flag: How the user can give that.
        first: Whether a layer by its name, "" for the function, gives maps with channels first,
            which are turned around then; none where it is left out.
        signature: Name of the function, where the user says it.
        source: Of what the user gave, where the SavedModel was made of that, for refusals.

    Raises:
        RefusedInput: Not trusted, or damaged.
        UsageError: No such function, an open size, an input without a batch axis, or an output
            without one.
    """
    _expect_trust()
    loaded = _loaded(folder)
    functions = loaded.signatures
    endpoint = signatures.chosen(functions, folder, signature)
    function = functions[endpoint]
    specs = function.structured_input_signature[1]
    specs = {
        key: tf.TensorSpec(frozen_graph.sized(one.shape, size), one.dtype)
        for key, one in specs.items()
    }
    for key, one in specs.items():
        if None in one.shape[1:]:
            raise UsageError(f"expected {flag} for {folder}, whose input {key} has no fixed size")
    rows = fixed_batch.rows(specs, source or folder)
    known = {key: list(one.shape[1:]) for key, one in specs.items()}
    opened = _inside(function, known, rows)
    inside = opened if isinstance(opened, graph_tensors.Inside) else None
    if inside is not None:
        outputs, ends, sizes, final = inside.specs, inside.ends, known, inside.final
    else:
        outputs = _outputs(function, specs, source or folder)
        ends, sizes, final = list(outputs), None, None
    inputs = {
        key: keras.Input(tuple(one.shape[1:]), dtype=one.dtype.name, name=key)
        for key, one in specs.items()
    }
    maps = [key for key, (shape, _) in outputs.items() if len(shape) == 3]
    turned = [key for key in maps if first is not None and first(key)]
    for key in turned:
        (channels, *sides), kind = outputs[key]
        outputs[key] = ([*sides, channels], kind)
    layer = Graph(endpoint, outputs, sizes, rows, turned, name="graph")
    layer.take(folder, loaded, inside)
    taken: Any = inputs if len(inputs) > 1 else next(iter(inputs.values()))
    given = layer(taken)
    if isinstance(given, dict):
        given = [given[key] for key in ends]
    if final:
        given = [keras.layers.Activation(final, name=final)(given[0])]
    return keras.Model(list(taken.values()) if len(inputs) > 1 else taken, given, name=name)


def frozen(path: StrPath, name: str, size: tuple[int, ...] | None = None) -> keras.Model:
    """A frozen graph (`.pb`) as a Keras model: as of `graph`, of the same errors."""
    _expect_trust()
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder) / "model"
        frozen_graph.write(path, made, size)
        return graph(made, name, source=path)


def _channels_last(
    run: Callable[..., dict[str, Tensor]], names: Sequence[str]
) -> Callable[..., dict[str, Tensor]]:
    """The same function with maps [B, C, rows, columns] of some names as [B, rows, columns, C]."""

    def turned(**inputs: Tensor) -> dict[str, Tensor]:
        out = run(**inputs)
        return out | {key: tf.transpose(out[key], (0, 2, 3, 1)) for key in names}

    return turned


def _inside(function: Any, sizes: dict[str, Any], rows: int | None) -> graph_tensors.Inside | str:
    """The inside of a SavedModel's function for so many rows, or why it cannot be had."""
    specs = function.structured_input_signature[1]
    inputs = {k: tf.TensorSpec((rows, *sizes[k]), one.dtype) for k, one in specs.items()}
    return graph_tensors.opened(function, inputs)


def _outputs(function: Any, specs: dict[str, tf.TensorSpec], source: StrPath) -> dict[str, Any]:
    """Shape without the batch axis, and type, of what a SavedModel's function gives, by name.

    Raises:
        UsageError: An output has no row for each image, or no known shape.
    """
    traced = tf.function(function, autograph=False).get_concrete_function(**specs)
    batch = {one.shape[0] for one in specs.values()}
    for key, h in traced.structured_outputs.items():
        if h.shape.rank is None or h.shape.rank == 0 or h.shape[0] not in batch:
            raise UsageError(
                f"expected a model whose every output has a row for each image, {key} of "
                f"{source} has shape {h.shape}; export it with shapes that are known"
            )
    # A SavedModel tells its outputs in another order each time that it is loaded.
    named = sorted(traced.structured_outputs.items())
    return {key: (list(h.shape[1:]), h.dtype.name) for key, h in named}


def _loaded(folder: StrPath) -> Any:
    try:
        return tf.saved_model.load(str(folder), saved_tags.chosen(folder))
    except (OSError, ValueError, AttributeError, tf.errors.OpError) as error:
        raise RefusedInput(f"cannot load a SavedModel from {folder}: {reason(error)}") from error


def _expect_trust() -> None:
    if not _trusted.get():
        raise RefusedInput(
            "expected --trust for a SavedModel or a frozen graph: operations can read and write "
            "files; give it where you know who made the model"
        )
