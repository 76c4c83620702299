"""Files that are there whole or not at all, also after a crash.

Temp file in the same folder, write, fsync, close, os.replace, fsync of the folder. Every write of
the archive goes through this module, so a test can stop the process at each of them.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from typing_extensions import Buffer


TEMPORARY = ".tmp"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write(path: pathlib.Path, data: bytes) -> None:
    """Puts data at path durably; on return it survives kill -9 and a crash of the machine.

    Raises:
        OSError: disk full, folder gone or read-only. Whatever is raised, path is as it was, and no
            temp file stays.
    """
    with written(path) as file:
        write_all(file.fileno(), data)


@contextlib.contextmanager
def written(path: pathlib.Path) -> Iterator[BinaryIO]:
    """A file to write to, which is at path, durably, once it is left without an error.

    What is too large to be in memory as a whole is written part by part.

    Raises:
        OSError: As of `write`.
    """
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        publish(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def write_all(descriptor: int, data: Buffer) -> None:
    """os.write until everything is written; a full disk may take only part at first."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def copy(source: pathlib.Path, path: pathlib.Path) -> None:
    """Copies a file durably; raises as `write` does."""
    with open(source, "rb") as whole, written(path) as file:
        shutil.copyfileobj(whole, file, 1 << 20)


def publish(temporary: pathlib.Path, path: pathlib.Path) -> None:
    """Gives a written and synced temp file its name, durably."""
    os.replace(temporary, path)
    sync_folder(path.parent)


def sync_folder(folder: pathlib.Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def checksum(path: pathlib.Path) -> str:
    """sha256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class Disk:
    """A file for HDF5 to write to that never fails in HDF5's face.

    HDF5 1.14 crashes the process when a write fails (measured: segmentation fault after "File too
    large"). So the space is reserved before it starts, and an error that comes all the same is kept
    in `failure`, to be raised once HDF5 has closed.

    Attributes:
        failure: The first OSError, or None.
    """

    def __init__(self, path: pathlib.Path, reserve: int):
        self.failure: OSError | None = None
        self._end = 0
        self._file = open(path, "w+b", buffering=0)  # noqa: SIM115
        try:
            os.posix_fallocate(self._file.fileno(), 0, max(reserve, 1))
        except OSError:
            self._file.close()
            os.unlink(path)
            raise

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As a file's; the end is that of what was written, not of the space reserved."""
        if whence == os.SEEK_END:
            return self._file.seek(self._end + offset)
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file's."""
        return self._file.tell()

    def readinto(self, buffer: Buffer) -> int:
        """As a file's."""
        return self._file.readinto(buffer)

    def write(self, data: Buffer) -> int:
        """Writes everything, or remembers why not."""
        size = memoryview(data).nbytes
        start = self._file.tell()
        if self.failure is None:
            try:
                write_all(self._file.fileno(), data)
            except OSError as error:
                self.failure = error
        self._end = max(self._end, start + size)
        return size

    def truncate(self, size: int | None = None) -> int:
        """Sets the end; the file itself is cut when it is closed."""
        self._end = self._file.tell() if size is None else size
        return self._end

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """Cuts the file at its end, syncs and closes it.

        Raises:
            OSError: the first write that failed.
        """
        with self._file as file:
            if self.failure is not None:
                raise self.failure
            os.ftruncate(file.fileno(), self._end)
            os.fsync(file.fileno())
