"""Names for the types of arguments, so that a signature need not import TensorFlow."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    # Neither library ships types that mypy reads, so a checker may take both for Any.
    Tensor: TypeAlias = tf.Tensor
    Model: TypeAlias = keras.Model
else:
    Tensor = Any
    Model = Any

Array: TypeAlias = np.ndarray
Shape: TypeAlias = tuple[Any, ...]
"""Sides of a tensor, the batch first: whole numbers, and None where a side may be any."""

StrPath: TypeAlias = str | os.PathLike[str]
"""The name of a file or a folder, as text or as a `pathlib.Path`."""
