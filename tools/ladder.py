"""tf-inverse ladder: adjacent ranges of one neuron, or neurons and their intersection, in rows."""

import sys


def ladder(
    out: str = "ladder",
    network: str = "cifar10",
    targets: str | None = None,
    ranges: int = 6,
    n: int = 30,
    K: int = 10,
    seed: int = 0,
    volume: bool = False,
    trust: bool = False,
    overwrite: bool = False,
) -> int:
    """Samples several ranges of a neuron, from natural to extreme, and sets them in rows.

    With several targets: each alone, then their intersection.

    Examples:
        tf-inverse ladder --targets=fc8:ship --ranges=4 --n=20
        tf-inverse ladder both --targets="fc8:ship@p90:p99, fc8:truck@p90:p99"

    Args:
        out: Folder for the archives, ladder.png and ladder.html.
        network: A name, as cifar10 or caffenet, a folder with network.json, or hf://user/repo.
        targets: LAYER:UNIT for ranges, or several LAYER:UNIT@Z1:Z2; the network's default neuron
            where left out.
        ranges: Ranges of a single target.
        n: Images of each range.
        K: Codes at a time.
        seed: Of all random numbers.
        volume: Tell how probable each range is, too: about one in how many images.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
        overwrite: Replace an earlier ladder in the folder.
    """
    from tf_inverse.caffe import published
    from tf_inverse.method.settings import Settings
    from tf_inverse.run.ranges import climb, rungs

    settings = Settings(n=n, K=K, seed=seed)
    networks = published.load(network, trust)
    steps = rungs(networks, targets or networks.default or "", ranges)
    code, troubles = climb(out, networks, steps, settings, overwrite, volume)
    for line in troubles:
        print(line, file=sys.stderr)
    print(f"{out}/ladder.png, {out}/ladder.html")
    return code
