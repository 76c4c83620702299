"""The kinds of `tf-inverse train`: each reads images, trains or measures, and writes its folder."""

from __future__ import annotations

import json
import pathlib
import sys

import keras

from tf_inverse import adopt, grammar
from tf_inverse.adopt import adapters, facts, loading
from tf_inverse.adopt import command as words
from tf_inverse.errors import UsageError
from tf_inverse.judging import judges, matching
from tf_inverse.networks import image_files, saving, storage
from tf_inverse.training import (
    answers,
    architectures,
    checkpoint,
    evaluation,
    own,
    runs,
    smoothing,
    verdict,
    work,
)
from tf_inverse.training import data as training_data

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


def train_classifier(out, start, code, width, pooled, **options):
    """A classifier: out/network.keras, and classifier.keras for use."""
    unfinished = start and start.is_dir()
    begun = storage.model(start) if start and not unfinished else None

    def network(classes, size, dtype):
        made = begun or architectures.classifier(classes, size, code, width, pooled, dtype)
        if unfinished:
            checkpoint.weights(start, made)
        return made

    def write(trained):
        runs.save(architectures.folded(trained), out / "classifier.keras")

    own = begun and begun.input_shape[1:3]
    options |= {"epochs": options["epochs"] or 11, "own": own, "write": write}
    return _classifying(out, "network", network, **options)


def train_judge(out, epochs, seed, **options):
    """Another architecture, another seed, never perturbed: out/judge.keras."""
    options |= {"epochs": epochs or 7, "plain": 0, "epsilon": 0.0, "seed": seed + 1}
    return _classifying(out, "judge", architectures.judge, **options)


def _classifying(
    out,
    called,
    network,
    *,
    data,
    image,
    size,
    rate,
    epochs,
    plain,
    epsilon,
    batch,
    seed,
    precision,
    overwrite,
    own=None,
    write=lambda trained: None,
    **_,
):
    """Trains a classifier of some architecture and size, and writes out/CALLED.keras last."""
    file, state = out / f"{called}.keras", work.beside(out / called)
    _refuse(file, overwrite)
    size, dtype = _side(image, size) or own or SIZE, runs.policy(precision)
    if own and size != own:
        raise UsageError(f"expected images of {own[0]},{own[1]} as --start takes, got {size}")
    work.expect_ours(state)
    with work.alone(out), work.alone(state):
        parts = training_data.load(data, size, 3, seed)
        if parts.train_labels is None or parts.labels is None:
            raise UsageError(f"expected labels in {data}: sub-folders, or an array `labels`")
        keras.utils.set_random_seed(seed)
        made = network(int(parts.train_labels.max()) + 1, size, dtype)
        options = {"epochs": epochs, "plain": plain, "epsilon": epsilon, "seed": seed}
        options |= {"batch": batch or 128, "rate": rate or 2e-3, "overwrite": overwrite}
        stopped = runs.train_classifier(made, parts, state, **options)
        if stopped:
            return stopped.exit_code
        write(made)
        runs.save(made, file)
        work.clear(state)
    return 0


def _side(image, size):
    """Rows and columns of the images that a new classifier takes; None where nobody says."""
    given = {
        "image": grammar.size("image", image, "ROWS,COLUMNS", least=4),
        "size": None if size is None else grammar.sides("size", size, least=4),
    }
    found = {one[:2] for one in given.values() if one}
    if len(found) > 1:
        raise UsageError(f"expected one size of images, got --image={image} and --size={size}")
    return found.pop() if found else None


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
    out, sheet, state, *, classifier, compare, teacher, rate, batch, seed, overwrite, **more
):
    f = _classifier(classifier, more)
    networks, parts, said = _begun(f, out, seed, more)
    options = {"batch": batch or 64, "rate": rate or 5e-4, "seed": seed, "overwrite": overwrite}
    options |= {name: more[name] for name in GENERATING}
    options |= {
        "compare": grammar.names(compare),
        "beside": more["appearance"],
        "lessons": grammar.names(more["teacher_layers"]),
    }
    if teacher:
        opened = loading.open(teacher, "classifier", **_opening(more))
        channels = networks.image_shape[-1]
        options["teacher"] = adapters.classifier(opened.model, adapters.PIXELS, channels)
    networks = own.train(networks, parts.train, state, **options)
    if isinstance(networks, runs.Stopped):
        return networks.exit_code
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
    parts = training_data.load(path, tuple(size), channels, seed)
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


def check(data, out, judge, trust, n, neurons, **options):
    """Print what `evaluation` says of a pair on the test images, as JSON; in words on stderr."""
    for flag, count in (("n", n), ("neurons", neurons)):
        if count is not None and count < 1:
            raise UsageError(f"expected --{flag} of 1 or more, got {count}")
    networks = storage.load(out, trust)
    h, w, channels = networks.image_shape
    x, y = image_files.load(data, (h, w), "test", channels)
    if y is None or networks.labels is None:
        lacking = data if y is None else out
        raise UsageError(f"expected labels in {lacking}: judges are asked for the class of images")
    panel = [judges.load(one, channels, trust=trust) for one in judge.split(",") if one]
    layer, names = networks.labels
    given = matching.read(options["map"])
    panel = [matching.among(names, layer, one, given) for one in panel]
    shared = answers.asked(networks, panel, x)
    figures = evaluation.reconstructions(shared, y)
    figures["neurons"] = evaluation.samples(networks, panel, shared, n or evaluation.COUNT, neurons)
    figures["means"] = verdict.means(figures["neurons"])
    print(json.dumps(figures, indent=1))
    print(*verdict.words(figures), sep="\n", file=sys.stderr)


def _refuse(path, overwrite):
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; give --overwrite to replace it, or another --out")
    path.parent.mkdir(parents=True, exist_ok=True)


PATHS = ("data", "out", "start")
GENERATING = ("epochs", "width", "average", "augment", "disc_start", "precision")
KINDS = {
    "generator": (train_generator, ("classifier",)),
    "classifier": (train_classifier, ()),
    "judge": (train_judge, ()),
    "pair": (make_pair, ("classifier",)),
    "check": (check, ("judge",)),
}
