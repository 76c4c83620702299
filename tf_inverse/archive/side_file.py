"""What was found out about an archive after it was written: OUT.h5.extra.h5 beside OUT.h5.

A finished archive never changes, so what others say of its samples lies in a file of its own: a
judge's classes, say, or maps of what a neuron looks at. The file holds the sha256 of its archive;
beside another archive of that name it is refused.

Layout: the attributes `format`, `version` and `archive` (the sha256); a group a section, with
`facts` (JSON) as its attribute and arrays of numbers in it, whose row i is about sample i.
"""

from __future__ import annotations

import contextlib
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import h5py
import numpy as np

from tf_inverse.archive import atomic, attributes, file_checks, hdf5, object_checks, schema
from tf_inverse.archive.chunk_reader import Column
from tf_inverse.archive.columns import Rows
from tf_inverse.archive.lock import Lock, LockedError
from tf_inverse.errors import RefusedInput
from tf_inverse.tensors import Array

SUFFIX, LOCK = ".extra.h5", ".lock"
FORMAT, VERSION = "tf_inverse extra", 1
FACTS = "facts"
WAIT = 60.0  # seconds for another writer to end
MOST = 256  # sections, and arrays of a section
# The section of attribution maps: a map for each sample and target by each method, and how far the
# pixels of a map of integrated gradients are from summing to what they should.
ATTRIBUTION, RESIDUAL = "attribution", "residual"
# The section of natural images of the same bands; its rows are those images and not samples.
NATURE = "nature"
OWN_ROWS = (NATURE,)


class Section(NamedTuple):
    """What one command found out.

    Attributes:
        arrays: name -> `columns.Rows`: `arrays["classes"][:]`, read from disk when it is indexed.
        facts: What else there is to say, as JSON has it.
    """

    arrays: dict[str, Rows]
    facts: dict


def beside(path: pathlib.Path | str) -> pathlib.Path:
    """Where an archive's side file is, or would be."""
    path = pathlib.Path(path)
    return path.with_name(path.name + SUFFIX)


def put(path: pathlib.Path | str, name: str, arrays: dict[str, Array], facts: dict) -> pathlib.Path:
    """Writes one section beside an archive; its other sections stay as they are.

    The file is replaced as a whole or not at all.

    Args:
        path: The finished archive, OUT.h5.
        name: Of the section, which is replaced where it is there.
        arrays: Numbers, a row for each sample; of a section of `OWN_ROWS`, as many rows each.
        facts: A JSON object.

    Returns:
        Path of the side file.

    Raises:
        FileExistsError: The side file there is of another archive; or another process writes it.
        RefusedInput: The archive, or the side file that is there, is damaged.
        ValueError: A name, an array or facts that cannot be stored.
    """
    path, target = pathlib.Path(path), beside(path)
    rows, digest = _rows(path), atomic.checksum(path)
    _check(name, arrays, facts, None if name in OWN_ROWS else rows)
    lock_file = target.with_name(target.name + LOCK)
    lock = _awaited(lock_file, target)
    try:
        _write(target, digest, name, arrays, facts)
    finally:
        lock_file.unlink(missing_ok=True)
        lock.release()
    return target


def _awaited(lock_file: pathlib.Path, target: pathlib.Path) -> Lock:
    """The lock, once the one who holds it has written: it is held for no more than one write.

    Whoever comes second has done all of its work already, and would lose it.
    """
    end = time.monotonic() + WAIT
    while True:
        try:
            return Lock(lock_file, target)
        except LockedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def sections(path: pathlib.Path | str) -> dict[str, Section]:
    """Everything in an archive's side file, by section; {} where there is none.

    Raises:
        RefusedInput: It is damaged, hostile, of another version, or of another archive.
    """
    path, target = pathlib.Path(path), beside(path)
    if not target.exists():
        return {}
    rows, digest = _rows(path), atomic.checksum(path)
    with _opened(target) as (file, stored), _sound(target):
        if stored != digest:
            raise RefusedInput(_other(target, path))
        return {name: _section(file, target, name, rows) for name in _names(file, target)}


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[None]:
    """Around what puts another archive at a path: what was said of the one there goes with it.

    The side file is removed once the other archive is in place, so that nothing is lost where that
    fails. It stays where the other archive is the same bytes, as of a run that was done again, and
    where it spoke of neither: then it is refused, as of another archive, whenever it is read.
    """
    target = beside(path)
    before = atomic.checksum(path) if target.exists() and path.exists() else None
    yield
    if before is None or before == atomic.checksum(path):
        return
    with contextlib.suppress(OSError, RefusedInput):
        with _opened(target) as (_, stored):
            pass
        if stored == before:
            target.unlink()


def _other(target: pathlib.Path, path: pathlib.Path) -> str:
    return (
        f"{target} tells of another {path.name}, which was replaced or carried on since: remove "
        f"it, or bring back that archive"
    )


def _rows(path: pathlib.Path) -> int:
    with file_checks.open_file(path) as file:
        return file_checks.check(file, path, schema.FORMAT).columns["steps"].shape[0]


