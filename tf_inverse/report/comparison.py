"""Figures of several archives by one yardstick, and at one count where they differ in size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tf_inverse import metrics
from tf_inverse.archive.attributes import YARDSTICK
from tf_inverse.report import text

if TYPE_CHECKING:
    from tf_inverse.archive import Archive


def own(archive: Archive) -> tuple[float | None, str]:
    """The bandwidth that an archive came with, and what it was measured on, in words.

    An archive of before yardsticks were stored has the bandwidth of its run, if any.
    """
    entry = archive.header.get(YARDSTICK)
    if entry:
        return float(entry["bandwidth"]), f"{entry['count']} {entry['source']}"
    width = text.numbers(archive.summary).get("bandwidth", 0)
    return (float(width), "its own run") if width > 0 else (None, "unknown")


def shared(
    archives: Sequence[Archive], names: Sequence[str], bandwidth: float | None = None
) -> tuple[float | None, list[str]]:
    """One bandwidth for all archives: that of the first that has one, unless the user gives one.

    Args:
        archives: At least one.
        names: As they are shown.
        bandwidth: What the user asks for, or None.

    Returns:
        (the bandwidth or None; a sentence for each thing that a reader of the figures has to know).
    """
    widths = {name: own(archive) for name, archive in zip(names, archives, strict=True)}
    if bandwidth is not None:
        return bandwidth, [f"Vendi scores by the bandwidth {bandwidth:g}, as was asked for"]
    found = {name: one for name, one in widths.items() if one[0] is not None}
    if not found:
        return None, []
    first, (width, source) = next(iter(found.items()))
    lines = [f"Vendi scores by one yardstick: {width:g}, half the mean distance of {source}"]
    others = [
        f"{name} {'came without one' if one[0] is None else f'has {one[0]:g} ({one[1]})'}"
        for name, one in widths.items()
        if one[0] != width
    ]
    if others:
        lines[0] += f", which is that of {first}; {'; '.join(others)}"
    if len({_network(archive) for archive in archives}) > 1:
        lines.append(
            "The archives are of different networks or encodings: their distances and Vendi scores "
            "tell nothing of each other"
        )
    return width, lines


def _network(archive: Archive) -> tuple[int, tuple[tuple[str, str], ...]]:
    return archive.encodings.shape[1], tuple(sorted(archive.checksums.items()))


def at_one_count(archives: Sequence[Archive], bandwidth: float | None) -> list[dict]:
    """Vendi scores at the size of the smallest archive, where sizes differ; else nothing.

    Args:
        archives: At least one.
        bandwidth: From `shared`.

    Returns:
        For each archive: common (the count), vendi_common and vendi_common_profile; or {}.
    """
    sizes = {len(archive) for archive in archives}
    if len(sizes) < 2 or bandwidth is None:
        return [{} for _ in archives]
    n = min(*sizes, metrics.VENDI_LARGEST)
    return [
        {"common": n} | metrics.scores("vendi_common", archive.encodings[:], bandwidth, n)
        for archive in archives
    ]
