"""The header of an archive: what is known about how its samples were made, as JSON.

Written as root attributes of a finished file, and as header.json in a run's folder.
"""

import hashlib
import json
import math
from typing import Any, TypeGuard

import numpy as np

from tf_inverse.archive.schema import DIRECTED, MAX_TEXT
from tf_inverse.errors import RefusedInput

TIMES = ("seconds",)  # never stored: the same machine and settings give the same bytes
TEXTS = ("name", "network")
OBJECTS = {
    "targets": list,
    "settings": dict,
    "versions": dict,
    "checksums": dict,
    "summary": dict,
    "folder": dict,
    "yardstick": dict,
    "nature": dict,
}
INTEGERS = ("seed", "asked")
GIVEN = ("name", "targets", "settings", "versions", "checksums", "network", "seed", "asked")
# Where the network's folder was: {"relative": to the archive's own folder, "absolute"}. Only of a
# network of the user's own, so that runs of the package's do not depend on the place they run in.
FOLDER = "folder"
# The bandwidth of the Vendi score and what it was measured on; archives of before have none.
YARDSTICK = "yardstick"
# What is known of each target's unit over all natural images of the network.
NATURE = "nature"
OPTIONAL = (FOLDER, YARDSTICK, NATURE)
MAX_PATH = 4096


def to_json(value: Any) -> str:
    """The one text form of a JSON value: sorted, compact, no NaN.

    Raises:
        ValueError: NaN or infinity, or a type JSON has not.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def from_json(text: str | bytes, what: str) -> Any:
    """Parses JSON from a file that may be hostile.

    Raises:
        RefusedInput: not JSON, NaN, a whole number of more than 64 bits, or nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_int=whole)
    except (ValueError, RecursionError) as error:
        raise RefusedInput(f"{what} is not valid JSON") from error


def whole(digits: str) -> int:
    """A whole number of a JSON file: one of 400 digits is an error wherever a float is made of it.

    Raises:
        ValueError: It has more than 64 bits.
    """
    value = int(digits)
    if value.bit_length() > 64:
        raise ValueError(f"a whole number of {len(digits)} digits")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def check_header(header: dict, what: str = "header") -> dict:
    """A copy of the header with exactly the fields of GIVEN, and any of OPTIONAL, each of its type.

    Raises:
        ValueError: a field is missing, unexpected, too long or of another type; names it.
    """
    missing, extra = sorted(set(GIVEN) - set(header)), sorted(set(header) - {*GIVEN, *OPTIONAL})
    if missing or extra:
        raise ValueError(
            f"{what}: expected the fields {', '.join(GIVEN)}; missing {missing}, unexpected {extra}"
        )
    for name in TEXTS:
        if not isinstance(header[name], str) or len(header[name].encode()) > MAX_TEXT:
            raise ValueError(f"{what}: {name} must be a text of at most {MAX_TEXT} bytes")
    for name in INTEGERS:
        if (
            isinstance(header[name], bool)
            or not isinstance(header[name], int)
            or not 0 <= header[name] < 2**63
        ):
            raise ValueError(
                f"{what}: {name} must be a whole number from 0 to 2**63 - 1, got {header[name]!r}"
            )
    for name, kind in OBJECTS.items():
        if name in header:
            check_object(header[name], kind, f"{what}: {name}")
    check_targets(header["targets"], what)
    if FOLDER in header:
        check_folder(header[FOLDER], what)
    if YARDSTICK in header:
        check_yardstick(header[YARDSTICK], what)
    if NATURE in header:
        check_nature(header[NATURE], len(header["targets"]), what)
    return {name: header[name] for name in (*GIVEN, *OPTIONAL) if name in header}


def read_header(attributes: dict, what: str) -> dict:
    """The header out of a finished file's root attributes.

    Raises:
        RefusedInput: a field is missing or not what it should be.
    """
    expected = {"format", "version", "complete", "summary", *GIVEN}
    found = set(attributes) - set(OPTIONAL)
    if found != expected:
        raise RefusedInput(
            f"{what}: attributes missing {sorted(expected - found)}, "
            f"unexpected {sorted(found - expected)!s:.200}"
        )
    if not isinstance(attributes["complete"], bool):
        raise RefusedInput(f"{what}: attribute complete must be true or false")
    try:
        names = [name for name in (*GIVEN, *OPTIONAL) if name in attributes]
        return check_header({name: read_attribute(attributes, name, what) for name in names}, what)
    except ValueError as error:
        raise RefusedInput(f"{error}") from error


def read_attribute(attributes: dict, name: str, what: str) -> Any:
    """One attribute, parsed where it is JSON."""
    value = attributes[name]
    if name not in OBJECTS:
        return value
    if not isinstance(value, str):
        raise RefusedInput(f"{what}: attribute {name} must be a text")
    return from_json(value, f"{what}: attribute {name}")


def check_object(value: Any, kind: type, what: str) -> None:
    """Raises ValueError unless value is a JSON object or list, as kind says, that can be stored."""
    if not isinstance(value, kind):
        raise ValueError(f"{what} must be a {kind.__name__}, got {type(value).__name__}")
    size = len(to_json(value).encode())
    if size > MAX_TEXT:
        raise ValueError(f"{what} is {size} bytes of JSON, at most {MAX_TEXT} can be stored")


def check_folder(folder: dict, what: str) -> None:
    """Raises ValueError unless both paths of a network's folder are texts that can be paths."""
    paths = [folder.get(name) for name in ("relative", "absolute")]
    plain = [isinstance(path, str) and "\0" not in path for path in paths]
    longest = max(len(str(path).encode()) for path in paths)
    if len(folder) != 2 or not all(plain) or longest > MAX_PATH:
        raise ValueError(f"{what}: expected the paths relative and absolute of folder")


