"""Where a model comes from: a Keras object, a file, a SavedModel, keras.applications, a folder."""

from __future__ import annotations

import difflib
import inspect
import pathlib

import keras
import numpy as np
from keras import applications

from tf_inverse import folder
from tf_inverse.adopt import layers, wrap
from tf_inverse.errors import UsageError

FORMS = "a .keras or .h5 file, a SavedModel's folder, keras:NAME, or a network's folder"


def open(source, role: str, *, trust: bool = False, size=None, weights: str | None = "imagenet"):
    """A Keras model in float32.

    Args:
        source: A Keras model, or text: see `FORMS`.
        role: "classifier" or "generator"; which model of a network's folder is meant.
        trust: Whether a SavedModel may be loaded.
        size: Shape of an input without the batch axis, where the source leaves it open.
        weights: Of keras:NAME: "imagenet", a file, or None for random ones.

    Raises:
        UsageError: It is none of these.
        RefusedInput: A file that cannot be loaded safely.
    """
    if isinstance(source, keras.Model):
        return _built(source, size)
    text, path = str(source), pathlib.Path(source)
    with layers.trust(trust):
        if text.startswith("keras:"):
            return application(text.removeprefix("keras:"), weights, size)
        if path.suffix in (".keras", ".h5", ".hdf5") and path.is_file():
            return _single(_built(folder.model(path, trust=trust), size))
        if (path / "saved_model.pb").is_file():
            return layers.graph(path, path.name, size)
        if (path / "network.json").is_file() or text in folder.shipped():
            where = folder.find(source)
            entries = folder.manifest(where)
            if role not in entries:
                raise UsageError(f"expected a {role} in {where}, it has none")
            return folder.model(where / entries[role]["file"], trust=trust)
    raise UsageError(f"expected {FORMS} for the {role}, got {text!r}")


def application(name: str, weights: str | None = "imagenet", size=None) -> keras.Model:
    """A model of keras.applications with its preprocessing inside and without a final softmax.

    Args:
        name: As MobileNetV2.
        weights: "imagenet" (Keras downloads them), a file, or None for random ones.
        size: (H, W, 3), or None for the model's own.

    Raises:
        UsageError: Keras has none of that name.
    """
    makers = {n: f for n, f in vars(applications).items() if inspect.isfunction(f)}
    if name not in makers:
        near = difflib.get_close_matches(name, makers, 3, 0.4) or sorted(makers)[:5]
        raise UsageError(
            f"expected a model of keras.applications, got {name!r}; near it are {', '.join(near)}"
        )
    model = makers[name](
        weights=weights, input_shape=size, classes=1000, classifier_activation=None
    )
    modules = [m for m in vars(applications).values() if inspect.ismodule(m) and hasattr(m, name)]
    prepare = next(m.preprocess_input for m in modules if hasattr(m, "preprocess_input"))
    return wrap.prepared(model, *affine(prepare))


def affine(prepare) -> tuple[np.ndarray, np.ndarray]:
    """The matrix A [3, 3] and the shift b [3] of a preprocessing x A + b of RGB pixels.

    Every preprocessing of keras.applications is of this form; four pixels tell it.
    """
    pixels = np.concatenate([np.zeros((1, 3)), 255.0 * np.eye(3)]).astype(np.float32)
    shift, *rows = np.asarray(prepare(pixels.reshape(4, 1, 1, 3).copy()), np.float64).reshape(4, 3)
    return (np.array(rows) - shift) / 255.0, shift


def _built(model, size):
    """The model with known shapes: a subclassed one is called once, inside a functional one."""
    inputs = getattr(model, "inputs", None)
    if inputs and (size is None or None not in inputs[0].shape[1:]):
        return model
    if size is None:
        raise UsageError(
            f"expected --size=ROWS,COLUMNS,CHANNELS for {model.name}, which does not tell its input"
        )
    x = keras.Input(size)
    return keras.Model(x, model(x), name=model.name)


def _single(model):
    """The model computing in float32, whatever precision it was saved with."""
    for layer in model._flatten_layers(include_self=False):
        if layer.compute_dtype in ("float16", "bfloat16"):
            layer.dtype_policy = keras.DTypePolicy("float32")
    return model
