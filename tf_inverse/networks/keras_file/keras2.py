"""Configurations that Keras 2 wrote, in the words of Keras 3.

Keras 3 refuses most files of Keras 2 for words that it no longer knows: a keyword that meant
nothing (`groups` of a DepthwiseConv2D), a class under its old address, a slash in a name. Others it
takes and reads differently: a list of axes in an .h5 file, `hard_sigmoid`, the count of a nested
model's calls. Here a configuration, which is plain JSON, is turned into one that Keras 3 writes
itself. Nothing is imported or run for it; what comes out is checked as any other configuration.
"""

from __future__ import annotations

import inspect
from typing import Any

import keras

from tf_inverse import grammar, private
from tf_inverse.networks.keras_file.calls import Unknown, call, counted, mapped, operation, plain
from tf_inverse.tensors import Tensor

RENAMED = {
    "Model": "Functional",
    "ThresholdedReLU": "ReLU",
    "SyncBatchNormalization": "BatchNormalization",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
}
WORDS = {
    ("InputLayer", "batch_input_shape"): "batch_shape",
    ("LeakyReLU", "alpha"): "negative_slope",
    ("ThresholdedReLU", "theta"): "threshold",
}
"""Class and keyword of Keras 2 -> the keyword's name in Keras 3."""

OPERATIONS = ("TFOpLambda", "SlicingOpLambda")
MODELS = {"Functional": private.FUNCTIONAL, "Sequential": "keras"}
INSIDE = ("layer", "forward_layer", "backward_layer", "cell", "cells")
"""Where a wrapper's configuration holds layers of its own."""

ANY = object()
IDLE = {
    "groups": 1,
    "time_major": False,
    "ragged": False,
    "noise_shape": None,
    "renorm": False,
    "virtual_batch_size": None,
    "adjustment": None,
    "trainable": ANY,
    "fused": ANY,
    "input_length": ANY,
    "implementation": ANY,
    "rng_type": ANY,
    "force_generator": ANY,
    "query_shape": ANY,
    "key_shape": ANY,
    "value_shape": ANY,
    "batch_input_shape": ANY,
}
"""Keywords that some layers of Keras 3 lack, and the value at which outputs do not need them."""

TRAINING = ("initializer", "regularizer", "constraint")


@keras.saving.register_keras_serializable("tf_inverse", "hard_sigmoid_of_keras_2")
def hard_sigmoid(x: Tensor) -> Tensor:
    """Keras 2's hard sigmoid, clip(x / 5 + 1 / 2, 0, 1), where Keras 3 divides by 6."""
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def is_older(version: str) -> bool:
    """Whether the version of Keras that a file names is below 3; files that name none are old."""
    major = version.partition(".")[0]
    return (grammar.whole(major) or 0) < 3


def translated(entry: dict, older: bool) -> dict:
    """The configuration of a layer or of a model as Keras 3 writes it in a `.keras` file.

    Args:
        entry: `class_name` and `config`, and whatever else a file says of it.
        older: Whether Keras 2 wrote it; else it is of Keras 3's form for .h5 files.

    Raises:
        Unknown: Keras 3 has no such layer, or a keyword has a meaning that Keras 3 lacks.
        KeyError, TypeError, AttributeError: The configuration is of no known form.
    """
    name, settings = entry["class_name"], entry["config"]
    name = RENAMED.get(name, name) if older else name
    if name == "Sequential":
        settings = _sequential(settings, older)
    elif name in MODELS and "layers" in settings:
        settings = _functional(settings, older)
    else:
        settings = _layer(name, entry["class_name"], settings, older)
    return {"class_name": name, "config": settings, **_address(name, entry)}


def _address(name: str, entry: dict) -> dict:
    """Where Keras 3 finds a class: among its own, or registered under a name with a package."""
    if name in MODELS:
        return {"module": MODELS[name], "registered_name": None}
    if own := _plain_operation(name, entry) or _known(name):
        return {"module": own.__module__, "registered_name": None}
    for registered in (entry.get("registered_name"), name):
        if registered and keras.saving.get_registered_object(registered):
            return {"module": None, "registered_name": registered}
    raise Unknown(f"its layer {name} is none of Keras 3's")


