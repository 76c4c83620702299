"""The state of a training in one file: every variable, bit for bit, and the number of steps."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from tf_inverse.errors import RefusedInput, reason
from tf_inverse.networks import npz
from tf_inverse.tensors import Array

NAME = "state.npz"


def save(folder: pathlib.Path, variables: Sequence[keras.Variable], steps: int) -> None:
    """Keeps the state, whole or not at all: what was kept before goes only when this is there.

    Args:
        folder: From `work.beside`.
        variables: All that a step may change, in the same order every time.
        steps: Done so far.
    """
    npz.write(folder / NAME, _arrays(variables, steps))


def _arrays(variables: Sequence[keras.Variable], steps: int) -> Iterator[tuple[str, Array]]:
    """The arrays of a state by name, each of which is in memory once the one before is written."""
    yield "steps", np.asarray(steps)
    for i, variable in enumerate(variables):
        yield str(i), keras.ops.convert_to_numpy(variable.value)


def weights(folder: pathlib.Path, network: keras.Model) -> int:
    """Gives a network the weights of an unfinished training; its steps so far.

    Args:
        folder: Of that training, which may still run.
        network: Of the same architecture: a trainer's variables begin with its network's.

    Raises:
        RefusedInput: There is no such state, it is damaged, or it is of another architecture.
    """
    with _reading(folder, "take weights from"):
        return _assign(folder, network.variables, more=True)


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
        return _assign(folder, variables)


def _assign(folder: pathlib.Path, variables: Sequence[keras.Variable], more: bool = False) -> int:
    """Gives variables the first arrays of a state; its steps so far.

    Every header is compared with its variable before anything is read, so that no array has more
    numbers than its variable. Every array is then read once to compare it with its checksum before
    any is assigned, so that a state of other variables, or a damaged one, changes none of them.

    Args:
        folder: Of the state.
        variables: As many as the state has arrays, or the first of these.
        more: Whether the state may hold further arrays.
    """
    with npz.Arrays(folder / NAME) as arrays:
        steps, count = arrays["steps"], len(arrays) - 1
        if count != len(variables) and not (more and count > len(variables)):
            raise ValueError(f"expected {len(variables)} arrays, got {count}")
        if steps.shape != () or steps.dtype.kind != "i":
            raise ValueError("its number of steps is no whole number")
        for i, variable in enumerate(variables):
            _expect_fit(arrays[str(i)], variable)
        arrays.expect_intact(["steps", *map(str, range(len(variables)))])
        for i, variable in enumerate(variables):
            array = arrays[str(i)]
            # By rows there is no limit to the size, which the variable has already.
            variable.assign(array[:] if array.shape else array[()])
        return int(steps[()])


def _expect_fit(array: npz.StoredArray, variable: keras.Variable) -> None:
    if array.shape != tuple(variable.shape):
        raise ValueError(f"{variable.path} has another shape")
    if not np.can_cast(array.dtype, variable.dtype, "same_kind"):
        raise ValueError(f"{variable.path} has another type")


@contextlib.contextmanager
def _reading(folder: pathlib.Path, what: str, hint: str = "") -> Iterator[None]:
    try:
        yield
    except Exception as error:  # zipfile and NumPy raise almost anything for a damaged file
        raise RefusedInput(f"cannot {what} {folder} ({reason(error)}){hint}") from error
