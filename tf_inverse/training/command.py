"""The kinds of `tf-inverse train`: each reads images, trains or measures, and writes its folder."""

from __future__ import annotations

import json
import pathlib

import keras

from tf_inverse import adopt, grammar
from tf_inverse.adopt import adapters, facts, loading
from tf_inverse.adopt import command as words
from tf_inverse.errors import UsageError
from tf_inverse.judging import judges
from tf_inverse.networks import image_files, saving, storage
from tf_inverse.training import classifier, data, evaluation, own, smoothing, work
from tf_inverse.training.classifier import folded

SIZE = (32, 32)


def run(kind: str, options: dict) -> int | None:
    """One kind; options are the arguments of tools/train.py. Returns an exit code, or None for 0.

    Raises:
        UsageError: An unknown kind, or an option that the kind needs.
    """
    if kind not in KINDS:
        raise UsageError(f"expected {', '.join(KINDS)}, got {kind!r}")
    function, needs = KINDS[kind]
    for name in needs:
        if not options[name]:
            raise UsageError(f"train {kind} needs --{name}")
    paths = {name: pathlib.Path(options[name]) for name in PATHS if options[name]}
    return function(**options | paths)


def train_classifier(
    data, out, start, image, rate, epochs, plain, epsilon, code, batch, seed, overwrite, **_
):
    """A classifier: out/network.keras, and classifier.keras for use."""
    size = grammar.size("image", image, "ROWS,COLUMNS", least=4) or SIZE
    _refuse(out / "network.keras", overwrite)
    options = {"epochs": epochs or 11, "plain": plain, "epsilon": epsilon, "seed": seed}
    options |= {"backup": out / "backup", "batch": batch or 128, "lr": rate or 2e-3}
    with work.alone(out):
        keras.utils.set_random_seed(seed)
        x, y, test = _labelled(data, size)
        classes = int(y.max()) + 1
        network = storage.model(start) if start else classifier.classifier(classes, size, code)
        classifier.train(network, x, y, test, **options)
        network.save(out / "network.keras")
        folded(network).save(out / "classifier.keras")


def train_judge(data, out, image, rate, epochs, batch, seed, overwrite, **_):
    """Another architecture, another seed, never perturbed: out/judge.keras."""
    size = grammar.size("image", image, "ROWS,COLUMNS", least=4) or SIZE
    _refuse(out / "judge.keras", overwrite)
    options = {"epochs": epochs or 7, "plain": 0, "epsilon": 0.0, "seed": seed + 1}
    options |= {"backup": out / "judge.backup", "batch": batch or 128, "lr": rate or 2e-3}
    with work.alone(out):
        keras.utils.set_random_seed(seed + 1)
        x, y, test = _labelled(data, size)
        network = classifier.judge(int(y.max()) + 1, size)
        classifier.train(network, x, y, test, **options)
        network.save(out / "judge.keras")


def train_generator(out, overwrite, **options):
    """A generator for any classifier's layer, in a network's folder; its sheet is out.png."""
    sheet, state = out.with_name(f"{out.name}.png"), work.beside(out)
    storage.expect_free(out, overwrite)
    if sheet.exists() and not overwrite:
        raise FileExistsError(f"{sheet} exists; give --overwrite to replace it, or another --out")
    work.expect_ours(state)
    with work.alone(state):
        return _train_generator(out, sheet, state, overwrite=overwrite, **options)


def _train_generator(
    out, sheet, state, *, classifier, compare, rate, epochs, batch, seed, overwrite, **more
):
    f = _classifier(classifier, more)
    networks, parts, said = _begun(f, out, seed, more)
    options = {"epochs": epochs, "batch": batch or 64, "rate": rate or 5e-4, "seed": seed}
    options |= {"compare": grammar.names(compare), "overwrite": overwrite}
    networks = own.train(networks, parts.train, state, **options)
    if isinstance(networks, int):
        return networks
    _write(networks, parts, out, (f,), said, seed=seed, overwrite=overwrite, **more)
    own.reconstructed(networks, parts.test).save(sheet)
    work.clear(state)
    return 0


def make_pair(out, classifier, generator, smooth, seed, overwrite, **more):
    """A pair's folder out of two models, with weights in half precision."""
    storage.expect_free(out, overwrite)
    f = _classifier(classifier, more)
    source = generator or _beside(classifier, f)
    G = loading.open(source, "generator", trust=more["trust"])
    G = facts.generator(G, adapters.PIXELS)
    if smooth:
        G = G._replace(model=smoothing.smoothed(G.model, smooth))
    networks, parts, said = _begun(f, out, seed, more, G)
    options = {"half": True, "seed": seed, "overwrite": overwrite}
    _write(networks, parts, out, (f, G), said, **options, **more)


