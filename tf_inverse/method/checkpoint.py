"""The state that a run goes on from: as an archive holds it, checked before it is used."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import DTypeLike

from tf_inverse.errors import RefusedInput


def entry(
    state: Mapping[str, np.ndarray], name: str, dtype: DTypeLike, shape: tuple[int | None, ...] = ()
) -> np.ndarray:
    """An array of a state.

    Args:
        state: Name -> array.
        name: Of the entry.
        dtype: It has to have.
        shape: Likewise; None for any number.

    Raises:
        RefusedInput: It is not there, or of another type or shape.
    """
    dtype = np.dtype(dtype)
    got = state.get(name)
    array = np.asarray(got)
    fits = got is not None and array.dtype == dtype and len(array.shape) == len(shape)
    if not fits or any(w not in (None, s) for w, s in zip(shape, array.shape, strict=True)):
        found = "nothing" if got is None else f"{array.dtype} {list(array.shape)}"
        wanted = ["any" if side is None else side for side in shape]
        raise RefusedInput(
            f"expected {name}, {dtype} {wanted}, in the state that the run goes on from, got "
            f"{found}: it is damaged or of another version; sample --overwrite starts again"
        )
    return array


def count(state: Mapping[str, np.ndarray], name: str) -> int:
    """A whole number of a state, int64 and not negative.

    Raises:
        RefusedInput: It is not there, or something else.
    """
    value = int(entry(state, name, np.int64))
    if value < 0:
        raise RefusedInput(f"expected {name} >= 0 in the state that the run goes on from")
    return value
