"""The state of a method as arrays by name, which an archive stores, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
import tensorflow as tf

from tf_inverse.method.checkpoint import entry
from tf_inverse.tensors import Array, Tensor

TUPLES = {"slots": "slot", "start": "start"}
"""Fields of a state that are tuples of tensors, and the names of their entries."""

S = TypeVar("S", bound=NamedTuple)


def arrays(state: NamedTuple, **more: int) -> dict[str, Any]:
    """The tensors of a state as an archive stores them, by name, and whole numbers beside them."""
    found = {name: v.numpy() for name, v in _entries(state).items()}
    return found | {name: np.int64(value) for name, value in more.items()}


def _entries(state: NamedTuple) -> dict[str, Tensor]:
    """The tensors of a state by name, those of its tuples one by one."""
    named: dict[str, Tensor] = {}
    for name, value in state._asdict().items():
        if isinstance(value, tuple):
            named |= {f"{TUPLES[name]}.{i}": one for i, one in enumerate(value)}
        else:
            named[name] = value
    return named


def restored(state: Mapping[str, Array], like: S) -> S:
    """A state as tensors, of the types and shapes of another.

    Raises:
        RefusedInput: It has others.
    """
    tensors = {
        name: tf.constant(entry(state, name, value.dtype.as_numpy_dtype, tuple(value.shape)))
        for name, value in _entries(like).items()
    }
    tuples = {
        name: tuple(tensors.pop(f"{TUPLES[name]}.{i}") for i in range(len(value)))
        for name, value in like._asdict().items()
        if isinstance(value, tuple)
    }
    return like._replace(**tensors, **tuples)
