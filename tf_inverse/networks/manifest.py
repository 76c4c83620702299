"""The file `network.json` of a network's folder: what it names, unchanged since it was written."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from tf_inverse.archive import atomic, attributes, json_file
from tf_inverse.errors import RefusedInput, reason
from tf_inverse.networks import manifest_fields

FORMAT, VERSION = "tf_inverse network", 1
MANIFEST, MAX_MANIFEST = "network.json", 4 << 20
MODELS = ("classifier", "generator")
ROLES = (*MODELS, "natural")


def manifest(folder: pathlib.Path) -> dict:
    """`network.json`, with the checksum of every file that it names compared.

    Raises:
        RefusedInput: Not such a file, another version, a field of another type, or a file that is
            missing or changed.
    """
    entries = _entries(folder)
    path = folder / MANIFEST
    if entries.get("version") != VERSION:
        raise RefusedInput(f"expected version {VERSION} in {path}, got {entries.get('version')!r}")
    for role in ROLES:
        if role in entries:
            _compare(folder, role, entries[role])
    manifest_fields.check(entries, path)
    return entries


def _entries(folder: pathlib.Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        data = json_file.read(path, MAX_MANIFEST, links=True) or b"null"
        entries = json.loads(data, parse_int=attributes.whole)
    except (ValueError, RecursionError) as error:
        raise RefusedInput(f"expected JSON in {path}: {reason(error)}") from error
    if not isinstance(entries, dict) or entries.get("format") != FORMAT:
        raise RefusedInput(f"expected format {FORMAT!r} in {path}")
    return entries


def _compare(folder: pathlib.Path, role: str, entry: Any) -> None:
    name = entry.get("file") if isinstance(entry, dict) else None
    if not isinstance(name, str) or pathlib.Path(name).name != name:
        raise RefusedInput(f"expected a plain file name for the {role} in {folder}, got {name!r}")
    if role != "natural" and not name.endswith(".keras"):
        # The one kind that is looked through before it is loaded.
        raise RefusedInput(f"expected a .keras file for the {role} in {folder}, got {name}")
    if not (folder / name).is_file():
        raise RefusedInput(f"expected {name} in {folder}, as its network.json says; it is missing")
    got = atomic.checksum(folder / name)
    if got != entry.get("sha256"):
        raise RefusedInput(
            f"expected sha256 {entry.get('sha256')} of {name} in {folder}, got {got}: the file "
            f"was changed or damaged; bring the original"
        )


def checksums(entries: dict) -> dict[str, str]:
    """sha256 of each file that a manifest names, by name."""
    return {entries[role]["file"]: entries[role]["sha256"] for role in ROLES if role in entries}


def written(folder: pathlib.Path) -> set[str] | None:
    """Names of the files that make a folder a network; None where it is none of ours."""
    try:
        entries = _entries(folder)
    except (RefusedInput, OSError):
        return None
    named = (entries.get(role) for role in ROLES)
    return {MANIFEST, *(str(one.get("file")) for one in named if isinstance(one, dict))}
