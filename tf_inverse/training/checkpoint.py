"""The state of a training in one file: every variable, bit for bit, and the number of steps."""

from __future__ import annotations

import contextlib
import io
import pathlib
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from tf_inverse.archive import atomic
from tf_inverse.errors import RefusedInput, reason
from tf_inverse.tensors import Array

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


def weights(folder: pathlib.Path, network: keras.Model) -> int:
    """Gives a network the weights of an unfinished training; its steps so far.

    Args:
        folder: Of that training, which may still run.
        network: Of the same architecture: a trainer's variables begin with its network's.

    Raises:
        RefusedInput: There is no such state, it is damaged, or it is of another architecture.
    """
    with _reading(folder, "take weights from"):
        arrays, steps, _ = _arrays(folder, len(network.variables))
        _fitting(arrays, network.variables)
    for variable, array in zip(network.variables, arrays, strict=True):
        variable.assign(array)
    return steps


def restore(folder: pathlib.Path, variables: Sequence[keras.Variable]) -> int:
    """Steps that were done: 0 where nothing is kept; else the variables are as they were.

    Args:
        folder: As of `save`.
        variables: As of `save`.

    Raises:
        RefusedInput: The file is damaged, or of another training.
    """
    if not (folder / NAME).exists():
        return 0
    with _reading(folder, "go on from", "; take that folder away to begin anew"):
        arrays, steps, count = _arrays(folder, len(variables))
        if count != len(variables):
            raise ValueError(f"expected {len(variables)} arrays, got {count}")
        _fitting(arrays, variables)
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return steps


def _arrays(folder: pathlib.Path, count: int) -> tuple[list[Array], int, int]:
    """The first arrays of a state, its steps, and how many arrays it has."""
    with np.load(folder / NAME, allow_pickle=False) as file:
        arrays = [file[str(i)] for i in range(count)]
        return arrays, int(file["steps"]), len(file.files) - 1


def _fitting(arrays: Sequence[Array], variables: Sequence[keras.Variable]) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        if array.shape != tuple(variable.shape):
            raise ValueError(f"{variable.path} has another shape")


@contextlib.contextmanager
def _reading(folder: pathlib.Path, what: str, hint: str = "") -> Iterator[None]:
    try:
        yield
    except Exception as error:  # NumPy raises almost anything for a damaged file
        raise RefusedInput(f"cannot {what} {folder} ({reason(error)}){hint}") from error
