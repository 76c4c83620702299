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
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tf_inverse.caffe import wire
from tf_inverse.errors import RefusedInput
from tf_inverse.pytorch import pickle_stream
from tf_inverse.pytorch.pickle_stream import Tensor

ZIP = b"PK\x03\x04"
# A pickle of the number that begins every file of the form before PyTorch 1.6.
LEGACY = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# A thousand tensors take a tenth of a megabyte, in the pickle and in the list of the entries alike;
# each byte of the list becomes ten in memory.
MOST_BYTES, MOST_LIST = 16 << 20, 2 << 20
PIECE = 8 << 20
_LOCAL_HEADER = struct.Struct("<4s22xHH")


class Checkpoint(NamedTuple):
    """The tensors of a file by name, as read-only views of `mapped`, its memory map."""

    path: str
    tensors: dict[str, np.ndarray]
    mapped: mmap.mmap


class _Opened(NamedTuple):
    """What a file holds: its object, where the numbers of a storage lie, and their byte order."""

    root: Any
    locate: Callable[[str, int], int]
    order: str


def is_one(head: bytes) -> bool:
    """Whether a file that begins so is one of `torch.save`."""
    return head.startswith(ZIP) or head[2:].startswith(LEGACY)


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
        opened = (_zipped if head.startswith(ZIP) else _legacy)(mapped)
        return Checkpoint(str(path), _views(mapped, opened), mapped)
    except RefusedInput as error:
        raise RefusedInput(f"{path}: {error}") from None


def _views(mapped, opened):
    """Tensors by name, as arrays on the mapped file."""
    views, places = {}, {}
    for name, (storage, offset, shape, strides) in _tensors(opened.root).items():
        dtype = storage.dtype.newbyteorder(opened.order)
        size = storage.count * dtype.itemsize
        if (storage.key, size) not in places:
            places[storage.key, size] = opened.locate(storage.key, size)
        numbers = np.frombuffer(mapped, dtype, storage.count, places[storage.key, size])
        steps = [dtype.itemsize * n for n in strides]
        views[name] = np.lib.stride_tricks.as_strided(
            numbers[offset:], shape, steps, writeable=False
        )
    return views


def _tensors(root):
    """The tensors by name of what the file holds."""
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(root, dict) and isinstance(root.get(key), dict):
            root = root[key]
    found = root if isinstance(root, dict) else {}
    found = {str(key): value for key, value in found.items() if isinstance(value, Tensor)}
    if not found:
        raise RefusedInput("expected tensors by name, a state dict; found none")
    return found


def _zipped(mapped):
    entries = _entries(mapped)
    pickles = [name for name in entries if f"/{name}".endswith("/data.pkl")]
    if len(pickles) != 1:
        raise RefusedInput("a zip archive without PREFIX/data.pkl: not a file of torch.save")
    prefix = pickles[0].removesuffix("data.pkl")
    if f"{prefix}constants.pkl" in entries:
        raise RefusedInput("a TorchScript program: save its state_dict() with torch.save instead")

    def small(name):
        start, size = _place(mapped, entries[name])
        if size > MOST_BYTES:
            raise RefusedInput(f"expected at most {MOST_BYTES} bytes of {name[:80]!r}, got {size}")
        return mapped[start : start + size]

    def locate(key, size):
        entry = entries.get(f"{prefix}data/{key}")
        if entry is None:
            raise RefusedInput(f"the numbers of storage {key[:80]!r} are missing")
        start, held = _place(mapped, entry)
        if held != size:
            raise RefusedInput(f"expected {size} bytes in storage {key[:80]!r}, found {held}")
        return start

    root = pickle_stream.load(io.BytesIO(small(pickles[0])))
    big = f"{prefix}byteorder" in entries and small(f"{prefix}byteorder").strip() == b"big"
    return _Opened(root, locate, ">" if big else "<")


