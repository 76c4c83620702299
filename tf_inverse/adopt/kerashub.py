"""Models of KerasHub: presets, and the preprocessing that they keep outside of their graph.

A task of KerasHub is a Keras model with a preprocessor beside it: `predict` and `fit` prepare the
pixels, and a call of the model, which is what gradients go through, does not.
"""

from __future__ import annotations

import importlib
import pathlib
from typing import Any

from tf_inverse.adopt import preprocessing
from tf_inverse.archive import hdf5, json_file
from tf_inverse.errors import RefusedInput, UsageError, reason
from tf_inverse.networks import keras_file
from tf_inverse.networks.keras_file import config
from tf_inverse.networks.keras_file.weights import count
from tf_inverse.tensors import Model

PREFIX = "keras_hub:"


def is_preset(path: pathlib.Path) -> bool:
    """Whether a folder is what a KerasHub classifier's `save_to_preset` writes."""
    return (path / "task.json").is_file() and (path / "config.json").is_file()


def preset(source: str, weights: str | None = "imagenet") -> Model:
    """The image classifier of a preset, as KerasHub makes it: see `prepared`.

    Args:
        source: A preset's name or address (KerasHub downloads it), or a folder.
        weights: "imagenet" for the preset's own weights, None for random ones.

    Raises:
        UsageError: KerasHub is not installed, or has no classifier of images there.
        RefusedInput: The folder holds a program, or declares more weights than it stores.
    """
    if weights not in ("imagenet", None):
        raise UsageError(f"expected --weights=none, or none said, for {source}, got {weights}")
    models = _package(source).models
    if is_preset(pathlib.Path(source)):
        check(pathlib.Path(source))
    try:
        return models.ImageClassifier.from_preset(source, load_weights=weights is not None)
    except Exception as error:  # KerasHub and the two hubs it asks raise almost anything
        raise UsageError(
            f"expected a KerasHub preset of an image classifier, got {source} ({reason(error)})"
        ) from error


def check(folder: pathlib.Path) -> None:
    """Passes a preset's folder that holds data alone, of the size that it declares.

    Args:
        folder: As `save_to_preset` writes it.

    Raises:
        RefusedInput: names the rule that it breaks.
    """
    # KerasHub reads them all; a cache's folder is made of links.
    files = {
        path.name: json_file.read(path, keras_file.MAX_CONFIG, links=True) or b""
        for path in folder.glob("*.json")
    }
    try:
        entries = [
            config.inspected(files[name].decode(), older=False, hdf5=False)
            for name in ("task.json", "config.json")
        ]
        stored = sum(_stored(path) for path in folder.glob("*.weights.h5"))
        for entry in entries:
            config.model(entry, stored)
    except RefusedInput as error:
        raise RefusedInput(f"{folder}: {error}") from error
    except Exception as error:  # KerasHub raises almost anything for a forged configuration
        raise RefusedInput(f"{folder}: no preset that KerasHub knows ({reason(error)})") from error


def _stored(path: pathlib.Path) -> int:
    with hdf5.opened(path) as file:
        return count(file, path, path.stat().st_size)


def prepared(task: Model, size: tuple[int, ...] | None = None) -> Model:
    """A task as a model of pixels in 0..255, with its preprocessor inside.

    Args:
        task: See `is_task`.
        size: (H, W, 3) of its input, where it leaves that open; that of the images that its
            preprocessor makes by default.

    Raises:
        UsageError: The preprocessor does more than to scale and to shift each pixel.
    """
    size = (size or _size(task)) if None in task.input_shape[1:] else None
    return preprocessing.inside(task, task.preprocessor, size)


def is_task(model: Model) -> bool:
    """Whether a model is a task of KerasHub's with a preprocessor beside it."""
    known = any(
        one.__name__ == "Task" and one.__module__.startswith("keras_hub.")
        for one in type(model).__mro__
    )
    return known and model.preprocessor is not None


def _size(task: Model) -> tuple[int, ...] | None:
    """(H, W, C) of the images that a preprocessor makes, or None where it keeps their size."""
    sides = getattr(getattr(task.preprocessor, "image_converter", None), "image_size", None)
    return None if not sides or None in sides else (*sides, task.input_shape[-1])


def _package(source: str) -> Any:
    try:
        return importlib.import_module("keras_hub")
    except ImportError as error:
        raise UsageError(
            f"expected KerasHub for {source}: pip install keras-hub ({reason(error)})"
        ) from error
