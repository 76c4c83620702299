"""What an atlas was asked for, written once: its targets, and the groups they are sampled in.

    plan.json             the request, the network, the targets
    groups/00003.json     what became of a group; it is there once the group is done
    groups/00003.lock     held by the process that samples the group
    directions/SHA256.npy the numbers of a target that is a direction
    LAYER/UNIT.h5         an archive a target
    atlas.json            the index (archive.atlas_index), made of all of these

A group is some targets of one layer, in their order. What is found depends on the plan and the
group alone: not on who samples it, nor on how often that was begun.
"""

from __future__ import annotations

import contextlib
import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from tf_inverse.archive import atlas_index, atomic, attributes, side_file
from tf_inverse.archive.lock import exclusive
from tf_inverse.atlas import kept_directions
from tf_inverse.atlas.targets import Target
from tf_inverse.band import Band, Bands
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.method.settings import BEFORE, Settings
from tf_inverse.neuron import Neuron

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

NAME, FORMAT, VERSION = "plan.json", "tf_inverse atlas plan", 1
GROUPS, DIRECTIONS, LOCK = "groups", "directions", "index.lock"
SHA256 = re.compile("[0-9a-f]{64}")
SIZE = 16
"""Targets of a group at most. More of them would be lost when a process is killed."""

LARGEST = 256 << 20


class Plan(NamedTuple):
    """An atlas as it was asked for.

    Attributes:
        asked: The request, of plain values: another one is another atlas.
        network: Name of the network.
        checksums: sha256 of its files.
        folder: Where it was read from, as `Networks.folder`.
        settings: Of the search of every group; n for each target.
        store: "images" or "codes".
        targets: In the order asked for.
        of: Layer -> what its percentiles are of.
        units: Layer -> how many units it has.
    """

    asked: dict
    network: str
    checksums: dict[str, str]
    folder: str | None
    settings: Settings
    store: str
    targets: tuple[Target, ...]
    of: dict[str, str]
    units: dict[str, int]

    @property
    def groups(self) -> list[tuple[int, ...]]:
        """The numbers of the targets of each group; those that are not sampled are in none."""
        found: list[tuple[int, ...]] = []
        for number, target in enumerate(self.targets):
            if target.reason is not None:
                continue
            last = self.targets[found[-1][-1]] if found else target
            if not found or len(found[-1]) == SIZE or last.told["layer"] != target.told["layer"]:
                found.append(())
            found[-1] += (number,)
        return found

    def layer(self, group: int) -> str:
        """The layer that the targets of a group are in."""
        return self.targets[self.groups[group][0]].told["layer"]

    def bands(self, folder: pathlib.Path, numbers: Iterable[int]) -> Bands:
        """The neurons of some targets with their ranges.

        Raises:
            RefusedInput: The numbers of a direction are not those that were planned.
        """
        return Bands(_band(folder, self.targets[number].told) for number in numbers)


def _band(folder: pathlib.Path, told: dict) -> Band:
    at, unit = told["at"], told["unit"]
    place = tuple(at) if isinstance(at, list) else at
    if "direction" in told:
        facts = told["direction"]
        unit = kept_directions.read(folder / DIRECTIONS, facts["name"], facts["sha256"])
    return Band(Neuron(told["layer"], unit, place), told["z1"], told["z2"])


def make(
    networks: Networks,
    asked: dict,
    settings: Settings,
    store: str,
    targets: Iterable[Target],
    of: dict[str, str],
) -> Plan:
    """A plan, before it is written.

    Args:
        networks: The pair to sample.
        asked: The request, of plain values.
        settings: Of the search.
        store: "images" or "codes".
        targets: From `targets.of_layers` or `targets.of_file`.
        of: As of `Plan`.
    """
    targets = tuple(targets)
    layers = dict.fromkeys(target.told["layer"] for target in targets)
    units = {layer: networks.layer_shape(layer)[-1] for layer in layers}
    network = networks.name, networks.checksums, networks.folder
    return Plan(asked, *network, settings, store, targets, of, units)


