"""Directions that a plan names: their numbers in files of their own, by their checksums."""

from __future__ import annotations

import io
import pathlib

import numpy as np

from tf_inverse import npy
from tf_inverse.archive import atomic
from tf_inverse.directions import Direction
from tf_inverse.errors import InverseSetError, RefusedInput, reason


def write(folder: pathlib.Path, direction: Direction) -> None:
    """Puts the numbers of a direction into the folder, durably."""
    folder.mkdir(exist_ok=True)
    data = io.BytesIO()
    np.save(data, direction.values, allow_pickle=False)
    atomic.write(folder / f"{direction.sha256}.npy", data.getvalue())


def read(folder: pathlib.Path, name: str, sha256: str) -> Direction:
    """The direction of a checksum.

    Args:
        folder: It was written to.
        name: What stands in the place of a unit.
        sha256: As of `Direction`, hexadecimal.

    Raises:
        RefusedInput: It is not there, or has other numbers.
    """
    path = folder / f"{sha256}.npy"
    try:
        found = Direction(name, npy.mapped(path))
    except (OSError, InverseSetError) as error:
        raise RefusedInput(f"expected the direction {name} in {path}: {reason(error)}") from error
    if found.sha256 != sha256:
        raise RefusedInput(f"expected the direction {name} in {path}, got other numbers")
    return found
