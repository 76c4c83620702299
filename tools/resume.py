"""tf-inverse resume: go on with a run."""


def resume(
    archive: str,
    n: int | None = None,
    network: str | None = None,
    json: bool = False,
    device: str = "auto",
    trust: bool = False,
) -> int:
    """Goes on with a run that was interrupted, or with a finished sample to more images.

    Examples:
        tf-inverse resume samples.h5
        tf-inverse resume samples.h5 --n=1000

    Args:
        archive: Archive, OUT.h5, finished or not.
        n: Images in all; as many as were asked for by default. Not of a plane.
        network: The network it was drawn with, a shipped name or a folder; its own by default.
        json: Print one JSON object instead of a table.
        device: auto, cpu, gpu, or gpu:1 and the like, as of sample.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
    """
    from tf_inverse.run import command

    return command.resume(archive, n=n, network=network, device=device, trust=trust, as_json=json)
