"""Where a training keeps its state until it is done: a folder beside the one that it makes."""

from __future__ import annotations

import json
import pathlib

from tf_inverse.archive import atomic

FORMAT = "tf_inverse training"


def beside(out: pathlib.Path) -> pathlib.Path:
    """Where the state of a training is while it runs."""
    return out.with_name(f"{out.name}.training")


def claim(folder: pathlib.Path, settings: dict, overwrite: bool) -> None:
    """Makes the folder of a training, or checks that the one there is of the same training.

    Args:
        folder: From `beside`.
        settings: All that decides what comes out.
        overwrite: Begin anew where it is of another.

    Raises:
        FileExistsError: It is of another training, or of something else.
    """
    path, wanted = folder / "training.json", {"format": FORMAT, "version": 1} | settings
    # An empty folder is what a process leaves that was killed right after it made it.
    if folder.exists() and any(folder.iterdir()):
        there = _told(path)
        if there is None:
            raise FileExistsError(
                f"{folder} exists, and tf-inverse did not write it: move it away, or choose "
                f"another --out"
            )
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
    atomic.write(path, (json.dumps(wanted, indent=1) + "\n").encode())


def _told(path):
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) and told.get("format") == FORMAT else None


def clear(folder: pathlib.Path) -> None:
    """Takes away what `claim` and `loop.train` wrote, and the folder if that was all."""
    for pattern in ("step-*", "epoch_*.png", "checkpoint", "training.json*"):
        for path in folder.glob(pattern):
            path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()