def _check(name: str, arrays: Mapping[str, Array], facts: dict[str, Any], rows: int | None) -> None:
    for one in (name, *arrays):
        if not schema.STATE_NAME.fullmatch(one):
            raise ValueError(f"expected a plain name of a section or an array, got {one!r}")
    for key, array in arrays.items():
        rows = len(array) if rows is None and array.ndim else rows
        if array.dtype.kind not in "biuf" or array.ndim < 1 or len(array) != rows:
            raise ValueError(
                f"{key}: expected numbers with {rows} rows, got {array.dtype} {list(array.shape)}"
            )
    attributes.check_object(facts, dict, FACTS)


def _write(
    target: pathlib.Path, digest: str, name: str, arrays: Mapping[str, Array], facts: dict[str, Any]
) -> None:
    with contextlib.ExitStack() as stack:
        old: h5py.File | None = None
        size = 0
        if target.exists():
            old, stored = stack.enter_context(_opened(target))
            if stored != digest:
                raise FileExistsError(_other(target, target.with_name(target.name[: -len(SUFFIX)])))
            size = target.stat().st_size
        temporary = target.with_name(target.name + atomic.TEMPORARY)
        disk = atomic.Disk(temporary, size + sum(a.nbytes for a in arrays.values()) + (1 << 20))
        try:
            with hdf5.create(disk) as file:
                head = {"format": FORMAT, "version": VERSION, "archive": digest}
                hdf5.put_attributes(file, head)
                if old is not None:
                    with _sound(target):
                        for other in _names(old, target):
                            if other != name:
                                h5py.h5o.copy(old.id, other.encode(), file.id, other.encode())
                made = hdf5.group(file, name)
                hdf5.put_attributes(made, {FACTS: attributes.to_json(facts)})
                for key, array in arrays.items():
                    hdf5.put_array(made, key, array)
            disk.close()
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        atomic.publish(temporary, target)


@contextlib.contextmanager
def _opened(target: pathlib.Path) -> Iterator[tuple[h5py.File, str]]:
    """The file and the sha256 of its archive, once its root is as it should be.

    Raises:
        RefusedInput: It is not.
    """
    with file_checks.open_file(target) as file:
        with _sound(target):
            head = object_checks.attributes(h5py.h5g.open(file.id, b"/"), f"{target}: /")
        if head.get("format") != FORMAT or head.get("version") != VERSION:
            found = f"{head.get('format')!r:.60} version {head.get('version')!r:.20}"
            raise RefusedInput(f"{target}: expected {FORMAT} version {VERSION}, got {found}")
        yield file, str(head.get("archive"))


@contextlib.contextmanager
def _sound(target: pathlib.Path) -> Iterator[None]:
    """Around what only reads the file: whatever HDF5 makes of damage there is a refusal."""
    try:
        yield
    except RefusedInput:
        raise
    except Exception as error:
        raise file_checks.damaged(target, error) from error


def _names(file: h5py.File, target: pathlib.Path) -> list[str]:
    root = h5py.h5g.open(file.id, b"/")
    return file_checks.links(root, f"{target}: /", schema.STATE_NAME.fullmatch, MOST)


def _group(file: h5py.File, target: pathlib.Path, name: str) -> h5py.h5g.GroupID:
    found = h5py.h5o.open(file.id, name.encode())
    if not isinstance(found, h5py.h5g.GroupID):
        raise RefusedInput(f"{target}: /{name} is not a group")
    return found


def _section(file: h5py.File, target: pathlib.Path, name: str, rows: int) -> Section:
    group, where = _group(file, target, name), f"{target}: /{name}"
    head = object_checks.attributes(group, where)
    if not isinstance(head.get(FACTS), str):
        raise RefusedInput(f"{where}: attribute {FACTS} is missing, or no text")
    facts = attributes.from_json(head[FACTS], f"{where}: attribute {FACTS}")
    if not isinstance(facts, dict):
        raise RefusedInput(f"{where}: attribute {FACTS} must be a JSON object")
    arrays: dict[str, Rows] = {}
    for key in file_checks.links(group, f"{where}/", schema.STATE_NAME.fullmatch, MOST):
        found = _dataset(group, key, f"{where}/{key}", target)
        if name in OWN_ROWS and found.shape:
            # The first array tells how many rows those that follow must have.
            rows = next((len(one) for one in arrays.values()), found.shape[0])
        if not found.shape or found.shape[0] != rows:
            raise RefusedInput(f"{where}/{key} has shape {list(found.shape)}, expected {rows} rows")
        arrays[key] = Rows(found.shape, found.dtype, _reader(target, name, key))
    return Section(arrays, facts)


def _dataset(
    group: h5py.h5g.GroupID, key: str, where: str, target: pathlib.Path
) -> h5py.h5d.DatasetID:
    found = object_checks.dataset(group, key, where, target.stat().st_size)
    if found.dtype.kind not in "biuf":
        raise RefusedInput(f"{where} is {found.dtype}, expected numbers")
    return found


def _reader(target: pathlib.Path, name: str, key: str) -> Callable[[int, int], Array]:
    def read(start: int, stop: int) -> Array:
        with _opened(target) as (file, _), _sound(target):
            where = f"{target}: /{name}/{key}"
            found = _dataset(_group(file, target, name), key, where, target)
            if found.get_create_plist().get_layout() == h5py.h5d.CHUNKED:
                return Column(found, where, finite=False).read(start, stop)
            array = np.empty(found.shape, found.dtype)
            found.read(h5py.h5s.ALL, h5py.h5s.ALL, array)
            return array[start:stop]

    return read
