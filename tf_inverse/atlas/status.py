"""How an atlas stands, in words: what is done, how long the rest will take, what was not found."""

from __future__ import annotations

import pathlib
from typing import Any

from tf_inverse.archive import atlas_index
from tf_inverse.atlas import index
from tf_inverse.compute import progress
from tf_inverse.errors import printable

STATES = atlas_index.STATES
MOST = 20
"""Targets without their samples that are named; the index has all of them."""

RECENT = 20
"""Groups whose times tell how fast it goes."""


def figures(folder: pathlib.Path, found: dict, records: index.Records) -> dict[str, Any]:
    """Counts of an atlas.

    Args:
        folder: Of the atlas.
        found: Its index.
        records: What became of its groups.

    Returns:
        targets (how many), each of `STATES` (likewise), samples, seconds (of all processes), and
        left: seconds until the end at the pace of the last groups; None where nothing tells it.
    """
    states = [unit["state"] for unit in found["units"]]
    return {
        "targets": len(states),
        **{state: states.count(state) for state in STATES},
        "samples": sum(unit["found"] for unit in found["units"]),
        "seconds": sum(unit["seconds"] or 0.0 for unit in found["units"]),
        "left": _left(folder, records, states.count("waiting")),
    }


def _left(folder: pathlib.Path, records: index.Records, waiting: int) -> float | None:
    """By when the last groups ended: however many processes work at it, their pace is seen."""
    ended = []
    for group, numbers in enumerate(records.groups):
        if records.of(group) is not None:
            path = index.record_path(folder, group)
            ended.append((path.stat().st_mtime, len(numbers)))
    ended = sorted(ended)[-RECENT:]
    if not waiting:
        return 0.0
    if len(ended) < 2 or ended[-1][0] <= ended[0][0]:
        return None
    return waiting * (ended[-1][0] - ended[0][0]) / sum(size for _, size in ended[1:])


def lines(found: dict, told: dict[str, Any]) -> list[str]:
    """An atlas in words: a row a layer, what is left, and each target without its samples.

    Args:
        found: The index.
        told: From `figures`.
    """
    columns = ["done", *(s for s in STATES if s != "done" and told[s])]
    names = [layer["name"] for layer in found["layers"]]
    width = max(map(len, ["layer", *names]))
    rows = [f"{'layer':<{width}}  targets" + "".join(f"{state:>13}" for state in columns)]
    for name in names:
        states = [unit["state"] for unit in found["units"] if unit["layer"] == name]
        counts = "".join(f"{states.count(state):>13}" for state in columns)
        rows.append(f"{printable(name):<{width}}  {len(states):>7}{counts}")
    if told["waiting"] and told["left"] is not None:
        rows.append(f"{told['waiting']} targets wait: {progress.left(told['left'])}")
    short = [unit for unit in found["units"] if unit["reason"] is not None]
    told_of = (f"{unit['state']} {unit['text']}: {unit['reason']}" for unit in short[:MOST])
    rows += map(printable, told_of)
    if len(short) > MOST:
        rows.append(f"and {len(short) - MOST} more, which {atlas_index.INDEX} names")
    return rows
