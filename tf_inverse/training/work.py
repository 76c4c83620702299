"""Where a training keeps its state until it is done: a folder beside the one that it makes."""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Iterator
from typing import Any

from tf_inverse.archive import atomic, json_file
from tf_inverse.archive.lock import Lock
from tf_inverse.training import checkpoint

FORMAT = "tf_inverse training"
SETTINGS, LOCK = "training.json", ".training.lock"
MAX_SETTINGS = 1 << 20  # bytes
UNBEGUN = {LOCK, SETTINGS + atomic.TEMPORARY}
"""Files of a training that was killed before its settings were written."""


def beside(out: pathlib.Path) -> pathlib.Path:
    """The folder of a training's state while it runs."""
    return out.with_name(f"{out.name}.training")


@contextlib.contextmanager
def alone(folder: pathlib.Path) -> Iterator[None]:
    """Keeps every other training out of a folder; a killed one keeps nobody out.

    Args:
        folder: Of a training's state; made where it is not there, and gone at the end if empty.

    Raises:
        archive.lock.LockedError: Another process trains there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = Lock(folder / LOCK, folder)
    try:
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        held.release()
        with contextlib.suppress(OSError):
            folder.rmdir()


def expect_ours(folder: pathlib.Path) -> None:
    """Refuses a folder that holds something which no training of this package wrote.

    Args:
        folder: From `beside`; it need not be there.

    Raises:
        FileExistsError: It holds something else.
    """
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if folder.exists() and not folder.is_dir() or (names - UNBEGUN and not _settings(folder)):
        raise FileExistsError(
            f"{folder} exists, and tf-inverse did not write it: move it away, or choose another "
            f"--out"
        )


def claim(folder: pathlib.Path, settings: dict[str, Any], overwrite: bool) -> None:
    """Makes the folder of a training, or checks that the one there is of the same training.

    Args:
        folder: From `beside`; `alone` keeps it.
        settings: All that decides what comes out.
        overwrite: Begin anew where it is of another.

    Raises:
        FileExistsError: It is of another training, or of something else.
    """
    expect_ours(folder)
    wanted = {"format": FORMAT, "version": 1} | settings
    if there := _settings(folder):
        other = [name for name in wanted if there.get(name) != wanted[name]]
        if not other:
            return
        if not overwrite:
            raise FileExistsError(
                f"{folder} holds an interrupted training that differs in {', '.join(other)}; give "
                f"what it had, or --overwrite to begin anew"
            )
        clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write(folder / SETTINGS, (json.dumps(wanted, indent=1) + "\n").encode())


def _settings(folder: pathlib.Path) -> dict[str, Any] | None:
    """The settings of the training in a folder; None where no training of ours is there."""
    settings = json_file.mine(folder / SETTINGS, MAX_SETTINGS)
    return settings if settings is not None and settings.get("format") == FORMAT else None


def clear(folder: pathlib.Path) -> None:
    """Takes away what `claim` and `loop.train` wrote, and the folder if that was all."""
    # Earlier versions had `checkpoint` and step-* in the place of `checkpoint.NAME`.
    ours = ("step-*", "checkpoint", f"{checkpoint.NAME}*", "epoch_*.png", f"{SETTINGS}*")
    for pattern in ours:
        for path in folder.glob(pattern):
            path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()
