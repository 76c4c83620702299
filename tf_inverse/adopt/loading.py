"""Where a model comes from: a Keras object, a file, a SavedModel, a library's name, a folder."""

from __future__ import annotations

import difflib
import inspect
import os
import pathlib
import re
from typing import Any, NamedTuple, TypedDict

import keras
import numpy as np
import tensorflow as tf
from keras import applications

from tf_inverse import private
from tf_inverse.adopt import adapters, foreign, integer_input, kerashub, onnx, rows
from tf_inverse.adopt import pixels as pixel_words
from tf_inverse.caffe import published
from tf_inverse.errors import UsageError, reason
from tf_inverse.grammar import meant
from tf_inverse.layers import frozen_inputs, signatures
from tf_inverse.networks import hub, storage
from tf_inverse.tensors import Model, Tensor

FORMS = (
    "a .keras or .h5 file, a SavedModel's folder, a frozen graph (.pb), an ONNX file "
    "(.onnx), keras:NAME, keras_hub:PRESET or a preset's folder, or a network's folder"
)
SIZES = {
    "classifier": "--size=ROWS,COLUMNS,CHANNELS",
    "generator": "--code-size=NUMBER",
    "sae": "an Input layer",
}


class Opening(TypedDict, total=False):
    """What `open` may be told of every source alike."""

    trust: bool
    weights: str | None


class Opened(NamedTuple):
    """A model, and what its source says of it.

    Attributes:
        model: The Keras model.
        entries: What the folder of its network says; empty where it has none.
        prepares: Whether the source says what pixels the model takes, so that its preprocessing
            is inside, and it takes 0..255.
    """

    model: Model
    entries: dict[str, Any]
    prepares: bool = False


def open(
    source: Model | str | os.PathLike,
    role: str,
    *,
    trust: bool = False,
    size: tuple[int, ...] | None = None,
    weights: str | None = "imagenet",
) -> Opened:
    """A Keras model, in the precision that it is stored in.

    A classifier of rows of numbers becomes one of pictures where the size says of which.

    Args:
        source: A Keras model, or text: see `FORMS`.
        role: "classifier", "generator" or "sae", a sparse autoencoder; which model of a
            network's folder is meant.
        trust: Whether a SavedModel may be loaded.
        size: Shape of an input without the batch axis, where the source leaves it open.
        weights: Of keras:NAME: "imagenet", a file, or None for random ones; of keras_hub:PRESET
            "imagenet" stands for the preset's own.

    Raises:
        UsageError: It is none of these.
        RefusedInput: A file that cannot be loaded safely.
    """
    opened = _opened_from(source, role, trust, size, weights)
    # Where colours come one after the other, as PyTorch has them, nothing tells how rows are meant.
    if role == "classifier" and (size is None or size[-1] == 1 or not _is_onnx(source)):
        return opened._replace(model=rows.as_picture(opened.model, size))
    return opened


def _is_onnx(source: Model | str | os.PathLike) -> bool:
    return not isinstance(source, keras.Model) and _onnx_file(pathlib.Path(source)) is not None


def _onnx_file(path: pathlib.Path) -> pathlib.Path | None:
    """The ONNX file that a path names, or the only one in a folder, as exporters write one."""
    if path.is_dir():
        found = sorted(path.glob("*.onnx"))
        return found[0] if len(found) == 1 else None
    return path if path.suffix.lower() == ".onnx" and path.is_file() else None


def _opened_from(
    source: Model | str | os.PathLike,
    role: str,
    trust: bool,
    size: tuple[int, ...] | None,
    weights: str | None,
) -> Opened:
    if isinstance(source, keras.Model):
        return _opened(source, {}, size, role)
    if not isinstance(source, str | os.PathLike):
        raise UsageError(
            f"expected a Keras model for the {role}, or text or a path that tells one, got "
            f"{type(source).__name__}; a layer becomes a model by x = keras.Input(SIZE); "
            f"keras.Model(x, layer(x))"
        )
    text, path = str(source), pathlib.Path(source)
    entries = about(source)
    with frozen_inputs.trust(trust):
        if text.startswith("keras:"):
            return Opened(application(text.removeprefix("keras:"), weights, size), entries, True)
        if text.startswith(kerashub.PREFIX) or kerashub.is_preset(path):
            model = kerashub.preset(text.removeprefix(kerashub.PREFIX), weights)
            return _opened(model, entries, size, role)
        if path.suffix in (".keras", ".h5", ".hdf5") and path.is_file():
            model = storage.model(path, trust=trust)
            _expect_weights(model, path)
            return _opened(model, entries, size, role)
        folder, signature = _signature(path)
        if (folder / "saved_model.pb").is_file():
            model = frozen_inputs.graph(folder, folder.name, size, SIZES[role], signature=signature)
            return Opened(model, entries)
        network = _onnx_file(path)
        if network is not None and not entries:
            name = path.name if path.is_dir() else path.stem
            return Opened(onnx.model(network, name, size), entries)
        if path.suffix == ".pb" and path.is_file():
            return Opened(frozen_inputs.frozen(path, path.stem, size), entries)
    if not entries:
        raise UsageError(_refusal(path, text, role))
    if role not in entries:
        raise UsageError(f"expected a {role} in {entries['folder']}, it has none")
    model = storage.model(entries["folder"] / entries[role]["file"], trust=trust)
    return Opened(model, entries, True)


