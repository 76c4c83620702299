"""Makes Keras know this package's layers as soon as both are imported, in whichever order.

`keras.saving.load_model` takes a class from elsewhere only if it is registered already. But to
import Keras takes seconds, for which `import tf_inverse` and `tf-inverse --help` must not wait. So
where Keras is not imported yet, its import is what registers the layers.
"""

from __future__ import annotations

import importlib.abc
import sys
from types import ModuleType
from typing import Any


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


class _Waiting(importlib.abc.MetaPathFinder):
    """Finds Keras where Python does, and registers the layers once it has been loaded."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        # Others ask as well: TensorFlow looks where Keras lies long before it imports it.
        if name != "keras":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_register(module: ModuleType) -> None:
                load(module)
                sys.meta_path.remove(self)
                _register()

            spec.loader.exec_module = load_and_register  # type: ignore[method-assign]
        return spec
