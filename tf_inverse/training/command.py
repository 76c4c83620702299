"""The kinds of `tf-inverse train`: each reads images, trains or measures, and writes its folder."""

from __future__ import annotations

import json
import os
import pathlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

from tf_inverse import adopt, grammar
from tf_inverse.adopt import (
    adapters,
    facts,
    loading,
    nature,
    pixel_check,
    pixels,
    repeatable,
)
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

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks
    from tf_inverse.tensors import StrPath

SIZE = (32, 32)


def run(kind: str, options: dict[str, Any]) -> int | None:
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
    _expect_numbers(options)
    paths = {name: pathlib.Path(options[name]) for name in PATHS if options[name]}
    return function(**options | paths | {"out": _named(paths["out"])})


def _named(out: pathlib.Path) -> pathlib.Path:
    """The same folder with a name, which its state, its sheet and its network are called after.

    Raises:
        UsageError: It has none.
    """
    named = out if out.name not in ("", "..") else pathlib.Path(os.path.abspath(out))
    if not named.name:
        raise UsageError(f"expected --out of a folder with a name, got {out}")
    return named


def _expect_numbers(options: dict[str, Any]) -> None:
    """Refuses numbers with which nothing would be trained, or Keras would fail in the middle.

    Raises:
        UsageError: One of them.
    """
    for name, (least, told) in NUMBERS.items():
        value = options[name]
        if value is not None and not least <= value < MOST:
            raise UsageError(f"expected --{name} of {told}, got {value}")


def train_classifier(
    out: pathlib.Path,
    start: pathlib.Path | None,
    code: int | None,
    width: float,
    pooled: int,
    **options: Any,
) -> int:
    """A classifier: out/network.keras, and classifier.keras for use."""
    unfinished = start if start and start.is_dir() else None
    begun = _begun_with(start) if start and not unfinished else None

    def network(classes: int, size: tuple[int, int], dtype: str) -> keras.Model:
        if begun and begun.output_shape[-1] < classes:
            raise UsageError(
                f"expected a --start of {classes} classes or more, as {options['data']} has, got "
                f"{begun.output_shape[-1]}"
            )
        made = begun or architectures.classifier(classes, size, code, width, pooled, dtype)
        if unfinished:
            checkpoint.weights(unfinished, made)
        return made

    def write(trained: keras.Model) -> None:
        runs.save(architectures.folded(trained), out / "classifier.keras")

    own = begun and begun.input_shape[1:3]
    options |= {"epochs": options["epochs"] or 11, "own": own, "write": write}
    return _classifying(out, "network", network, **options)


def _begun_with(path: pathlib.Path) -> keras.Model:
    """A classifier to train further.

    Raises:
        UsageError: It takes no colour images of one size, or gives no row of numbers.
    """
    model = storage.model(path)
    image, logits = model.input_shape, model.output_shape
    if not (
        isinstance(image, tuple) and len(image) == 4 and image[3] == 3 and None not in image[1:3]
    ):
        raise UsageError(
            f"expected a --start that takes colour images of one size, as network.keras of an "
            f"earlier training, {path} takes {image}"
        )
    if not isinstance(logits, tuple) or len(logits) != 2:
        raise UsageError(f"expected a --start that gives a number a class, {path} gives {logits}")
    return model


def train_judge(out: pathlib.Path, epochs: int | None, seed: int, **options: Any) -> int:
    """Another architecture, another seed, never perturbed: out/judge.keras."""
    options |= {"epochs": epochs or 7, "plain": 0, "epsilon": 0.0, "seed": seed + 1}
    return _classifying(out, "judge", architectures.judge, **options)


