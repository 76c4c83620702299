"""Which runs of an experiment are done: NAME.runs.json in its folder until its page is written.

An experiment that was stopped goes on after the last run that ended; the run that it was stopped in
begins again. What a run's row tells is kept here as well as in its archive, for an archive has no
seconds, and a run that found nothing has no archive.
"""

from __future__ import annotations

import functools
import json
import pathlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from tf_inverse.archive import atomic, attributes, json_file
from tf_inverse.errors import RefusedInput, UsageError

if TYPE_CHECKING:
    from tf_inverse.experiments.runner import Lab

P = ParamSpec("P")
FORMAT, VERSION, MOST = "tf_inverse experiment", 1, 1 << 24


class Ledger:
    """The runs of one experiment that was begun in a folder, or none.

    Args:
        out: The folder.
        name: Of the experiment.
        anew: Take no notice of what is there.

    Raises:
        RefusedInput: The file that is there is damaged.
    """

    def __init__(self, out: pathlib.Path, name: str, anew: bool = False) -> None:
        self._out, self._path = out, out / f"{name}.runs.json"
        entry = None if anew else json_file.value(self._path, MOST, links=False)
        self._settings: dict[str, Any] = {}
        self._outcome: tuple[pathlib.Path, ...] = ()
        self._runs: dict[str, dict[str, Any] | None] = {}
        if entry is not None:
            self._settings, self._runs = self._read(entry)

    def _read(self, entry: Any) -> tuple[dict[str, Any], dict[str, dict[str, Any] | None]]:
        found = entry if isinstance(entry, dict) else {}
        if (found.get("format"), found.get("version")) != (FORMAT, VERSION):
            raise RefusedInput(f"{self._path}: expected {FORMAT} version {VERSION}; remove it")
        settings, runs = found.get("settings"), found.get("runs")
        if not isinstance(settings, dict) or not isinstance(runs, dict):
            raise RefusedInput(f"{self._path}: expected settings and runs; remove it")
        if not all(run is None or _is_run(run) for run in runs.values()):
            raise RefusedInput(f"{self._path}: expected a row of each run; remove it")
        return settings, runs

    def owns(self, path: pathlib.Path) -> bool:
        """Whether an archive in the folder is of a run that this experiment did or had begun."""
        return path.stem in self._runs

    def begin(
        self,
        settings: dict[str, Any],
        replaced: Iterable[pathlib.Path] = (),
        outcome: Iterable[pathlib.Path] = (),
    ) -> int:
        """How many runs are done of the experiment of these settings.

        Nothing is written or removed before its first run starts: a recipe may be refused until
        then.

        Args:
            settings: What the experiment's archives depend on.
            replaced: Archives in the folder that it may take the place of.
            outcome: Files that tell an outcome of before, which would stand beside archives of
                other runs.

        Raises:
            UsageError: It was begun with others; the line names every difference.
        """
        if self._runs:
            lines = attributes.differences(self._settings, settings)
            if lines:
                raise UsageError(
                    f"{self._path} tells of an unfinished experiment that was begun otherwise: "
                    f"{'; '.join(lines)}; give what it had, --overwrite to begin anew, or another "
                    "--out"
                )
        self._settings = settings
        self._runs |= {path.stem: None for path in replaced if path.stem not in self._runs}
        self._outcome = tuple(outcome)
        return sum(run is not None for run in self._runs.values())

    def row(self, run: str) -> dict[str, Any] | None:
        """The row of a run that is done and whose archive, if it has one, is still there."""
        entry = self._runs.get(run)
        if entry is None or entry["sha256"] != self._checksum(run):
            return None
        return dict(entry["row"])

    def start(self, run: str) -> None:
        """Notes that a run begins, so that its archive is known to be its own."""
        self._runs[run] = None
        self._write()
        for path in self._outcome:
            path.unlink(missing_ok=True)

    def end(self, run: str, row: dict[str, Any]) -> None:
        """Notes that a run is done."""
        digest = self._checksum(run) if row["archive"] else None
        self._runs[run] = {"row": dict(row), "sha256": digest}
        self._write()

    def close(self) -> None:
        """Removes the file, once the outcome is written."""
        self._path.unlink(missing_ok=True)

    def _checksum(self, run: str) -> str | None:
        path = self._out / f"{run}.h5"
        return atomic.checksum(path) if path.is_file() else None

    def _write(self) -> None:
        about = {"format": FORMAT, "version": VERSION, "settings": self._settings}
        # In the order of a row's figures, which is that of the outcome's.
        text = json.dumps(about | {"runs": self._runs}, allow_nan=False)
        atomic.write(self._path, text.encode())


def _is_run(run: object) -> bool:
    return isinstance(run, dict) and set(run) == {"row", "sha256"} and isinstance(run["row"], dict)


def once(
    run: Callable[Concatenate[Lab, str, P], dict[str, Any]],
) -> Callable[Concatenate[Lab, str, P], dict[str, Any]]:
    """A run of a `Lab`, named by itself, and not done again where the lab's ledger has its row."""

    @functools.wraps(run)
    def recorded(lab: Lab, name: str, *args: P.args, **options: P.kwargs) -> dict[str, Any]:
        name = lab.begin(name)
        if lab.ledger is None:
            return run(lab, name, *args, **options)
        row = lab.ledger.row(name)
        if row is None:
            lab.ledger.start(name)
            row = run(lab, name, *args, **options)
            lab.ledger.end(name, row)
        return row

    return recorded
