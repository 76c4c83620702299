"""Directions of a layer: weighted sums of its numbers, which are sampled as units are.

A direction d gives z = d . h of what a layer gives, h: over its units (at one place of a map, or
the mean or maximum over the map), or over all numbers of its output. A unit is the direction that
is 1 there and 0 elsewhere. Files of directions may come from anywhere: nothing of them is run, and
their sizes are known before anything is allocated.
"""

from __future__ import annotations

import hashlib
import math
import pathlib
import re
from dataclasses import dataclass, field

import numpy as np

from tf_inverse import npy
from tf_inverse.errors import UsageError, printable
from tf_inverse.tensors import Array

FILE = re.compile(r"@(?P<path>.+?)(?:\[(?P<row>\d{1,9})\])?")
MOST_NUMBERS = 1 << 22
"""Numbers of a direction."""
MOST_ROWS = 64
"""Directions that are taken from one file together."""
LONGEST_NAME = 200


@dataclass(frozen=True)
class Direction:
    """A direction of a layer; two of the same numbers are equal, whatever they are called.

    Args:
        name: What stands in the place of a unit: "ship-airplane", or "@probe.npy[2]" of a file.
        values: Its numbers, [d], or as they lie in the layer's output; kept as float32 [d].

    Attributes:
        sha256: Checksum of the values, little-endian float32.

    Raises:
        UsageError: The values are no finite numbers, all zero, none at all, or too many.
    """

    name: str = field(compare=False)
    values: Array = field(compare=False, repr=False)
    sha256: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        name, given = printable(self.name)[:LONGEST_NAME], np.asanyarray(self.values)
        if given.dtype.kind not in "fiu" or not 0 < given.size <= MOST_NUMBERS:
            raise UsageError(
                f"expected 1 to {MOST_NUMBERS} numbers for the direction {name}, got "
                f"{given.size} of type {given.dtype}"
            )
        with np.errstate(over="ignore"):
            values = np.array(given, "<f4", order="C").reshape(-1)
        wrong = values.size - int(np.isfinite(values).sum())
        if wrong:
            raise UsageError(
                f"expected finite float32 numbers for the direction {name}, {wrong} of "
                f"{values.size} are not"
            )
        if not values.any():
            raise UsageError(f"expected a number other than zero in the direction {name}")
        values.setflags(write=False)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "sha256", hashlib.sha256(values.tobytes()).hexdigest())

    def __str__(self) -> str:
        return self.name

    @property
    def unit(self) -> int | None:
        """The one entry that is 1 where all others are 0; None for any other direction."""
        (there,) = np.nonzero(self.values)
        return int(there[0]) if len(there) == 1 and self.values[there[0]] == 1 else None


def read(text: str, layer: str, shape: tuple[int, ...]) -> list[Direction]:
    """The directions of a file, `@FILE.npy`; or one of them, `@FILE.npy[ROW]`.

    Args:
        text: As it stands in a target.
        layer: Name of the layer, for messages.
        shape: What the layer gives, without the batch axis, its units last.

    Returns:
        One of an array [d], k of an array [k, d], where d counts the units or all numbers of the
        output; of a map also one of [rows, columns, units], and k of [k, rows, columns, units].

    Raises:
        UsageError: There is no such file or row, or its array does not fit the layer.
        RefusedInput: It is no plain array of numbers.
    """
    match = FILE.fullmatch(text)
    if match is None:
        raise UsageError(f"expected a direction of {layer} as @FILE.npy, got {text!r}")
    name = printable(pathlib.Path(match["path"]).name)
    array = _rows(_mapped(match["path"], name), name, layer, shape)
    if match["row"] is not None:
        which = int(match["row"])
        if which >= len(array):
            raise UsageError(f"expected a row of {name} from 0 to {len(array) - 1}, got {which}")
        return [Direction(f"@{name}[{which}]", array[which])]
    if len(array) == 1:
        return [Direction(f"@{name}", array[0])]
    if len(array) > MOST_ROWS or array.size > MOST_NUMBERS:
        raise UsageError(
            f"expected at most {MOST_ROWS} directions, of {MOST_NUMBERS} numbers, for one target, "
            f"{name} has {len(array)} of {array[0].size}: choose one, as @{name}[0]"
        )
    return [Direction(f"@{name}[{i}]", row) for i, row in enumerate(array)]


def _mapped(path: str, name: str) -> Array:
    """A file's array, of which nothing is in memory before it is asked for."""
    try:
        return npy.mapped(path, name)
    except PermissionError:
        raise
    except (OSError, ValueError):  # ValueError: a zero byte in the path
        raise UsageError(
            f"expected a file of NumPy's .npy format at {path}, there is none"
        ) from None


def _rows(array: Array, name: str, layer: str, shape: tuple[int, ...]) -> Array:
    """An array with one axis more, along which each entry is a direction."""
    one = array.ndim == 1 or (len(shape) == 3 and array.shape == shape)
    rows = array[np.newaxis] if one else array
    flat = rows.ndim == 2 and rows.shape[1] in (shape[-1], math.prod(shape))
    if not rows.size or not (flat or rows.shape[1:] == shape):
        whole = f", or {list(shape)} for the whole output" if len(shape) > 1 else ""
        raise UsageError(
            f"expected an array [{shape[-1]}] for a direction of {layer}{whole}, or several in "
            f"rows, {name} has {list(array.shape)}"
        )
    return rows