def _entries(mapped):
    """The entries of the archive by name."""
    try:
        listed = zipfile.ZipFile(_Window(mapped)).infolist()
    except RefusedInput:
        raise
    except Exception as error:  # zipfile raises almost anything for a damaged list
        raise RefusedInput(f"its zip archive is damaged or truncated: {str(error)[:200]}") from None
    entries = {entry.filename: entry for entry in listed}
    if len(entries) != len(listed):
        raise RefusedInput("its zip archive holds two entries of one name")
    return entries


def _place(mapped, entry):
    """(start, size) of an entry's bytes in the file, which are as its checksum says."""
    name, size = repr(entry.filename[:80]), entry.file_size
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != size:
        raise RefusedInput(f"{name} is compressed, and torch.save never compresses")
    header = mapped[entry.header_offset : entry.header_offset + _LOCAL_HEADER.size]
    if len(header) < _LOCAL_HEADER.size or not header.startswith(ZIP):
        raise RefusedInput(f"{name} is not where its zip archive says: damaged or truncated")
    _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    start = entry.header_offset + _LOCAL_HEADER.size + name_length + extra_length
    if start + size > len(mapped):
        raise RefusedInput(f"{name} runs past the end of the file: damaged or truncated")
    if _crc32(mapped, start, size) != entry.CRC:
        raise RefusedInput(f"{name} is damaged: its checksum is another; download the file again")
    return start, size


def _crc32(mapped, start, size):
    total = 0
    for at in range(start, start + size, PIECE):
        total = zlib.crc32(mapped[at : min(at + PIECE, start + size)], total)
        wire.release(mapped)
    return total


class _Window(io.RawIOBase):
    """A mapped file as zipfile reads it, a bounded number of bytes at a time."""

    def __init__(self, mapped):
        self.mapped, self.at = mapped, 0

    def seekable(self):
        return True

    def seek(self, offset, whence=os.SEEK_SET):
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: len(self.mapped)}[whence]
        if at < 0:
            raise OSError("before the beginning of the file")
        self.at = at
        return at

    def tell(self):
        return self.at

    def read(self, size=-1):
        left = max(0, len(self.mapped) - self.at)
        size = left if size is None or size < 0 else min(size, left)
        if size > MOST_LIST:
            raise RefusedInput(f"expected at most {MOST_LIST} bytes in the list of its entries")
        data = self.mapped[self.at : self.at + size]
        self.at += size
        return data


def _legacy(mapped):
    """Magic number, version, the machine's byte order, the object, the storages' keys; numbers."""
    stream = io.BytesIO(mapped[:MOST_BYTES])
    _, version, machine, root, keys = (pickle_stream.load(stream) for _ in range(5))
    if version != 1001 or not isinstance(machine, dict) or not isinstance(keys, list):
        raise RefusedInput("expected version 1001 of the form before PyTorch 1.6")
    order = "<" if machine.get("little_endian", True) else ">"
    storages = {tensor.storage.key: tensor.storage for tensor in _tensors(root).values()}
    counts = {key: storage.count for key, storage in storages.items()}
    sizes = {key: one.count * one.dtype.itemsize for key, one in storages.items()}
    places, at = {}, stream.tell()
    for key in keys:
        if not isinstance(key, str) or key not in sizes:
            raise RefusedInput("its list of storages names one that no tensor has")
        # First come eight bytes of the number of entries, which the pickle has told already.
        count = int.from_bytes(mapped[at : at + 8], "little" if order == "<" else "big")
        if count != counts[key]:
            raise RefusedInput(f"storage {key[:80]!r} has {count} numbers, not {counts[key]}")
        places[key], at = at + 8, at + 8 + sizes[key]
    if at > len(mapped):
        raise RefusedInput(f"expected {at} bytes, found {len(mapped)}: truncated")

    def locate(key, size):
        if key not in places or sizes[key] != size:
            raise RefusedInput(f"the numbers of storage {key[:80]!r} are missing")
        return places[key]

    return _Opened(root, locate, order)
