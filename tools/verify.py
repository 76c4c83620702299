"""tf-inverse verify: an archive against its network."""


def verify(
    archive: str,
    network: str | None = None,
    untrusted: bool = False,
    trust: bool = False,
    json: bool = False,
) -> int:
    """Scores every stored image again and compares it with what the archive says.

    Examples:
        tf-inverse verify samples.h5
        tf-inverse verify samples.h5 --untrusted --json

    Args:
        archive: Archive, OUT.h5, or the folder of a run in progress.
        network: Network to score with, a shipped name or a folder; the archive's own by default.
        untrusted: Read the archive in a process of its own with bounded memory and time.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
        json: Print one JSON object instead of lines.
    """
    from json import dumps
    from math import inf

    from tf_inverse import archive as archives

    opened = archives.open(archive, untrusted=untrusted)

    from tf_inverse.networks import storage
    from tf_inverse.run import origin
    from tf_inverse.run import verify as verifying

    networks = storage.load(origin.find(opened, network), trust)
    opened = opened.rendered(lambda codes: verifying.render(networks, codes))
    found = verifying.verify(opened, networks)
    if json:
        # JSON knows no NaN and no infinity, which a network may give of an image.
        told = {k: None if v in (inf, -inf) or v != v else v for k, v in found._asdict().items()}
        print(dumps(told))
        return 4 if found.problems else 0
    print(f"samples              {found.samples} of {found.asked} asked for")
    print(f"in range             {100 * found.in_range:.6g} %")
    print(f"largest deviation    {found.deviation:.3g} of an activation")
    print(f"                     {found.encoding_deviation:.3g} of an encoding")
    print(f"duplicates           {found.duplicates}")
    for line in found.problems:
        print(f"WRONG                {line}")
    print("all holds" if not found.problems else "not what it says")
    return 4 if found.problems else 0
