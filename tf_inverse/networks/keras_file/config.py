"""What the configuration in a Keras file may say, and how large a model it declares."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

import tf_inverse.layers.registered  # noqa: F401  registers the layers that Keras lacks
from tf_inverse import private
from tf_inverse.errors import RefusedInput
from tf_inverse.networks.keras_file import keras2

PROGRAMS = {"Lambda", "__lambda__"}
MAKING = threading.RLock()
SPARE = 4096  # numbers that a model may hold beside its stored weights, such as seeds' states
TWICE = 2
"""A layer may make variables that others replace: numbers made on the way may be so many times more
than those of the model."""

WAY_OUT = (
    "where it was made, write a SavedModel (model.export('FOLDER')), and give that folder with "
    "--trust"
)


def inspected(text: str, older: bool, hdf5: bool) -> dict:
    """The configuration in Keras 3's words, without what is for training alone.

    Args:
        text: JSON, as it stands in the file.
        older: Whether Keras 2 wrote it.
        hdf5: Whether it comes from an .h5 file, which has words of its own.

    Raises:
        RefusedInput: It holds a program.
        keras2.Unknown: Keras 3 has no words for it.
        Exception: Whatever else is wrong with it, from JSON or Keras.
    """
    entry = json.loads(text)
    for part in _parts(entry):
        _expect_data(part)
        # Losses and metrics may be functions of the user's own, even programs; nothing here needs
        # them, and what is taken out here is not looked at either.
        part.pop("compile_config", None)
    return keras2.translated(entry, older) if older or hdf5 else entry


def model(entry: dict, stored: int) -> tuple[keras.Model, list[keras.Variable]]:
    """The model that a configuration declares, whose variables take no memory yet.

    Args:
        entry: From `inspected`.
        stored: Numbers that the file's weights are.

    Returns:
        The model, and those of its variables to which `private.fill` has to give memory.

    Raises:
        RefusedInput: It declares more numbers than are stored.
        Exception: Whatever else is wrong with it, from Keras.
    """

    def allow(declared: int, times: int = TWICE) -> None:
        if declared > times * (stored + SPARE):
            raise RefusedInput(f"declares {declared} weights or more and stores {stored}")

    with MAKING, private.unfilled(allow) as waiting, private.fresh_names():
        made = keras.models.model_from_json(json.dumps(entry))
    allow(sum(math.prod(variable.shape) for variable in made.variables), times=1)
    if keras.backend.backend() == "tensorflow":
        _try_names(made)
    return made, waiting


def _try_names(model: keras.Model) -> None:
    """Raises for a layer whose name TensorFlow would refuse as late as in the first graph."""
    with tf.Graph().as_default():
        for layer in private.layers(model):
            with tf.name_scope(layer.name):
                pass


def _parts(entry: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary in a configuration that names a class."""
    left = [entry]
    while left:
        value = left.pop()
        if isinstance(value, dict) and isinstance(value.get("class_name"), str):
            yield value
        if isinstance(value, dict | list):
            left.extend(value.values() if isinstance(value, dict) else value)


def _expect_data(part: dict) -> None:
    if part["class_name"] in PROGRAMS:
        raise RefusedInput(f"holds a Lambda layer, which is a program; {WAY_OUT}")
    if part["class_name"] == "__numpy__":
        # Keras takes any type of NumPy's, so that one letter may become gigabytes of text.
        keras.backend.standardize_dtype(part["config"]["dtype"])
