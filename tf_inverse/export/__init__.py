"""A pair and its sampler as one SavedModel that needs neither this package nor Keras."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import tempfile

import numpy as np
import tensorflow as tf

from tf_inverse import job, odds, scale, taps, units
from tf_inverse.errors import UsageError
from tf_inverse.export import card, endpoints, lean
from tf_inverse.export.question import question as question
from tf_inverse.export.question import starts
from tf_inverse.settings import Settings

DEFAULT = "sample"


def write(
    networks,
    out,
    layers: tuple[str, ...] | None = None,
    settings: Settings | None = None,
    *,
    version: int = 1,
    overwrite: bool = False,
) -> dict:
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

    Returns:
        The figures of the export: `weights`, bytes of the weights that the endpoints use;
        `variables`, bytes of the model's files of weights; `files`, bytes of all its files.

    Raises:
        UsageError: No such layer, or settings that cannot be exported.
        FileExistsError: The version exists and overwrite is False, or the folder is no export.
    """
    out, settings = pathlib.Path(out), settings or Settings()
    _expect_free(out, version, overwrite)
    exported = gather(networks, layers, settings)
    made = endpoints.make(exported)
    functions = {name: one.get_concrete_function() for name, one in made.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
        folder = pathlib.Path(temporary) / out.name
        figures = _save(functions, folder / str(version))
        facts = card.facts(exported, functions, figures, job.versions())
        (folder / "card.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        (folder / "README.md").write_text(card.text(facts), encoding="utf-8")
        c = starts(networks)
        if c is not None:
            np.save(folder / card.STARTS, c)
        _place(folder, out, str(version))
    return figures


def _expect_free(out, version, overwrite):
    if version < 1:
        raise UsageError(f"expected a version from 1 up, as TF Serving does, got {version}")
    if out.exists() and not (out / "card.json").is_file():
        raise FileExistsError(f"{out} exists and holds no export; choose another name")
    if (out / str(version)).exists() and not overwrite:
        raise FileExistsError(
            f"{out / str(version)} exists; give --overwrite to replace it, or another --version"
        )


def _place(made, out, version):
    """Move a new export to its place, or a new version beside those that are there."""
    if not out.exists():
        os.replace(made, out)
        return
    if (out / version).exists():
        shutil.rmtree(out / version)
    for path in sorted(made.iterdir()):
        os.replace(path, out / path.name)


def gather(networks, layers: tuple[str, ...] | None, settings: Settings) -> endpoints.Exported:
    """What is fixed at export, measured where it has to be.

    Raises:
        UsageError: No such layer, or settings that a graph without Python cannot follow.
    """
    wanted = (("method", "renewal"), ("optimizer", None), ("precision", "float32"), ("chunk", None))
    for name, value in wanted:
        if getattr(settings, name) != value:
            raise UsageError(
                f"expected {name} {value} for an export, got {getattr(settings, name)}"
            )
    if settings.distance not in ("encodings", "none") or networks.stored != "uint8":
        raise UsageError(
            f"expected distances between encodings, of images, for an export; got distances "
            f"between {settings.distance}, of inputs stored as {networks.stored}"
        )
    layers = tuple(layers or (default_layer(networks),))
    for layer in layers:
        networks.layer_shape(layer)
    images = units.random_images(networks, scale.COUNT)
    return endpoints.Exported(
        networks,
        layers,
        settings.sized(networks.codes.size),
        scale.measure(networks, ()),
        tuple(_deviations(networks, layer, images) for layer in layers),
    )


def default_layer(networks) -> str:
    """The labelled layer, or else the last one of the classifier that has units."""
    if networks.labels is not None:
        return networks.labels[0]
    return list(taps.top(networks.classifier))[-1]


def _deviations(networks, layer, images):
    """Natural deviations [U] of a layer's units; those over random codes where none are stored.

    Of probabilities, by whose log-odds the search goes, those of their log-odds.
    """
    if networks.probabilities((layer,))[0]:
        s = odds.log_odds(units.activations(networks, layer, images)).numpy().astype(np.float64)
        return scale.moving(s.std(axis=0), s.mean(axis=0)).astype(np.float32)
    stored = units.stored(networks, layer)
    if stored is not None and (stored.sd > 0).all():
        return stored.sd.astype(np.float32)
    measured = units.measure(networks, layer, images, "random codes")
    return scale.moving(measured.sd, measured.mean).astype(np.float32)


def _save(functions, folder):
    module = tf.Module()
    # The variables themselves, not the Keras models around them: those would be written as well.
    used = {id(v): v for one in functions.values() for v in one.graph.variables}
    module.weights = list(used.values())
    signatures = functions | {"serving_default": functions[DEFAULT]}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    lean.make(folder)
    sizes = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    return {
        "weights": int(sum(v.shape.num_elements() * v.dtype.size for v in used.values())),
        "variables": sum(n for path, n in sizes.items() if path.parent.name == "variables"),
        "files": sum(sizes.values()),
    }
