"""A member of a zip file that lies there as it is, read in any order."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from typing import BinaryIO

HEADER = 30  # bytes of a member's own header, before its name
LENGTHS = slice(26, 30)
AT_A_TIME = 1 << 20  # bytes that are compared with the checksum


class StoredMember(io.RawIOBase):
    """The bytes of a member that is not compressed, as a file of its own.

    What `zipfile` opens goes back by reading from the start again. HDF5 goes
    back for every dataset: of weights of 240 MB, each time through all of them.

    Args:
        file: The zip file, open for reading.
        info: The member's entry.

    Raises:
        zipfile.BadZipFile: It is compressed, or the file ends before it does.
    """

    def __init__(self, file: BinaryIO, info: zipfile.ZipInfo) -> None:
        super().__init__()
        self._file, self._info, self._at, self._size = file, info, 0, info.file_size
        file.seek(info.header_offset)
        header = file.read(HEADER)
        name, extra = (int.from_bytes(header[LENGTHS][i : i + 2], "little") for i in (0, 2))
        self._start = info.header_offset + HEADER + name + extra
        stored = info.compress_type == zipfile.ZIP_STORED and info.compress_size == info.file_size
        if not stored or self._start + self._size > file.seek(0, os.SEEK_END):
            raise zipfile.BadZipFile(f"{info.filename} is cut off, or compressed")

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place of the member and tell it; never before its start."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """The place in the member."""
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read into a buffer, and tell how many bytes: none at the end of the member."""
        room = memoryview(buffer).cast("B")
        count = max(0, min(len(room), self._size - self._at))
        self._file.seek(self._start + self._at)
        # Straight into the room: a copy of a large layer's weights takes as much memory again.
        count = self._file.readinto(room[:count])  # type: ignore[attr-defined]
        self._at += count
        return count

    def verify(self) -> None:
        """Passes a member whose bytes are those that were put in.

        Raises:
            zipfile.BadZipFile: They have another checksum than the member's entry.
        """
        self.seek(0)
        found = 0
        while part := self.read(AT_A_TIME):
            found = zlib.crc32(part, found)
        if found != self._info.CRC:
            raise zipfile.BadZipFile(f"Bad CRC-32 for file {self._info.filename!r}")
