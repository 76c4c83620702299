"""Layers that adopted networks need and Keras lacks: a fixed input, and a SavedModel's graph."""

from __future__ import annotations

import contextlib
import contextvars
import pathlib
import shutil
import tempfile

import keras
import numpy as np
import tensorflow as tf

from tf_inverse.errors import RefusedInput, UsageError

register = keras.saving.register_keras_serializable("tf_inverse")
_trusted = contextvars.ContextVar("trusted", default=False)


@contextlib.contextmanager
def trust(given: bool):
    """While open, whether the graph of a SavedModel may be loaded: it can read and write files."""
    token = _trusted.set(given)
    try:
        yield
    finally:
        _trusted.reset(token)


@register
class Fixed(keras.layers.Layer):
    """The same value for every row of a batch: an input that the user has decided."""

    def __init__(self, value, kind="float32", **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.value, self.kind = value, kind

    def call(self, x):
        """[B, ...] of the value, for x [B, ...] of anything."""
        value = tf.constant(self.value, self.kind)
        return tf.repeat(value[tf.newaxis], tf.shape(x)[0], axis=0)

    def compute_output_spec(self, x):
        """Shape [B, ...] and the value's own type."""
        return keras.KerasTensor((x.shape[0], *np.shape(self.value)), self.kind)

    def get_config(self):
        """Arguments of the constructor."""
        return super().get_config() | {"value": self.value, "kind": self.kind}


@register
class Graph(keras.layers.Layer):
    """A SavedModel's function as a layer; gradients flow through it, its inside cannot be tapped.

    The SavedModel travels inside the `.keras` file. It is loaded only while `trust(True)` is open.
    """

    def __init__(self, endpoint, outputs, folder=None, **kwargs):
        super().__init__(**kwargs)
        self.endpoint, self.outputs = endpoint, outputs
        self._kept = None
        if folder is not None:
            self._load(folder)

    def _load(self, folder):
        _expect_trust()
        # The files are kept for as long as the layer lives: saving it copies them.
        self._kept = tempfile.TemporaryDirectory()
        shutil.copytree(folder, pathlib.Path(self._kept.name) / "model")
        loaded = tf.saved_model.load(str(folder))
        # Keras's setattr would look for weights in it.
        self.__dict__["_loaded"] = loaded
        self.__dict__["_function"] = loaded.signatures[self.endpoint]

    def call(self, x):
        """What the function gives for x: a dictionary, or a tensor where it gives one alone."""
        function = self._function
        (name,) = function.structured_input_signature[1]
        out = function(**{name: x})
        return out if len(out) > 1 else next(iter(out.values()))

    def compute_output_spec(self, x):
        """The declared outputs."""
        specs = {
            name: keras.KerasTensor((x.shape[0], *shape), "float32")
            for name, shape in self.outputs.items()
        }
        return specs if len(specs) > 1 else next(iter(specs.values()))

    def save_assets(self, folder):
        """Keras's hook: the SavedModel goes into the file."""
        shutil.copytree(pathlib.Path(self._kept.name) / "model", pathlib.Path(folder) / "model")

    def load_assets(self, folder):
        """Keras's hook: the SavedModel comes out of the file."""
        self._load(pathlib.Path(folder) / "model")

    def get_config(self):
        """Arguments of the constructor, less the folder."""
        return super().get_config() | {"endpoint": self.endpoint, "outputs": self.outputs}


def graph(folder, name: str, size: tuple[int, ...] | None = None) -> keras.Model:
    """A SavedModel as a Keras model: its function `serving_default`, or the only one it has.

    Args:
        folder: With saved_model.pb.
        name: Of the model.
        size: Shape of an input without the batch axis, where the SavedModel leaves it open.

    Raises:
        RefusedInput: Not trusted.
        UsageError: No such function, several inputs, or an open size.
    """
    _expect_trust()
    loaded = tf.saved_model.load(str(folder))
    functions = loaded.signatures
    endpoint = "serving_default" if "serving_default" in functions else next(iter(functions), None)
    if endpoint is None:
        raise UsageError(f"expected a SavedModel with a signature in {folder}, it has none")
    inputs = functions[endpoint].structured_input_signature[1]
    if len(inputs) != 1:
        raise UsageError(
            f"expected one input of {endpoint} in {folder}, it has {', '.join(inputs)}"
        )
    (spec,) = inputs.values()
    shape = size or tuple(spec.shape[1:])
    if None in shape:
        raise UsageError(
            f"expected --size=ROWS,COLUMNS,CHANNELS for {folder}, whose input is open: {shape}"
        )
    traced = tf.function(functions[endpoint]).get_concrete_function(
        **{next(iter(inputs)): tf.TensorSpec((None, *shape), spec.dtype)}
    )
    outputs = {key: list(out.shape[1:]) for key, out in traced.structured_outputs.items()}
    x = keras.Input(shape, dtype=spec.dtype.name)
    return keras.Model(x, Graph(endpoint, outputs, folder, name="graph")(x), name=name)


def _expect_trust():
    if not _trusted.get():
        raise RefusedInput(
            "expected --trust for a SavedModel: its graph can read and write files; give it "
            "where you know who made the model"
        )
