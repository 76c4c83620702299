"""The folder of a run in progress: OUT.h5.run beside OUT.h5.

    header.json             settings, targets, versions, checksums; written once, first
    shard-00000000.h5 ...   one a batch, immutable, with the state to go on from after it
    finished.json           sha256 of the finished file, written just before it takes its name
    lock                    held by the one writer

A finished archive that is carried on becomes shard 0 of a new run.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re

import h5py
import numpy as np

from tf_inverse.archive import atomic, attributes, json_file, open_files, schema
from tf_inverse.archive.chunk_reader import Column
from tf_inverse.archive.columns import Piece
from tf_inverse.errors import RefusedInput

SUFFIX = ".run"
HEADER, FINISHED, LOCK = "header.json", "finished.json", "lock"
SHARD = re.compile(r"shard-(\d{8})\.h5")
MAX_HEADER = 1 << 20


def beside(path: pathlib.Path) -> pathlib.Path:
    """The run's folder of an archive."""
    return path.with_name(path.name + SUFFIX)


def shard_path(folder: pathlib.Path, index: int) -> pathlib.Path:
    """Name of the shard of one batch."""
    return folder / f"shard-{index:08d}.h5"


def write_header(folder: pathlib.Path, header: dict) -> None:
    """Puts header.json into the folder, durably."""
    entry = {"format": schema.FORMAT, "version": schema.VERSION, "header": header}
    atomic.write(folder / HEADER, attributes.to_json(entry).encode())


def read_header(folder: pathlib.Path) -> dict | None:
    """The header of a run, or None where no run was started.

    Raises:
        RefusedInput: damaged, too large, or of another version.
    """
    path = folder / HEADER
    entry = json_file.value(path, MAX_HEADER, links=False)
    if entry is None:
        return None
    if not isinstance(entry, dict) or entry.get("format") != schema.FORMAT:
        raise RefusedInput(f"{path}: not the header of a run")
    if entry.get("version") != schema.VERSION:
        raise RefusedInput(
            f"{path}: schema version {entry.get('version')!r:.20}, expected {schema.VERSION}"
        )
    try:
        return attributes.check_header(entry.get("header", {}), str(path))
    except (ValueError, TypeError, AttributeError) as error:
        raise RefusedInput(f"{error}") from error


def pieces(folder: pathlib.Path, header: dict) -> list[Piece]:
    """The shards of a run in order, each checked.

    Raises:
        RefusedInput: one is missing, damaged, of another run, or of another shape than the first.
    """
    found: list[Piece] = []
    rows = 0
    for index, name in enumerate(_shard_names(folder)):
        path = folder / name
        if name != shard_path(folder, index).name:
            raise RefusedInput(f"{folder}: shard {index} is missing, {name} is there")
        piece = _piece(path, attributes.digest(header), rows)
        first = next((other for other in found if other.shapes), piece)
        if piece.shapes and piece.shapes != first.shapes:
            raise RefusedInput(f"{path}: columns {piece.shapes}, expected {first.shapes}")
        found.append(piece)
        rows += piece.rows
    return found


def _shard_names(folder: pathlib.Path) -> list[str]:
    with os.scandir(folder) as entries:
        plain = {
            entry.name: entry.is_file(follow_symlinks=False)
            for entry in entries
            if SHARD.fullmatch(entry.name)
        }
    for name, is_plain in plain.items():
        if not is_plain:
            raise RefusedInput(f"{folder / name}: not a plain file")
    return sorted(plain)


def _piece(path: pathlib.Path, run: str, start: int) -> Piece:
    with open_files.opened(path) as parts:
        attributes = parts.attributes
        if attributes["format"] == schema.SHARD_FORMAT:
            if attributes.get("run") != run:
                raise RefusedInput(f"{path}: belongs to another run")
            if attributes.get("start") != start:
                raise RefusedInput(
                    f"{path}: starts at sample {attributes.get('start')}, expected {start}"
                )
        shapes = {name: tuple(found.shape[1:]) for name, found in parts.columns.items()}
        rows = next((found.shape[0] for found in parts.columns.values()), 0)
    return Piece(path, rows, shapes)


def read_state(files: open_files.Files, path: pathlib.Path) -> dict:
    """The state to go on from that a shard or finished file holds: name -> array."""
    return {
        name: read_array(found, f"{path}: /state/{name}")
        for name, found in files.parts(path).state.items()
    }


def read_natural(files: open_files.Files, path: pathlib.Path) -> dict:
    """The natural images' reference that a shard or finished file holds; {} where it has none."""
    parts = files.parts(path)
    arrays = {
        name: read_array(found, f"{path}: /natural/{name}") for name, found in parts.natural.items()
    }
    return arrays | parts.statistics


def read_directions(files: open_files.Files, path: pathlib.Path) -> dict[int, np.ndarray]:
    """The targets' directions that a shard or finished file holds, by their place among them."""
    return {
        place: read_array(found, f"{path}: /{schema.DIRECTION.name}/{place}")
        for place, found in files.parts(path).directions.items()
    }


def read_array(found: h5py.h5d.DatasetID, what: str) -> np.ndarray:
    """A whole checked dataset, chunked or compact; numbers need not be finite."""
    if found.get_create_plist().get_layout() == h5py.h5d.CHUNKED:
        return Column(found, what, finite=False).read(0, found.shape[0])
    array = np.empty(found.shape, found.dtype)
    if array.size:
        found.read(h5py.h5s.ALL, h5py.h5s.ALL, array)
    return array


def sweep(folder: pathlib.Path) -> None:
    """Removes a run's files but the lock; stopped midway, what is left is still a valid run."""
    with os.scandir(folder) as entries:
        names = {entry.name for entry in entries}
    shards = sorted((name for name in names if SHARD.fullmatch(name)), reverse=True)
    temporary = [name for name in names if name.endswith(atomic.TEMPORARY)]
    for name in temporary + shards + [name for name in (HEADER, FINISHED) if name in names]:
        os.unlink(folder / name)


def remove(folder: pathlib.Path) -> None:
    """Removes an emptied folder with its lock; foreign files keep it alive."""
    (folder / LOCK).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()
