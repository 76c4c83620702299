"""What a file must be before any of its data is read.

A file that passes can be read in memory bounded by its declared sizes, which are bounded here, and
reading it opens no other file.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

import h5py
import numpy as np

from tf_inverse.archive import lock, object_checks, schema, walk
from tf_inverse.archive.lock import LockedError
from tf_inverse.errors import RefusedInput
from tf_inverse.tensors import StrPath

SIGNATURE = b"\x89HDF\r\n\x1a\n"
LOCKED = "{0} is locked: another program has it open for writing; close it there, then try again"
MARKED = (
    "{0} is marked as open for writing: close it in the program that writes it or, where that was "
    "killed, mend it with h5clear --status {0}"
)


class Parts(NamedTuple):
    """A checked file's contents.

    Attributes:
        attributes: Root attributes, texts and Python numbers.
        columns: name -> dataset, schema.COLUMNS.
        natural: name -> dataset, schema.NATURAL.
        state: name -> dataset.
        statistics: mean and sd of the natural images, float64 [p].
        directions: Place among the targets -> dataset, schema.DIRECTION.
    """

    attributes: dict
    columns: dict
    natural: dict
    state: dict
    statistics: dict
    directions: dict


def open_file(path: StrPath) -> h5py.File:
    """Opens a regular HDF5 file for reading, with the plain file driver.

    Raises:
        FileNotFoundError: nothing there.
        LockedError: another program has it open for writing.
        RefusedInput: not a regular file, not HDF5, or truncated.
    """
    try:  # without O_NONBLOCK a FIFO would hang
        with open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NONBLOCK)) as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            start = file.read(len(SIGNATURE)) if regular else None
            # HDF5 opens no file where there are no locks, unless it is told to ask for none.
            lockless = lock.missing(file.fileno())
            # What another program has only begun to write has no signature yet.
            if regular and start != SIGNATURE and _is_locked(file):
                raise LockedError(LOCKED.format(path))
    except IsADirectoryError:
        start = None
    if start is None:
        raise RefusedInput(f"{path}: not a regular file")
    if start != SIGNATURE:
        raise RefusedInput(f"{path}: not an HDF5 file")
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fapl_sec2()
    if lockless:
        access.set_file_locking(False, False)
    try:
        return h5py.File(h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDONLY, access))
    except (OSError, RuntimeError) as error:
        if "unable to lock" in str(error):
            raise LockedError(LOCKED.format(path)) from error
        if "already open for write" in str(error):
            raise LockedError(MARKED.format(path)) from error
        reason = "truncated" if "truncated" in str(error) else "damaged"
        raise RefusedInput(f"{path}: {reason} HDF5 file") from error


def is_archive(path: StrPath) -> bool:
    """Whether an HDF5 file says that it is a finished archive; whether it is one, `check` tells.

    Raises:
        RefusedInput: As of `open_file`.
    """
    with open_file(path) as file:
        try:
            root = h5py.h5g.open(file.id, b"/")
            return object_checks.attribute(root, "format") == schema.FORMAT
        except RefusedInput:
            raise
        except Exception as error:  # whatever HDF5 makes of a damaged or forged file
            raise damaged(path, error) from error


def damaged(path: StrPath, error: Exception) -> RefusedInput:
    """The refusal of a file of which HDF5 or NumPy could not make sense, with what they said."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return RefusedInput(f"{path}: damaged HDF5 file ({reason:.120})")


