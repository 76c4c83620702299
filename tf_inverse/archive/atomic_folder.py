"""Folders that are there whole or not at all, and that replace nothing but folders of ours.

A new folder is built in .NAME.writing beside NAME, made durable, and only then put in NAME's place:

    .NAME.writing/lock   held by the one writer
    .NAME.writing/part   being built; may lack anything
    .NAME.writing/new    whole and durable
    .NAME.writing/old    what NAME was, until the new one has its name

A process that is killed loses neither the old folder nor, once it is whole, the new one. The next
writer of NAME gives it the name if nothing else has it; what is whole goes only when a writer that
may replace NAME has another whole folder. No TensorFlow.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator

from tf_inverse.archive import atomic
from tf_inverse.archive.lock import Lock
from tf_inverse.archive.writer import StorageError
from tf_inverse.errors import InverseSetError
from tf_inverse.tensors import StrPath

Ours = Callable[[pathlib.Path], Iterable[str] | None]
"""Names of the files and folders that we wrote into a folder; None where it is none of ours."""


def beside(path: pathlib.Path) -> pathlib.Path:
    """Where a folder is built before it gets its name."""
    return path.with_name(f".{path.name}.writing")


def expect_free(path: StrPath, ours: Ours, overwrite: bool) -> None:
    """Refuses to write a folder where something is that must not be replaced.

    Args:
        path: The folder to be.
        ours: Tells which of a folder's contents are ours.
        overwrite: Whether the user gave leave to replace what is ours.

    Raises:
        FileExistsError: There is something that is not ours; or it is, and overwrite is False.
    """
    path = pathlib.Path(path)
    if not os.path.lexists(path):
        return
    there = set(os.listdir(path)) if path.is_dir() else None
    written = ours(path) if there else ()
    foreign = sorted(there - set(written)) if there is not None and written is not None else []
    if there is None or written is None or foreign:
        what = "is a file" if there is None else f"holds {', '.join(sorted(foreign or there)[:3])}"
        raise FileExistsError(
            f"{path} {what}, which tf-inverse did not write there: --overwrite replaces only what "
            f"it did; move that away, or give another name"
        )
    if not overwrite:
        raise FileExistsError(f"{path} exists; give --overwrite to replace it, or another name")


@contextlib.contextmanager
def folder(path: StrPath, ours: Ours, overwrite: bool = False) -> Iterator[pathlib.Path]:
    """Builds a folder: what is put into the one that this yields has its name at the end.

    Args:
        path: The folder to be; of a link, what it points to.
        ours: See `expect_free`.
        overwrite: Replace one that is there and ours.

    Raises:
        FileExistsError: See `expect_free`; or another process is writing it (LockedError).
        StorageError: The disk is full or read-only; what was there is not lost.
    """
    path = pathlib.Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    work = beside(path)
    work.mkdir(exist_ok=True)
    lock = Lock(work / "lock", path)
    try:
        with _safely(path):
            _restore(path, work)
            _remove(work, "part")
        expect_free(path, ours, overwrite)
        part = work / "part"
        with _safely(path, atomic.FULL):
            part.mkdir()
            yield part
        with _safely(path):
            _sync(part)
            _remove(work, "new", "old")
            os.replace(part, work / "new")
            _swap(path, work)
    finally:
        with contextlib.suppress(OSError):
            _restore(path, work)
            _remove(work, "part")
            (work / "lock").unlink()
            work.rmdir()
        lock.release()


@contextlib.contextmanager
def _safely(path: pathlib.Path, reasons: Collection[int] | None = None) -> Iterator[None]:
    """Errors of the file system, all of them or those of some reasons, as one line."""
    try:
        yield
    except InverseSetError:
        raise
    except Exception as error:
        number = _errno(error)
        if number is None or (reasons is not None and number not in reasons):
            raise
        raise StorageError(
            f"cannot write {path}: {os.strerror(number)}; put that right and try again, nothing is "
            f"lost"
        ) from error


def _errno(error: BaseException) -> int | None:
    """The number of a file system's error.

    Libraries have errors of their own, in whose text alone it is told: h5py's and safetensors' have
    the number there, and those of TensorFlow, which writes SavedModels, the system's words.
    """
    text = str(error)
    told = re.search(r"(?:errno = |os error )(\d+)", text)
    worded = next((number for number in atomic.FULL if os.strerror(number) in text), None)
    return getattr(error, "errno", None) or (int(told[1]) if told else worded)


def _swap(path: pathlib.Path, work: pathlib.Path) -> None:
    atomic.sync_folder(work)
    if path.exists():
        os.replace(path, work / "old")
        atomic.sync_folder(work)
    _name(path, work)


def _name(path: pathlib.Path, work: pathlib.Path) -> None:
    """Gives the new folder its name; nobody needs the old one from then on."""
    os.replace(work / "new", path)
    atomic.sync_folder(path.parent)
    _remove(work, "old")


def _restore(path: pathlib.Path, work: pathlib.Path) -> None:
    """Ends what a killed writer began: where nothing has the name, a whole folder gets it."""
    if os.path.lexists(path):
        return
    if (work / "new").exists():
        _name(path, work)
    elif (work / "old").exists():
        os.replace(work / "old", path)
        atomic.sync_folder(path.parent)


def _remove(work: pathlib.Path, *names: str) -> None:
    for name in names:
        if (work / name).exists():
            shutil.rmtree(work / name)


def _sync(folder: pathlib.Path) -> None:
    """Makes a folder durable with all that is in it."""
    for root, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(root, name), "rb") as file:
                os.fsync(file.fileno())
        atomic.sync_folder(pathlib.Path(root))
