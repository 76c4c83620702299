"""How deep and how large the variables of a MAT file of version 5 are, told before SciPy reads it.

SciPy reads a cell inside a cell by a function in C that calls itself, and makes room for as many
items as a cell declares: a file of two megabytes that is nested 50,000 deep ends the process. Here
the same elements are gone through in the same order, with a list of what is still to come in place
of calls. Format: MathWorks, MAT-File Format, level 5.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections.abc import Callable
from typing import BinaryIO

from tf_inverse.errors import RefusedInput

MOST_DEPTH, MOST_ITEMS = 12, 100_000
BEGIN = 128  # bytes before the first variable
MATRIX, COMPRESSED = 14, 15
CELL, STRUCT, OBJECT, FUNCTION, OPAQUE = 1, 2, 3, 16, 17
PLAIN = (4, *range(6, 16))
"""Classes of an array of characters or numbers."""

TYPES = (*range(1, 8), 9, 12, 13, 16, 17, 18)
"""Types of the elements that hold numbers or letters. SciPy looks up any other number, too, in a
list in C without asking whether it is in there."""

COMPLEX = 1 << 11
MOST_SIDES = 8
PIECE = 1 << 20


def expect_bearable(path: str | os.PathLike, most: int) -> None:
    """Refuses a file that would end the process, or take more memory than it may, once SciPy reads.

    Args:
        path: Of the file; of version 4, which nests nothing, nothing is asked.
        most: Bytes that all of its variables may have unpacked.

    Raises:
        RefusedInput: It is cut off, nested too deep, holds too many items, or unpacks to more.
    """
    with open(path, "rb") as file:
        head = file.read(BEGIN)
        if len(head) < BEGIN or 0 in head[:4]:
            return
        order = "<" if head[126:] == b"IM" else ">"
        left, at = most, BEGIN
        while tag := file.read(8):
            kind, size = struct.unpack(f"{order}II", tag.ljust(8, b"\0"))
            read = _Inflated(file, size).read if kind == COMPRESSED else file.read
            elements = _Elements(read, order, left)
            if kind == COMPRESSED:
                kind, _ = elements.tag()
            _walk(elements, kind)
            left, at = elements.left, at + 8 + size
            file.seek(at)


def expect_few(depth: int, items: int) -> None:
    """Refuses structs and cells that are nested deeper, or hold more, than those of any network.

    Raises:
        RefusedInput: They are.
    """
    if depth > MOST_DEPTH:
        raise RefusedInput(f"expected at most {MOST_DEPTH} levels of structs and cells, got more")
    if items > MOST_ITEMS:
        raise RefusedInput(f"expected at most {MOST_ITEMS} items in structs and cells, got more")


def _walk(elements: _Elements, kind: int) -> None:
    """Goes through one variable, whose own tag was read: `kind` is the tag's."""
    if kind != MATRIX:
        raise RefusedInput(f"expected a variable, found an element of type {kind}")
    waiting = [_content(elements)]
    items = waiting[0]
    while waiting:
        expect_few(len(waiting) - 1, items)
        if not waiting[-1]:
            waiting.pop()
            continue
        waiting[-1] -= 1
        kind, size = elements.tag()
        if kind != MATRIX:
            raise RefusedInput(f"expected an array in a cell or struct, found type {kind}")
        if size:
            waiting.append(_content(elements))
            items += waiting[-1]


def _content(elements: _Elements) -> int:
    """How many arrays follow that lie inside of an array, whose own data is passed by."""
    _, flags, _ = struct.unpack(f"{elements.order}8sII", elements.read(16))
    kind = flags & 0xFF
    if kind == OPAQUE:
        for _ in range(3):
            elements.data()
        return 1
    sides = elements.integers()
    if len(sides) > MOST_SIDES or min(sides, default=0) < 0:
        raise RefusedInput(f"expected sides of an array, got {sides[:MOST_SIDES]}")
    elements.data()  # its name
    if kind == FUNCTION:
        return 1
    if kind == CELL:
        return math.prod(sides)
    if kind in (STRUCT, OBJECT):
        if kind == OBJECT:
            elements.data()  # its class
        width, names = elements.integers()[:1], elements.data()
        return math.prod(sides) * (len(names) // max(*width, 1))
    if kind not in PLAIN:
        raise RefusedInput(f"found an array of class {kind}, which no network has")
    for _ in range(1 + bool(flags & COMPLEX)):
        elements.skip()
    return 0


class _Elements:
    """Elements one after the other: a tag of eight bytes, then data up to a multiple of eight.

    Attributes:
        order: Of bytes, "<" or ">".
        left: Bytes that may still be read.
    """

    def __init__(self, read: Callable[[int], bytes], order: str, left: int) -> None:
        self._read, self.order, self.left = read, order, left

    def read(self, size: int) -> bytes:
        self.left -= size
        if self.left < 0:
            raise RefusedInput("expected variables of fewer bytes")
        data = self._read(size)
        if len(data) < size:
            raise RefusedInput("cut off")
        return data

    def tag(self) -> tuple[int, int]:
        """(type, bytes) of the next element."""
        kind, size = struct.unpack(f"{self.order}II", self.read(8))
        return kind, size

    def skip(self) -> None:
        """Passes by the next element, of any size."""
        _, left, _ = self._plain()
        while left:
            left -= len(self.read(min(PIECE, left)))

    def data(self) -> bytes:
        """The next element, which is small."""
        inside, left, size = self._plain()
        if left > PIECE:
            raise RefusedInput(f"expected a name or sides of an array, got {left} bytes")
        return (inside or self.read(left))[:size]

    def _plain(self) -> tuple[bytes, int, int]:
        """(bytes in the tag itself, up to four; bytes after it; bytes of data) of an element."""
        tag = self.read(8)
        kind, size = struct.unpack(f"{self.order}II", tag)
        few = kind >> 16
        if kind & 0xFFFF not in TYPES or few > 4:
            raise RefusedInput(f"found an element of type {kind}, which no array has")
        return (tag[4:], 0, few) if few else (b"", size + -size % 8, size)

    def integers(self) -> tuple[int, ...]:
        """The next element as integers of 32 bits."""
        data = self.data()
        return struct.unpack(f"{self.order}{len(data) // 4}i", data[: len(data) // 4 * 4])


class _Inflated:
    """A packed variable, of which no more is unpacked than is asked for."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size
        self._stream, self._ready = zlib.decompressobj(), b""

    def read(self, size: int) -> bytes:
        parts = [self._ready[:size]]
        self._ready = self._ready[size:]
        while (missing := size - sum(map(len, parts))) and not self._stream.eof:
            data = self._stream.unconsumed_tail or self._file.read(min(PIECE, self._left))
            if not data:
                break
            if not self._stream.unconsumed_tail:
                self._left -= len(data)
            try:
                part = self._stream.decompress(data, PIECE)
            except zlib.error as error:
                raise RefusedInput(f"damaged ({error})") from None
            parts.append(part[:missing])
            self._ready = part[missing:]
        return b"".join(parts)