def _classifying(
    out: pathlib.Path,
    called: str,
    network: Callable[[int, tuple[int, int], str], keras.Model],
    *,
    data: pathlib.Path,
    image: str | None,
    size: Any,
    rate: float | None,
    epochs: int,
    plain: int,
    epsilon: float,
    batch: int | None,
    seed: int,
    precision: str,
    overwrite: bool,
    own: tuple[int, int] | None = None,
    write: Callable[[keras.Model], None] = lambda trained: None,
    **_: Any,
) -> int:
    """Trains a classifier of some architecture and size, and writes out/CALLED.keras last."""
    file, state = out / f"{called}.keras", work.beside(out / called)
    _refuse(file, overwrite)
    sides, dtype = _side(image, size) or own or SIZE, runs.policy(precision)
    if own and sides != own:
        raise UsageError(f"expected images of {own[0]},{own[1]} as --start takes, got {sides}")
    work.expect_ours(state)
    with work.alone(out), work.alone(state):
        parts = training_data.load(data, sides, 3)
        classes = training_data.classes(parts, data)
        keras.utils.set_random_seed(seed)
        made = network(classes, sides, dtype)
        options: dict[str, Any] = {
            "epochs": epochs,
            "plain": plain,
            "epsilon": epsilon,
            "seed": seed,
        }
        options |= {"batch": batch or 128, "rate": rate or 2e-3, "overwrite": overwrite}
        stopped = runs.train_classifier(made, parts, state, **options)
        if stopped:
            return stopped.exit_code
        write(made)
        runs.save(made, file)
        work.clear(state)
    return 0


def _side(image: str | None, size: Any) -> tuple[int, int] | None:
    """Rows and columns of the images that a new classifier takes; None where nobody says."""
    given = {
        "image": grammar.size("image", image, "ROWS,COLUMNS", least=4),
        "size": None if size is None else grammar.sides("size", size, least=4),
    }
    found = {(one[0], one[1]) for one in given.values() if one}
    if len(found) > 1:
        raise UsageError(f"expected one size of images, got --image={image} and --size={size}")
    return found.pop() if found else None


def train_generator(out: pathlib.Path, overwrite: bool, **options: Any) -> int:
    """A generator for any classifier's layer, in a network's folder; its sheet is out.png."""
    sheet, state = out.with_name(f"{out.name}.png"), work.beside(out)
    storage.expect_free(out, overwrite)
    if sheet.exists() and not overwrite:
        raise FileExistsError(f"{sheet} exists; give --overwrite to replace it, or another --out")
    work.expect_ours(state)
    with work.alone(state):
        return _train_generator(out, sheet, state, overwrite=overwrite, **options)


def _train_generator(
    out: pathlib.Path,
    sheet: pathlib.Path,
    state: pathlib.Path,
    *,
    classifier: str,
    compare: str | None,
    teacher: str | None,
    rate: float | None,
    batch: int | None,
    seed: int,
    overwrite: bool,
    **more: Any,
) -> int:
    f = _classifier(classifier, more)
    networks, parts, said = _begun(f, out, more)
    options: dict[str, Any] = {"batch": batch or 64, "rate": rate or 5e-4}
    options |= {"seed": seed, "overwrite": overwrite}
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
    trained = own.train(networks, parts.train, state, **options)
    if isinstance(trained, runs.Stopped):
        return trained.exit_code
    _write(trained, parts, out, (f,), said, seed=seed, overwrite=overwrite, **more)
    own.reconstructed(trained, parts.test).save(sheet)
    work.clear(state)
    return 0


def make_pair(
    out: pathlib.Path,
    classifier: str,
    generator: str | None,
    smooth: float,
    seed: int,
    overwrite: bool,
    **more: Any,
) -> None:
    """A pair's folder out of two models, with weights in half precision."""
    storage.expect_free(out, overwrite)
    f = _classifier(classifier, more)
    source = generator or _beside(classifier, f)
    opened = loading.open(source, "generator", trust=more["trust"])
    G = facts.generator(opened, adapters.PIXELS)
    if smooth:
        G = G._replace(model=smoothing.smoothed(G.model, smooth))
    networks, parts, said = _begun(f, out, more, G)
    options: dict[str, Any] = {"half": True, "seed": seed, "overwrite": overwrite}
    _write(networks, parts, out, (f, G), said, **options, **more)


def _classifier(source: str, more: dict[str, Any]) -> facts.Classifier:
    """The facts of the classifier, as the user gave it."""
    size = grammar.shape("size", more["size"])
    opened = loading.open(source, "classifier", size=size, **_opening(more))
    return facts.classifier(opened, pixels.read(more["pixels"]), words.values(more["fixed"]))


def _opening(more: dict[str, Any]) -> loading.Opening:
    weights = None if more["weights"] == "none" else more["weights"]
    return {"trust": more["trust"], "weights": weights}