def _known(name: str) -> type[keras.layers.Layer] | None:
    """Keras's own layer of a name, or None."""
    own = private.layer(name) or getattr(keras.layers, name, None)
    return own if inspect.isclass(own) and issubclass(own, keras.layers.Layer) else None


def _plain_operation(name: str, entry: dict) -> type[keras.Operation] | None:
    """Keras 3's operation of a name, which in its .h5 files differs from a layer by no flags."""
    return None if "trainable" in entry["config"] else private.operation(name)


def _sequential(settings: Any, older: bool) -> dict:
    if isinstance(settings, list):  # before Keras 2.3
        settings = {"name": "sequential", "layers": settings}
    layers = settings["layers"]
    shape = layers[0]["config"].get("batch_input_shape") if _is_layer(layers[0]) else None
    if shape and layers[0]["class_name"] != "InputLayer":
        layers = [{"class_name": "InputLayer", "config": {"batch_input_shape": shape}}, *layers]
    name = plain(settings["name"])
    return settings | {"name": name, "layers": [translated(layer, older) for layer in layers]}


def _is_layer(entry: dict) -> bool:
    return isinstance(entry["config"], dict) and "layers" not in entry["config"]


def _functional(settings: dict, older: bool) -> dict:
    """A model of layers in any order; each call of a layer is a node, counted from zero.

    Keras 2 counts the calls of a nested model from one, as its own graph is its call 0. Keras 3
    does so too where it lists a model's inputs and outputs, but for a Sequential one.
    """
    parts = settings["layers"]
    nested = {part["name"]: part["class_name"] for part in parts if "layers" in part["config"]}
    early = dict.fromkeys(nested, 1) if older else {}
    ends = {name: 1 for name in early if nested[name] == "Sequential"}
    layers = [_part(part, early, older) for part in parts]
    changed = {"layers": layers, "name": plain(settings["name"])}
    for key in ("input_layers", "output_layers"):
        only = len(settings[key]) == 1 and isinstance(settings[key][0], list)
        tensors = settings[key][0] if only else settings[key]
        changed[key] = mapped(tensors, lambda leaf: counted(leaf, ends))
    return settings | changed


def _part(part: dict, early: dict[str, int], older: bool) -> dict:
    if part["class_name"] in OPERATIONS:
        return operation(part, early)
    nodes = [call(node, early) for node in part["inbound_nodes"]]
    return translated(part, older) | {"name": plain(part["name"]), "inbound_nodes": nodes}


def _layer(name: str, old: str, settings: dict, older: bool) -> dict:
    settings = dict(settings)
    if "name" in settings:
        settings["name"] = plain(settings["name"])
    for key in INSIDE:
        inside = settings.get(key)
        if isinstance(inside, dict) and "class_name" in inside:
            settings[key] = translated(inside, older)
        elif isinstance(inside, list) and inside and isinstance(inside[0], dict):
            settings[key] = [translated(one, older) for one in inside]
    axis = settings.get("axis")
    if isinstance(axis, list) and len(axis) == 1:
        settings["axis"] = axis[0]
    return _of_keras_3(name, old, settings) if older else settings


def _of_keras_3(name: str, old: str, settings: dict) -> dict:
    """Keywords of a layer that Keras 3 knows; those of training alone are left out."""
    cls, kept = _known(name), {}
    for key, value in settings.items():
        word = WORDS.get((old, key), key)
        if word.endswith(TRAINING):
            continue
        if word in IDLE and cls and not _takes(cls, word):
            if IDLE[word] is not ANY and value != IDLE[word]:
                raise Unknown(f"its {old} has {word}={value!r}, which Keras 3 cannot do")
            continue
        kept[word] = _value(word, value)
    return kept


def _takes(cls: type, keyword: str) -> bool:
    """Whether a constructor names a keyword, or hands it on to one that does."""
    for one in cls.__mro__:
        if "__init__" not in vars(one):
            continue
        taken = inspect.signature(vars(one)["__init__"]).parameters
        if keyword in taken:
            return True
        if not any(each.kind is each.VAR_KEYWORD for each in taken.values()):
            return False
    return False


def _value(key: str, value: Any) -> Any:
    if key == "dtype" and isinstance(value, dict):
        return value["config"]["name"]
    if key.endswith("activation"):
        function = value.get("config") if isinstance(value, dict) else value
        if function == "hard_sigmoid":
            return keras.saving.serialize_keras_object(hard_sigmoid)
    return value