def _signature(path: pathlib.Path) -> tuple[pathlib.Path, str | None]:
    """The folder of FOLDER#SIGNATURE, and the signature; of any other path that, and None."""
    folder, mark, name = path.name.rpartition(signatures.MARK)
    return (path.with_name(folder), name) if mark and folder and not path.exists() else (path, None)


def _refusal(path: pathlib.Path, text: str, role: str) -> str:
    """Why no model is taken from what the user gave, and the way out where the form is known."""
    other = foreign.form(path)
    if other is not None:
        return (
            f"expected a model for the {role}, {text!r} is {other.holds}: {other.way}; "
            f"docs/own_network.md has recipes"
        )
    absent = "" if path.exists() else ", which is not there"
    return f"expected {FORMS} for the {role}, got {text!r}{absent}"


def _opened(
    model: Model, entries: dict[str, Any], size: tuple[int, ...] | None, role: str
) -> Opened:
    """A model of the user's own, a folder's or KerasHub's, with known shapes."""
    if kerashub.is_task(model):
        return Opened(kerashub.prepared(model, size), entries, True)
    return Opened(built(model, size, role), entries, bool(entries))


def expect_pixels(opened: Opened, pixels: pixel_words.Pixels) -> None:
    """Refuses other pixels than 0..255 where the source says which ones a classifier takes.

    Args:
        opened: From `open`.
        pixels: As the user says.

    Raises:
        UsageError: They would be scaled twice.
    """
    if opened.prepares and pixels != adapters.PIXELS:
        raise UsageError(
            f"expected no --pixels of {opened.model.name}: its preprocessing comes with it, and it "
            f"takes 0..255, got {pixel_words.words(pixels)}"
        )


def name(source: str | os.PathLike | keras.Model, model: keras.Model) -> str:
    """The name that a model was given, or that of its file where Keras chose the model's.

    Keras calls a model that nobody named by its class, with a number: `sequential_3`.
    """
    chosen = re.fullmatch(r"(sequential|functional|model)(_\d+)?", model.name)
    if chosen and not isinstance(source, keras.Model) and pathlib.Path(source).is_file():
        return pathlib.Path(source).stem
    return model.name


def about(source: str | os.PathLike) -> dict[str, Any]:
    """The entries of a network's folder, with `folder` itself; empty for any other source.

    A model's file in such a folder stands for the folder.
    """
    path = pathlib.Path(source)
    if path.is_file() and path.name in (storage.written(path.parent) or ()):
        source = path.parent
    there = (pathlib.Path(source) / "network.json").is_file()
    if not there and str(source) not in published.names() and not hub.is_address(source):
        return {}
    where = published.find(source)
    return storage.manifest(where) | {"folder": where}


def application(
    name: str, weights: str | None = "imagenet", size: tuple[int, ...] | None = None
) -> Model:
    """A model of keras.applications with its preprocessing inside and without a final softmax.

    Args:
        name: As MobileNetV2.
        weights: "imagenet" (Keras downloads them), a file, or None for random ones.
        size: (H, W, 3), or None for the model's own.

    Raises:
        UsageError: Keras has none of that name, or cannot make it so.
    """
    makers = {n: f for n, f in vars(applications).items() if inspect.isfunction(f)}
    if name not in makers:
        near = difflib.get_close_matches(name, makers, 3, 0.4)
        there = meant(near) if near else f"there are {', '.join(sorted(makers)[:5])} ..."
        raise UsageError(f"expected a model of keras.applications, got {name!r}; {there}")
    try:
        model = makers[name](
            weights=weights, input_shape=size, classes=1000, classifier_activation=None
        )
    except Exception as error:  # a failed download is a bare Exception to Keras
        raise UsageError(
            f"keras.applications cannot make {name} with --weights={weights or 'none'}: "
            f"{reason(error)}; --weights=FILE and --weights=none do without a download"
        ) from error
    modules = [m for m in vars(applications).values() if inspect.ismodule(m) and hasattr(m, name)]
    prepare = next(m.preprocess_input for m in modules if hasattr(m, "preprocess_input"))
    return adapters.prepared(model, *pixel_words.affine(prepare))