def _classifier(source, more):
    """The facts of the classifier, as the user gave it."""
    size = grammar.shape("size", more["size"])
    opened = loading.open(source, "classifier", size=size, **_opening(more))
    return facts.classifier(
        opened, grammar.span("pixels", more["pixels"]), words.values(more["fixed"])
    )


def _opening(more):
    weights = None if more["weights"] == "none" else more["weights"]
    return {"trust": more["trust"], "weights": weights}


def _begun(f, out, seed, more, G=None):
    """The networks, with their name and labels, the images, and what there is to say of labels.

    The generator draws black where no facts of one are given; else weights are rounded to half
    precision, as they will be stored.
    """
    image = grammar.size("image", more["image"], "ROWS,COLUMNS", least=4)
    networks = own.untrained(f, more["encoder"], image, _opening(more))
    if G is not None:
        networks = own.paired(networks, G)
        for model in (networks.classifier, networks.generator):
            saving.rounded(model)
    path, given = more["data"], _names(more["labels"])
    *size, channels = networks.image_shape
    parts = data.load(path, tuple(size), channels, seed)
    known = (None, given) if given else f.labels
    labels, said = own.labels_of(networks, known, image_files.names(path))
    networks.name, networks.labels = more["name"] or out.name, labels
    return networks, parts, said


def _beside(source, f):
    """The generator of the classifier's folder, or generator.keras beside the classifier's file."""
    if "generator" in f.entries:
        return f.entries["folder"]
    path = pathlib.Path(source).parent / "generator.keras"
    if not path.is_file():
        raise UsageError(
            f"expected --generator=FILE, or generator.keras beside {source}, or a folder that "
            f"train generator made as --classifier"
        )
    return path


def _write(networks, parts, out, models, said, *, seed, half=False, overwrite, **more):
    """Writes the folder of a pair, and prints what there is to say of it."""
    path = more["data"]
    adopted, found = own.completed(
        networks,
        parts,
        licence=facts.licence(*models),
        classes=image_files.names(path),
        seed=seed,
        description=more["description"] or f"{len(parts.natural)} images of {path.name}",
        default=more["default"],
    )
    recipe = {"recipe": "tf-inverse train", "data": path.name, "seed": seed}
    adopted = adopted._replace(measured=adopted.measured | recipe)
    adopt.write(adopted, out, licence=more["licence"], half=half, overwrite=overwrite)
    said = said + found
    if more["json"]:
        print(json.dumps(adopted.measured | {"folder": str(out), "words": said}))
        return
    print(*said, sep="\n")
    print(f"sample it with: tf-inverse sample --network={out}")


def _names(text):
    """Labels from a file, one a line, or from the text itself, with commas."""
    if text is None:
        return None
    return words.lines(text)[1] if pathlib.Path(text).is_file() else tuple(text.split(","))


def check(data, out, judge, trust, **_):
    """Print what `evaluation` says of a pair on the test images, as JSON."""
    networks = storage.load(out, trust)
    h, w, channels = networks.image_shape
    x, y = image_files.load(data, (h, w), "test", channels)
    if y is None or networks.labels is None:
        lacking = data if y is None else out
        raise UsageError(f"expected labels in {lacking}: judges are asked for the class of images")
    panel = [judges.load(one, channels, trust=trust) for one in judge.split(",") if one]
    for one in panel:
        if one.count != len(networks.labels.names):
            raise UsageError(
                f"expected a judge of the {len(networks.labels.names)} classes of {out}, "
                f"{one.name} has {one.count}"
            )
    figures = evaluation.reconstructions(networks, panel, x, y)
    figures["neurons"] = evaluation.samples(networks, panel, x)
    print(json.dumps(figures, indent=1))


def _labelled(data, size):
    x, y = image_files.load(data, size)
    if y is None:
        raise UsageError(f"expected labels in {data}: sub-folders, or an array `labels`")
    test = image_files.load(data, size, "test")
    return x, y, test


def _refuse(path, overwrite):
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; give --overwrite to replace it, or another --out")
    path.parent.mkdir(parents=True, exist_ok=True)


PATHS = ("data", "out", "start")
KINDS = {
    "generator": (train_generator, ("classifier",)),
    "classifier": (train_classifier, ()),
    "judge": (train_judge, ()),
    "pair": (make_pair, ("classifier",)),
    "check": (check, ("judge",)),
}
