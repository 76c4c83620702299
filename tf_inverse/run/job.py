"""A run: networks and targets in, samples out, into an archive or into memory.

Nothing is printed here. Whoever calls hands in functions for what a run has to say; the command
line (`run.printed`) prints, a program (`run.draw`) warns.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NoReturn

from tf_inverse import archive
from tf_inverse.band import Band, Bands
from tf_inverse.errors import Unreachable, UsageError
from tf_inverse.method.checkpoint import count
from tf_inverse.run import figures, origin, record
from tf_inverse.run.memory import Memory
from tf_inverse.run.result import Result
from tf_inverse.tensors import StrPath

if TYPE_CHECKING:
    from tf_inverse.archive import Samples
    from tf_inverse.method.normalization import Scale
    from tf_inverse.method.sampler import Batch
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks.networks import Networks

Keeper = Memory | archive.Writer
STORES = ("images", "codes")
STOPPED = "stopped before all samples were found"


def expect_free(out: StrPath, store: str, overwrite: bool) -> pathlib.Path:
    """The path of an archive that can be written; asked before networks are loaded.

    Raises:
        UsageError: A name that does not end in .h5, or of a folder; or an unknown store.
        FileExistsError: A finished archive is there, and overwrite is False.
        FileNotFoundError: There is no such folder.
    """
    out = pathlib.Path(out)
    if out.suffix != ".h5":
        raise UsageError(f"expected an archive's name to end in .h5, got {out}")
    if out.is_dir():
        raise UsageError(f"expected the name of an archive, {out} is a folder: give another name")
    if out.exists() and not overwrite:
        raise FileExistsError(f"{out} exists; give --overwrite to replace it, or another name")
    if store not in STORES:
        raise UsageError(f"expected --store=images or --store=codes, got {store!r}")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"{out.parent} is not a folder; make it first")
    return out


def run(
    networks: Networks,
    bands: Iterable[Band],
    settings: Settings,
    out: StrPath | None = None,
    *,
    store: str = "images",
    overwrite: bool = False,
    resume: bool = False,
    say: Callable[[str], object] = lambda text: None,
    watch: Callable[[Batch], object] = lambda batch: None,
    stop: Callable[[], bool] = lambda: False,
    timed: Callable[[Iterator, int], Iterable] | None = None,
    volume: Callable[[Networks, Bands, int, Scale], dict] | None = None,
) -> Result:
    """Samples until n are found; what was found is never lost.

    Args:
        networks: The pair to sample.
        bands: Neurons with their ranges; several mean their intersection.
        settings: What is asked for.
        out: Path of the archive to write, ending in .h5, or None to keep all samples in memory.
        store: "images" or "codes", of an archive.
        overwrite: Replace an archive or an unfinished run that is there.
        resume: Go on with a run that is there.
        say: Called with each note in one line: a precision that was changed, a run that goes on.
        watch: Called with each batch, after it was kept.
        stop: Asked after each batch whether to end early.
        timed: Hands on the batches it is given, as `Profile.timed` does.
        volume: Measures how probable the bands are, as `volume.measured` does; or None.

    Returns:
        The result. Where fewer were found than asked for, `trouble` says why: `Stalled` for a
        search that ended, with a finished archive; KeyboardInterrupt for Ctrl-C and for `stop`,
        with an unfinished one that `tf-inverse resume` goes on with.

    Raises:
        Unreachable: No sample was found; nothing is left on disk.
        KeyboardInterrupt: Stopped before a sample was found.
        FileExistsError: `out` is there, and neither overwrite nor resume fits.
        StorageError: The disk is full or read-only; what was found before stays in the run.
    """
    from tf_inverse.compute.precision import resolve
    from tf_inverse.method.fidelity import settled
    from tf_inverse.method.normalization import measure
    from tf_inverse.networks import starts

    bands, began = Bands(bands), time.monotonic()
    settings = starts.settled(networks, settings.sized(networks.codes.size))
    # Before half precision makes room for itself: a generator's kernels may rest from then on.
    scale = measure(networks, bands.neurons)
    why = None
    if store == "codes" and resolve(settings.precision) != "float32":
        # A half precision draws other pixels of a code than float32, which draws them again.
        settings = dataclasses.replace(settings, precision="float32")
        why = "searching in float32: an archive of codes is of the images that float32 draws"
    settings, narrow = settled(networks, bands, settings)
    if why := why or narrow:
        say(why)
    if lacking := starts.lacking(networks, settings):
        say(lacking)
    nature = figures.natural(networks, bands)
    writer = None
    if out is not None:
        head = record.header(networks, bands, settings, store, volume is not None)
        head |= origin.told(networks.folder, out)
        writer = archive.Writer(
            out,
            head,
            natural=nature,
            directions=record.directions(bands),
            overwrite=overwrite,
            resume=resume,
        )
    keeper: Keeper = Memory() if writer is None else writer
    with keeper:
        if keeper.found:
            say(f"{out}: going on from {keeper.found} samples that are there")
        steps, trouble = _collect(
            networks, bands, settings, scale, keeper, watch=watch, stop=stop, timed=timed
        )
        if not keeper.found:
            _drop(keeper, trouble)
        size = {}
        if volume and not isinstance(trouble, KeyboardInterrupt):
            try:
                size = volume(networks, bands, settings.seed, scale)
            except KeyboardInterrupt as stopped:
                trouble = stopped
        if writer is not None and isinstance(trouble, KeyboardInterrupt):
            found = {"found": writer.found, "asked": settings.n}
            return Result(bands, networks, settings, found, trouble, writer.path)
        with _opened(keeper) as samples:
            told = (
                figures.summary(samples, bands, settings, scale, nature)
                | figures.of_chains(settings, keeper.state)
                | {"steps": steps}
                | size
            )
        if writer is not None:
            writer.finish(told)
    told |= {"seconds": time.monotonic() - began}
    kept = samples if isinstance(samples, archive.Samples) else None
    path = None if writer is None else writer.path
    return Result(bands, networks, settings, told, trouble, path, kept)


def _collect(
    networks: Networks,
    bands: Bands,
    settings: Settings,
    scale: Scale,
    keeper: Keeper,
    *,
    watch: Callable[[Batch], object],
    stop: Callable[[], bool],
    timed: Callable[[Iterator, int], Iterable] | None,
) -> tuple[int, Unreachable | KeyboardInterrupt | None]:
    """Gradient steps taken, and what ended the search before all were found."""
    from tf_inverse.method import sampler

    steps = count(keeper.state, "steps") if keeper.state is not None else 0
    if stop():
        return steps, KeyboardInterrupt(STOPPED)
    batches = sampler.sample(networks, bands, settings, keeper.state, scale)
    try:
        for batch in timed(batches, steps) if timed else batches:
            # A batch without samples needs no shard: the run can go on from the one before.
            if len(batch.samples.images) or keeper.state is None:
                keeper.append(batch.samples, batch.state)
            steps = batch.info.steps
            watch(batch)
            if stop() and keeper.found < settings.n:
                return steps, KeyboardInterrupt(STOPPED)
    except Unreachable as error:
        return error.steps, error
    except KeyboardInterrupt:
        return steps, KeyboardInterrupt(STOPPED)
    return steps, None


def _drop(keeper: Keeper, trouble: BaseException | None) -> NoReturn:
    if isinstance(trouble, Unreachable) and isinstance(keeper, archive.Writer):
        keeper.discard()
    assert trouble is not None, "a search that ends without a sample tells why"
    raise trouble


def _opened(keeper: Keeper) -> contextlib.AbstractContextManager[Samples | archive.Archive]:
    if isinstance(keeper, Memory):
        return contextlib.nullcontext(keeper.samples())
    return archive.open(keeper.folder)
