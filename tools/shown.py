"""What commands print: a terminal shows it, and obeys none of it."""

from __future__ import annotations

import re
from typing import Any, TextIO

# Control characters but tabs and line breaks, and those that turn the direction of letters.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Shown:
    """A stream of text in which what a terminal would obey is a question mark.

    Labels, names of layers and of networks come from files, which may come from anywhere. In JSON
    such characters are written as numbers, and stay.

    Args:
        stream: Where the text goes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text, and tell how many characters it has."""
        return self._stream.write(OBEYED.sub("?", text))
