"""tf-inverse atlas: a sample of every neuron of some layers, in one folder."""

from __future__ import annotations

from tf_inverse.tools import settings_flags

from tf_inverse.errors import UsageError


@settings_flags.taken(
    "n",
    "K",
    "seed",
    "samples_per_seed",
    "diversity",
    "patience",
    "precision",
    n=50,
    K="auto",
    precision="auto",
    kinds={"K": int | str},
    texts={
        "n": "Samples of each target.",
        "K": "Codes at a time, of all the targets of a group together; auto for as many as pay.",
    },
)
def atlas(
    what: str = "run",
    out: str = "atlas",
    network: str = "cifar10",
    layers: str | None = None,
    *,
    at: str = "centre",
    ladder: bool = False,
    targets_file: str | None = None,
    store: str = "images",
    shard: str | None = None,
    workers: int | None = None,
    address: str | None = None,
    device: str = "auto",
    trust: bool = False,
    overwrite: bool = False,
    json: bool = False,
    **settings,
) -> int:
    """Samples every neuron of some layers into a folder of archives; `atlas status` tells of it.

    Each neuron is sampled between the 99th and the 99.8th percentile of natural images. Killed at
    any time, the same command goes on, and the archives are the same, bit for bit. The code is 3
    where a neuron that is not dead did not get its samples; the folder's atlas.json tells why.

    Examples:
        tf-inverse atlas --layers=fc8,fc6 --out=atlas
        tf-inverse atlas status atlas

    Args:
        what: run, or status for how an atlas stands.
        out: Folder of the atlas: an archive a neuron below it, and atlas.json with all of them.
        network: A name, as cifar10 or caffenet, a folder with network.json, or hf://user/repo.
        layers: Layers whose units are sampled, as fc8,conv5.
        **settings: Fields of `Settings`, as `settings_flags.taken` fills them in.
        at: Where in a map a unit is sampled: centre, or mean or max over the map.
        ladder: Take two lower ranges of each unit, too: p90 to p99 and p50 to p90.
        targets_file: File of targets, one a line, LAYER:UNIT or LAYER:UNIT@Z1:Z2, in place of
            layers.
        store: images, or codes (with thumbnails; a tenth of the size).
        shard: Sample one share of the groups, as 2/8 for the second of eight; for batch systems.
        workers: Processes of Ray, one a GPU where there are any; needs the extra [atlas].
        address: Ray cluster whose workers sample, as auto or HOST:PORT; needs the extra [atlas].
        device: auto, cpu, gpu, or gpu:1 and the like; auto is the first GPU where there is one.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
        overwrite: Start again where an atlas is there.
        json: Print one JSON object in place of the table.
    """
    if what not in ("run", "status"):
        raise UsageError(f"expected atlas or atlas status, got atlas {what}")
    from tf_inverse.atlas import command

    if what == "status":
        return command.tell(out, json)
    return command.sample(
        out,
        network,
        layers,
        settings,
        at=at,
        ladder=ladder,
        targets_file=targets_file,
        store=store,
        shard=shard,
        workers=workers,
        address=address,
        device=device,
        trust=trust,
        overwrite=overwrite,
        as_json=json,
    )
