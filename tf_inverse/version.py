"""The versions; setup.py reads the package's own out of this file without importing anything."""

from __future__ import annotations

import platform
from typing import Any

__version__ = "0.1.0"

BEFORE: dict[str, Any] = {"starts": "random", "candidates": 1, "quality": 0.05}
"""Settings of runs before they could be told: an archive that says nothing of these had these."""


def versions() -> dict[str, str]:
    """Versions of everything that has a hand in the numbers, by name."""
    import h5py
    import keras
    import numpy as np
    import tensorflow as tf

    modules = {"tensorflow": tf, "keras": keras, "numpy": np, "h5py": h5py}
    return {
        "tf_inverse": __version__,
        "python": platform.python_version(),
        **{name: module.__version__ for name, module in modules.items()},
    }
