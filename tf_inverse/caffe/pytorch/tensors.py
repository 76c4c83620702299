"""Storages and tensors as a pickle of PyTorch describes them, checked before they are believed."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeGuard

import ml_dtypes
import numpy as np

from tf_inverse.errors import RefusedInput

MOST_AXES = 8
# No tensor of a network has as many entries, and NumPy can still count its bytes.
MOST_ENTRIES = 1 << 40

STORAGES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}


class Global(NamedTuple):
    """What a file names to be called."""

    module: str
    name: str


class Storage(NamedTuple):
    """A run of numbers elsewhere in the file: its key, their type and how many they are."""

    key: str
    dtype: np.dtype
    entries: int


class Tensor(NamedTuple):
    """A view of a storage: where it begins, its shape, and its strides, all in entries."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def storage(identity: object) -> Storage:
    """The storage that a persistent id names.

    Args:
        identity: ("storage", its type, key, device, entries), as the pickle holds it.

    Raises:
        RefusedInput: It is no such tuple, or its type is not one of plain numbers.
    """
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
        raise RefusedInput("its pickle refers to something that is no storage")
    _, kind, key, _, count = identity[:5]
    if identity[5:] not in ((), (None,)):
        raise RefusedInput("a storage is a part of another: save it again with torch.save")
    dtype = STORAGES.get(kind.name) if isinstance(kind, Global) else None
    if dtype is None or not isinstance(key, str) or not _is_size(count):
        raise RefusedInput("a storage of its pickle has no type, key or size")
    return Storage(key, dtype, count)


def tensor(arguments: tuple[Any, ...]) -> Tensor:
    """The tensor of a call of PyTorch's `_rebuild_tensor_v2`; every entry lies in its storage.

    Args:
        arguments: (storage, offset, shape, strides, ...).

    Raises:
        RefusedInput: They are of other kinds, or reach beyond the storage.
    """
    held, offset, shape, strides = (*arguments, None, None, None, None)[:4]
    plain = (
        isinstance(held, Storage)
        and isinstance(shape, tuple)
        and isinstance(strides, tuple)
        and len(shape) == len(strides) <= MOST_AXES
        and all(map(_is_size, (offset, *shape, *strides)))
    )
    if not plain:
        raise RefusedInput("a tensor of its pickle has no storage, shape or strides")
    # Strides of 0 would make a large tensor of a few numbers; an axis of 0 hides long ones.
    entries, empty = math.prod(size for size in shape if size), 0 in shape
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    if entries > MOST_ENTRIES or not empty and (entries > held.entries or last >= held.entries):
        raise RefusedInput(
            f"a tensor of shape {shape} and strides {strides} from {offset} does not lie within "
            f"its storage of {held.entries} numbers"
        )
    return Tensor(held, offset, shape, strides)


def _is_size(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_ENTRIES
