"""What happens as Keras is imported: its settings are looked at, and it learns of our layers.

`keras.saving.load_model` takes a class from elsewhere only if it is registered already. But to
import Keras takes seconds, for which `import tf_inverse` and `tf-inverse --help` must not wait. So
where Keras is not imported yet, its import is what registers the layers. Before it, or TensorFlow,
is imported, settings that they cannot start with are refused in words of our own.
"""

from __future__ import annotations

import importlib.abc
import sys
from types import ModuleType
from typing import Any

from tf_inverse import keras_settings


def after_keras() -> None:
    """Register the layers now, or when Keras is imported."""
    if "keras" in sys.modules:
        _register()
    elif not any(isinstance(finder, _Waiting) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Waiting())


def _register() -> None:
    keras = sys.modules["keras"]
    # Keras is half imported where its own import comes to this package, and has no backend yet.
    if hasattr(keras, "backend") and keras.backend.backend() == "tensorflow":
        importlib.import_module("tf_inverse.layers.registered")


def only_tensorflow() -> None:
    """From now on, Keras is imported to run on TensorFlow or not at all, as the commands need."""
    _Waiting.only_tensorflow = True


class _Waiting(importlib.abc.MetaPathFinder):
    """Finds Keras and TensorFlow where Python does; registers the layers once Keras is loaded."""

    only_tensorflow = False

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        # Others ask as well: TensorFlow looks where Keras lies long before it imports it.
        if name not in ("keras", "tensorflow"):
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_register(module: ModuleType) -> None:
                keras_settings.expect_usable()
                if self.only_tensorflow:
                    keras_settings.expect_tensorflow()
                load(module)
                if name == "keras":
                    sys.meta_path.remove(self)
                    _register()

            spec.loader.exec_module = load_and_register  # type: ignore[method-assign]
        return spec
