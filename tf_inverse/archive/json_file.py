"""JSON files in folders that may come from elsewhere: how each of them is opened, decided here.

Only a regular file is read, and no more of it than it may have: a pipe would wait for ever, and a
device never ends. In a folder that is only read, as of a network or an atlas, a link to a regular
file is followed, for the cache of the Hugging Face hub is made of links, and whoever can put a link
into a folder can put a copy there as well. In a folder that this package goes on writing, as of a
run, a link is refused: the package makes none, so somebody else put it there.
"""

from __future__ import annotations

import os
import pathlib
import stat
from typing import Any

from tf_inverse.archive import attributes
from tf_inverse.errors import RefusedInput


def read(path: pathlib.Path, most: int, *, links: bool) -> bytes | None:
    """The contents of a file; None where there is no such file.

    Args:
        path: The file.
        most: Bytes that it may have.
        links: Whether its name may be a link to a file, as in a folder that is only read.

    Raises:
        RefusedInput: It is larger, no regular file, a link where none may be, or cannot be opened.
    """
    try:
        # Without O_NONBLOCK a pipe would wait for somebody who writes into it.
        flags = os.O_RDONLY | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW)
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RefusedInput(f"{path}: {error.strerror}, expected a plain file") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise RefusedInput(f"{path}: expected a plain file")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(most + 1)
    finally:
        os.close(descriptor)
    if len(data) > most:
        raise RefusedInput(f"expected at most {most} bytes in {path}")
    return data


def value(path: pathlib.Path, most: int, *, links: bool) -> Any:
    """The value of a JSON file; None where there is no such file. Arguments as of `read`.

    Raises:
        RefusedInput: As of `read`; or it is no JSON.
    """
    data = read(path, most, links=links)
    return None if data is None else attributes.from_json(data, str(path))


def mine(path: pathlib.Path, most: int) -> dict[str, Any] | None:
    """The object in a JSON file that this package may have written, to know whose a folder is.

    Args:
        path: The file; a link is none that this package made.
        most: As of `read`.

    Returns:
        The object; None for whatever else is there, or cannot be read.
    """
    try:
        found = value(path, most, links=False)
    except RefusedInput:
        return None
    return found if isinstance(found, dict) else None
