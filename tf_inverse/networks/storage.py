"""A network on disk: a folder with `network.json` beside the files that it names.

Everything in the folder is checked before it is believed: the checksums first, then shapes; Keras
loads with safe_mode on, so that no code comes out of a file.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tf_inverse import keras_settings
from tf_inverse.archive import atomic, atomic_folder
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.networks import hub, places, yardstick
from tf_inverse.networks.codes import Codes
from tf_inverse.networks.manifest import (
    FORMAT,
    MANIFEST,
    MODELS,
    ROLES,
    VERSION,
    checksums,
    manifest,
    written,
)
from tf_inverse.networks.unit_labels import Labels
from tf_inverse.tensors import Model, StrPath

if TYPE_CHECKING:
    from tf_inverse.networks.natural import Natural
    from tf_inverse.networks.networks import Networks


IMAGES = "images"
"""Entry of `natural` in network.json: where its images are, seen from the network's folder."""


def load(network: str | os.PathLike = "cifar10", trust: bool = False) -> Networks:
    """A pair, ready to sample.

    Args:
        network: A shipped name or a folder.
        trust: Whether a SavedModel inside may be loaded: its graph can read and write files. One
            that this user adopted (`trusted`) may be in any case.

    Returns:
        `networks.Networks`.

    Raises:
        UsageError: No such network, or one that lacks its classifier, generator or encoder; or
            Keras does not run on TensorFlow.
        RefusedInput: A file is damaged or of another form.
    """
    keras_settings.expect_tensorflow()
    from tf_inverse.networks.networks import Networks

    folder = places.find(network)
    entries = manifest(folder)
    lacking = [
        key for key in ("classifier", "generator", "encoder", "codes") if not entries.get(key)
    ]
    if lacking:
        raise UsageError(
            f"expected a pair in {folder}, which lacks its {', '.join(lacking)}; make one with "
            f"tf-inverse pair"
        )
    return Networks(
        **_described(folder, entries),
        classifier=model(folder / entries["classifier"]["file"], trust),
        generator=model(folder / entries["generator"]["file"], trust),
        natural=statistics(folder, entries),
        checksums=checksums(entries),
        folder=None if places.is_named(folder) else _address(folder),
        yardstick=yardstick.read(entries.get("yardstick")),
    )


def _address(folder: pathlib.Path) -> str:
    """The address on the hub of a folder that was fetched from there, or its absolute path."""
    return hub.address_of(folder) or os.path.abspath(folder)


def _described(folder: pathlib.Path, entries: dict[str, Any]) -> dict[str, Any]:
    """What the manifest says of a pair beside its files, as arguments of `Networks`."""
    try:
        codes, labels = entries["codes"], entries.get("labels")
        return {
            "name": entries["name"],
            "encoder": entries["encoder"],
            "codes": Codes(codes["kind"], codes["size"], codes.get("bounds")),
            "crop": entries["generator"].get("crop"),
            "labels": Labels.read(labels),
            "default": entries.get("default"),
        }
    except (KeyError, TypeError, AttributeError, UsageError) as error:
        raise RefusedInput(
            f"expected name, encoder, codes and labels as tf-inverse pair writes them in "
            f"{folder / 'network.json'}: {error}"
        ) from error


def statistics(folder: pathlib.Path, entries: dict) -> Natural | None:
    """Natural statistics of a network's folder, or None; needs no TensorFlow."""
    from tf_inverse.networks import natural_file

    return natural_file.read(folder / entries["natural"]["file"]) if "natural" in entries else None


def natural_images(folder: StrPath) -> pathlib.Path | None:
    """Where the images of a network's natural statistics were, or None where it does not tell.

    Args:
        folder: Of the network.
    """
    folder = pathlib.Path(folder)
    place = manifest(folder).get("natural", {}).get(IMAGES)
    if not isinstance(place, str) or "\0" in place:
        return None
    return pathlib.Path(os.path.normpath(folder / place))


def model(path: StrPath, trust: bool = False) -> Model:
    """A Keras model from a `.keras` or `.h5` file, in float32, without any code from the file.

    Args:
        path: Of the file.
        trust: Whether the file may hold a SavedModel; one that this user adopted may.

    Raises:
        RefusedInput: The file cannot be loaded safely.
    """
    from tf_inverse.layers import frozen_inputs
    from tf_inverse.networks import keras_file, trusted

    with trusted.loadable(path, trust) as (file, trust), frozen_inputs.trust(trust):
        return keras_file.load(file, trust)


