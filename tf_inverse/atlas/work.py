"""One group of an atlas: from its neurons to their archives, and the record that it is done."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from tf_inverse import archive
from tf_inverse.archive.atlas_index import GROUP
from tf_inverse.archive.lock import Lock
from tf_inverse.atlas import index
from tf_inverse.atlas.plan import GROUPS, SIZE, Plan
from tf_inverse.band import Bands
from tf_inverse.run import figures, origin, record

if TYPE_CHECKING:
    from tf_inverse.method.group import Ended
    from tf_inverse.networks.networks import Networks

Steps = Generator[Callable[[], None], None, None]
"""The steps of a group, each of which its caller computes before it asks for the next."""


def run(folder: pathlib.Path, plan: Plan, networks: Networks, group: int) -> None:
    """Samples the targets of a group at once: arguments and errors as of `steps`."""
    for compute in steps(folder, plan, networks, group):
        compute()


def steps(
    folder: pathlib.Path,
    plan: Plan,
    networks: Networks,
    group: int,
    watch: Callable[[float], object] = lambda ended: None,
) -> Steps:
    """Samples the targets of a group, each into its archive, and writes the group's record.

    Nothing is left half written: a group that is stopped is begun again, and ends as it would have.

    Args:
        folder: Of the atlas.
        plan: Its plan.
        networks: The pair that the plan is of.
        group: Number of the group.
        watch: Called after some steps with the targets that have ended, and the shares of their
            samples that others have; what it raises ends the group.

    Yields:
        What computes the next steps. The caller calls it, in any thread, before it goes on here.

    Raises:
        LockedError: Another process samples this group.
        StorageError: The disk is full or read-only.
    """
    path = folder / GROUPS / f"{group:05d}.lock"
    lock = Lock(path, index.record_path(folder, group))
    try:
        # Whoever held the lock before may have done it meanwhile.
        if index.Records(folder, plan).of(group) is None:
            yield from _sampled(folder, plan, networks, group, watch)
    finally:
        path.unlink(missing_ok=True)
        lock.release()


def _sampled(
    folder: pathlib.Path,
    plan: Plan,
    networks: Networks,
    group: int,
    watch: Callable[[float], object],
) -> Steps:
    from tf_inverse.method.group import Pool

    began, numbers = time.monotonic(), plan.groups[group]
    bands = plan.bands(folder, numbers)
    found: dict[int, dict] = {}
    pool = Pool(networks, bands, plan.settings, SIZE)
    while pool.open.any():
        yield pool.compute
        for ended in pool.settle():
            number = numbers[ended.at]
            path = folder / plan.targets[number].archive
            found[number] = _entry(ended, _store(path, plan, networks, ended, bands))
        watch(pool.served)
    seconds = time.monotonic() - began
    _share(found, seconds)
    index.write_record(folder, group, seconds, dict(sorted(found.items())))


def _entry(ended: Ended, told: dict) -> dict[str, Any]:
    found = 0 if ended.samples is None else len(ended.samples.steps)
    entry = {"found": found, "steps": ended.steps, "vendi": told.get("vendi")}
    if ended.trouble is None:
        return entry | {"state": "done", "reason": None}
    state = "partial" if found else "dead" if ended.dead else "unreachable"
    return entry | {"state": state, "reason": str(ended.trouble)}


def _share(found: dict[int, dict], seconds: float) -> None:
    """Tells the seconds that each target took: its share of the steps."""
    steps = sum(entry["steps"] for entry in found.values())
    for entry in found.values():
        entry["seconds"] = round(seconds * entry["steps"] / max(1, steps), 3)


def _store(
    path: pathlib.Path, plan: Plan, networks: Networks, ended: Ended, others: Bands
) -> dict[str, Any]:
    """Writes the archive of one target; its figures, none where nothing was found."""
    if ended.samples is None:
        return {}
    own = Bands([others[ended.at]])
    head = record.header(networks, own, ended.settings, plan.store)
    head["settings"] |= {GROUP: [str(band) for band in others]}
    head |= origin.told(networks.folder, path)
    nature = figures.natural(networks, own)
    path.parent.mkdir(exist_ok=True)
    along = record.directions(own)
    with archive.Writer(path, head, overwrite=True, natural=nature, directions=along) as writer:
        writer.append(ended.samples, {})
        told = figures.summary(ended.samples, own, ended.settings, ended.scale, nature)
        writer.finish(told | {"steps": ended.steps})
    return told
