"""A job of the command line: networks and targets in, archive, contact sheet and figures out."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import sys
import time

import numpy as np

from tf_inverse import archive, band, metrics
from tf_inverse.caffe import published
from tf_inverse.compute import capacity, device, precision
from tf_inverse.compute.profiling import Profile
from tf_inverse.compute.progress import Progress
from tf_inverse.errors import Unreachable, UsageError
from tf_inverse.method import diagnostics
from tf_inverse.method.checkpoint import count
from tf_inverse.method.settings import Settings
from tf_inverse.networks import storage, yardstick
from tf_inverse.report import png, standing, text
from tf_inverse.run import origin, signals
from tf_inverse.run import volume as volumes
from tf_inverse.version import versions


def sample(
    out, network, targets, options, *, store, how, overwrite, as_json, trust=False, **more
) -> int:
    """`tf-inverse sample`: see tools/run.py for the arguments; returns the exit code.

    Args:
        out: As of `run`.
        network: A shipped name or a folder.
        targets: As `band.parse` reads them, or None.
        options: Fields of `settings.Settings`; K may be "auto".
        store: As of `run`.
        how: Arguments of `device.choose`.
        overwrite: As of `run`.
        as_json: As of `run`.
        trust: As of `storage.load`.
        **more: tensorboard, profile and volume, as of `run`.
    """
    out = pathlib.Path(out)
    if out.suffix != ".h5":
        raise UsageError(f"expected an archive's name to end in .h5, got {out}")
    if out.exists() and not overwrite:
        raise FileExistsError(f"{out} exists; give --overwrite to replace it, or another name")
    if store not in ("images", "codes"):
        raise UsageError(f"expected --store=images or --store=codes, got {store!r}")
    entries = storage.manifest(published.find(network))
    targets = targets or entries.get("default")
    if not targets:
        raise UsageError(f"expected --targets={band.FORM}: network {network} names no default")
    automatic = options["K"] == "auto"
    settings = placed(options | {"K": capacity.LEAST if automatic else options["K"]}, **how)
    networks = published.load(network, trust)
    bands = band.parse(targets, networks)
    if automatic:
        layers = bands.layers
        K = capacity.suggest(networks, layers, settings.n, device.memory())
        settings = dataclasses.replace(settings, K=K)
        print(f"{K} codes at a time", file=sys.stderr)
    # An unfinished run of the same settings goes on; Writer refuses one of other settings.
    more |= {"overwrite": overwrite, "resume": not overwrite}
    return run(out, networks, bands, settings, store=store, as_json=as_json, **more)


def placed(options: dict, **how) -> Settings:
    """The settings, once the device is chosen and the precision; what was left to us is told.

    Args:
        options: Fields of `settings.Settings`.
        **how: Arguments of `device.choose`.
    """
    asked = Settings(**options)  # refuses before TensorFlow takes time to start
    where = device.choose(**how)
    settings = dataclasses.replace(asked, precision=precision.resolve(asked.precision))
    if options["precision"] == "auto":
        print(f"searching in {settings.precision} on {where}", file=sys.stderr)
    return settings


def run(
    out,
    networks,
    bands,
    settings,
    *,
    store="images",
    tensorboard=None,
    profile=None,
    overwrite=False,
    resume=False,
    as_json=False,
    volume=False,
):
    """Sample into an archive and tell the outcome.

    Args:
        out: Path of the archive.
        networks: `networks.Networks`.
        bands: From `band.parse`.
        settings: `settings.Settings`.
        store: "images" or "codes".
        tensorboard: Folder for live curves, or None.
        profile: Folder for a trace of some steps, and the run's cost is told; or None.
        overwrite: Replace what is there.
        resume: Go on with a run that is there.
        as_json: Print one JSON object in place of the table.
        volume: Estimate how probable the bands are under the law of the codes, too.

    Returns:
        Exit code: 0, 3 where fewer were found than asked for, 130 or 143 where it was stopped.
    """
    from tf_inverse.method.fidelity import settled
    from tf_inverse.method.normalization import measure

    bands, began = band.Bands(bands), time.monotonic()
    settings = settings.sized(networks.codes.size)
    settings, why = settled(networks, bands, settings)
    if why:
        print(why, file=sys.stderr)
    scale = measure(networks, bands.neurons)
    head = header(networks, bands, settings, store, volume) | origin.told(networks.folder, out)
    nature = natural(networks, bands)
    trouble = None
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(
            archive.Writer(out, head, overwrite=overwrite, resume=resume, natural=nature)
        )
        if writer.found:
            print(f"{out}: going on from {writer.found} samples that are there", file=sys.stderr)
        stop = stack.enter_context(signals.deferred(lambda text: print(text, file=sys.stderr)))
        watchers = _watchers(stack, settings, head, tensorboard)
        cost = stack.enter_context(Profile(profile)) if profile else None
        try:
            steps = _collect(networks, bands, settings, scale, writer, stop, watchers, cost)
        except Unreachable as error:
            trouble, steps = error, error.steps
        if not writer.found or stop:
            return _unfinished(out, writer, stop, trouble, as_json)
        with archive.open(writer.folder) as partial:
            figures = summary(partial, bands, settings, scale, nature) | {"steps": steps}
        if volume:
            figures |= volumes.measured(networks, bands, settings.seed, scale, stop)
            if stop:
                return _unfinished(out, writer, stop, trouble, as_json)
        writer.finish(figures)
    figures |= {"seconds": time.monotonic() - began, "archive": str(out)}
    if cost:
        figures["profile"] = cost.figures()
    with archive.open(out) as finished:
        # Of a very large sample, the most different images.
        rows, columns = (None, None) if len(finished) <= png.MOST else (40, 50)
        sheet = png.contact(finished, rows, columns)
        png.save(out.with_suffix(".png"), sheet, overwrite=True)
        tell(finished, figures, as_json)
    if cost and not as_json:
        print(cost.told())
    if trouble is not None:
        raise trouble
    return 0


def _watchers(stack, settings, head, tensorboard):
    progress = stack.enter_context(Progress(settings.n))
    watchers = [lambda batch: progress.show(batch.info)]
    if tensorboard:
        from tf_inverse.report import tensorboard as board

        made = stack.enter_context(board.Board(tensorboard))
        watchers.append(
            lambda batch: board.live(made, batch.info, batch.samples.activations, head["targets"])
        )
    return watchers


def _collect(networks, bands, settings, scale, writer, stop, watchers, cost):
    from tf_inverse.method.sampler import sample as draw

    steps = count(writer.state, "steps") if writer.state is not None else 0
    batches = draw(networks, bands, settings, writer.state, scale)
    for batch in cost.timed(batches, steps) if cost else batches:
        # A batch without samples needs no shard: the run can go on from the one before.
        if len(batch.samples.images) or writer.state is None:
            writer.append(batch.samples, batch.state)
        for watch in watchers:
            watch(batch)
        steps = batch.info.steps
        if stop:
            break
    return steps


def _unfinished(out, writer, stop, trouble, as_json):
    if as_json:
        figures = {"found": writer.found, "asked": writer.header["asked"], "archive": None}
        steps = trouble and trouble.steps
        print(json.dumps(dict.fromkeys(text.FIGURES) | figures | {"steps": steps}))
    if trouble is not None:
        if not writer.found:
            writer.discard()
        raise trouble
    how = f"; tf-inverse resume {out} goes on" if writer.found else ""
    print(f"stopped with {writer.found} samples{how}", file=sys.stderr)
    return stop.exit_code


def header(networks, bands, settings, store="images", volume=False) -> dict:
    """What an archive says of its run: everything that its samples and its summary depend on."""
    how = {"store": store} | ({"volume": True} if volume else {})
    nature = networks.natural and networks.natural.told(bands)
    return {
        "name": f"{' & '.join(map(str, bands))} of {networks.name}",
        "targets": [described(b, networks) for b in bands],
        "settings": settings.asdict() | how,
        "versions": versions(),
        "checksums": networks.checksums,
        "network": networks.name,
        "seed": settings.seed,
        "asked": settings.n,
        "yardstick": yardstick.of(networks)._asdict(),
        **({"nature": nature} if nature else {}),
    }


def described(target: band.Band, networks) -> dict:
    """A band as an archive's `targets` tells it."""
    layer, unit, at = target.neuron
    labels = networks.names(layer)
    return {
        "text": str(target),
        "layer": layer,
        "unit": unit,
        "at": list(at) if isinstance(at, tuple) else at,
        "label": labels[unit] if labels else None,
        "z1": target.z1,
        "z2": target.z2,
    }


