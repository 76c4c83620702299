"""What is known already of models that come from a network's folder."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from tf_inverse import folder, units
from tf_inverse.adopt import choose, source, wrap
from tf_inverse.errors import UsageError
from tf_inverse.natural import LEVELS, Natural

STORED = ("bank", "gaussian")


class Known(NamedTuple):
    """Of the classifier: encoder, labels, statistics of its units. Of the generator: the rest.

    Attributes:
        encoder: Layer, or None.
        labels: (layer, names), or None.
        codes: Kind of codes, or None.
        bounds: Of codes, or None.
        image_range: (low, high) of the generator's images, or None.
        crop: Side of the centre square, or None.
        natural: `natural.Natural` of both, or None.
        licence: Of both, in words.
    """

    encoder: str | None = None
    labels: tuple[str, tuple[str, ...]] | None = None
    codes: str | None = None
    bounds: tuple[float | None, float | None] | None = None
    image_range: tuple[float, float] | None = None
    crop: int | None = None
    natural: Any = None
    licence: str = ""


def known(classifier, generator) -> Known:
    """What the folders of two sources say; nothing of sources that are no folders."""
    f, G = source.about(classifier), source.about(generator)
    labels, codes = f.get("labels"), G.get("codes") or {}
    return Known(
        encoder=f.get("encoder"),
        labels=labels and (labels["layer"], tuple(labels["names"])),
        codes=codes.get("kind"),
        bounds=codes.get("bounds") and tuple(codes["bounds"]),
        image_range=wrap.PIXELS if G else None,
        crop=G.get("generator", {}).get("crop"),
        natural=_natural(f, G),
        licence="; ".join(dict.fromkeys(filter(None, (f.get("licence"), G.get("licence"))))),
    )


def _natural(f, G):
    mine, theirs = (folder.statistics(one["folder"], one) if one else None for one in (f, G))
    if mine is None or theirs is None or f["folder"] == G["folder"]:
        return mine or theirs and dataclasses.replace(theirs, layers={}, activations={})
    if theirs.bank is not None:
        # A file keeps the bank as the first of its encodings: those of the classifier give way.
        mine = dataclasses.replace(
            mine, encodings=theirs.encodings, activations={}, bank=theirs.bank
        )
    return dataclasses.replace(mine, gaussian=theirs.gaussian)


def expect_stored(kind: str, natural: Natural | None) -> None:
    """Refuses codes from a file that there is none of.

    Raises:
        UsageError: With what else there is.
    """
    if kind not in STORED or (natural is not None and getattr(natural, kind) is not None):
        return
    raise UsageError(
        f"expected codes that are normal, uniform or noise; a {kind} of codes comes with a "
        f"network's folder as the generator, where that has one"
    )


def joined(networks, told: Known, images) -> Natural | None:
    """Statistics of a pair: those that came with its models, and those measured on images.

    Args:
        networks: `networks.Networks`.
        told: From `known`.
        images: See `adopt.adopt`.

    Raises:
        UsageError: Codes come from a file, but statistics of the classifier from nowhere.
    """
    stored = told.natural
    if stored is not None and told.encoder != networks.encoder:
        # Encodings of another layer; only as codes do they still count.
        stored = dataclasses.replace(stored, encodings=stored.bank, activations={})
    if images is not None:
        return _measured(networks, images, stored)
    if stored is not None and not stored.layers:
        if networks.codes.kind in STORED:
            raise UsageError(
                f"expected --images: codes are a {networks.codes.kind} of the generator's folder, "
                f"which has no statistics of {networks.name}; or give --codes=normal"
            )
        return None
    return stored


def _measured(networks, images, stored):
    if not isinstance(images, np.ndarray):
        from tf_inverse.training.images import load

        *size, channels = networks.image_shape
        images, _ = load(images, tuple(size), "test", channels)
    layers = dict(stored.layers) if stored else {}
    for layer in dict.fromkeys((*choose.ends(networks), networks.encoder)):
        one = units.measure(networks, layer, images, "images")
        layers[layer] = (one.mean, one.sd, one.percentiles)
    measured = Natural(len(images), "images given at adoption", np.array(LEVELS), layers)
    if stored is None:
        return measured
    levels = np.array(LEVELS)
    if not np.array_equal(stored.levels, levels):
        raise UsageError("expected the folder's statistics at this version's percentiles")
    kept = ("encodings", "activations", "bank", "gaussian")
    return dataclasses.replace(measured, **{name: getattr(stored, name) for name in kept})
