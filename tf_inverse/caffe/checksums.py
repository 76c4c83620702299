"""Whether a fetched file is the published one, or still the one that was fetched."""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Callable
from typing import NamedTuple

from tf_inverse.archive import atomic
from tf_inverse.caffe.sources import Form
from tf_inverse.errors import RefusedInput
from tf_inverse.tensors import StrPath


class Fetched(NamedTuple):
    """A file in the cache: where, its sha256, and whether a published checksum confirmed it."""

    path: pathlib.Path
    sha256: str
    confirmed: bool


def expect(checksum: tuple[str, str], path: pathlib.Path, where: StrPath) -> None:
    """Refuse a file whose checksum is another.

    Args:
        checksum: (algorithm, hexadecimal digest).
        path: Of the file.
        where: It came from, for the message.

    Raises:
        RefusedInput: Its digest is not that one.
    """
    algorithm, expected = checksum
    got = digest(path, algorithm)
    if got != expected:
        raise RefusedInput(
            f"{where}: expected {algorithm} {expected}, got {got}; the file is not it"
        )


def digest(path: pathlib.Path, algorithm: str = "sha256") -> str:
    """Hexadecimal digest of a file."""
    hashed = hashlib.new(algorithm)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            hashed.update(block)
    return hashed.hexdigest()


def record(path: pathlib.Path) -> pathlib.Path:
    """Where the sha256 of a file lies whose checksum nobody publishes."""
    return path.with_name(path.name + ".sha256")


def verified(
    form: Form, path: pathlib.Path, say: Callable[[str], object], checked: str = ""
) -> Fetched:
    """Compare a file with its published checksum, or with the one recorded at the first fetch.

    Args:
        form: `sources.Form` that it should be.
        path: In the cache.
        say: Called with a line that tells which of the two it was.
        checked: What is known of a file without a published checksum, for that line.

    Raises:
        RefusedInput: The file is another, or has changed.
    """
    sha256, recorded = digest(path), record(path)
    confirmed = bool(form.checksum) and not form.member
    if form.checksum and not form.member:
        expect(form.checksum, path, path)
        say(f"{path.name}: its {form.checksum[0]} is the published one; sha256 {sha256}")
    elif recorded.is_file():
        if recorded.read_text().strip() != sha256:
            raise RefusedInput(
                f"{path} has changed since it was fetched: remove it and {recorded.name}, then "
                f"fetch it again"
            )
        say(f"{path.name}: sha256 {sha256} as recorded at the first fetch")
    else:
        atomic.write(recorded, f"{sha256}\n".encode())
        say(f"{path.name}: no checksum is published; recorded sha256 {sha256}{checked}")
    return Fetched(path, sha256, confirmed)
