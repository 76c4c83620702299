"""One writer at a time; the lock dies with the process that holds it."""

import errno
import fcntl
import os
import pathlib

from tf_inverse.grammar import say

MISSING = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}
"""What a file system without locks answers: NFS without its lock daemon, some FUSE and volumes."""

_told: set[int] = set()
"""Devices without locks of which the user has been told."""


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
            exclusive(descriptor, archive, fcntl.LOCK_NB)
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


def exclusive(descriptor: int, what: pathlib.Path, how: int = 0) -> None:
    """Locks an open file; where the file system has no locks, says so once and goes on without.

    Args:
        descriptor: Of the file.
        what: What it stands for, for the message.
        how: `fcntl.LOCK_NB`, or 0 to wait for the process that holds the lock.

    Raises:
        BlockingIOError: Another process holds it, and is not waited for.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | how)
    except OSError as error:
        if error.errno not in MISSING:
            raise
        device = os.fstat(descriptor).st_dev
        if device not in _told:
            _told.add(device)
            say(
                f"the file system of {what} has no locks ({os.strerror(error.errno)}): let no "
                f"other process write there meanwhile"
            )


def missing(descriptor: int) -> bool:
    """Whether the file system of an open file has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in MISSING
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False