def _begun(
    f: facts.Classifier,
    out: pathlib.Path,
    more: dict[str, Any],
    G: facts.Generator | None = None,
) -> tuple[Networks, training_data.Data, list[str]]:
    """The networks, with their name and labels, the images, and what there is to say of labels.

    The generator draws black where no facts of one are given; else weights are rounded to half
    precision, as they will be stored.
    """
    image = grammar.size("image", more["image"], "ROWS,COLUMNS", least=4)
    sides = (image[0], image[1]) if image else None
    networks = own.untrained(f, more["encoder"], sides, _opening(more))
    if G is not None:
        networks = own.paired(networks, G)
        for model in (networks.classifier, networks.generator):
            saving.rounded(model)
    path, given = more["data"], _names(more["labels"])
    h, w, channels = networks.image_shape
    parts = training_data.load(path, (h, w), channels)
    known = (None, given) if given else f.labels
    labels, said = own.labels_of(networks, known, image_files.names(path))
    networks.name, networks.labels = more["name"] or out.name, labels
    if not f.entries:
        repeatable.expect_classifier(networks, parts.train[: repeatable.COUNT])
        photos = nature.Images(parts.train, parts.train_labels, image_files.names(path))
        for doubt in pixel_check.doubts(networks, f, photos):
            grammar.say(doubt)
    return networks, parts, said


def _beside(source: str, f: facts.Classifier) -> StrPath:
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


def _write(
    networks: Networks,
    parts: training_data.Data,
    out: pathlib.Path,
    models: tuple[facts.Classifier | facts.Generator, ...],
    said: list[str],
    *,
    seed: int,
    half: bool = False,
    overwrite: bool,
    **more: Any,
) -> None:
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


def _names(text: str | None) -> tuple[str, ...] | None:
    """Labels from a file, one a line, or from the text itself, with commas."""
    if text is None:
        return None
    # pathlib raises of a text that is too long for a file's name, as that of many labels is.
    given = words.lines(text) if os.path.isfile(text) else None
    return given[1] if given else tuple(part.strip() for part in text.split(","))


def check(
    data: pathlib.Path,
    out: pathlib.Path,
    judge: str,
    trust: bool,
    n: int | None,
    neurons: int | None,
    **options: Any,
) -> None:
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
    if not image_files.in_parts(data):
        grammar.say(
            f"{data} is not in parts train and test: all {len(x)} images are asked about, also "
            f"those that a training on it has seen, of which figures are too kind"
        )
    panel = [judges.load(one, channels, trust=trust) for one in grammar.names(judge)]
    judges.apart(panel)
    layer, names = networks.labels
    given = matching.read(options["map"])
    matching.expect_known(given, matching.targets(names, layer))
    maps = [matching.of_judge(given, one, panel) for one in panel]
    panel = [matching.among(names, layer, one, own) for one, own in zip(panel, maps, strict=True)]
    shared = answers.asked(networks, panel, x)
    figures = evaluation.reconstructions(shared, y)
    figures["neurons"] = evaluation.samples(networks, panel, shared, n or evaluation.COUNT, neurons)
    figures["means"] = verdict.means(figures["neurons"])
    print(json.dumps(figures, indent=1))
    print(*verdict.words(figures), sep="\n", file=sys.stderr)


def _refuse(path: pathlib.Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; give --overwrite to replace it, or another --out")
    path.parent.mkdir(parents=True, exist_ok=True)


PATHS = ("data", "out", "start")
MOST = 2**32 - 1
"""NumPy takes seeds below 2 ** 32, and a judge's is one more than the one that is given."""

TINY = 1e-30
NUMBERS: dict[str, tuple[float, str]] = {
    **dict.fromkeys(("epochs", "batch", "code"), (1, "1 or more")),
    **dict.fromkeys(("seed", "plain", "pooled", "epsilon"), (0, "0 or more")),
    **dict.fromkeys(("rate", "width"), (TINY, "more than 0")),
}
"""Flag -> the least number that it takes, and that in words; None is left to each kind."""

GENERATING = ("epochs", "width", "average", "augment", "disc_start", "precision")
KINDS: dict[str, tuple[Callable[..., int | None], tuple[str, ...]]] = {
    "generator": (train_generator, ("classifier",)),
    "classifier": (train_classifier, ()),
    "judge": (train_judge, ()),
    "pair": (make_pair, ("classifier",)),
    "check": (check, ("judge",)),
}
