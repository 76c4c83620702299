"""tf-inverse sample: the main job."""

from __future__ import annotations

from tf_inverse.tools import settings_flags


@settings_flags.taken(kinds={"K": int | str}, K="auto", precision="auto")
def sample(
    out: str = "samples.h5",
    network: str = "cifar10",
    targets: str | None = None,
    *,
    store: str = "images",
    volume: bool = False,
    device: str = "auto",
    xla: bool | None = None,
    tensorboard: str | None = None,
    profile: str | None = None,
    nature: str | None = None,
    store_nature: bool = False,
    trust: bool = False,
    overwrite: bool = False,
    json: bool = False,
    **settings,
) -> int:
    """Draws images that excite a neuron to a chosen range, into an archive and a contact sheet.

    Examples:
        tf-inverse sample truck.h5 --targets="fc8:truck@p99:p99.8" --n=100
        tf-inverse sample both.h5 --targets="fc8:ship@p90:p99, fc8:airplane@p90:p99" --n=50

    Args:
        out: Archive to write; the contact sheet stands beside it as a PNG.
        network: A name, as cifar10 or caffenet, a folder with network.json, or hf://user/repo.
        targets: LAYER:UNIT@Z1:Z2, several of them separated by commas for their intersection; left
            out, the first label at its high natural range.
        **settings: Fields of `Settings`, as `settings_flags.taken` fills them in.
        store: images, or codes (with thumbnails; a tenth of the size).
        volume: Tell how probable the range is, too: about one in how many images.
        device: auto, cpu, gpu, or gpu:1 and the like; auto is the first GPU where there is one.
        xla: Compile the loop with XLA; left out, on a GPU only.
        tensorboard: Folder for live curves of the run; needs the extra [tensorboard].
        profile: Folder for a trace of some steps, for TensorBoard; the end tells of peak memory,
            of tracing and compiling, and of a step.
        nature: Folder or file of natural images, of which those in the range are shown beside the
            samples; or remembered, for those that an adopted network's statistics were made of.
        store_nature: Keep those images in a file beside the archive, so that reports show them.
            Mind whose images they are before you pass that file on.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
        overwrite: Replace an archive that exists.
        json: Print one JSON object instead of a table.
    """
    from tf_inverse.run import command

    return command.sample(
        out,
        network,
        targets,
        settings,
        store=store,
        volume=volume,
        how={"name": device, "xla": xla},
        tensorboard=tensorboard,
        profile=profile,
        nature=nature,
        store_nature=store_nature,
        trust=trust,
        overwrite=overwrite,
        as_json=json,
    )
