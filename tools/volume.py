"""tf-inverse volume: how large an inverse set is."""


def volume(
    targets: str | None = None,
    network: str = "cifar10",
    particles: int = 1000,
    seed: int = 0,
    device: str = "auto",
    trust: bool = False,
    json: bool = False,
) -> int:
    """Tells how probable a range is: about one in how many images that the generator draws.

    The codes come from the network's own distribution of codes; how it is estimated: docs/law.md.

    Examples:
        tf-inverse volume --targets="fc8:ship@p99:p99.8"
        tf-inverse volume --targets="fc8:ship@12:14, fc8:truck@5:8" --particles=4000

    Args:
        targets: LAYER:UNIT@Z1:Z2, several of them separated by commas for their intersection; left
            out, the first label at its high natural range.
        network: A network by name, as cifar10 or caffenet, or a folder with network.json.
        particles: Codes that are split; four times as many halve the interval.
        seed: Of all random numbers.
        device: auto, cpu, gpu, or gpu:1 and the like; auto is the first GPU where there is one.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
        json: Print one JSON object instead, with the curve of how probable each activation is.
    """
    from tf_inverse.run import volume as run

    return run.command(
        network,
        targets,
        particles=particles,
        seed=seed,
        device=device,
        trust=trust,
        as_json=json,
    )
