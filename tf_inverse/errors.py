"""What can go wrong, each with the exit code of the command line and what to change."""

from __future__ import annotations

import re
from typing import Any


class InverseSetError(Exception):
    """Any refusal or failure that is the user's to mend; its message is one line."""

    exit_code = 2


class UsageError(InverseSetError, ValueError):
    """An argument that cannot be: what was expected, what came, what to change."""


class Unreachable(InverseSetError):
    """No sample, or fewer than asked, lie in the band.

    Attributes:
        best: Activation reached of each target that is nearest to its range, [p].
        steps: Gradient steps taken.
        found: Samples found and kept.
    """

    exit_code = 3

    def __init__(self, message: str, best: Any = None, steps: int = 0, found: int = 0) -> None:
        super().__init__(message)
        self.best, self.steps, self.found = best, steps, found


class SeedsNotFound(Unreachable):
    """Section 3.4's first half ended without K feasible codes."""


class Stalled(Unreachable):
    """The walk or the pool stopped finding samples; those found are kept."""


class ConversionError(InverseSetError):
    """Weights that do not fit the network they are meant for; names every layer concerned."""

    exit_code = 4


class RefusedInput(InverseSetError):
    """A file that is damaged, of another form, or larger than it may be."""

    exit_code = 4


def reason(error: BaseException, most: int = 240) -> str:
    r"""What a library says of a failure, in one line of whole words.

    Libraries put the reason at the end, after the names and values that it concerns: of a long
    text the end is kept. Keras goes on with advice to programmers and with all that it was given,
    which is left out; of errors that led to one another it quotes the first one last.

    Args:
        error: As it was caught.
        most: Characters to keep.

    Returns:
        The text without line breaks and colours, or the error's class where it says nothing.

    >>> reason(ValueError("config={...}.\n\nException encountered: \x1b[1mbad axis\x1b[0m"))
    'bad axis'
    """
    text = " ".join(re.sub(r"\x1b\[[\d;]*m", "", str(error)).split())
    text = text.rpartition("Exception encountered: ")[2]
    for words in _BEHIND:
        text = text.partition(words)[0].rstrip(" .") or text
    # One word of a thousand letters, as an array of bytes is, would leave no room for others.
    text = re.sub(rf"(\S{{{_WORD}}})\S+", r"\1...", text)
    if len(text) > most:
        text = "... " + text[-most:].partition(" ")[2]
    return text or type(error).__name__


def printable(text: str) -> str:
    r"""A text in one line that a terminal shows and does not obey.

    Names from files and answers of servers may hold line breaks, or codes that move the cursor.

    >>> printable("a\tname\nof \x1b[2J two lines")
    'a name of ?[2J two lines'
    """
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


_BEHIND = (
    "Full object config: ",
    "Arguments received by ",
    "Call arguments received by ",
    "Make sure custom classes and functions ",
    "Make sure the Op and Kernel ",
    "Please ensure ",
    "If you trust the source of the artifact, ",
    "Non-modeling APIs are disallowed ",
)
_WORD = 60  # characters