def save(
    folder: StrPath,
    *,
    name: str,
    classifier: Model | None = None,
    generator: Model | None = None,
    encoder: str | None = None,
    codes: Codes | None = None,
    crop: int | None = None,
    labels: tuple[str, Sequence[str]] | None = None,
    natural: Natural | None = None,
    licence: str = "",
    source: dict | None = None,
    default: str | None = None,
    measure: yardstick.Yardstick | None = None,
    half: bool = False,
    overwrite: bool = False,
    check: Callable[[pathlib.Path], None] | None = None,
) -> pathlib.Path:
    """Write a network's folder; it appears complete or not at all.

    Args:
        folder: To be made.
        name: Of the network.
        classifier: Keras model or None.
        generator: Keras model or None.
        encoder: Layer of the classifier.
        codes: Distribution of codes.
        crop: See `networks.Networks`.
        labels: Names of a layer's units, or None; a pair (layer, names) is taken as well.
        natural: `natural.Natural` or None.
        licence: What the weights may be used for.
        source: Where they came from: anything that JSON can say.
        default: Targets of a run that names none.
        measure: Its yardstick; that of the natural statistics by default.
        half: Store weights in half precision; exact for models from `rounded`.
        overwrite: Replace a network's folder that is there.
        check: Called with the complete folder before it gets its name; what it raises stops that.

    Returns:
        The folder.

    Raises:
        FileExistsError: The folder exists and overwrite is False, or it is no network's.
        StorageError: The disk is full; what was there is not lost.
    """
    from tf_inverse.networks import natural_file, trusted

    folder = pathlib.Path(folder)
    with atomic_folder.folder(folder, written, overwrite) as made:
        entries: dict = {"format": FORMAT, "version": VERSION, "name": name}
        if classifier is not None:
            _store(classifier, made / "classifier.keras", half)
            entries["classifier"] = {"file": "classifier.keras"}
        if generator is not None:
            _store(generator, made / "generator.keras", half)
            entries["generator"] = {"file": "generator.keras", "crop": crop}
        if natural is not None:
            natural_file.write(made / "natural.h5", natural)
            entries["natural"] = {"file": "natural.h5"}
            if natural.source is not None:
                # From the folder as it will be named, so that both can be moved together.
                place = os.path.relpath(natural.source, os.path.abspath(folder))
                entries["natural"][IMAGES] = place
        for role in ROLES:
            if role in entries:
                entries[role]["sha256"] = atomic.checksum(made / entries[role]["file"])
        entries |= {
            "encoder": encoder,
            "codes": codes and {"kind": codes.kind, "size": codes.size, "bounds": codes.bounds},
            "labels": labels and Labels.made(labels).entry(),
            "licence": licence,
            "source": source or {},
            "default": default,
        }
        measure = measure or yardstick.of_nature(natural)
        entries |= {"yardstick": measure._asdict()} if measure else {}
        (made / MANIFEST).write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
        if check is not None:
            check(made)
    # Whoever writes a SavedModel had it loaded, and so trusts it.
    trusted.remember(folder / entries[role]["file"] for role in MODELS if role in entries)
    return folder


def save_pair(
    folder: StrPath,
    networks: Networks,
    *,
    models: Callable[[Model], Any] = lambda model: model,
    **options: Any,
) -> pathlib.Path:
    """Write the folder of a pair with its yardstick, which no run then has to measure; see `save`.

    Args:
        folder: To be made.
        networks: The pair: `networks.Networks`.
        models: What is put in a model's place to be saved: `saving.Frugal`, say.
        **options: licence, source, half, overwrite, check of `save`.
    """
    return save(
        folder,
        name=networks.name,
        classifier=models(networks.classifier),
        generator=models(networks.generator),
        encoder=networks.encoder,
        codes=networks.codes,
        crop=networks.crop,
        labels=networks.labels,
        natural=networks.natural,
        default=networks.default,
        measure=yardstick.of(networks),
        **options,
    )


def expect_free(folder: StrPath, overwrite: bool) -> None:
    """Refuses, before any work, to write a network where something else is.

    Raises:
        FileExistsError: As of `save`.
    """
    atomic_folder.expect_free(folder, written, overwrite)


def _store(model: Model, path: pathlib.Path, half: bool) -> None:
    model.save(path)
    if half:
        from tf_inverse.networks.saving import halve

        halve(path)
