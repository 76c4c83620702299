"""What the archive of a plane says of its cells, for its picture and its page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tf_inverse.errors import RefusedInput
from tf_inverse.grid import MOST, Grid
from tf_inverse.report import standing
from tf_inverse.report.text import digits, number
from tf_inverse.tensors import Array, StrPath

if TYPE_CHECKING:
    from tf_inverse.archive import Archive

PLANE = "plane"
METHOD, UNREACHABLE = "plane", "unreachable"
"""How the settings of an archive say that its samples fill a plane; how words say it of a cell."""


class Cells(NamedTuple):
    """The cells of an archive.

    Attributes:
        grid: The cells; the first target's ranges go across, the second's up.
        members: Rows of the archive in each cell, its medoid first.
        words: What is said of each cell: how many samples, or why there are none.
        tried: Row-steps spent on each cell, or None where the run is not finished.
    """

    grid: Grid
    members: list[Array]
    words: list[str]
    tried: Array | None


def of(archive: Archive, summary: dict | None = None) -> Cells:
    """The cells of a plane's archive.

    Args:
        archive: Of a plane, finished or not.
        summary: Of a run that is not finished; the archive's own otherwise.

    Raises:
        RefusedInput: It is no archive of a plane, or what it says of its cells is damaged.
    """
    grid = edges(archive)
    at, e = grid.cell_of(archive.activations[:]), archive.encodings[:]
    members = [_medoid_first(e, np.flatnonzero(at == cell)) for cell in range(grid.cells)]
    tried = _tried((summary or archive.summary).get(PLANE), grid.shape, archive.path)
    stopped = archive.in_progress
    words = [_word(len(rows), i, tried, stopped) for i, rows in enumerate(members)]
    return Cells(grid, members, words, tried)


def edges(archive: Archive) -> Grid:
    """The cells that the settings of a plane's archive tell.

    Raises:
        RefusedInput: They tell none, or what they tell is damaged.
    """
    told = archive.settings.get(PLANE)
    if not isinstance(told, dict) or len(archive.targets) != 2:
        raise RefusedInput(f"{archive.path}: no plane of two neurons (tf-inverse plane makes one)")
    return Grid(*(_edges(told.get(name), name, archive.path) for name in ("across", "up")))


def _edges(values: object, name: str, path: StrPath) -> Array:
    numbers = values if isinstance(values, list) else []
    plain = all(type(v) in (int, float) and np.isfinite(v) for v in numbers)
    if not plain or not 2 <= len(numbers) <= MOST + 1:
        raise RefusedInput(f"{path}: expected 2 to {MOST + 1} numbers as edges {name} of the plane")
    edges = np.array(numbers, np.float32)
    if not (np.diff(edges) > 0).all():
        raise RefusedInput(f"{path}: expected rising edges {name} of the plane")
    return edges


def _tried(table: Any, shape: tuple[int, int], path: StrPath) -> Array | None:
    if table is None:
        return None
    try:
        tried: Array = np.array(table["tried"], np.int64)
    except (TypeError, KeyError, ValueError, OverflowError):
        tried = np.zeros(())
    if tried.shape != shape:
        raise RefusedInput(f"{path}: expected a table of {shape[0]} x {shape[1]} cells in summary")
    return tried.ravel()


def _medoid_first(e: Array, rows: Array) -> Array:
    """The rows of a cell, its medoid first: the least sum of squared distances to the others.

    That is the row nearest to the mean: the sum is n |e_i - mean|^2 and a constant.
    """
    if len(rows) < 3:
        return rows
    e = e[rows].astype(np.float64)
    first = int(((e - e.mean(axis=0)) ** 2).sum(axis=1).argmin())
    return np.concatenate([rows[[first]], np.delete(rows, first)])


def _word(samples: int, cell: int, tried: Array | None, stopped: bool) -> str:
    if samples:
        return f"{samples} sample{'s' if samples > 1 else ''}"
    steps = 0 if tried is None else int(tried[cell])
    if stopped or not steps:
        return f"not reached yet: {steps} steps tried before the run was stopped"
    return f"{UNREACHABLE}: tried {steps} steps"


def axis(archive: Archive, i: int, values: Array) -> list[list[str]]:
    """Each edge of an axis in words: the activation, and its natural percentile where known."""
    known, labels = standing.quantiles(archive, i), []
    narrowest = float(np.diff(values).min())
    most = max(digits(edge - narrowest, edge, 3) for edge in values[[0, -1]].astype(float))
    for edge in values.tolist():
        label = [number(edge, most)]
        if known is not None:
            levels, percentiles = known
            label.append(f"p{float(np.interp(edge, percentiles, levels)):.3g}")
        labels.append(label)
    return labels
