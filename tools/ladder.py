"""tf-inverse ladder: adjacent ranges of one neuron, or neurons and their intersection, in rows."""

from __future__ import annotations

from tf_inverse.tools import settings_flags


@settings_flags.taken("n", "K", "seed", n=30, texts={"n": "Images of each range."})
def ladder(
    out: str = "ladder",
    network: str = "cifar10",
    targets: str | None = None,
    ranges: int = 6,
    *,
    nature: str | None = None,
    volume: bool = False,
    trust: bool = False,
    overwrite: bool = False,
    **settings,
) -> int:
    """Samples several ranges of a neuron, from natural to extreme, and sets them in rows.

    With several targets: each alone, then their intersection.

    Examples:
        tf-inverse ladder --targets=fc8:ship --ranges=4 --n=20
        tf-inverse ladder both --targets="fc8:ship@p90:p99, fc8:truck@p90:p99"

    Args:
        out: Folder for the archives, ladder.png and ladder.html.
        network: A name, as cifar10 or caffenet, a folder with network.json, or hf://user/repo.
        targets: LAYER:UNIT, whose ranges go from the natural median to beyond nature;
            LAYER:UNIT@Z1:Z2 for other ends; or several LAYER:UNIT@Z1:Z2. The network's default
            neuron where left out.
        ranges: Ranges of a single target.
        **settings: Fields of `Settings`, as `settings_flags.taken` fills them in.
        nature: Folder or file of natural images, of which those in the range are shown beside the
            samples; or remembered, for those that an adopted network's statistics were made of.
        volume: Tell how probable each range is, too: about one in how many images.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
        overwrite: Replace an earlier ladder in the folder.
    """
    from tf_inverse.caffe import published
    from tf_inverse.method.settings import Settings
    from tf_inverse.run import command
    from tf_inverse.run.ranges import rungs

    networks = published.load(network, trust)
    steps = rungs(networks, targets, ranges)
    return command.climb(out, networks, steps, Settings(**settings), overwrite, nature, volume)
