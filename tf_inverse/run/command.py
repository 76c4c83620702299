"""What the commands sample, resume and ladder do; `printed` shows their runs."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tf_inverse import band
from tf_inverse.caffe import published
from tf_inverse.compute import capacity, device, precision
from tf_inverse.errors import Unreachable, UsageError
from tf_inverse.grammar import say
from tf_inverse.method.settings import Settings
from tf_inverse.networks import storage
from tf_inverse.report import png
from tf_inverse.run import job, natures, plane_command, printed, ranges, signals
from tf_inverse.run import resume as resuming
from tf_inverse.run.printed import run, told
from tf_inverse.tensors import StrPath

if TYPE_CHECKING:
    from tf_inverse.band import Bands
    from tf_inverse.networks.networks import Networks


def sample(
    out: StrPath,
    network: StrPath,
    targets: str | None,
    options: dict[str, Any],
    *,
    store: str,
    how: dict[str, Any],
    overwrite: bool,
    as_json: bool,
    trust: bool = False,
    **more: Any,
) -> int:
    """`tf-inverse sample`: see tools/run.py for the arguments; returns the exit code.

    Args:
        out: Path of the archive.
        network: A shipped name or a folder.
        targets: As `band.parse` reads them, or None.
        options: Fields of `settings.Settings`; K may be "auto".
        store: As of `job.run`.
        how: Arguments of `device.choose`.
        overwrite: As of `job.run`.
        as_json: As of `run`.
        trust: As of `storage.load`.
        **more: tensorboard, profile, nature and volume, as of `told`.
    """
    out = job.expect_free(out, store, overwrite)
    if not overwrite:
        png.expect_ours(out.with_suffix(".png"))
    natures.expect_source(more.get("nature"), more.get("store_nature", False))
    entries = storage.manifest(published.find(network))
    # No targets are a question of their own: an empty one may be a shell's unset variable.
    targets = entries.get("default") if targets is None else targets
    if targets is None:
        raise UsageError(f"expected --targets={band.FORM}: network {network} names no default")
    if store == "codes" and options["precision"] == "auto":
        options = options | {"precision": "float32"}  # as `job.run` has it
    automatic = options["K"] == "auto"
    settings, where = placed(options | {"K": capacity.LEAST if automatic else options["K"]}, **how)
    networks = published.load(network, trust)
    bands = band.parse(targets, networks)
    if options["precision"] == "auto":
        say(f"searching in {settings.precision} on {where}")
    if automatic:
        settings = crowded(networks, bands, settings)
        if settings.K != capacity.LEAST:
            say(f"{settings.K} codes at a time")
    # An unfinished run of the same settings goes on; Writer refuses one of other settings.
    more |= {"overwrite": overwrite, "resume": not overwrite}
    return run(out, networks, bands, settings, store=store, as_json=as_json, **more)


def crowded(networks: Networks, bands: Bands, settings: Settings) -> Settings:
    """The settings with the K that `--K=auto` stands for.

    Renewal takes as many codes at a time as pay. The paper's method wants all K in range at once,
    and Langevin's rows are chains: these keep their K.
    """
    if settings.method != "renewal":
        return settings
    K = capacity.suggest(networks, bands.layers, settings.n, device.memory())
    return dataclasses.replace(settings, K=K)


def resume(path: StrPath, *, as_json: bool = False, **found: Any) -> int:
    """`tf-inverse resume`: goes on with a run or a plane; returns the exit code, as of `run`.

    Args:
        path: The archive, OUT.h5, finished or not; or its run's folder.
        as_json: As of `run`.
        **found: n, network, device and trust, as of `resume.plan`.
    """
    plan = resuming.plan(path, **found)
    say(f"going on as it began: {plan.command}")
    if plan.plane:
        return plane_command.filled(
            plan.networks, plan.plane, plan.settings, plan.out, as_json=as_json
        )
    return run(
        plan.out,
        plan.networks,
        plan.bands,
        plan.settings,
        store=plan.store,
        volume=plan.volume,
        resume=True,
        as_json=as_json,
    )


def climb(
    out: StrPath,
    networks: Networks,
    steps: Iterable[Bands],
    settings: Settings,
    overwrite: bool,
    nature: str | None = None,
    volume: bool = False,
) -> int:
    """`tf-inverse ladder`: samples its rungs; returns the exit code, 3 where one lacks samples."""
    with signals.deferred(say) as stop:
        try:
            one = functools.partial(told, stop=stop, volume=volume, brief=True)
            found = ranges.climb(out, networks, steps, settings, overwrite, one, nature)
        except KeyboardInterrupt:
            return stop.exit_code
    for line in found.troubles:
        say(line)
    if found.archives:
        printed.compared(found.archives)
        print(f"{out}/ladder.png, {out}/ladder.html")
    return Unreachable.exit_code if found.troubles else 0


def placed(options: dict[str, Any], **how: Any) -> tuple[Settings, str]:
    """The settings, once the device is chosen and the precision; and what the device is called.

    Args:
        options: Fields of `settings.Settings`.
        **how: Arguments of `device.choose`.
    """
    Settings(**options | {"precision": "auto"})  # refuses before TensorFlow takes time to start
    where = device.choose(**how)
    wanted = precision.resolve(options["precision"])
    if options["precision"] == "auto" and options["method"] == "langevin":
        wanted = "float32"
    return Settings(**options | {"precision": wanted}), where
