"""One writer at a time; the lock dies with the process that holds it."""

import fcntl
import os
import pathlib


class LockedError(FileExistsError):
    """Another live process writes this file or folder."""


class Lock:
    """An exclusive flock on a file in the run's folder.

    The kernel drops it when the process ends, however it ends: a crash leaves nothing to clean up.

    Raises:
        LockedError: at once, when another process holds it; the message has its number.
    """

    def __init__(self, path: pathlib.Path, archive: pathlib.Path):
        descriptor = _acquire(path, archive)
        self._descriptor: int | None = descriptor
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets the next writer in; harmless a second time."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _acquire(path: pathlib.Path, archive: pathlib.Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise LockedError(
                f"{archive} is being written by process {holder or '?'}; wait for it or stop it"
            ) from None
        if _still_there(descriptor, path):
            return descriptor
        os.close(
            descriptor
        )  # its holder finished and removed the folder between our open and our flock


def _still_there(descriptor: int, path: pathlib.Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
