"""The kinds of `tf-inverse train`: each reads images, trains or measures, and writes its folder."""

from __future__ import annotations

import json
import pathlib

import h5py
import keras
import numpy as np

from tf_inverse import folder
from tf_inverse.errors import UsageError
from tf_inverse.training import classifier, generator, honesty, images, pair
from tf_inverse.training.classifier import folded

SIZE = (32, 32)


def run(kind: str, options: dict) -> None:
    """One kind; options are the arguments of tools/train.py.

    Raises:
        UsageError: An unknown kind, or an option that the kind needs.
    """
    if kind not in KINDS:
        raise UsageError(f"expected {', '.join(KINDS)}, got {kind!r}")
    function, needs = KINDS[kind]
    for name in needs:
        if not options[name]:
            raise UsageError(f"train {kind} needs --{name}")
    function(**{name: pathlib.Path(v) if name in PATHS and v else v for name, v in options.items()})


def train_classifier(
    data, out, start, rate, epochs, plain, epsilon, code, batch, seed, overwrite, **_
):
    """A classifier for `SIZE` images: out/network.keras, and classifier.keras for use."""
    _refuse(out / "network.keras", overwrite)
    keras.utils.set_random_seed(seed)
    x, y, test = _labelled(data)
    network = folder.model(start) if start else classifier.classifier(int(y.max()) + 1, SIZE, code)
    options = {"epochs": epochs or 11, "plain": plain, "epsilon": epsilon, "seed": seed}
    options |= {"backup": out / "backup", "batch": batch or 128, "lr": rate or 2e-3}
    classifier.train(network, x, y, test, **options)
    network.save(out / "network.keras")
    folded(network).save(out / "classifier.keras")


def train_judge(data, out, rate, epochs, batch, seed, overwrite, **_):
    """Another architecture, another seed, never perturbed: out/judge.keras."""
    _refuse(out / "judge.keras", overwrite)
    keras.utils.set_random_seed(seed + 1)
    x, y, test = _labelled(data)
    network = classifier.judge(int(y.max()) + 1, SIZE)
    options = {"epochs": epochs or 7, "plain": 0, "epsilon": 0.0, "seed": seed + 1}
    options |= {"backup": out / "backup", "batch": batch or 128, "lr": rate or 2e-3}
    classifier.train(network, x, y, test, **options)
    network.save(out / "judge.keras")


def train_generator(
    data, out, classifier, encoder, compare, rate, epochs, batch, seed, trust, overwrite, **_
):
    """A generator for a classifier's layer: out/generator.keras, and a sheet an epoch."""
    _refuse(out / "generator.keras", overwrite)
    keras.utils.set_random_seed(seed)
    network = folder.model(classifier, trust)
    h, w, channels = network.input_shape[1:]
    x, _ = images.load(data, (h, w), channels=channels)
    compare = tuple(compare.split(",")) if compare else ()
    features = generator.features_of(network, encoder, compare)
    G = generator.generator(features.outputs[-1].shape[-1], (h, w, channels))
    options = {"epochs": epochs or 6, "batch": batch or 64, "rate": rate or 5e-4}
    generator.train(G, features, x, seed=seed, folder=out, **options)
    folded(G).save(out / "generator.keras")


def make_pair(
    data, out, classifier, encoder, labels, name, seed, description, trust, overwrite, **about
):
    """A pair's folder out of classifier.keras and the generator.keras beside it or in out's."""
    network = folder.model(classifier, trust)
    made = classifier.parent / "generator.keras"
    if not made.is_file():
        raise UsageError(f"expected generator.keras beside {classifier}; train generator makes it")
    h, w, channels = network.input_shape[1:]
    x, _ = images.load(data, (h, w), "test", channels)
    names = tuple(labels.split(",")) if labels else _names(data)
    pair.assemble(
        out,
        network,
        folder.model(made, trust),
        encoder,
        (network.layers[-1].name, names) if names else None,
        x,
        name=name or out.name,
        seed=seed,
        description=description or f"{len(x)} images of {data.name}",
        licence=about["licence"],
        default=about["default"],
        source={"recipe": "tf-inverse train", "data": data.name, "seed": seed},
        overwrite=overwrite,
    )


def check(data, out, judge, trust, **_):
    """Print what `honesty` says of a pair on the test images, as JSON."""
    networks = folder.load(out, trust)
    h, w, channels = networks.classifier.input_shape[1:]
    x, y = images.load(data, (h, w), "test", channels)
    model = folder.model(judge, trust)
    figures = honesty.reconstructions(networks, model, x, y)
    figures["neurons"] = honesty.samples(networks, model, x, y)
    print(json.dumps(figures, indent=1))


def _labelled(data):
    x, y = images.load(data, SIZE)
    if y is None:
        raise UsageError(f"expected labels in {data}: sub-folders, or an array `labels`")
    test = images.load(data, SIZE, "test")
    return x, y, test


def _refuse(path, overwrite):
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; give --overwrite to replace it, or another --out")
    path.parent.mkdir(parents=True, exist_ok=True)


def _names(data):
    if data.is_dir():
        return tuple(sorted(p.name for p in data.iterdir() if p.is_dir()))
    if data.suffix in (".h5", ".hdf5"):
        with h5py.File(data) as file:
            return tuple(np.asarray(file.attrs.get("classes", ())).astype(str))
    return ()


PATHS = ("data", "out", "classifier", "judge", "start")
KINDS = {
    "classifier": (train_classifier, ()),
    "judge": (train_judge, ()),
    "generator": (train_generator, ("classifier",)),
    "pair": (make_pair, ("classifier",)),
    "check": (check, ("judge",)),
}
