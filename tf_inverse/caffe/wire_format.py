"""The wire format of protocol buffers, as far as Caffe's files use it; and opening such files."""

from __future__ import annotations

import contextlib
import mmap
import os
import pathlib
from collections.abc import Iterator
from typing import TypeAlias

from tf_inverse.errors import RefusedInput

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

# A real file has a few thousand fields; a hostile one of millions would take minutes.
MOST_FIELDS = 500_000

_SIGNS = {
    b"version https://git-lfs": "a git-LFS pointer, not the file itself: run `git lfs pull`",
    b"\x89HDF": "an HDF5 file; only Caffe's binary .caffemodel is read",
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"MATLAB 5.0": "a MATLAB file: use `tf-inverse convert matconvnet`",
}


def check_head(path: pathlib.Path, head: bytes) -> None:
    """Refuse by name what people mistake for a Caffe file.

    Args:
        path: For the message.
        head: The first bytes of the file.

    Raises:
        RefusedInput: The file is empty, a web page, a pointer or an archive.
    """
    if not head:
        raise RefusedInput(f"{path} is empty: download it again")
    if head.lstrip()[:1] == b"<":
        raise RefusedInput(f"{path} is a web page, not a model: download it again from its source")
    for sign, what in _SIGNS.items():
        if head.startswith(sign):
            raise RefusedInput(f"{path} is {what}")


def map_file(path: str | os.PathLike) -> mmap.mmap:
    """The bytes of a file, mapped and not read."""
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected a file, found none at {path}")
    with open(path, "rb") as file:
        check_head(path, file.read(64))
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def release(mapped: mmap.mmap | None) -> None:
    """Let go of the pages of a file read so far; they count as this process's memory till then."""
    if mapped is not None:
        with contextlib.suppress(AttributeError, OSError):
            mapped.madvise(mmap.MADV_DONTNEED)


def expect_binary(path: str | os.PathLike, mapped: mmap.mmap) -> None:
    """Refuses text, which is likely the other one of two files that go together.

    Args:
        path: Of the file.
        mapped: Its bytes.

    Raises:
        RefusedInput: It begins with a thousand letters, or has no other bytes.
    """
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in mapped[:1000]):
        raise RefusedInput(f"expected a binary file, {path} is text; is it the prototxt?")


Value: TypeAlias = int | tuple[int, int]
"""What a field holds: an integer, or where its bytes begin and end."""


class Reader:
    """Reads messages out of one buffer.

    Attributes:
        buffer: The whole file.
        left: Fields that may still be read.
    """

    def __init__(self, buffer: mmap.mmap, most: int = MOST_FIELDS):
        self.buffer, self.left = buffer, most

    def fields(self, start: int, stop: int) -> Iterator[tuple[int, int, Value]]:
        """Yield (number, wire type, value) of the message in buffer[start:stop].

        The value is an integer for VARINT, and (start, stop) for every other type.
        """
        at = start
        while at < stop:
            self.left -= 1
            if self.left < 0:
                raise RefusedInput(f"expected at most {MOST_FIELDS} fields, got more")
            key, at = self.varint(at, stop)
            number, kind = key >> 3, key & 7
            value: Value
            if kind == VARINT:
                value, at = self.varint(at, stop)
            else:
                size = {FIXED64: 8, FIXED32: 4}.get(kind)
                if kind == BYTES:
                    size, at = self.varint(at, stop)
                if size is None or number == 0 or size > stop - at:
                    raise RefusedInput(
                        f"damaged or truncated at byte {at}: field {number} of wire type {kind} "
                        f"runs past the end of its message; download the file again"
                    )
                value, at = (at, at + size), at + size
            yield number, kind, value

    def varint(self, at: int, stop: int) -> tuple[int, int]:
        """The unsigned integer at a place, and the place after it."""
        value = 0
        for shift in range(0, 64, 7):
            if at >= stop:
                break
            byte = self.buffer[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value & (2**64 - 1), at
        raise RefusedInput(f"damaged or truncated at byte {at}: an integer has no end")

    def integers(self, kind: int, value: Value, most: int = 64) -> list[int]:
        """A repeated integer's next values, packed or single."""
        if isinstance(value, int):
            return [value]
        at, stop = self.span(kind, value)
        numbers = []
        while at < stop:
            number, at = self.varint(at, stop)
            numbers.append(number)
            if len(numbers) > most:
                raise RefusedInput(f"expected at most {most} integers, got more at byte {at}")
        return numbers

    def text(self, kind: int, value: Value) -> str:
        """A string, at most 1000 bytes of it."""
        start, stop = self.span(kind, value)
        return self.buffer[start : min(stop, start + 1000)].decode("utf-8", "replace")

    def message(self, kind: int, value: Value) -> Iterator[tuple[int, int, Value]]:
        """The fields of an embedded message."""
        return self.fields(*self.span(kind, value))

    def span(self, kind: int, value: Value) -> tuple[int, int]:
        """Where the bytes of a field lie."""
        if kind != BYTES or isinstance(value, int):
            raise RefusedInput(f"damaged: expected bytes, got a number (wire type {kind})")
        return value
