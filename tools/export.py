"""tf-inverse export: the sampler as a SavedModel."""

from __future__ import annotations


def export(
    out: str,
    network: str = "cifar10",
    layers: str | None = None,
    beta: float | None = None,
    mu0: float = 10.0,
    diversity: float | None = None,
    patience: int | None = None,
    samples_per_seed: int = 1,
    bound: str = "both",
    version: int = 1,
    trust: bool = False,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Writes a SavedModel that samples without this package, for TF Serving or any TensorFlow.

    Examples:
        tf-inverse export sampler
        tf-inverse export sampler --layers=fc8,relu3_2 --version=2

    Args:
        out: Folder to write: OUT/1 is the model, OUT/README.md its card.
        network: A name, as cifar10 or caffenet, a folder with network.json, or hf://user/repo.
        layers: Layers whose units can be asked for, A,B; the labelled one by default.
        beta: Step in standard deviations of codes.
        mu0: First penalty weight.
        diversity: Weight of the diversity terms.
        patience: Steps after which a row of the pool starts again.
        samples_per_seed: Images a row gives before it starts again.
        bound: both ends of the range, or paper (the lower one alone).
        version: Number of the model's folder in OUT; others stay beside it.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
        overwrite: Replace that version where it exists.
        json: Print the figures as one JSON object.
    """
    import json as jsons

    from tf_inverse import export as library
    from tf_inverse.caffe import published
    from tf_inverse.method.settings import Settings

    settings = Settings(
        beta=beta,
        mu0=mu0,
        diversity=diversity,
        patience=patience,
        samples_per_seed=samples_per_seed,
        bound=bound,
    )
    named = tuple(layers.split(",")) if layers else None
    networks = published.load(network, trust=trust)
    figures = library.write(networks, out, named, settings, version=version, overwrite=overwrite)
    if json:
        print(jsons.dumps(figures | {"out": out}))
        return
    print("{out}: weights {weights:,} bytes, all files {files:,} bytes".format(out=out, **figures))
