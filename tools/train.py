"""tf-inverse train: a classifier, a generator for any Keras classifier, and a judge of both."""

from __future__ import annotations


def train(
    kind: str,
    data: str,
    out: str,
    classifier: str | None = None,
    encoder: str = "relu6",
    compare: str | None = None,
    judge: str | None = None,
    labels: str | None = None,
    name: str | None = None,
    start: str | None = None,
    rate: float | None = None,
    epochs: int | None = None,
    plain: int = 5,
    epsilon: float = 0.25,
    code: int = 384,
    batch: int | None = None,
    seed: int = 0,
    description: str | None = None,
    licence: str = "",
    default: str | None = None,
    trust: bool = False,
    overwrite: bool = False,
) -> None:
    """Trains networks on images; interrupted, the same command goes on where it was.

    Kinds: classifier, a small one (network.keras as it trains, classifier.keras without batch
    normalisation); judge, one of another architecture, to tell whether a sampler
    fools the first; generator, to undo a layer of any Keras classifier; pair, a folder to sample
    from, out of both; check, how honest a pair is.

    Args:
        kind: classifier, judge, generator, pair or check.
        data: Folder of pictures (sub-folders are classes), or .h5 or .npz of images.
        out: Folder to write to; of check, the pair's folder.
        classifier: generator, pair: the classifier, a .keras file.
        encoder: generator, pair: layer whose output is the code.
        compare: generator: further layers to compare features in, A,B; the last map by default.
        judge: check: the judge, a .keras file.
        labels: pair: names of the classes, A,B; the data's own by default.
        name: pair: its name; that of the folder by default.
        start: classifier: network.keras of an earlier training, to train it further.
        rate: Peak learning rate; classifier and judge 2e-3, generator 5e-4.
        epochs: Passes over the images; classifier 11, judge 7, generator 6.
        plain: classifier: last epochs on unperturbed images.
        epsilon: classifier: largest perturbation, L2, as a share of one pixel's range.
        code: classifier: entries of the code.
        batch: Images a step; classifier and judge 128, generator 64.
        seed: Of weights, order and augmentation.
        description: pair: what the images are.
        licence: pair: what its weights may be used for.
        default: pair: targets of a run that names none.
        trust: Load a SavedModel in the classifier or the pair, where it is not one that you adopted.
        overwrite: pair: replace a folder that exists.
    """
    from tf_inverse.training import command

    options = {key: value for key, value in locals().items() if key not in ("kind", "command")}
    command.run(kind, options)