def settle(folder: pathlib.Path, plan: Plan) -> Plan:
    """Writes a plan, unless another process has written one meanwhile; the plan that holds.

    Percentiles may differ in their last digits between machines that make the same plan.

    Raises:
        UsageError: The other is of another request.
    """
    (folder / GROUPS).mkdir(parents=True, exist_ok=True)
    with locked(folder):
        first = read(folder)
        if first is None:
            write(folder, plan)
            return plan
    expect_same(folder, first, plan.asked)
    return first


@contextlib.contextmanager
def locked(folder: pathlib.Path) -> Iterator[None]:
    """Inside, no other process makes the plan or the index of the atlas."""
    with open(folder / GROUPS / LOCK, "a") as lock:
        exclusive(lock.fileno(), folder)
        yield


def write(folder: pathlib.Path, plan: Plan) -> None:
    """Puts plan.json into the folder, durably."""
    (folder / GROUPS).mkdir(parents=True, exist_ok=True)
    for target in plan.targets:
        if target.direction is not None:
            kept_directions.write(folder / DIRECTIONS, target.direction)
    values = plan._asdict() | {
        "settings": plan.settings.asdict(),
        "targets": [target._replace(direction=None)._asdict() for target in plan.targets],
    }
    text = attributes.to_json({"format": FORMAT, "version": VERSION} | values)
    atomic.write(folder / NAME, text.encode())


def read(folder: pathlib.Path) -> Plan | None:
    """The plan of a folder; None where it has none.

    Raises:
        RefusedInput: It is damaged, too large, or of another version.
    """
    path = folder / NAME
    values = atlas_index.json_object(path, FORMAT, VERSION, LARGEST)
    if values is None:
        return None
    del values["format"], values["version"]
    try:
        targets = tuple(_target(value) for value in values.pop("targets"))
        return Plan(settings=Settings(**BEFORE | values.pop("settings")), targets=targets, **values)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise RefusedInput(f"{path} is damaged or of another version: {error}") from error


def _target(value: dict) -> Target:
    target = Target(**value)
    attributes.check_targets([target.told], "plan")
    if "direction" in target.told and not SHA256.fullmatch(target.told["direction"]["sha256"]):
        raise ValueError("a direction without its checksum")
    path = pathlib.PurePosixPath(target.archive)
    if len(path.parts) != 2 or ".." in path.parts or path.suffix != ".h5":
        raise ValueError(f"{target.archive!r:.80} is no path of an archive")
    levels = target.levels and (target.levels[0], target.levels[1])
    return target._replace(levels=levels)


def expect_same(folder: pathlib.Path, plan: Plan, asked: dict) -> None:
    """Refuses a request that is not the one of the atlas that is there.

    Raises:
        UsageError: It differs; the line names every difference.
    """
    lines = attributes.differences(plan.asked, asked)
    if lines:
        raise UsageError(
            f"{folder} holds an atlas of another request: {'; '.join(lines)}; give another --out, "
            "or --overwrite to start again"
        )


def shard(text: str | None, groups: int) -> list[int]:
    """The numbers of the groups of one shard, as 2/8; all of them where none is named.

    Raises:
        UsageError: It is no shard.
    """
    if text is None:
        return list(range(groups))
    first, slash, last = text.partition("/")
    plain = slash and all(
        part.isascii() and part.isdigit() and len(part) < 7 for part in (first, last)
    )
    if not plain or not 1 <= int(first) <= int(last):
        raise UsageError(f"expected --shard=I/N with I from 1 to N, as 2/8, got {text!r}")
    return list(range(int(first) - 1, groups, int(last)))


def is_ours(folder: pathlib.Path) -> bool:
    """Whether a folder without a plan is that of an atlas that was stopped before it had one."""
    return (folder / GROUPS / LOCK).is_file()


def clear(folder: pathlib.Path, plan: Plan) -> None:
    """Removes an atlas from its folder, and nothing else that lies there.

    What was found out about an archive goes with it: beside the next one it would be refused.
    """
    records = list((folder / GROUPS).glob("?????.json"))
    records += (folder / DIRECTIONS).glob("*.npy")
    archives = [folder / target.archive for target in plan.targets]
    # The plan goes last: until then the rest is still known to be an atlas's.
    told = map(side_file.beside, archives)
    for path in [*records, *archives, *told, folder / atlas_index.INDEX, folder / NAME]:
        path.unlink(missing_ok=True)
