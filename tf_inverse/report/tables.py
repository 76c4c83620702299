"""Layers and units as text for terminals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tf_inverse.networks.natural import LEVELS
from tf_inverse.report.text import in_columns, number

if TYPE_CHECKING:
    from tf_inverse.networks.unit_statistics import Layer, Statistics


SHOWN = (5, 50, 90, 98, 100)


def layers(listed: Iterable[Layer]) -> str:
    """A table of layers: name, kind, output shape, units."""
    rows = [["layer", "kind", "output", "units"]]
    rows += [[one.name, one.kind, "x".join(map(str, one.shape)), str(one.units)] for one in listed]
    return in_columns(rows, left=3)


def units(
    chosen: Iterable[int], labels: Sequence[str], natural: Statistics | None, random: Statistics
) -> str:
    """A table of units with what is natural for each.

    Args:
        chosen: Numbers of the units.
        labels: Label of every unit of the layer.
        natural: units.Statistics over natural images, or None.
        random: units.Statistics over images of random codes.
    """
    labelled = any(labels)
    head = ["unit"] + (["label"] if labelled else [])
    if natural is not None:
        head += ["mean", "s.d.", *(f"p{level}" for level in SHOWN)]
    rows = [[*head, "random mean", "random s.d.", ""]]
    dead = random.dead if natural is None else natural.dead & random.dead
    for i in chosen:
        row = [str(i)] + ([labels[i]] if labelled else [])
        if natural is not None:
            levels = [natural.percentiles[i, LEVELS.index(level)] for level in SHOWN]
            row += [number(float(v), 3) for v in (natural.mean[i], natural.sd[i], *levels)]
        row += [number(float(random.mean[i]), 3), number(float(random.sd[i]), 3)]
        rows.append([*row, "dead" if dead[i] else ""])
    return in_columns(rows, left=2 if labelled else 0)