def check_yardstick(entry: dict, what: str) -> None:
    """Raises ValueError unless it tells a positive bandwidth, its source, and the source's size."""
    width, count = entry.get("bandwidth"), entry.get("count")
    right = _is_number(width) and width > 0 and type(count) is int and count > 0
    if set(entry) != {"bandwidth", "source", "count"} or not right:
        raise ValueError(
            f"{what}: expected bandwidth, source and count of yardstick: {entry!s:.200}"
        )
    if not isinstance(entry["source"], str) or not entry["source"].isprintable():
        raise ValueError(f"{what}: source of yardstick must be a text of one line")


def check_nature(entry: dict, targets: int, what: str) -> None:
    """Raises ValueError unless it tells of images, and of each target's unit its percentiles."""
    levels: Any = entry.get("levels")
    units: Any = entry.get("targets")
    right = set(entry) == {"images", "of", "levels", "targets"}
    right &= type(entry.get("images")) is int and isinstance(entry.get("of"), str)
    right &= _is_rising(levels) and isinstance(units, list) and len(units) == targets
    if not right or not all(unit is None or _is_unit(unit, len(levels)) for unit in units):
        raise ValueError(
            f"{what}: expected images, of, levels and targets of nature: {entry!s:.200}"
        )


def _is_unit(unit: Any, levels: int) -> bool:
    if not isinstance(unit, dict) or set(unit) - {"images", "of"} != {"mean", "sd", "percentiles"}:
        return False
    if "of" in unit and not (isinstance(unit["of"], str) and type(unit.get("images")) is int):
        return False
    numbers = _is_number(unit["mean"]) and _is_number(unit["sd"])
    return numbers and _is_rising(unit["percentiles"]) and len(unit["percentiles"]) == levels


def _is_rising(values: Any) -> bool:
    numbers = isinstance(values, list) and len(values) > 1 and all(map(_is_number, values))
    return numbers and all(a <= b for a, b in zip(values, values[1:], strict=False))


def check_directions(targets: list, directions: dict[int, np.ndarray]) -> None:
    """Raises ValueError unless each target that is a direction has its numbers, and no other."""
    told = {i: target["direction"] for i, target in enumerate(targets) if "direction" in target}
    if set(told) != set(directions):
        raise ValueError(
            f"expected the directions of targets {sorted(told)}, got those of {sorted(directions)}"
        )
    for i, values in directions.items():
        plain = values.dtype == np.dtype("<f4") and values.shape == (told[i]["size"],)
        if not plain or hashlib.sha256(values.tobytes()).hexdigest() != told[i]["sha256"]:
            raise ValueError(f"the direction of target {i} is not the one whose checksum is stored")


def check_targets(targets: list, what: str) -> None:
    """Raises ValueError unless each target has a layer, a unit, a position, finite z1 <= z2."""
    if not targets:
        raise ValueError(f"{what}: targets is empty, expected at least one")
    for target in targets:
        if not isinstance(target, dict) or not _is_place(target):
            raise ValueError(f"{what}: expected layer, unit and at in a target: {target!s:.200}")
        if "direction" in target and not _is_direction(target):
            raise ValueError(
                f"{what}: expected name, sha256 and size of a direction: {target!s:.200}"
            )
        if not all(isinstance(target.get(name, ""), str | None) for name in ("text", "label")):
            raise ValueError(f"{what}: expected texts in a target: {target!s:.200}")
        z1, z2 = target.get("z1"), target.get("z2")
        if not _is_number(z1) or not _is_number(z2) or z1 > z2:
            raise ValueError(f"{what}: expected finite z1 <= z2 in a target: {target!s:.200}")


def _is_place(target: dict) -> bool:
    at = target.get("at")
    pair = isinstance(at, list | tuple) and len(at) == 2 and all(type(i) is int for i in at)
    named = type(target.get("unit")) is int and isinstance(target.get("layer"), str)
    return named and (at in (None, "mean", "max") or pair)


def _is_direction(target: dict) -> bool:
    told = target["direction"]
    if not isinstance(told, dict) or set(told) != {"name", "sha256", "size"}:
        return False
    name, digest = told["name"], told["sha256"]
    texts = isinstance(name, str) and name.isprintable() and isinstance(digest, str)
    return texts and target["unit"] == DIRECTED and type(told["size"]) is int and told["size"] > 0


def _is_number(value: Any) -> TypeGuard[float]:
    return type(value) in (int, float) and math.isfinite(value)


def identity(header: dict) -> dict:
    """What makes two runs the same run: all of the header but how many are asked for, and where."""
    settings = {name: value for name, value in header["settings"].items() if name != "n"}
    return {name: header[name] for name in GIVEN if name != "asked"} | {"settings": settings}


def digest(header: dict) -> str:
    """sha256 of the identity; every shard carries it."""
    return hashlib.sha256(to_json(identity(header)).encode()).hexdigest()


def differences(stored: Any, given: Any, name: str = "") -> list[str]:
    """Every leaf in which two headers differ, as "settings.K: 10 in the archive, 20 now"."""
    if isinstance(stored, dict) and isinstance(given, dict):
        keys = sorted(set(stored) | set(given))
        return [
            line
            for key in keys
            for line in differences(
                stored.get(key, "absent"), given.get(key, "absent"), f"{name}.{key}".lstrip(".")
            )
        ]
    if stored == given:
        return []
    return [f"{name}: {stored!s:.80} there, {given!s:.80} now"]


def without_times(value: Any) -> Any:
    """A summary without its wall-clock entries (TIMES), at any depth."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in TIMES}
    return value
