"""A pair and its sampler as one SavedModel that needs neither this package nor Keras."""

from __future__ import annotations

import io
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tf_inverse.archive import atomic, atomic_folder, json_file
from tf_inverse.errors import UsageError
from tf_inverse.export import card, dealing, endpoints, strip
from tf_inverse.export.addressed import Exported
from tf_inverse.export.card import Figures
from tf_inverse.export.inputs import further, starts
from tf_inverse.export.inputs import question as question
from tf_inverse.layers import taps
from tf_inverse.method import normalization
from tf_inverse.method.settings import Settings
from tf_inverse.networks import odds, repeats, unit_statistics
from tf_inverse.networks import starts as begin
from tf_inverse.tensors import StrPath
from tf_inverse.version import versions

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks
    from tf_inverse.neuron import Neuron
    from tf_inverse.tensors import Array

DEFAULT = "sample"
MAX_CARD = 64 << 20
"""Bytes of the file card.json, which holds the label of every unit."""

ONLY = {
    "method": "renewal",
    "optimizer": None,
    "precision": "float32",
    "chunk": None,
    "candidates": 1,
}
"""The values of settings that a graph without Python can follow."""


def write(
    networks: Networks,
    out: StrPath,
    layers: tuple[str, ...] | None = None,
    settings: Settings | None = None,
    *,
    version: int = 1,
    overwrite: bool = False,
    directions: Iterable[Neuron] = (),
) -> Figures:
    """Write OUT/VERSION, a SavedModel as TF Serving expects it, with a model card beside it.

    Codes to start from lie beside it too, in `starts.npy`, where they come from the pair's files.

    Args:
        networks: `networks.Networks`.
        out: Folder to be made, complete or not at all; or of an earlier export, which gets another
            version.
        layers: Layers whose units can be asked for; the labelled one, or the last, if left out.
        settings: Numbers of the method; the rows of the pool and n are inputs of the model.
        version: Name of the folder of the model.
        overwrite: Replace that version where it exists.
        directions: Neurons that are directions, from `band.neurons`: further units of their layers,
            after the layer's own.

    Returns:
        What the export takes.

    Raises:
        UsageError: No such layer, or settings that cannot be exported.
        FileExistsError: The version exists and overwrite is False, or the folder is no export.
    """
    out, settings = pathlib.Path(out), settings or Settings()
    _expect_free(out, version, overwrite)
    exported = gather(networks, layers, settings, directions)
    traced = endpoints.make(exported)
    functions = {name: one.get_concrete_function() for name, one in traced.items()}
    if not out.exists():
        with atomic_folder.folder(out, _card_of) as made:
            figures = _save(functions, made / str(version), exported)
            for folder in (made / str(version), made):
                _put_card(folder, exported, functions, figures)
            _put_starts(made, exported)
        return figures
    # A version comes with its card: the copy beside it may lag where the process is killed.
    with atomic_folder.folder(out / str(version), _model_of, overwrite) as made:
        figures = _save(functions, made, exported)
        _put_card(made, exported, functions, figures)
    _put_card(out, exported, functions, figures)
    _put_starts(out, exported)
    return figures


def _expect_free(out: pathlib.Path, version: int, overwrite: bool) -> None:
    if version < 1:
        raise UsageError(f"expected a version from 1 up, as TF Serving does, got {version}")
    if out.is_file():
        raise FileExistsError(
            f"expected a folder to write to, {out} is a file: export writes the sampler of a "
            "network (--network), not of an archive"
        )
    if out.exists() and _card_of(out) is None:
        raise FileExistsError(f"{out} exists and holds no export; choose another name")
    try:
        atomic_folder.expect_free(out / str(version), _model_of, overwrite)
    except FileExistsError as error:
        raise FileExistsError(f"{error}, or another --version") from error


def _card_of(out: pathlib.Path) -> tuple[str, ...] | None:
    """What an export's folder holds beside its versions; None where it is none."""
    facts = json_file.mine(out / "card.json", MAX_CARD)
    ours = facts is not None and {"checksums", "endpoints", "versions"} <= set(facts)
    return ("card.json", "README.md", card.STARTS) if ours else None


def _model_of(folder: pathlib.Path) -> tuple[str, ...] | None:
    """What the folder of a version holds; None where it holds no SavedModel."""
    files = ("saved_model.pb", "fingerprint.pb", "variables", "assets", "card.json", "README.md")
    return files if (folder / files[0]).is_file() else None


