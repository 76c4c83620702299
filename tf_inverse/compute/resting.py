"""Weights at rest: in a file that is mapped into memory, and in memory only while they are read.

A search in half precision multiplies by copies of a generator's kernels. The kernels themselves are
read before it and perhaps after it, and meanwhile would be a large part of what a run has in
memory.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

LEAST = 64 << 20
"""Bytes of weights below which no file is made for them."""

PLACE = "_tf_inverse_place"
"""Attribute of a variable at rest: its part of memory, which is a file."""


def lay(variables: Iterable[keras.Variable]) -> None:
    """Lay the values of variables into files without names, which end with the variables.

    Whoever reads a variable gets the same values as before, and whoever assigns to it puts the new
    value into ordinary memory, as TensorFlow does with every buffer that is not its own. Where
    there is no room for files, or the variables are on a GPU, they stay where they are.

    Args:
        variables: Of a model, with what their kernels are searched by beside them.
    """
    here = [one for one in variables if "GPU" not in one.value.device]
    if sum(map(_bytes, here)) >= LEAST and hasattr(os, "posix_fallocate"):
        with contextlib.suppress(OSError):
            for one in here:
                _lay(one)


def drop(variable: keras.Variable) -> None:
    """Give back the memory that reading a variable at rest took; the file keeps the value."""
    place = getattr(variable, PLACE, None)
    if place is not None:
        place.madvise(mmap.MADV_DONTNEED)


def _bytes(variable: keras.Variable) -> int:
    return int(np.prod(variable.shape)) * tf.as_dtype(variable.dtype).size


def _lay(variable: keras.Variable) -> None:
    with tempfile.TemporaryFile() as file:
        # Room is made at once: a write to a mapped file on a full disk would end the process.
        os.posix_fallocate(file.fileno(), 0, _bytes(variable))
        place = mmap.mmap(file.fileno(), _bytes(variable))
    array = np.frombuffer(place, variable.dtype).reshape(variable.shape)
    array[...] = variable.value.numpy()
    # NumPy's arrays are copied by `assign`; this way the variable's buffer is the file itself.
    variable.value.assign(tf.experimental.dlpack.from_dlpack(array.__dlpack__()))
    setattr(variable, PLACE, place)
    drop(variable)
