"""SavedModels that this user adopted on this machine: they need no `--trust` again.

A SavedModel's graph can read and write files, so one from elsewhere is loaded only with `--trust`.
What the user trusted once, by adopting it, is known again by its sha256, in a file of the user's
own beside what `fetch` keeps. No TensorFlow.
"""

from __future__ import annotations

import os
import pathlib
import re
import stat
import sys
import zipfile
from collections.abc import Iterable

from tf_inverse.archive import atomic
from tf_inverse.networks.cache import cache_folder
from tf_inverse.networks.keras_file import ASSETS
from tf_inverse.tensors import StrPath

MAX_BYTES = 1 << 20
FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK
SHA256 = re.compile(r"[0-9a-f]{64}")


def place() -> pathlib.Path:
    """The file: a sha256 a line."""
    return cache_folder() / "trusted"


def remember(paths: Iterable[pathlib.Path]) -> None:
    """Remembers those of some `.keras` files that hold a SavedModel.

    Where that cannot be written, a line says so; the files then need `--trust`.
    """
    new = {atomic.checksum(path) for path in paths if _holds_graph(path)} - _known()
    if not new:
        return
    try:
        place().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Appended in one write, so that two processes at a time lose nothing of each other's.
        descriptor = os.open(place(), os.O_WRONLY | os.O_APPEND | os.O_CREAT | FLAGS, 0o600)
        with open(descriptor, "wb", buffering=0) as file:
            file.write("".join(f"\n{one}\n" for one in sorted(new)).encode())
            os.fsync(descriptor)
    except OSError as error:
        print(f"cannot write {place()}: {error.strerror}", file=sys.stderr)
    if not new <= _known():
        print(
            f"this network needs --trust each time: {place()} is not a file of this user's alone",
            file=sys.stderr,
        )


def remembered(path: StrPath) -> bool:
    """Whether a `.keras` file holds a SavedModel that this user trusted before."""
    known = _known()
    return bool(known) and _holds_graph(path) and atomic.checksum(pathlib.Path(path)) in known


def _known() -> set[str]:
    """The checksums of the file, where it is one that nobody but this user can write."""
    try:
        with open(place(), "rb", opener=lambda path, flags: os.open(path, flags | FLAGS)) as file:
            status = os.fstat(file.fileno())
            plain = stat.S_ISREG(status.st_mode) and status.st_size <= MAX_BYTES
            own = status.st_uid == os.getuid() and not status.st_mode & 0o077
            text = file.read(MAX_BYTES) if plain and own else b""
    except OSError:
        return set()
    return {line for line in text.decode(errors="replace").split() if SHA256.fullmatch(line)}


def _holds_graph(path: StrPath) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.startswith(ASSETS) for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