def natural(networks, bands) -> dict | None:
    """Natural images beside the samples: activations, those in the bands, mean and deviation."""
    stored = networks.natural
    within = stored and stored.within(bands)
    if within is None:
        return None
    units = [stored.unit(neuron) for neuron in bands.neurons]
    # The bank is drawn at random; what follows it was chosen for its activations.
    columns = [stored.activations[n.layer][: stored.typical, n.unit] for n in bands.neurons]
    return {
        "activations": np.stack(columns, axis=1).astype(np.float32),
        "encodings": stored.encodings[within].astype(np.float32),
        "mean": np.array([u.mean for u in units], np.float32),
        "sd": np.array([u.sd for u in units], np.float32),
    }


def summary(samples, bands, settings, scale, nature) -> dict:
    """The figures of `metrics.summary` for what an archive holds, and what chains are worth."""
    figures = metrics.ways(samples.from_start, samples.from_bank) | metrics.summary(
        samples.encodings[:],
        samples.activations[:],
        bands.z1,
        bands.z2,
        asked=settings.n,
        bandwidth=scale.bandwidth,
        natural_encodings=nature and nature["encodings"],
    )
    if settings.method != "langevin":
        return figures
    columns = samples.activations[:], samples.encodings[:], samples.chain[:]
    return figures | diagnostics.of_sample(*columns)


def tell(finished, figures: dict, as_json: bool) -> None:
    """Print the outcome: one JSON object, or a table with a histogram of activations."""
    if as_json:
        print(json.dumps(figures))
        return
    print(f"{png.heading(finished)} in {finished.network}")
    for target, z in zip(finished.targets, finished.activations[:].T, strict=True):
        print(text.histogram(z, target["z1"], target["z2"]))
    print(text.table({figures["archive"]: figures}))
    print("\n".join(standing.lines(finished)))
