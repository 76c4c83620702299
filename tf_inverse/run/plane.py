"""The plane of two neurons as a run: cells filled into one archive, which is never half written."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tf_inverse import archive, band
from tf_inverse.band import Band, Bands
from tf_inverse.errors import Unreachable, UsageError
from tf_inverse.grid import Grid, between
from tf_inverse.report import cells
from tf_inverse.run import figures, origin, ranges, record
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.method.plane import Batch, Search
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks.networks import Networks

NATURAL = "@p50:p99.8"
"""Range of a target that names none, where natural images tell it."""


class Plan(NamedTuple):
    """What a plane is made of.

    Attributes:
        bands: The two neurons with their whole ranges.
        grid: Cells between the ends of those.
        each: Samples of each cell.
        patience: Row-steps that a cell is tried without coming on, as `method.plane.Search` counts.
    """

    bands: Bands
    grid: Grid
    each: int
    patience: int


def plan(
    networks: Networks, targets: str, rows: int, columns: int, each: int, patience: int
) -> Plan:
    """The plane that a command's flags ask for.

    Args:
        networks: The pair to sample.
        targets: Two neurons, the one of the columns first, with their whole ranges or without: from
            the natural median to the 99.8th percentile, or as a ladder has them.
        rows: Cells from bottom to top.
        columns: Cells from left to right.
        each: Samples of each cell.
        patience: As of `Plan`.

    Raises:
        UsageError: Not two different neurons, or numbers that cannot be.
    """
    parts = band.split(targets)
    if len(parts) != 2:
        raise UsageError(
            f"expected two targets, as --targets='fc8:ship, fc8:airplane', got {len(parts)}"
        )
    for value, name in ((each, "n"), (patience, "patience")):
        if not 1 <= value < 2**31:
            raise UsageError(f"expected --{name} of at least 1, got {value}")
    first, second = (_whole(part, networks) for part in parts)
    if first.neuron == second.neuron:
        raise UsageError(f"expected two different neurons, got {first.neuron} twice")
    grid = between((first.z1, first.z2), (second.z1, second.z2), rows, columns)
    ends = [(float(edges[0]), float(edges[-1])) for edges in grid]
    pairs = zip((first, second), ends, strict=True)
    return Plan(Bands(Band(one.neuron, *both) for one, both in pairs), grid, each, patience)


def _whole(text: str, networks: Networks) -> Band:
    neuron = band.neuron(text, networks)
    if band.whole(text):
        return band.parse(text, networks)[0]
    if networks.nature(neuron):
        return band.parse(text + NATURAL, networks)[0]
    return Band(neuron, *ranges.extent(networks, neuron))


class Outcome(NamedTuple):
    """How a plane ended.

    Attributes:
        path: The archive, or the folder of the unfinished run.
        summary: Figures of the samples with the table of the cells.
        stopped: Whether it was stopped before every cell was full or tried in vain.
    """

    path: pathlib.Path
    summary: dict
    stopped: bool


def fill(
    networks: Networks,
    plane: Plan,
    settings: Settings,
    out: pathlib.Path,
    *,
    overwrite: bool = False,
    say: Callable[[str], object] = lambda text: None,
    watch: Callable[[Batch, int, int], object] = lambda batch, filled, left: None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Fills the cells of a plane into an archive; a run that is there goes on.

    Args:
        networks: The pair to sample.
        plane: From `plan`.
        settings: K, seed and the numbers of the steps.
        out: Path of the archive to write, ending in .h5.
        overwrite: Replace an archive or an unfinished run that is there.
        say: Called with each note in one line.
        watch: Called with each batch, the cells with a sample, and the cells still tried.
        stop: Asked after each batch whether to end early.

    Raises:
        Unreachable: No cell was reached; nothing is left on disk.
        KeyboardInterrupt: Stopped before a sample was found.
        FileExistsError: A finished archive is there, and overwrite is False.
        UsageError: An unfinished run of another plane is there.
        StorageError: The disk is full or read-only; what was found before stays in the run.
    """
    from tf_inverse.method.normalization import measure
    from tf_inverse.method.plane import Search
    from tf_inverse.networks import starts

    bands = plane.bands
    settings = starts.alone(networks, settings).sized(networks.codes.size)
    if lacking := starts.lacking(networks, settings):
        say(lacking)
    scale, nature = measure(networks, bands.neurons), figures.natural(networks, bands)
    search = Search(networks, plane.grid, bands, settings, scale, plane.each, plane.patience)
    head = record.header(networks, bands, settings)
    edges = {"across": plane.grid.across.tolist(), "up": plane.grid.up.tolist()}
    head["settings"] |= {"method": cells.METHOD, "patience": plane.patience}
    head["settings"] |= {cells.PLANE: edges | {"each": plane.each}}
    head |= origin.told(networks.folder, out)
    with archive.Writer(
        out,
        head,
        natural=nature,
        directions=record.directions(bands),
        overwrite=overwrite,
        resume=not overwrite,
    ) as at:
        if at.found:
            say(f"{out}: going on from {at.found} samples that are there")
        stopped, step = _search(search, at, watch, stop)
        if not at.found:
            if stopped:
                raise KeyboardInterrupt("stopped before a sample was found")
            at.discard()
            raise Unreachable(
                f"no cell was reached in {step} steps of {settings.K} codes; choose ranges nearer "
                "to natural ones, or more --patience",
                np.full(2, np.nan),
                step,
            )
        table = {
            "count": _table(plane.grid, search.kept),
            "tried": _table(plane.grid, search.tried),
        }
        with archive.open(at.folder) as samples:
            told = figures.summary(samples, bands, settings, scale, nature)
        told |= {"steps": step, cells.PLANE: table}
        if stopped:
            return Outcome(at.folder, told, stopped=True)
        return Outcome(at.finish(told), told, stopped=False)


def _table(grid: Grid, counts: Array) -> list[list[int]]:
    return counts.reshape(grid.shape).tolist()


def _search(
    search: Search,
    writer: archive.Writer,
    watch: Callable[[Batch, int, int], object],
    stop: Callable[[], bool],
) -> tuple[bool, int]:
    """Whether the search was stopped, and the gradient steps that it took."""
    codes, z = np.zeros((0, 1), np.float32), np.zeros((0, 2), np.float32)
    if writer.found:
        with archive.open(writer.folder) as before:
            codes, z = before.codes[:], before.activations[:]
    step = 0
    try:
        for batch in search.run(writer.state, codes, z):
            if len(batch.samples.steps):
                writer.append(batch.samples, batch.state)
            step = batch.step
            watch(batch, int((search.kept > 0).sum()), int(search.open.sum()))
            if stop() and search.open.any():
                return True, step
    except KeyboardInterrupt:
        return True, step
    return False, step
