"""tf-inverse export: the sampler as a SavedModel."""

from __future__ import annotations

from tf_inverse.tools import settings_flags


@settings_flags.taken("beta", "mu0", "diversity", "patience", "samples_per_seed", "bound", "starts")
def export(
    out: str,
    network: str = "cifar10",
    layers: str | None = None,
    *,
    directions: str | None = None,
    version: int = 1,
    trust: bool = False,
    overwrite: bool = False,
    json: bool = False,
    **settings,
) -> None:
    """Writes a SavedModel that samples without this package, for TF Serving or any TensorFlow.

    Examples:
        tf-inverse export sampler
        tf-inverse export sampler --layers=fc8,relu3_2 --version=2

    Args:
        out: Folder to write: OUT/1 is the model, OUT/README.md its card.
        network: A name, as cifar10 or caffenet, a folder with network.json, or hf://user/repo.
        layers: Layers whose units can be asked for, A,B; the labelled one by default.
        directions: Directions that can be asked for as further units of their layers, as
            "fc8:ship-airplane, fc6:@probe.npy".
        **settings: Fields of `Settings`, as `settings_flags.taken` fills them in.
        version: Number of the model's folder in OUT; others stay beside it.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
        overwrite: Replace that version where it exists.
        json: Print the figures as one JSON object.
    """
    import json as jsons

    from tf_inverse import band, grammar
    from tf_inverse import export as library
    from tf_inverse.caffe import published
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks import starts

    asked = Settings(**settings)
    named = grammar.names(layers) or None
    networks = published.load(network, trust=trust)
    along = band.neurons(directions or "", networks)
    how = {"version": version, "overwrite": overwrite, "directions": along}
    if lacking := starts.lacking(networks, asked):
        grammar.say(lacking)
    figures = library.write(networks, out, named, asked, **how)
    if json:
        print(jsons.dumps(figures | {"out": out}))
        return
    deck = ", natural codes {deck:,} bytes" if figures["deck"] else ""
    text = "{out}: weights {weights:,} bytes" + deck + ", all files {files:,} bytes"
    print(text.format(out=out, **figures))
