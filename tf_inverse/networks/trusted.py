"""SavedModels that this user adopted on this machine: they need no `--trust` again.

A SavedModel's graph can read and write files, so one from elsewhere is loaded only with `--trust`.
What the user trusted once, by adopting it, is known again by its sha256, in a file of the user's
own beside what `fetch` keeps. No TensorFlow.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator

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


@contextlib.contextmanager
def loadable(path: StrPath, trust: bool) -> Iterator[tuple[StrPath, bool]]:
    """The file to load in the place of one, and whether a SavedModel in it may be loaded.

    A file that is trusted for its sha256 alone is copied to where nobody else can write, and the
    copy is what was hashed and is loaded: between two looks at the file itself, somebody else could
    put another in its place.

    Args:
        path: Of a `.keras` or `.h5` file.
        trust: Whether the user trusts it in any case.
    """
    known = set() if trust else _known()
    if not known or not _holds_graph(path):
        yield path, trust
        return
    with tempfile.TemporaryDirectory(prefix="tf_inverse-") as folder:
        copy = pathlib.Path(folder) / pathlib.Path(path).name
        shutil.copyfile(path, copy)
        if atomic.checksum(copy) in known:
            yield copy, True
        else:
            yield path, False


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
    except Exception:  # zipfile raises almost anything for a damaged file, which is refused later
        return False
