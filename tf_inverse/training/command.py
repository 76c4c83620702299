"""The kinds of `tf-inverse train`: each reads images, trains or measures, and writes its folder."""

from __future__ import annotations

import json
import pathlib

import keras

from tf_inverse import adopt
from tf_inverse.adopt import command as words
from tf_inverse.adopt import facts, loading
from tf_inverse.errors import UsageError
from tf_inverse.judging import judges
from tf_inverse.networks import image_files, saving, storage
from tf_inverse.training import classifier, data, evaluation, own, work
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
    size = _image(image) or SIZE
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
    size = _image(image) or SIZE
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
    told = facts.known(classifier, None)
    networks = own.untrained(classifier, told, **_opening(more))
    parts = _parts(more["data"], networks, seed)
    said = own.labelled(networks, told, _names(more["labels"]), image_files.names(more["data"]))
    options = {"epochs": epochs, "batch": batch or 64, "rate": rate or 5e-4, "seed": seed}
    compare = tuple(compare.split(",")) if compare else ()
    networks = own.train(
        networks, parts.train, state, compare=compare, overwrite=overwrite, **options
    )
    if isinstance(networks, int):
        return networks
    _write(networks, parts, told, said, out, seed=seed, overwrite=overwrite, **more)
    own.reconstructed(networks, parts.test).save(sheet)
    work.clear(state)
    return 0


def make_pair(out, classifier, generator, seed, overwrite, **more):
    """A pair's folder out of two models, with weights in half precision."""
    storage.expect_free(out, overwrite)
    generator = generator or _beside(classifier)
    told = facts.known(classifier, generator)
    networks = own.untrained(classifier, told, **_opening(more))
    G = loading.open(generator, "generator", trust=more["trust"])
    networks = own.paired(networks, G, told)
    for model in (networks.classifier, networks.generator):
        saving.rounded(model)
    parts = _parts(more["data"], networks, seed)
    said = own.labelled(networks, told, _names(more["labels"]), image_files.names(more["data"]))
    _write(networks, parts, told, said, out, half=True, seed=seed, overwrite=overwrite, **more)


def _beside(classifier):
    """The generator of the classifier's folder, or generator.keras beside the classifier's file."""
    about = loading.about(classifier)
    if "generator" in about:
        return str(about["folder"])
    path = pathlib.Path(classifier).parent / "generator.keras"
    if not path.is_file():
        raise UsageError(
            f"expected --generator=FILE, or generator.keras beside {classifier}, or a folder that "
            f"train generator made as --classifier"
        )
    return str(path)


def _opening(more):
    """What is said of the classifier, as arguments of `own.untrained`."""
    return {
        "encoder": more["encoder"],
        "image": _image(more["image"]),
        "pixel_range": words.span("pixels", more["pixels"]),
        "fixed": words.values(more["fixed"]),
        "size": words.shape(more["size"]),
        "trust": more["trust"],
        "weights": None if more["weights"] == "none" else more["weights"],
    }


def _parts(path, networks, seed):
    *size, channels = networks.image_shape
    return data.load(path, tuple(size), channels, seed)


def _write(networks, parts, told, said, out, *, seed, half=False, overwrite, **more):
    """The folder of a pair, and what there is to say of it beside what was said before."""
    networks.name, path = more["name"] or out.name, more["data"]
    adopted, found = own.completed(
        networks,
        parts,
        told,
        classes=image_files.names(path),
        seed=seed,
        description=more["description"] or f"{len(parts.natural)} images of {path.name}",
        default=more["default"],
    )
    recipe = {"recipe": "tf-inverse train", "data": path.name, "seed": seed}
    adopted = adopted._replace(measured=adopted.measured | recipe)
    adopt.write(adopted, out, licence=more["licence"], half=half, overwrite=overwrite)
    said, facts = said + found, adopted.measured | {"folder": str(out)}
    if more["json"]:
        print(json.dumps(facts | {"words": said}))
        return
    print(*said, sep="\n")
    print(f"sample it with: tf-inverse sample --network={out}")


def _names(text):
    """Labels from a file, one a line, or from the text itself, with commas."""
    if text is None:
        return None
    return words.lines(text)[1] if pathlib.Path(text).is_file() else tuple(text.split(","))


def _image(text):
    """ROWS,COLUMNS as numbers."""
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 2 or not all(part.isdigit() and 4 <= int(part) <= 4096 for part in parts):
        raise UsageError(f"expected --image=ROWS,COLUMNS, at least 4, got {text!r}")
    return tuple(int(part) for part in parts)


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
