"""The index of an atlas, atlas.json: which neurons were asked for, and where each sample lies.

An atlas is a folder of archives, one a target. The archives tell all of their samples; the index
tells in which order the targets were asked for, and why some have no archive.
"""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable
from typing import Any

from tf_inverse.archive import json_file, schema
from tf_inverse.errors import RefusedInput

INDEX, FORMAT, VERSION = "atlas.json", "tf_inverse atlas", 1
LARGEST = 64 << 20
GROUP = "group"
"""Entry of an archive's settings: the targets that were sampled together with its own."""

STATES = ("waiting", "done", "partial", "dead", "unreachable", "failed")
"""`partial` has fewer samples than asked; `dead`, `unreachable` and `failed` have none."""


def read(folder: pathlib.Path) -> dict | None:
    """The index of a folder, each field of a unit checked; None where the folder has none.

    Raises:
        RefusedInput: The file is too large, no index, or of another version; or a unit's entry has
            a field that is missing or of another kind, or a path that leaves the folder.
    """
    path = folder / INDEX
    index = json_object(path, FORMAT, VERSION, LARGEST)
    if index is None:
        return None
    units = index.get("units")
    if not isinstance(index.get("network"), str) or not isinstance(units, list):
        raise RefusedInput(f"{path}: expected a network and a list of units")
    for i, unit in enumerate(units):
        _check(unit, f"{path}: unit {i}")
    return index


def json_object(path: pathlib.Path, format: str, version: int, largest: int) -> dict | None:
    """The JSON object in a file of an atlas; None where there is no such file.

    Args:
        path: The file.
        format: What its `format` has to say.
        version: What its `version` has to say.
        largest: Bytes that it may have.

    Raises:
        RefusedInput: It is too large, no JSON object, or of another format or version.
    """
    values = json_file.value(path, largest, links=True)
    if values is None:
        return None
    if not isinstance(values, dict) or values.get("format") != format:
        raise RefusedInput(f"expected format {format!r} in {path}")
    if values.get("version") != version:
        raise RefusedInput(
            f"expected version {version} in {path}, got {values.get('version')!r:.80}"
        )
    return values


def _check(unit: Any, what: str) -> None:
    if not isinstance(unit, dict):
        raise RefusedInput(f"{what} must be a JSON object, got {unit!r:.80}")
    for name, right in _FIELDS.items():
        if not right(unit.get(name)):
            raise RefusedInput(f"{what}: {name} cannot be {unit.get(name)!r:.80}")


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_position(value: Any) -> bool:
    return isinstance(value, str) or (len(value) == 2 and all(map(_is_count, value)))


def _are_levels(value: Any) -> bool:
    return len(value) == 2 and all(map(_is_text, value))


def _is_inside(value: Any) -> bool:
    """Whether a text is the path of an archive below the folder, with slashes."""
    path = pathlib.PurePosixPath(value) if isinstance(value, str) else None
    plain = path is not None and not path.is_absolute() and ".." not in path.parts
    return plain and str(value).endswith(".h5") and not set(value) & {"\\", "\0", ":"}


def _or_none(right: Callable[[Any], bool], kind: type = object) -> Callable[[Any], bool]:
    return lambda value: value is None or (isinstance(value, kind) and right(value))


_FIELDS: dict[str, Callable[[Any], bool]] = {
    "layer": _is_text,
    # A direction has a name in place of a number.
    "unit": lambda value: (type(value) is int and value >= schema.DIRECTED) or _is_text(value),
    "direction": _or_none(lambda value: _is_text(value.get("name")), dict),
    "at": lambda value: value is None or (isinstance(value, str | list) and _is_position(value)),
    "label": _or_none(_is_text),
    "z1": _is_number,
    "z2": _is_number,
    "levels": _or_none(_are_levels, list),
    "rung": _is_count,
    "archive": _or_none(_is_inside),
    "state": lambda value: value in STATES,
    "reason": _or_none(_is_text),
    "asked": _is_count,
    "found": _is_count,
}
