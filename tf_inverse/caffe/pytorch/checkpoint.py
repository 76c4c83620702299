"""Files of `torch.save`: tensors by name, memory-mapped, with neither PyTorch nor code run.

Since PyTorch 1.6 such a file is a zip archive of PREFIX/data.pkl, a pickle, and PREFIX/data/KEY,
the numbers of one storage each, never compressed. Before, it was five pickles and then the numbers
of the storages in turn. Both are read; a tensor's numbers are views of the mapped file.
"""

from __future__ import annotations

import io
import mmap
import os
import pathlib
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from tf_inverse.caffe.pytorch import pickle_stream, zip_entries
from tf_inverse.caffe.pytorch.tensors import Storage, Tensor
from tf_inverse.errors import RefusedInput
from tf_inverse.tensors import Array

# A pickle of the number that begins every file of the form before PyTorch 1.6.
LEGACY = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# A thousand tensors take a tenth of a megabyte of pickle.
MOST_BYTES = 16 << 20


class Checkpoint(NamedTuple):
    """The tensors of a file by name, as read-only views of `mapped`, its memory map."""

    path: str
    tensors: dict[str, np.ndarray]
    mapped: mmap.mmap


class _Opened(NamedTuple):
    """What a file holds: its object, where the numbers of a storage lie, and their byte order."""

    root: object
    locate: Callable[[str, int], int]
    order: Literal["<", ">"]


def is_one(head: bytes) -> bool:
    """Whether a file that begins so is one of `torch.save`."""
    return head.startswith(zip_entries.HEAD) or head[2:].startswith(LEGACY)


def read(path: str | os.PathLike) -> Checkpoint:
    """Open a file of `torch.save`.

    Args:
        path: Of the file: a state dict, or a dictionary with one under "state_dict".

    Returns:
        `Checkpoint`; the file's numbers are not in memory yet.

    Raises:
        RefusedInput: Damaged, or something other than tensors by name.
        FileNotFoundError: No such file.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected a file, found none at {path}")
    with open(path, "rb") as file:
        head = file.read(64)
        if not is_one(head):
            raise RefusedInput(f"{path} is no file of torch.save: neither a zip archive nor older")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        opened = (_zipped if head.startswith(zip_entries.HEAD) else _legacy)(mapped)
        return Checkpoint(str(path), _views(mapped, opened), mapped)
    except RefusedInput as error:
        raise RefusedInput(f"{path}: {error}") from None


def _views(mapped: mmap.mmap, opened: _Opened) -> dict[str, Array]:
    """Tensors by name, as arrays on the mapped file."""
    views: dict[str, Array] = {}
    places: dict[tuple[str, int], int] = {}
    for name, (storage, offset, shape, strides) in _tensors(opened.root).items():
        dtype = storage.dtype.newbyteorder(opened.order)
        size = storage.entries * dtype.itemsize
        if (storage.key, size) not in places:
            places[storage.key, size] = opened.locate(storage.key, size)
        numbers = np.frombuffer(mapped, dtype, storage.entries, places[storage.key, size])
        steps = [dtype.itemsize * n for n in strides]
        views[name] = np.lib.stride_tricks.as_strided(
            numbers[offset:], shape, steps, writeable=False
        )
    return views


def _tensors(root: object) -> dict[str, Tensor]:
    """The tensors by name of what the file holds."""
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(root, dict) and isinstance(root.get(key), dict):
            root = root[key]
    held = root if isinstance(root, dict) else {}
    found = {str(key): value for key, value in held.items() if isinstance(value, Tensor)}
    if not found:
        raise RefusedInput("expected tensors by name, a state dict; found none")
    return found


def _zipped(mapped: mmap.mmap) -> _Opened:
    entries = zip_entries.entries(mapped)
    pickles = [name for name in entries if f"/{name}".endswith("/data.pkl")]
    if len(pickles) != 1:
        raise RefusedInput(
            "a zip archive without PREFIX/data.pkl, so not a file of torch.save: if weights are in "
            "it, unpack it first"
        )
    prefix = pickles[0].removesuffix("data.pkl")
    if f"{prefix}constants.pkl" in entries:
        raise RefusedInput("a TorchScript program: save its state_dict() with torch.save instead")

    def small(name: str) -> bytes:
        start, size = zip_entries.place(mapped, entries[name])
        if size > MOST_BYTES:
            raise RefusedInput(f"expected at most {MOST_BYTES} bytes of {name[:80]!r}, got {size}")
        return mapped[start : start + size]

    def locate(key: str, size: int) -> int:
        entry = entries.get(f"{prefix}data/{key}")
        if entry is None:
            raise RefusedInput(f"the numbers of storage {key[:80]!r} are missing")
        start, held = zip_entries.place(mapped, entry)
        if held != size:
            raise RefusedInput(f"expected {size} bytes in storage {key[:80]!r}, found {held}")
        return start

    root = pickle_stream.load(io.BytesIO(small(pickles[0])))
    big = f"{prefix}byteorder" in entries and small(f"{prefix}byteorder").strip() == b"big"
    return _Opened(root, locate, ">" if big else "<")


def _legacy(mapped: mmap.mmap) -> _Opened:
    """Magic number, version, the machine's byte order, the object, the storages' keys; numbers."""
    stream = io.BytesIO(mapped[:MOST_BYTES])
    storages: dict[str, Storage] = {}
    _, version, machine = (pickle_stream.load(stream) for _ in range(3))
    # An optimizer's numbers lie between those of the tensors that are wanted.
    root, keys = pickle_stream.load(stream, storages), pickle_stream.load(stream)
    if version != 1001 or not isinstance(machine, dict) or not isinstance(keys, list):
        raise RefusedInput("expected version 1001 of the form before PyTorch 1.6")
    order: Literal["<", ">"] = "<" if machine.get("little_endian", True) else ">"
    counts = {key: storage.entries for key, storage in storages.items()}
    sizes = {key: one.entries * one.dtype.itemsize for key, one in storages.items()}
    places, at = {}, stream.tell()
    for key in keys:
        if not isinstance(key, str) or key not in sizes:
            raise RefusedInput("its list of storages names one that nothing refers to")
        # First come eight bytes of the number of entries, which the pickle has told already.
        count = int.from_bytes(mapped[at : at + 8], "little" if order == "<" else "big")
        if count != counts[key]:
            raise RefusedInput(f"storage {key[:80]!r} has {count} numbers, not {counts[key]}")
        places[key], at = at + 8, at + 8 + sizes[key]
    if at > len(mapped):
        raise RefusedInput(f"expected {at} bytes, found {len(mapped)}: truncated")

    def locate(key: str, size: int) -> int:
        if key not in places or sizes[key] != size:
            raise RefusedInput(f"the numbers of storage {key[:80]!r} are missing")
        return places[key]

    return _Opened(root, locate, order)