def _is_locked(file: BinaryIO) -> bool:
    """Whether another program writes a file, as HDF5 tells others: it holds flock's lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    return False


def check(file: h5py.File, path: StrPath, kind: str) -> Parts:
    """The file's parts, once everything about them is as the schema says.

    Args:
        file: From open_file.
        path: Its name, for messages.
        kind: schema.FORMAT or schema.SHARD_FORMAT.

    Raises:
        RefusedInput: names the first thing that is not, and the rule.
    """
    try:
        return _parts(file, str(path), kind)
    except RefusedInput:
        raise
    except Exception as error:  # whatever HDF5 or NumPy make of a damaged or forged file
        raise damaged(path, error) from error


def _parts(file: h5py.File, path: str, kind: str) -> Parts:
    root, size = h5py.h5g.open(file.id, b"/"), os.path.getsize(path)
    attributes = object_checks.attributes(root, f"{path}: /")
    _check_format(attributes, path, kind)
    allowed = {*schema.COLUMNS, "natural", "state", schema.DIRECTION.name}
    names = links(root, f"{path}: /", allowed.__contains__, len(allowed))
    columns = {
        column.name: _array(root, column, f"{path}: /{column.name}", size)
        for column in schema.COLUMNS.values()
        if column.name in names
    }
    _check_together(columns, path, kind)
    natural, statistics = _natural(root, path, size) if "natural" in names else ({}, {})
    state = _state(root, path, size) if "state" in names else {}
    directions = _directions(root, path, size) if schema.DIRECTION.name in names else {}
    return Parts(attributes, columns, natural, state, statistics, directions)


def _check_format(attributes: dict, path: str, kind: str) -> None:
    found, version = attributes.get("format"), attributes.get("version")
    if found != kind:
        raise RefusedInput(f"{path}: attribute format is {found!r:.60}, expected {kind!r}")
    if version != schema.VERSION:
        raise RefusedInput(f"{path}: schema version {version!r:.20}, expected {schema.VERSION}")


def links(
    group: h5py.h5g.GroupID, where: str, allowed: Callable[[str], object], most: int
) -> list[str]:
    """Names in a group: few, expected, and hard links only."""
    found = walk.names(group, where, most)
    for name in found:
        if not allowed(name):
            raise RefusedInput(f"{where}{name:.80} is unexpected")
    return found


def _array(
    group: h5py.h5g.GroupID, column: schema.Column, what: str, size: int
) -> h5py.h5d.DatasetID:
    """One of the schema's arrays: exact type, number of axes and bounded sides."""
    found = object_checks.dataset(group, column.name, what, size)
    kind, shape = np.dtype(column.dtype), found.shape
    if found.dtype != kind or len(shape) != column.rank:
        raise RefusedInput(
            f"{what} is {found.dtype} {list(shape)}, expected {kind} with {column.rank} axes"
        )
    if not schema.fits(column, shape):
        raise RefusedInput(f"{what} has shape {list(shape)}, out of bounds")
    return found


def _check_together(columns: dict, path: str, kind: str) -> None:
    """All columns there, with one number of rows; images or thumbnails but not both."""
    if kind == schema.SHARD_FORMAT and not columns:
        return  # an empty batch: its state alone
    needed = set(schema.COLUMNS) - {"images", "thumbnails", *schema.OPTIONAL}
    missing = sorted(needed - set(columns))
    if missing or len({"images", "thumbnails"} & set(columns)) != 1:
        raise RefusedInput(
            f"{path}: columns missing: {missing or 'images (or thumbnails, not both)'}"
        )
    rows = {name: found.shape[0] for name, found in columns.items()}
    if len(set(rows.values())) != 1 or 0 in rows.values():
        raise RefusedInput(f"{path}: columns of different or no length: {rows}")
    if any(found.get_create_plist().get_layout() != h5py.h5d.CHUNKED for found in columns.values()):
        raise RefusedInput(f"{path}: a column is not chunked")


def _group(root: h5py.h5g.GroupID, name: str, path: str) -> h5py.h5g.GroupID:
    found = h5py.h5o.open(root, name.encode())
    if not isinstance(found, h5py.h5g.GroupID):
        raise RefusedInput(f"{path}: /{name} is not a group")
    return found


def _natural(root: h5py.h5g.GroupID, path: str, size: int) -> tuple[dict, dict]:
    group, where = _group(root, "natural", path), f"{path}: /natural/"
    names = links(group, where, schema.NATURAL.__contains__, len(schema.NATURAL))
    arrays = {name: _array(group, schema.NATURAL[name], where + name, size) for name in names}
    statistics = object_checks.attributes(group, f"{path}: /natural")
    for name, value in statistics.items():
        vector = isinstance(value, np.ndarray) and value.dtype == np.dtype("<f8")
        if name not in ("mean", "sd") or not vector or not np.isfinite(value).all():
            raise RefusedInput(f"{where}: attribute {name:.80}: expected finite mean and sd")
    return arrays, statistics


def _directions(root: h5py.h5g.GroupID, path: str, size: int) -> dict:
    name = schema.DIRECTION.name
    group, where = _group(root, name, path), f"{path}: /{name}/"
    object_checks.attributes(group, f"{path}: /{name}")
    names = links(group, where, schema.PLACE.fullmatch, schema.MAX_TARGETS)
    columns = {int(place): schema.DIRECTION._replace(name=place) for place in names}
    found = {
        place: _array(group, column, where + column.name, size) for place, column in columns.items()
    }
    if sum(one.shape[0] for one in found.values()) > schema.MAX_DIRECTIONS:
        raise RefusedInput(f"{where} holds more than {schema.MAX_DIRECTIONS} numbers")
    return found


def _state(root: h5py.h5g.GroupID, path: str, size: int) -> dict:
    group, where = _group(root, "state", path), f"{path}: /state/"
    names = links(group, where, schema.STATE_NAME.fullmatch, schema.MAX_STATE)
    object_checks.attributes(group, f"{path}: /state")
    arrays = {name: object_checks.dataset(group, name, where + name, size) for name in names}
    for name, found in arrays.items():
        if found.dtype.kind not in "biuf":
            raise RefusedInput(f"{where}{name} is {found.dtype}, expected numbers")
    return arrays