def built(model: Model, size: tuple[int, ...] | None = None, role: str = "classifier") -> Model:
    """The model with known shapes: a subclassed one is called once, inside a functional one.

    Pictures of whole numbers become floats: see `integer_input`; a generator's codes do not, which
    are tokens then. Outputs that are no numbers with gradients, as names of classes, are left out
    where others are left.

    Args:
        model: Any; what comes back holds the same weights.
        size: Shape of its input without the batch axis, where it does not tell it.
        role: See `open`.

    Raises:
        UsageError: Its input is known to nobody, or of another size; or it takes one number of
            images alone, or gives words alone.
    """
    model = _of_floats(model if role == "generator" else integer_input.as_floats(model))
    inputs = getattr(model, "inputs", None)
    if inputs and (size is None or None not in inputs[0].shape[1:]):
        _expect_any_number(model)
        return model
    size = size or _seen(model)
    if size is None:
        raise UsageError(f"expected {SIZES[role]} for {model.name}, which does not tell its input")
    x = keras.Input(size)
    try:
        return keras.Model(x, model(x), name=model.name)
    except (ValueError, TypeError, IndexError) as error:
        own = f", whose input is {list(inputs[0].shape[1:])}" if inputs else ""
        raise UsageError(
            f"expected {SIZES[role]} that {model.name} takes{own}, got {list(size)}: "
            f"{reason(error)}; a model that is saved with its size, "
            f"x = keras.Input(SIZE); keras.Model(x, model(x)), needs none"
        ) from error


def _expect_weights(model: Model, path: pathlib.Path) -> None:
    """Refuses a file of a model that was never built: it would get other weights each time."""
    if not model.built:
        raise UsageError(
            f"expected a model with weights, {path} holds {model.name} before it was built, and so "
            f"none: begin it with keras.Input(SIZE), or call it once, and save it again"
        )


def _of_floats(model: Model) -> Model:
    """The model without outputs of whole numbers and words, where it has others."""
    outputs = list(getattr(model, "outputs", None) or []) if private.is_functional(model) else []
    kept = [one for one in outputs if keras.backend.is_float_dtype(one.dtype)]
    if outputs and not kept and _gives_words(model):
        raise UsageError(
            f"expected a model that gives numbers, {model.name} gives words, as of a StringLookup: "
            f"save a model of a layer before them, keras.Model(f.inputs, f.get_layer(NAME).output)"
        )
    if not kept or len(kept) == len(outputs):
        return model
    return keras.Model(private.functional(model).input, kept, name=model.name)


def _gives_words(model: Model) -> bool:
    """Whether all that a model gives are strings. Keras takes those of a StringLookup for int64."""
    specs = [tf.TensorSpec(one.shape, one.dtype) for one in model.inputs]

    @tf.function(autograph=False)
    def run(*x: Tensor) -> Any:
        return model(keras.tree.pack_sequence_as(adapters.inputs(model), x), training=False)

    given = run.get_concrete_function(*specs).structured_outputs
    return all(one.dtype == tf.string for one in keras.tree.flatten(given))


def _expect_any_number(model: Model) -> None:
    """Refuses a model that takes one number of images alone, as one that reshapes to it."""
    shapes = [one.shape for one in model.inputs]
    rows = shapes[0][0]
    if rows is None:
        return
    sides = [[side or integer_input.SIDE for side in shape[1:]] for shape in shapes]
    x = [
        np.zeros((rows + 1, *side), keras.backend.standardize_dtype(one.dtype))
        for one, side in zip(model.inputs, sides, strict=True)
    ]
    try:
        model(keras.tree.pack_sequence_as(adapters.inputs(model), x), training=False)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise UsageError(
            f"expected a model of any number of images, {model.name} takes {rows} at a time: make "
            f"it with an Input whose first axis is open, keras.Input({tuple(shapes[0][1:])}), and "
            f"reshape to -1 there"
        ) from error


def _seen(model: Model) -> tuple[int, ...] | None:
    """Shape of the one input that a subclassed model was called with, or None."""
    shape = (model.get_build_config() or {}).get("input_shape") if model.built else None
    if not isinstance(shape, tuple | list) or not all(isinstance(n, int) for n in shape[1:]):
        return None
    return tuple(shape[1:])
