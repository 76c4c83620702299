"""How the weights in a Keras file may be laid out: in the file itself, once each, and not packed.

HDF5 lets a kilobyte stand for terabytes (packed or shared data) and lets one file read another
(links, external storage). Keras writes neither, so whatever does is refused before it is read.
"""

from __future__ import annotations

import math

import h5py

from tf_inverse.archive import walk
from tf_inverse.errors import RefusedInput
from tf_inverse.tensors import StrPath


def count(group: h5py.Group, path: StrPath, size: int) -> int:
    """Numbers stored in a group, all of them in the file itself.

    Args:
        group: Of an open file.
        path: Of the file, for the words of a refusal.
        size: Bytes of the file.

    Raises:
        RefusedInput: Something in the group is a link, packed, elsewhere, or there twice.
    """
    return sum(_numbers(item, path, size) for _, item in walk.datasets(group, path))


def quantised(group: h5py.Group, path: StrPath) -> bool:
    """Whether some of the weights in a group are bytes, as Keras stores quantised ones."""
    return any(item.dtype == "int8" for _, item in walk.datasets(group, path))


def _numbers(item: h5py.Dataset, path: StrPath, size: int) -> int:
    creation = item.id.get_create_plist()
    layouts = (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT)
    numbers = math.prod(int(side) for side in item.shape)
    if creation.get_layout() not in layouts or creation.get_external_count():
        raise RefusedInput(f"{path}: {item.name:.120} is packed or in another file")
    # Keras stores bfloat16 as two bytes without a meaning of their own.
    plain = item.dtype.kind not in "OV" or item.dtype == "V2"
    if not plain or numbers * item.dtype.itemsize > size:
        raise RefusedInput(f"{path}: {item.name:.120} declares more than the file holds")
    return numbers
