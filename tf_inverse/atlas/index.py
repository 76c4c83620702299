"""What came of an atlas so far: its index, made of the plan, the groups and the archives."""

from __future__ import annotations

import pathlib
from typing import Any

from tf_inverse import archive
from tf_inverse.archive import atlas_index, atomic, attributes, json_file
from tf_inverse.atlas.plan import GROUPS, Plan, locked
from tf_inverse.errors import InverseSetError, RefusedInput
from tf_inverse.run import origin

FORMAT, VERSION, LARGEST = "tf_inverse atlas group", 1, 1 << 20
WAITING = {"state": "waiting", "reason": None, "found": 0, "steps": 0, "seconds": None}


def record_path(folder: pathlib.Path, group: int) -> pathlib.Path:
    """Where it is told what became of a group."""
    return folder / GROUPS / f"{group:05d}.json"


def write_record(
    folder: pathlib.Path, group: int, seconds: float, targets: dict[int, dict]
) -> None:
    """Tells durably what became of the targets of a group, by their numbers."""
    rows = [{"target": number} | entry for number, entry in targets.items()]
    values = {"format": FORMAT, "version": VERSION, "seconds": seconds, "targets": rows}
    atomic.write(record_path(folder, group), attributes.to_json(values).encode())


class Records:
    """What became of the groups of an atlas; each record is read once.

    Args:
        folder: Of the atlas.
        plan: Its plan.
    """

    def __init__(self, folder: pathlib.Path, plan: Plan) -> None:
        self.folder, self.plan, self.groups = folder, plan, plan.groups
        self._read: dict[int, dict[int, dict]] = {}

    def of(self, group: int) -> dict[int, dict] | None:
        """Number of each target -> what became of it; None where the group is not done.

        A group whose archives are not all there any more is not done either.

        Raises:
            RefusedInput: The record is damaged.
        """
        if group not in self._read:
            path = record_path(self.folder, group)
            values = json_file.value(path, LARGEST, links=False)
            if values is None:
                return None
            entries = _checked(values, self.groups[group], path)
            kept = [number for number, entry in entries.items() if entry["found"]]
            if not all((self.folder / self.plan.targets[n].archive).is_file() for n in kept):
                return None
            self._read[group] = entries
        return self._read[group]


def _checked(values: Any, numbers: tuple[int, ...], path: pathlib.Path) -> dict[int, dict]:
    try:
        if values["format"] != FORMAT or values["version"] != VERSION:
            raise ValueError("another format or version")
        rows = {row.pop("target"): WAITING | row for row in values["targets"]}
        if set(rows) != set(numbers) or not all(type(row["found"]) is int for row in rows.values()):
            raise ValueError("other targets")
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise RefusedInput(
            f"{path} is damaged ({error}); remove it to sample its group again"
        ) from None
    return rows


def write(folder: pathlib.Path, records: Records, failed: dict[int, str] | None = None) -> dict:
    """Makes atlas.json anew and puts it into the folder, durably.

    Args:
        folder: Of the atlas.
        records: What became of its groups.
        failed: Groups that were set aside, and why.

    Returns:
        The index.
    """
    # Two processes would each write what it saw first, one of them too late.
    with locked(folder):
        index = build(folder, records, failed or {})
        atomic.write(folder / atlas_index.INDEX, attributes.to_json(index).encode())
    return index


def build(folder: pathlib.Path, records: Records, failed: dict[int, str]) -> dict:
    """The index of an atlas as it is now; arguments as of `write`."""
    plan = records.plan
    entries: dict[int, dict] = {
        number: WAITING | {"state": "dead", "reason": target.reason}
        for number, target in enumerate(plan.targets)
        if target.reason is not None
    }
    for group, numbers in enumerate(records.groups):
        done = records.of(group)
        if done is None and group in failed:
            done = {n: WAITING | {"state": "failed", "reason": failed[group]} for n in numbers}
        entries |= done or {n: _from_archive(folder, plan, n) for n in numbers}
    units = [_unit(plan, number, entries[number]) for number in range(len(plan.targets))]
    settings = plan.settings.asdict() | {"store": plan.store}
    return {
        "format": atlas_index.FORMAT,
        "version": atlas_index.VERSION,
        "network": plan.network,
        "checksums": plan.checksums,
        "settings": settings,
        "layers": _layers(plan, units),
        "units": units,
        **origin.told(plan.folder, folder / atlas_index.INDEX),
    }


def _from_archive(folder: pathlib.Path, plan: Plan, number: int) -> dict:
    """What an archive tells whose group is not done, or has lost its record."""
    path = folder / plan.targets[number].archive
    if not path.is_file():
        return WAITING
    try:
        with archive.open(path) as opened:
            found, figures = len(opened), opened.summary
    except (InverseSetError, OSError):
        return WAITING
    state = "done" if found >= plan.settings.n else "partial"
    steps, vendi = figures.get("steps", 0), figures.get("vendi")
    return WAITING | {"state": state, "found": found, "steps": steps, "vendi": vendi}


def _unit(plan: Plan, number: int, entry: dict) -> dict:
    target = plan.targets[number]
    found = entry["found"]
    return target.told | {
        "levels": target.levels and list(target.levels),
        "rung": target.rung,
        "archive": target.archive if found else None,
        "asked": plan.settings.n,
        "vendi": entry.get("vendi"),
        **{name: entry[name] for name in WAITING},
    }


def _layers(plan: Plan, units: list[dict]) -> list[dict]:
    found = []
    for layer in dict.fromkeys(unit["layer"] for unit in units):
        states = [unit["state"] for unit in units if unit["layer"] == layer]
        row = {
            "name": layer,
            "units": plan.units[layer],
            "targets": len(states),
            "done": states.count("done"),
        }
        found.append(row | {"of": plan.of.get(layer)})
    return found
