"""What Keras takes from `keras.json` and `KERAS_BACKEND`: what it cannot start with is told.

Keras and TensorFlow both read the file while they are imported. Where they refuse it, they name
neither the file nor, in TensorFlow's case, the setting.
"""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

from tf_inverse.errors import UsageError, reason

BACKEND = "tensorflow"
CHOICES = {
    "floatx": ("float16", "float32", "float64"),
    "image_data_format": ("channels_last", "channels_first"),
}


def place() -> pathlib.Path:
    """The file that Keras reads, whether it is there or not."""
    if "KERAS_HOME" in os.environ:
        folder = pathlib.Path(os.environ["KERAS_HOME"])
    else:
        home = os.path.expanduser("~")
        folder = pathlib.Path(home if os.access(home, os.W_OK) else "/tmp", ".keras")
    return pathlib.Path(os.path.expanduser(folder / "keras.json"))


def expect_usable() -> None:
    """Refuses a file that neither Keras nor TensorFlow can start with.

    Raises:
        UsageError: Names the file, the setting, and what it may be.
    """
    settings = _settings()
    for name, choices in CHOICES.items():
        if settings.get(name, choices[0]) not in choices:
            raise _refused(f"expected {name} of {', '.join(choices)}", settings[name])
    if not isinstance(settings.get("epsilon", 0.0), float):
        raise _refused("expected epsilon with a point, as 1e-07", settings["epsilon"])


def expect_tensorflow() -> None:
    """Refuses settings that choose another backend of Keras than TensorFlow.

    Raises:
        UsageError: Names what chooses it.
    """
    if chosen := os.environ.get("KERAS_BACKEND"):
        if chosen != BACKEND:
            raise UsageError(
                f"expected Keras to run on {BACKEND}, KERAS_BACKEND is {chosen}: unset it, or set "
                f"KERAS_BACKEND={BACKEND} for this command"
            )
    elif (chosen := _settings().get("backend", BACKEND)) != BACKEND:
        raise UsageError(
            f"expected Keras to run on {BACKEND}, {place()} has the backend {chosen!r}: change it "
            f"there, or set KERAS_BACKEND={BACKEND} for this command"
        )


def _settings() -> dict[str, Any]:
    """What stands in the file; nothing where it is not there or no JSON, as Keras does."""
    if not place().exists():
        return {}
    try:
        settings = json.loads(place().read_bytes())
    except ValueError:
        return {}
    except (OSError, RecursionError) as error:
        raise UsageError(
            f"expected Keras's settings in {place()} ({reason(error)}): mend or remove it"
        ) from error
    if not isinstance(settings, dict):
        raise _refused("expected an object", settings)
    return settings


def _refused(expected: str, got: object) -> UsageError:
    return UsageError(f"{expected} in {place()}, got {got!r:.80}: change it there, or remove it")
