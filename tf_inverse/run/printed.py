"""A run as the command line shows it: progress, notes, the sheet of its images, the outcome."""

from __future__ import annotations

import contextlib
import functools
import json
import pathlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tf_inverse import archive
from tf_inverse.compute.profiling import Profile
from tf_inverse.compute.progress import Progress
from tf_inverse.errors import Unreachable
from tf_inverse.grammar import say
from tf_inverse.method.settings import Settings
from tf_inverse.report import beside, figure_table, png, standing, text
from tf_inverse.run import job, natures, record, signals
from tf_inverse.run import volume as sizes
from tf_inverse.tensors import StrPath

if TYPE_CHECKING:
    from tf_inverse.band import Bands
    from tf_inverse.method.sampler import Batch
    from tf_inverse.networks.networks import Networks
    from tf_inverse.run.result import Result


def run(out: StrPath, networks: Networks, bands: Bands, settings: Settings, **more: Any) -> int:
    """Samples into an archive and tells the outcome.

    Args:
        out: Path of the archive.
        networks: `networks.Networks`.
        bands: From `band.parse`.
        settings: `settings.Settings`.
        **more: As of `told`.

    Returns:
        Exit code: 0, or 130 or 143 where it was stopped.

    Raises:
        Unreachable: Fewer were found than asked for, after the outcome was told.
    """
    with signals.deferred(say) as stop:
        try:
            result = told(networks, bands, settings, out, stop=stop, **more)
        except KeyboardInterrupt:
            return stop.exit_code
    if isinstance(result.trouble, Unreachable):
        raise result.trouble
    return stop.exit_code if result.trouble else 0


def told(
    networks: Networks,
    bands: Bands,
    settings: Settings,
    out: StrPath,
    *,
    stop: signals.Stop,
    store: str = "images",
    tensorboard: StrPath | None = None,
    profile: StrPath | None = None,
    overwrite: bool = False,
    resume: bool = False,
    as_json: bool = False,
    nature: str | None = None,
    store_nature: bool = False,
    volume: bool = False,
    brief: bool = False,
) -> Result:
    """Samples into an archive; prints progress, notes and the outcome, and draws the sheet.

    Args:
        networks: `networks.Networks`.
        bands: From `band.parse`.
        settings: `settings.Settings`.
        out: Path of the archive.
        stop: Whether a signal asked for the end.
        store: As of `job.run`.
        tensorboard: Folder for live curves, or None.
        profile: Folder for a trace of some steps, and the run's cost is told; or None.
        overwrite: As of `job.run`.
        resume: As of `job.run`.
        as_json: Print one JSON object in place of the table.
        nature: As of `natures.of_each`, for a group of natural images in the sheet; or None.
        store_nature: Keep them beside the archive.
        volume: Tell how probable the bands are, too.
        brief: Leave out histograms and figures, as of a run that is one of several.

    Returns:
        The result of `job.run`.

    Raises:
        Unreachable: No sample was found.
        KeyboardInterrupt: Stopped before a sample was found.
    """
    try:
        with contextlib.ExitStack() as stack:
            watch = _watcher(stack, networks, bands, settings, tensorboard)
            cost = stack.enter_context(Profile(profile)) if profile else None
            result = job.run(
                networks,
                bands,
                settings,
                out,
                store=store,
                overwrite=overwrite,
                resume=resume,
                say=say,
                watch=watch,
                stop=stop.__bool__,
                timed=cost.timed if cost else None,
                volume=functools.partial(sizes.measured, stop=stop) if volume else None,
            )
    except (Unreachable, KeyboardInterrupt) as error:
        _unfinished(out, 0, settings.n, error, as_json)
        raise
    if isinstance(result.trouble, KeyboardInterrupt):
        _unfinished(out, len(result), settings.n, result.trouble, as_json)
        return result
    figures = result.summary | {"archive": str(out)}
    if cost:
        figures["profile"] = cost.figures()
    with archive.open(out) as finished:
        # Of a very large sample, the most different images.
        rows, columns = (None, None) if len(finished) <= png.MOST else (40, 50)
        natural = natures.of_bands(networks, bands, nature) if nature else None
        if natural is not None and store_nature:
            beside.store(finished.path, natural)
        sheet = png.contact(finished, rows, columns, nature=natural)
        png.save(pathlib.Path(out).with_suffix(".png"), sheet, overwrite=True)
        tell(finished, figures, as_json, brief)
    if cost and not as_json:
        print(cost.told())
    return result


def _watcher(
    stack: contextlib.ExitStack,
    networks: Networks,
    bands: Bands,
    settings: Settings,
    tensorboard: StrPath | None,
) -> Callable[[Batch], object]:
    """One function for all that is shown of a batch, on the terminal and in TensorBoard."""
    progress = stack.enter_context(Progress(settings.n))
    if not tensorboard:
        return lambda batch: progress.show(batch.info)
    from tf_inverse.report import tensorboard as board

    made = stack.enter_context(board.Board(tensorboard))
    targets = [record.described(one, networks) for one in bands]

    def watch(batch: Batch) -> None:
        progress.show(batch.info)
        board.live(made, batch.info, batch.samples.activations, targets)

    return watch


def _unfinished(
    out: StrPath, found: int, asked: int, trouble: BaseException, as_json: bool
) -> None:
    """Tells of a run without a finished archive."""
    if as_json:
        steps = getattr(trouble, "steps", None)
        print(json.dumps(figure_table.unfinished(found, asked, steps)))
    if isinstance(trouble, KeyboardInterrupt):
        how = f"; tf-inverse resume {out} goes on" if found else ""
        say(f"stopped with {found} samples{how}")


def tell(
    finished: archive.Archive, figures: dict[str, Any], as_json: bool, brief: bool = False
) -> None:
    """Prints the outcome: one JSON object, or in words what was found, and then all figures."""
    if as_json:
        print(json.dumps(figures))
        return
    found = f"{len(finished)} of {finished.asked} images found"
    print(f"{found} with {png.heading(finished)} in {finished.network}")
    for line in (*text.variety(text.numbers(figures)), *standing.lines(finished)):
        print(f"{line[0].upper()}{line[1:]}")
    print(f"Look at {pathlib.Path(figures['archive']).with_suffix('.png')}\n")
    if brief:
        return
    for target, z in zip(finished.targets, finished.activations[:].T, strict=True):
        if len(finished.targets) > 1:
            print(text.neuron(target))
        print(text.histogram(z, target["z1"], target["z2"]))
    print(figure_table.table({figures["archive"]: figures}))


def compared(paths: Iterable[pathlib.Path]) -> None:
    """Prints the figures of several finished runs side by side, under the names of their files."""
    columns = {}
    for path in paths:
        with archive.open(path) as finished:
            columns[path.stem] = finished.summary
    print(figure_table.table(columns))
