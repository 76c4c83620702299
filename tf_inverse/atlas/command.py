"""What `tf-inverse atlas` does and prints; no other module prints of an atlas."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from tf_inverse import grammar
from tf_inverse.archive import StorageError
from tf_inverse.atlas import driver, index, plan, request, status
from tf_inverse.caffe import published
from tf_inverse.compute import device as devices
from tf_inverse.compute.progress import Counted
from tf_inverse.errors import Unreachable, UsageError
from tf_inverse.grammar import say
from tf_inverse.method.settings import Settings
from tf_inverse.networks import starts, storage
from tf_inverse.report import site
from tf_inverse.run import signals
from tf_inverse.run.job import STORES

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks


def sample(
    out: str,
    network: str,
    layers: str | None,
    options: dict,
    *,
    at: str,
    ladder: bool,
    targets_file: str | None,
    store: str,
    shard: str | None,
    workers: int | None,
    address: str | None,
    device: str,
    trust: bool,
    overwrite: bool,
    as_json: bool,
) -> int:
    """`tf-inverse atlas`: see tools/atlas.py for the arguments; returns the exit code.

    Args:
        out: Folder of the atlas.
        network: A name or a folder.
        layers: Names with commas, or None.
        options: Fields of `Settings`.
        at: As of `targets.of_layers`.
        ladder: Likewise.
        targets_file: As of `targets.of_file`, or None.
        store: "images" or "codes".
        shard: As of `plan.shard`.
        workers: Ray's workers, or None for this process alone.
        address: Of a Ray cluster, or None.
        device: As of `device.choose`.
        trust: As of `storage.load`.
        overwrite: Start again where an atlas is there.
        as_json: Print one JSON object.
    """
    _expect_sound(layers, targets_file, store, workers)
    automatic = {"K": 1} if options["K"] == "auto" else {}
    # Refuses before TensorFlow takes time to start.
    Settings(**options | {"precision": "auto"} | automatic)
    plan.shard(shard, 0)
    folder = pathlib.Path(out)
    asked = {
        "checksums": storage.checksums(storage.manifest(published.find(network))),
        "layers": list(grammar.names(layers)),
        "targets": targets_file and request.digest(targets_file),
        "at": at,
        "ladder": ladder,
        "store": store,
        "settings": options,
        "group": plan.SIZE,
    }
    there = request.prepared(folder, asked, overwrite)
    loaded: list[Networks] = []

    def networks() -> Networks:
        if not loaded:
            devices.choose(device)
            loaded.append(published.load(network, trust))
        return loaded[0]

    if there is None:
        there = plan.settle(folder, request.made(networks(), asked, options, targets_file))
        if lacking := starts.lacking(networks(), there.settings):
            say(lacking)
    records = index.Records(folder, there)
    groups = plan.shard(shard, len(records.groups))
    progress = driver.Progress(folder, records, groups)
    many = workers is not None or address is not None
    if progress.waiting and not many:
        networks()

    def run(stop: signals.Stop) -> None:
        if not progress.waiting:
            return
        if not many:
            driver.alone(networks(), progress, stop.__bool__)
            return
        from tf_inverse.atlas import workers as ray

        place = published.find(network).resolve()
        how = {"network": str(place), "device": device, "trust": trust}
        ray.together(how, progress, workers, address, stop.__bool__, say)

    return _run(run, progress, as_json)


def _run(run: Callable[[signals.Stop], None], progress: driver.Progress, as_json: bool) -> int:
    """Has all groups sampled and tells the outcome; the exit code."""
    folder, records = progress.folder, progress.records
    with signals.deferred(say) as stop:
        try:
            index.write(folder, records)
            with Counted("targets", progress.count) as shown:
                progress.show = shown.show
                run(stop)
            return _tell(progress, as_json)
        except KeyboardInterrupt:
            index.write(folder, records, progress.failed)
            say(f"stopped; the same command goes on with {folder}")
            return stop.exit_code or 130
        except OSError as error:
            raise _full(folder, error) from error


def _full(folder: pathlib.Path, error: OSError) -> StorageError:
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return StorageError(
        f"cannot write below {folder}: {cause.strerror or cause}; the groups that are done are "
        "safe. Put that right, and the same command goes on"
    )


def _expect_sound(
    layers: str | None, targets_file: str | None, store: str, workers: int | None
) -> None:
    if (layers is None) == (targets_file is None):
        raise UsageError("expected either --layers=NAME,NAME or --targets-file=FILE")
    if store not in STORES:
        raise UsageError(f"expected --store=images or --store=codes, got {store!r}")
    if workers is not None and workers < 1:
        raise UsageError(f"expected --workers of at least 1, got {workers}")


def _tell(progress: driver.Progress, as_json: bool) -> int:
    """Prints how an atlas ended, and makes its site where no target waits; the exit code."""
    folder, records = progress.folder, progress.records
    found = index.write(folder, records, progress.failed)
    told = status.figures(folder, found, records)
    page = _site(folder) if told["samples"] and not told["waiting"] else None
    _print(folder, found, told | {"site": page and str(page)}, as_json)
    if page and not as_json:
        print(page)
    if progress.elsewhere:
        say(f"{len(progress.elsewhere)} groups are being sampled by other processes")
    own = {number for group in progress.groups for number in records.groups[group]}
    own |= {i for i, target in enumerate(records.plan.targets) if target.reason is not None}
    # That a unit is dead is a fact about the network, which no other run would change.
    ended = ("done", "dead")
    short = any(unit["state"] not in ended for i, unit in enumerate(found["units"]) if i in own)
    nothing = not told["samples"] and not told["waiting"]
    return Unreachable.exit_code if short or nothing or progress.failed else 0


def _site(folder: pathlib.Path) -> pathlib.Path:
    with Counted("pages") as shown:
        written = site.write(folder, progress=shown.show)
    for line in written.left_out:
        say(f"left out: {line}")
    return written.index


def _print(folder: pathlib.Path, found: dict, told: dict, as_json: bool) -> None:
    if as_json:
        print(json.dumps(told | {"atlas": str(folder)}))
    else:
        print("\n".join(status.lines(found, told)))


def tell(out: str, as_json: bool) -> int:
    """`tf-inverse atlas status`: how an atlas stands; returns the exit code.

    Args:
        out: Folder of the atlas.
        as_json: Print one JSON object.

    Raises:
        UsageError: There is no atlas.
    """
    folder = pathlib.Path(out)
    there = plan.read(folder)
    if there is None:
        raise UsageError(f"expected the folder of an atlas, {folder} has no {plan.NAME}")
    records = index.Records(folder, there)
    found = index.build(folder, records, {})
    _print(folder, found, status.figures(folder, found, records), as_json)
    return 0
