"""Which units a site shows: those of an atlas, or of any folder of archives."""

from __future__ import annotations

import os
import pathlib
import re
from typing import Any, NamedTuple

from tf_inverse import archive as archives
from tf_inverse.archive import Archive, atlas_index, file_checks, side_file
from tf_inverse.errors import RefusedInput
from tf_inverse.report import text

FOLDER = "site"
"""The folder of a site, in the folder of its archives."""


MOST = 10_000
"""Samples of one page."""


class Rung(NamedTuple):
    """One range of a unit, and the archive of its sample.

    Attributes:
        path: The archive, or None where there is none.
        band: The range in activations.
        levels: The range in percentiles, as p99 to p99.8, or "".
        state: As of `atlas_index.STATES`.
        reason: Why there are fewer samples than asked, or none; or None.
    """

    path: pathlib.Path | None
    band: str
    levels: str
    state: str
    reason: str | None


class Unit(NamedTuple):
    """A neuron, or an intersection of several.

    Attributes:
        name: As people write it, fc8:8.
        label: Of its class, or "".
        layers: That of each neuron.
        numbers: Of each neuron's unit in its layer, or the name of a direction.
        rungs: Its ranges, the main one first.
    """

    name: str
    label: str
    layers: tuple[str, ...]
    numbers: tuple[str, ...]
    rungs: list[Rung]

    @property
    def layer(self) -> str:
        """The layer under which the unit is listed: its first neuron's."""
        return self.layers[0]

    @property
    def main(self) -> Rung | None:
        """The first range that has an archive."""
        return next((rung for rung in self.rungs if rung.path is not None), None)

    @property
    def title(self) -> str:
        """Name and label."""
        return f"{self.name} ({self.label})" if self.label else self.name


class Catalogue(NamedTuple):
    """What there is.

    Attributes:
        network: Name of the network; of several, all of them.
        units: Layer by layer.
        left_out: A line for each file that cannot be read; other programs' HDF5 files are passed
            over without one.
    """

    network: str
    units: list[Unit]
    left_out: list[str]


def of(folder: pathlib.Path) -> Catalogue:
    """The units of a folder: of its index where it has one, else of the archives found in it.

    Raises:
        RefusedInput: The index is none.
        NotADirectoryError: The folder is a file.
    """
    index = atlas_index.read(folder)
    return _of_archives(folder) if index is None else _of_index(folder, index)


def opened(rung: Rung) -> Archive:
    """The archive of a range that has one.

    Raises:
        RefusedInput: It is damaged, or holds no samples, or more than `MOST`.
    """
    assert rung.path is not None, "a range without an archive has nothing to open"
    found = archives.open(rung.path)
    if not 0 < len(found) <= MOST:
        raise RefusedInput(
            f"expected from 1 to {MOST} samples in {rung.path} for a page of a site, it holds "
            f"{len(found)}"
        )
    return found


def _of_index(folder: pathlib.Path, index: dict[str, Any]) -> Catalogue:
    units: dict[Any, list[tuple[int, dict]]] = {}
    for i, entry in enumerate(index["units"]):
        at = entry["at"] if isinstance(entry["at"], str | None) else tuple(entry["at"])
        units.setdefault((text.place(entry), at), []).append((i, entry))
    found, inside = [], folder.resolve()
    for entries in units.values():
        entries.sort(key=lambda one: (one[1]["rung"], one[0]))
        first = entries[0][1]
        rungs = [_rung(inside, entry) for _, entry in entries]
        name = text.neuron(first | {"label": None})
        found.append(Unit(name, first["label"] or "", *_neurons([first]), rungs))
    return Catalogue(index["network"], _by_layer(found), [])


def _rung(folder: pathlib.Path, entry: dict[str, Any]) -> Rung:
    path = entry["archive"] and folder / entry["archive"]
    if path and not path.resolve().is_relative_to(folder):
        raise RefusedInput(f"{folder / atlas_index.INDEX}: {entry['archive']} leads out of it")
    there = path if path and path.is_file() else None
    levels = " to ".join(entry["levels"] or ())
    return Rung(there, text.band(entry), levels, entry["state"], entry["reason"])


def _of_archives(folder: pathlib.Path) -> Catalogue:
    """Archives of the same neurons are ranges of one unit, the highest range first."""
    units: dict[Any, list[tuple[float, Unit]]] = {}
    networks, left_out = [], []
    for path in _files(folder):
        try:
            if not file_checks.is_archive(path):
                continue
            with archives.open(path) as one:
                networks.append(one.network)
                if len(one):
                    unit = _unit(path, one)
                    units.setdefault(unit.name, []).append((one.targets[0]["z1"], unit))
                else:
                    left_out.append(f"{path} holds no samples")
        except RefusedInput as error:
            left_out.append(str(error))
    found = []
    for ranges in units.values():
        ranges.sort(key=lambda one: -one[0])
        found.append(ranges[0][1]._replace(rungs=[u.rungs[0] for _, u in ranges]))
    return Catalogue(", ".join(dict.fromkeys(networks)), _by_layer(found), left_out)


def _unit(path: pathlib.Path, one: Archive) -> Unit:
    names = [text.neuron(target | {"label": None}) for target in one.targets]
    labels = [target.get("label") or "" for target in one.targets]
    band = " and ".join(text.band(target) for target in one.targets)
    rung = Rung(path, band, "", "done" if one.complete else "partial", None)
    label = " and ".join(filter(None, labels))
    return Unit(" and ".join(names), label, *_neurons(one.targets), [rung])


def _neurons(targets: list[dict[str, Any]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The layers of targets, and as text their units in these, or the names of directions."""
    layers = tuple(target["layer"] for target in targets)
    units = (text.place(t).removeprefix(f"{t['layer']}:") for t in targets)
    return layers, tuple(units)


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Archives below a folder in the order of their numbers; none that a link leads to."""
    if not folder.is_dir():
        raise NotADirectoryError(f"expected a folder of archives, got {folder}")
    found = []
    for place, folders, names in os.walk(folder):
        root = pathlib.Path(place) == folder
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and not name.endswith(".run")
            and not (root and name == FOLDER)
        ]
        found += [
            pathlib.Path(place) / name
            for name in names
            if name.endswith(".h5")
            and not name.startswith(".")
            and not name.endswith(side_file.SUFFIX)
            and not (pathlib.Path(place) / name).is_symlink()
        ]
    return sorted(found, key=lambda path: natural_order(str(path)))


def natural_order(name: str) -> list[tuple[int, int | str]]:
    """A key that sorts names by the numbers in them.

    >>> sorted(["fc8/10", "fc8/9"], key=natural_order)
    ['fc8/9', 'fc8/10']
    """
    parts = re.split(r"([0-9]+)", name)
    return [(1, int(part)) if part.isdecimal() else (0, part) for part in parts]


def _by_layer(units: list[Unit]) -> list[Unit]:
    """Units of a layer side by side, layers in the order in which they come first."""
    order = {layer: i for i, layer in enumerate(dict.fromkeys(unit.layer for unit in units))}
    return sorted(units, key=lambda unit: order[unit.layer])
