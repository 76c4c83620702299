"""What `tf-inverse plane` does and prints."""

from __future__ import annotations

import json
import pathlib
import sys
import time
from typing import TYPE_CHECKING

from tf_inverse import archive
from tf_inverse.caffe import published
from tf_inverse.compute import device as devices
from tf_inverse.compute import progress
from tf_inverse.errors import Unreachable, UsageError
from tf_inverse.grammar import say
from tf_inverse.method.settings import Settings
from tf_inverse.report import cells, figure_table, plane, png
from tf_inverse.run import job, signals
from tf_inverse.run.plane import Outcome, Plan, fill, plan

if TYPE_CHECKING:
    from tf_inverse.method.plane import Batch
    from tf_inverse.networks.networks import Networks


def command(
    out: str,
    network: str,
    targets: str | None,
    *,
    rows: int,
    columns: int,
    each: int,
    patience: int,
    options: dict,
    device: str,
    trust: bool,
    as_json: bool,
    overwrite: bool,
) -> int:
    """`tf-inverse plane`: see tools/plane.py for the arguments; returns the exit code.

    Args:
        out: Path of the archive.
        network: A name or a folder.
        targets: Two neurons, as of `plane.plan`.
        rows: Cells from bottom to top.
        columns: Cells from left to right.
        each: Samples of each cell.
        patience: As of `plane.Plan`.
        options: Other fields of `Settings`.
        device: As of `device.choose`.
        trust: As of `storage.load`.
        as_json: Print one JSON object.
        overwrite: As of `plane.fill`.
    """
    path = job.expect_free(out, "images", overwrite)
    for suffix in () if overwrite else (".png", ".html"):
        png.expect_ours(path.with_suffix(suffix))
    if not targets:
        raise UsageError("expected two targets, as --targets='fc8:ship, fc8:airplane'")
    # Refuses before TensorFlow takes time to start; how many samples there will be, nobody knows.
    settings = Settings(n=max(1, rows * columns * each), **options)
    devices.choose(device)
    networks = published.load(network, trust)
    asked = plan(networks, targets, rows, columns, each, patience)
    return filled(networks, asked, settings, path, overwrite=overwrite, as_json=as_json)


def filled(
    networks: Networks,
    asked: Plan,
    settings: Settings,
    path: pathlib.Path,
    *,
    overwrite: bool = False,
    as_json: bool,
) -> int:
    """Fills a plane and tells of it; a run that is there goes on.

    Args:
        networks: The pair to sample.
        asked: From `plane.plan`.
        settings: As of `plane.fill`.
        path: Path of the archive.
        overwrite: As of `plane.fill`.
        as_json: Print one JSON object.

    Returns:
        Exit code: 0, or 130 or 143 where it was stopped.

    Raises:
        Unreachable: No cell was reached.
    """
    began = time.monotonic()
    with signals.deferred(say) as stop:
        show = _Shown(asked.grid.cells)
        try:
            outcome = fill(
                networks,
                asked,
                settings,
                path,
                overwrite=overwrite,
                say=say,
                watch=show,
                stop=stop.__bool__,
            )
        except (KeyboardInterrupt, Unreachable) as error:
            if as_json:
                told = figure_table.unfinished(0, settings.n, getattr(error, "steps", None))
                print(json.dumps(told | {"cells": asked.grid.cells, "filled": 0}))
            if isinstance(error, Unreachable):
                raise
            say(str(error))
            return stop.exit_code or 130
        finally:
            show.close()
        _tell(path, outcome, as_json, time.monotonic() - began)
    if outcome.stopped:
        say(f"stopped; tf-inverse resume {path} goes on")
        return stop.exit_code or 130
    return 0


def _tell(path: pathlib.Path, outcome: Outcome, as_json: bool, seconds: float) -> None:
    with archive.open(outcome.path) as samples:
        drawn = {
            path.with_suffix(".png"): plane.picture(samples, outcome.summary),
            path.with_suffix(".html"): plane.page(samples, outcome.summary).encode("utf-8"),
        }
        for name, contents in drawn.items():
            png.save(name, contents, overwrite=True)
        whole = None if outcome.stopped else str(path)
        figures = outcome.summary | {"seconds": seconds, "archive": whole}
        shown = cells.of(samples, outcome.summary)
        if as_json:
            reached = sum(len(rows) > 0 for rows in shown.members)
            print(json.dumps(figures | {"cells": len(shown.members), "filled": reached}))
            return
        print(f"{plane.title(samples)}\n{plane.tally(shown)}")
        table = {name: value for name, value in figures.items() if name != cells.PLANE}
        print(figure_table.table({str(outcome.path): table}))
        print(", ".join(map(str, drawn)))


class _Shown:
    """Shows cells and steps on standard error as the search goes on."""

    def __init__(self, total: int):
        self.total, self.terminal = total, progress.on_terminal()
        self.last = time.monotonic()

    def __call__(self, batch: Batch, filled: int, left: int) -> None:
        now = time.monotonic()
        if now - self.last < (0.2 if self.terminal else progress.EVERY):
            return
        self.last = now
        line = f"{filled}/{self.total} cells filled, {left} still tried, {batch.step} steps"
        progress.draw(line, self.terminal, self.total - left, self.total)

    def close(self) -> None:
        if self.terminal:
            print(file=sys.stderr)