def _put_card(
    out: pathlib.Path,
    exported: Exported,
    functions: Mapping[str, tf.types.experimental.ConcreteFunction],
    figures: Figures,
) -> None:
    facts = card.facts(exported, functions, figures, versions())
    atomic.write(out / "card.json", (json.dumps(facts, indent=1) + "\n").encode())
    atomic.write(out / "README.md", card.text(facts).encode())


def _put_starts(out: pathlib.Path, exported: Exported) -> None:
    c = starts(exported.networks)
    if c is not None:
        buffer = io.BytesIO()
        np.save(buffer, c)
        atomic.write(out / card.STARTS, buffer.getvalue())


def gather(
    networks: Networks,
    layers: tuple[str, ...] | None,
    settings: Settings,
    directions: Iterable[Neuron] = (),
) -> Exported:
    """What is fixed at export, measured where it has to be; arguments as of `write`.

    Raises:
        UsageError: No such layer, networks that give others each time, or settings that a graph
            without Python cannot follow.
    """
    settings = begin.alone(networks, settings)
    for name, value in ONLY.items():
        if getattr(settings, name) != value:
            raise UsageError(
                f"expected {name} {value} for an export, got {getattr(settings, name)}"
            )
    if settings.distance not in ("encodings", "none") or networks.stored != "uint8":
        raise UsageError(
            f"expected distances between encodings, of images, for an export; got distances "
            f"between {settings.distance}, of inputs stored as {networks.stored}"
        )
    given = tuple(directions)
    layers = tuple(layers or [one.layer for one in given] or (default_layer(networks),))
    layers = tuple(dict.fromkeys([*layers, *(one.layer for one in given)]))
    for layer in layers:
        networks.layer_shape(layer)
    repeats.expect_layers(networks, layers)
    along = tuple(further(given, layer) for layer in layers)
    images = unit_statistics.random_images(networks, normalization.COUNT)
    return Exported(
        networks,
        layers,
        settings.sized(networks.codes.size),
        normalization.measure(networks, ()),
        tuple(
            np.append(_deviations(networks, layer, images), _along(networks, mine))
            for layer, mine in zip(layers, along, strict=True)
        ),
        along,
        dealing.deck(networks, layers, along) if settings.starts == "near" else None,
    )


def _along(networks: Networks, directions: tuple[Neuron, ...]) -> Array:
    """Natural deviations of directions, as a run measures them."""
    if not directions:
        return np.zeros(0, np.float32)
    return np.asarray(normalization.measure(networks, directions).s_sd, np.float32)


def default_layer(networks: Networks) -> str:
    """The labelled layer, or else the last one of the classifier that has units."""
    if networks.labels is not None:
        return networks.labels.layer
    return list(taps.top(networks.classifier))[-1]


def _deviations(networks: Networks, layer: str, images: Array) -> Array:
    """Natural deviations [U] of a layer's units; those over random codes where none are stored.

    Of probabilities, by whose log-odds the search goes, those of their log-odds.
    """
    if networks.probabilities((layer,))[0]:
        s = (
            odds.log_odds(unit_statistics.activations(networks, layer, images))
            .numpy()
            .astype(np.float64)
        )
        return normalization.moving(s.std(axis=0), s.mean(axis=0)).astype(np.float32)
    stored = unit_statistics.stored(networks, layer)
    if stored is not None and (stored.sd > 0).all():
        return stored.sd.astype(np.float32)
    measured = unit_statistics.measure(networks, layer, images, "random codes")
    return normalization.moving(measured.sd, measured.mean).astype(np.float32)


def _save(
    functions: Mapping[str, tf.types.experimental.ConcreteFunction],
    folder: pathlib.Path,
    exported: Exported,
) -> Figures:
    module = tf.Module()
    # The variables themselves, not the Keras models around them: those would be written as well.
    used = {id(v): v for one in functions.values() for v in one.graph.variables}
    module.weights = list(used.values())
    signatures = {**functions, "serving_default": functions[DEFAULT]}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    strip.make(folder)
    sizes = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    return {
        "weights": int(sum(v.shape.num_elements() * v.dtype.size for v in used.values())),
        "variables": sum(n for path, n in sizes.items() if path.parent.name == "variables"),
        "deck": 0 if exported.deck is None else exported.deck.size,
        "files": sum(sizes.values()),
    }
