"""Going on with a run, from what its archive says of it."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Any, NamedTuple

from tf_inverse import archive as archives
from tf_inverse.archive import run_folder
from tf_inverse.archive.atlas_index import GROUP
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.method.settings import BEFORE, Settings
from tf_inverse.report.cells import PLANE
from tf_inverse.run import origin
from tf_inverse.tensors import StrPath

if TYPE_CHECKING:
    from tf_inverse.band import Bands
    from tf_inverse.networks.networks import Networks


class Plan(NamedTuple):
    """The run of an archive, to be gone on with by `job.run(..., resume=True)`."""

    networks: Networks
    bands: Bands
    settings: Settings
    out: pathlib.Path
    store: str
    volume: bool


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
        n: Samples in all; as many as were asked for by default.
        network: A shipped name or a folder; found as `origin.find` does by default.
        device: As of `device.choose`; another than before changes the last bits.
        trust: As of `storage.load`.

    Raises:
        FileExistsError: It is finished, and no more samples are asked for.
        UsageError: n is smaller than before, or network, weights or versions are others.
        RefusedInput: The archive is damaged.
    """
    path = pathlib.Path(path)
    out = path.with_suffix("") if path.suffix == run_folder.SUFFIX else path
    with archives.open(_latest(out)) as opened:
        if PLANE in opened.settings:
            raise UsageError(
                f"{out} is of a plane: the command that began it, tf-inverse plane, goes on with it"
            )
        if GROUP in opened.settings:
            raise UsageError(
                f"{out} belongs to an atlas, whose neurons were sampled together: tf-inverse atlas "
                "--n makes another one; tf-inverse sample draws more of this neuron"
            )
        if n is not None and n < opened.asked:
            raise UsageError(
                f"expected --n of at least {opened.asked}, got {n}: {out} asked for it"
            )
        if not opened.in_progress and len(opened) >= (n or opened.asked):
            raise FileExistsError(
                f"{out} is finished with {len(opened)} samples; ask for more: --n"
            )
        settings, store, volume = _settings(opened, n)
        where = origin.find(opened, network)

    from tf_inverse.compute import device as devices
    from tf_inverse.networks import storage
    from tf_inverse.run import verify

    devices.choose(device)
    networks = storage.load(where, trust)
    return Plan(networks, verify.bands(opened, networks), settings, out, store, volume)


def _latest(out: pathlib.Path) -> pathlib.Path:
    """A run's folder where there is one: it may carry on the finished archive beside it."""
    run = run_folder.beside(out)
    return run if (run / run_folder.HEADER).exists() else out


def _settings(opened: archives.Archive, n: int | None) -> tuple[Settings, str, bool]:
    values: dict[str, Any] = BEFORE | opened.settings | {"n": n or opened.asked}
    store, volume = values.pop("store", "images"), values.pop("volume", False)
    try:
        return Settings(**values), store, volume
    except TypeError as error:
        raise RefusedInput(f"{opened.path}: settings of another version ({error})") from error
