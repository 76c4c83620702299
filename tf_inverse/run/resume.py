"""Going on with a run, from what its archive says of it."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Any, NamedTuple

from tf_inverse import archive as archives
from tf_inverse.archive import run_folder
from tf_inverse.archive.atlas_index import GROUP
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.method.settings import Settings
from tf_inverse.report import cells, page_data
from tf_inverse.run import origin, plane
from tf_inverse.tensors import StrPath
from tf_inverse.version import BEFORE

if TYPE_CHECKING:
    from tf_inverse.band import Bands
    from tf_inverse.networks.networks import Networks


class Plan(NamedTuple):
    """The run of an archive, to be gone on with by `job.run(..., resume=True)` or `plane.fill`.

    Attributes:
        networks: The pair.
        bands: The targets.
        settings: As the archive has them.
        out: Path of the archive.
        store: As of `job.run`.
        volume: Whether the run tells how probable its targets are.
        command: The command line of the run.
        plane: The cells, of a plane; else None.
    """

    networks: Networks
    bands: Bands
    settings: Settings
    out: pathlib.Path
    store: str
    volume: bool
    command: str
    plane: plane.Plan | None = None


def plan(
    path: StrPath,
    n: int | None = None,
    network: str | None = None,
    device: str = "auto",
    trust: bool = False,
) -> Plan:
    """All that it takes to go on with an unfinished run, or with a finished one to more samples.

    The result equals that of a run which was never interrupted, bit for bit on the same machine.

    Args:
        path: The archive, OUT.h5, finished or not; or its run's folder.
        n: Samples in all; as many as were asked for by default. A plane has no other number.
        network: A shipped name or a folder; found as `origin.find` does by default.
        device: As of `device.choose`; another than before changes the last bits.
        trust: As of `storage.load`.

    Raises:
        FileExistsError: It is finished, and no more samples are asked for.
        UsageError: n is smaller than before, or told of a plane; or network, weights or versions
            are others.
        RefusedInput: The archive is damaged.
    """
    path = pathlib.Path(path)
    out = path.with_suffix("") if path.suffix == run_folder.SUFFIX else path
    with archives.open(_latest(out)) as opened:
        if GROUP in opened.settings:
            raise UsageError(
                f"{out} belongs to an atlas, whose neurons were sampled together: tf-inverse atlas "
                "--n makes another one; tf-inverse sample draws more of this neuron"
            )
        _expect_unfinished(opened, out, n)
        settings, store, volume = _settings(opened, n)
        where, command = origin.find(opened, network), page_data.command(opened, out)
        grid = cells.edges(opened) if cells.PLANE in opened.settings else None

    from tf_inverse.compute import device as devices
    from tf_inverse.networks import storage
    from tf_inverse.run import verify

    devices.choose(device)
    networks = storage.load(where, trust)
    bands = verify.bands(opened, networks)
    filled = grid and plane.Plan(bands, grid, *_numbers(opened))
    return Plan(networks, bands, settings, out, store, volume, command, filled)


def _expect_unfinished(opened: archives.Archive, out: pathlib.Path, n: int | None) -> None:
    """Refuses what there is nothing to go on with, or not to that number.

    Raises:
        FileExistsError: It is finished.
        UsageError: The number is too small, or told of a plane.
    """
    if cells.PLANE in opened.settings:
        if n is not None:
            raise UsageError(f"expected no --n, {out} is of a plane, which goes on as it began")
        if not opened.in_progress:
            raise FileExistsError(f"{out} is a finished plane; tf-inverse plane makes another")
    elif n is not None and n < opened.asked:
        raise UsageError(f"expected --n of at least {opened.asked}, got {n}: {out} asked for it")
    elif not opened.in_progress and len(opened) >= (n or opened.asked):
        raise FileExistsError(f"{out} is finished with {len(opened)} samples; ask for more: --n")


def _latest(out: pathlib.Path) -> pathlib.Path:
    """A run's folder where there is one: it may carry on the finished archive beside it."""
    run = run_folder.beside(out)
    return run if (run / run_folder.HEADER).exists() else out


def _settings(opened: archives.Archive, n: int | None) -> tuple[Settings, str, bool]:
    values: dict[str, Any] = BEFORE | opened.settings | {"n": n or opened.asked}
    store, volume = values.pop("store", "images"), values.pop("volume", False)
    if values.pop(cells.PLANE, None):
        # What `plane.fill` puts in place of renewal's.
        values |= {"method": "renewal", "patience": None}
    try:
        return Settings(**values), store, volume
    except TypeError as error:
        raise RefusedInput(f"{opened.path}: settings of another version ({error})") from error


def _numbers(opened: archives.Archive) -> tuple[int, int]:
    """Samples of each cell of a plane, and its patience.

    Raises:
        RefusedInput: The archive does not tell them.
    """
    each, patience = opened.settings[cells.PLANE].get("each"), opened.settings.get("patience")
    if type(each) is not int or type(patience) is not int or min(each, patience) < 1:
        raise RefusedInput(f"{opened.path}: expected samples a cell and patience of the plane")
    return each, patience
