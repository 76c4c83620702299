"""Where the entries of a mapped zip archive lie; none is unpacked, since none is compressed."""

from __future__ import annotations

import io
import mmap
import os
import struct
import zipfile
import zlib

from tf_inverse.caffe import wire_format
from tf_inverse.errors import RefusedInput, reason

HEAD = b"PK\x03\x04"
# A thousand tensors take a tenth of a megabyte of the list; each byte of it becomes ten in memory.
MOST_LIST = 2 << 20
PIECE = 8 << 20
_LOCAL_HEADER = struct.Struct("<4s22xHH")


def entries(mapped: mmap.mmap) -> dict[str, zipfile.ZipInfo]:
    """The entries of an archive by name.

    Raises:
        RefusedInput: Damaged, truncated, or two entries of one name.
    """
    try:
        listed = zipfile.ZipFile(_Window(mapped)).infolist()
    except RefusedInput:
        raise
    except Exception as error:  # zipfile raises almost anything for a damaged list
        raise RefusedInput(f"its zip archive is damaged or truncated: {reason(error)}") from None
    found = {entry.filename: entry for entry in listed}
    if len(found) != len(listed):
        raise RefusedInput("its zip archive holds two entries of one name")
    return found


def place(mapped: mmap.mmap, entry: zipfile.ZipInfo) -> tuple[int, int]:
    """(start, size) of an entry's bytes in the file, which are as its checksum says.

    Raises:
        RefusedInput: Compressed, not where the archive's list says, or damaged.
    """
    name, size = repr(entry.filename[:80]), entry.file_size
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != size:
        raise RefusedInput(f"{name} is compressed, and torch.save never compresses")
    header = mapped[entry.header_offset : entry.header_offset + _LOCAL_HEADER.size]
    if len(header) < _LOCAL_HEADER.size or not header.startswith(HEAD):
        raise RefusedInput(f"{name} is not where its zip archive says: damaged or truncated")
    _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    start = entry.header_offset + _LOCAL_HEADER.size + name_length + extra_length
    if start + size > len(mapped):
        raise RefusedInput(f"{name} runs past the end of the file: damaged or truncated")
    if _crc32(mapped, start, size) != entry.CRC:
        raise RefusedInput(f"{name} is damaged: its checksum is another; download the file again")
    return start, size


def _crc32(mapped: mmap.mmap, start: int, size: int) -> int:
    total = 0
    for at in range(start, start + size, PIECE):
        total = zlib.crc32(mapped[at : min(at + PIECE, start + size)], total)
        wire_format.release(mapped)
    return total


class _Window(io.RawIOBase):
    """A mapped file as zipfile reads it, a bounded number of bytes at a time."""

    def __init__(self, mapped: mmap.mmap):
        self.mapped, self.at = mapped, 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: len(self.mapped)}[whence]
        if at < 0:
            raise OSError("before the beginning of the file")
        self.at = at
        return at

    def tell(self) -> int:
        return self.at

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, len(self.mapped) - self.at)
        size = left if size is None or size < 0 else min(size, left)
        if size > MOST_LIST:
            raise RefusedInput(f"expected at most {MOST_LIST} bytes in the list of its entries")
        data = self.mapped[self.at : self.at + size]
        self.at += size
        return data
