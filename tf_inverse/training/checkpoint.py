"""The state of a training in one file: every variable, bit for bit, and the number of steps."""

from __future__ import annotations

import io
import pathlib
from collections.abc import Sequence

import keras
import numpy as np

from tf_inverse.archive import atomic
from tf_inverse.errors import RefusedInput, reason

NAME = "state.npz"


def save(folder: pathlib.Path, variables: Sequence[keras.Variable], steps: int) -> None:
    """Keeps the state, whole or not at all: what was kept before goes only when this is there.

    Args:
        folder: From `work.beside`.
        variables: All that a step may change, in the same order every time.
        steps: Done so far.
    """
    arrays = {str(i): keras.ops.convert_to_numpy(one.value) for i, one in enumerate(variables)}
    buffer = io.BytesIO()
    np.savez(buffer, steps=steps, **arrays)
    atomic.write(folder / NAME, buffer.getvalue())


def restore(folder: pathlib.Path, variables: Sequence[keras.Variable]) -> int:
    """Steps that were done: 0 where nothing is kept; else the variables are as they were.

    Args:
        folder: As of `save`.
        variables: As of `save`.

    Raises:
        RefusedInput: The file is damaged, or of another training.
    """
    path = folder / NAME
    if not path.exists():
        return 0
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [file[str(i)] for i in range(len(variables))]
            steps = int(file["steps"])
            if len(file.files) != len(variables) + 1:
                raise ValueError(f"expected {len(variables)} arrays, got {len(file.files) - 1}")
        for variable, array in zip(variables, arrays, strict=True):
            if array.shape != tuple(variable.shape):
                raise ValueError(f"{variable.path} has another shape")
    except Exception as error:  # NumPy raises almost anything for a damaged file
        raise RefusedInput(
            f"cannot go on from {folder} ({reason(error)}); take that folder away to begin anew"
        ) from error
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return steps
