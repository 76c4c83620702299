"""The forms of values on the command line, each read in one place: ranges, sizes, lists.

A range is LOW:HIGH, a size ROWS,COLUMNS or ROWS,COLUMNS,CHANNELS. Forms of earlier versions are
read as well, and a line says how they are written now.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from typing import overload

from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.tensors import StrPath

MOST = 4096
"""Rows, columns or channels of an image."""

MOST_TEXT = 8 << 20
"""Bytes of a text file."""


@overload
def span(flag: str, text: str) -> tuple[float, float]: ...
@overload
def span(flag: str, text: None) -> None: ...
def span(flag: str, text: str | None) -> tuple[float, float] | None:
    """The numbers of LOW:HIGH; of LOW,HIGH too, which is the earlier form.

    Args:
        flag: Name of the flag, for messages.
        text: As the user wrote it; None gives None.

    Raises:
        UsageError: It is neither, or LOW is not below HIGH, or one is infinite.

    >>> span("bounds", "0:30")
    (0.0, 30.0)
    """
    if text is None:
        return None
    parts = text.split(":") if ":" in text else text.split(",")
    try:
        low, high = (float(part) for part in parts)
    except ValueError:
        low = high = 0.0
    if not low < high or not (math.isfinite(low) and math.isfinite(high)):
        raise UsageError(f"expected --{flag}=LOW:HIGH, as -1:1, got {text!r}")
    if ":" not in text:
        say(f"--{flag}={text} is read as --{flag}={low:g}:{high:g}, as ranges are written now")
    return low, high


def ends(flag: str, text: str | None) -> tuple[float | None, float | None] | None:
    """As `span`, but either end may be missing: LOW: has no upper end, and :HIGH no lower one.

    Raises:
        UsageError: As of `span`; or both ends are missing.

    >>> ends("bounds", "0:"), ends("bounds", ":30"), ends("bounds", "0:30")
    ((0.0, None), (None, 30.0), (0.0, 30.0))
    """
    if text is None or not re.fullmatch(r"[^:,]+:|:[^:,]+", text):
        return span(flag, text)
    try:
        low, high = (float(part) if part else None for part in text.split(":"))
    except ValueError:
        low = high = None
    if not math.isfinite(sum(end or 0.0 for end in (low, high))) or low is high is None:
        raise UsageError(f"expected --{flag}=LOW:HIGH, LOW: or :HIGH, got {text!r}")
    return low, high


def whole(text: str) -> int | None:
    """The number that one to nine digits tell, None for any other text.

    `str.isdigit` knows digits that `int` does not read, and a text may be of thousands of digits.

    >>> whole("12"), whole("²"), whole("1" * 5000)
    (12, None, None)
    """
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def size(flag: str, text: str | None, form: str, least: int = 1) -> tuple[int, ...] | None:
    """The numbers of a size, as many as its form has names.

    Args:
        flag: Name of the flag, for messages.
        text: As the user wrote it; None gives None.
        form: Names with commas: "ROWS,COLUMNS".
        least: Smallest of each.

    Raises:
        UsageError: It is of another form, or a number is too small or above `MOST`.

    >>> size("image", "64,48", "ROWS,COLUMNS")
    (64, 48)
    """
    if text is None:
        return None
    numbers = [whole(part) for part in text.split(",")]
    found = tuple(n for n in numbers if n is not None and least <= n <= MOST)
    if not len(found) == len(numbers) == form.count(",") + 1:
        limit = f", at least {least}" if least > 1 else ""
        raise UsageError(f"expected --{flag}={form}{limit}, got {text!r}")
    return found


def shape(flag: str, text: str | None) -> tuple[int, int, int] | None:
    """The numbers of ROWS,COLUMNS,CHANNELS; see `size`."""
    found = size(flag, text, "ROWS,COLUMNS,CHANNELS")
    return None if found is None else (found[0], found[1], found[2])


def sides(flag: str, text: str, least: int = 1) -> tuple[int, ...]:
    """Rows and columns of SIDE, of ROWS,COLUMNS, or of ROWS,COLUMNS,CHANNELS.

    Args:
        flag: Name of the flag, for messages.
        text: As the user wrote it.
        least: Smallest of each.

    Raises:
        UsageError: It is none of these, or a number is too small or above `MOST`.

    >>> sides("size", "64"), sides("size", "48,64,3")
    ((64, 64), (48, 64))
    """
    numbers = [whole(part) for part in str(text).split(",")]
    found = tuple(n for n in numbers[:2] if n is not None and least <= n <= MOST)
    if len(numbers) > 3 or len(found) != min(2, len(numbers)) or numbers[2:] not in ([], [3]):
        raise UsageError(
            f"expected --{flag}=SIDE, or ROWS,COLUMNS, at least {least}, of images in colour, got "
            f"{text!r}"
        )
    return (found[0], found[-1])


def names(text: str | None) -> tuple[str, ...]:
    """The words of a list with commas; none where there is no list.

    >>> names("fc8, prob,"), names(None)
    (('fc8', 'prob'), ())
    """
    return tuple(filter(None, (part.strip() for part in (text or "").split(","))))


def meant(near: Sequence[str]) -> str:
    """What a mistyped name may have meant, as a question; at least one name.

    >>> meant(["horse"]), meant(["cat", "dog", "deer"])
    ('did you mean horse?', 'did you mean cat, dog or deer?')
    """
    several = f"{', '.join(near[:-1])} or " if len(near) > 1 else ""
    return f"did you mean {several}{near[-1]}?"


def lines(what: str, path: StrPath) -> list[str]:
    """The lines of a text file that a flag names.

    Args:
        what: What the lines are, for messages.
        path: Of the file, in UTF-8.

    Raises:
        OSError: It cannot be opened.
        RefusedInput: It is no text, or too large.
    """
    with open(path, "rb") as file:
        data = file.read(MOST_TEXT + 1)
    if len(data) > MOST_TEXT:
        raise RefusedInput(f"expected at most {MOST_TEXT} bytes of {what} in {path}")
    try:
        # Editors of Windows put a mark before a text, which is no part of its first line.
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RefusedInput(f"expected a text file of {what} in UTF-8, {path} is none") from error


def say(line: str) -> None:
    """A line for the user, on standard error: standard output is for results."""
    print(line, file=sys.stderr)
