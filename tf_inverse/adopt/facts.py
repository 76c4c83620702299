"""What is known already of models that come from a network's folder."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from tf_inverse.adopt import adapters, loading, nature
from tf_inverse.errors import UsageError
from tf_inverse.networks import storage
from tf_inverse.networks.natural import Natural
from tf_inverse.networks.unit_labels import Labels

STORED = ("bank", "gaussian")


class Known(NamedTuple):
    """Of the classifier: encoder, labels, statistics of its units. Of the generator: the rest.

    Attributes:
        encoder: Layer, or None.
        labels: Names of a layer's units, or None.
        codes: Kind of codes, or None.
        bounds: Of codes, or None.
        image_range: (low, high) of the generator's images, or None.
        crop: Side of the centre square, or None.
        natural: `natural.Natural` of both, or None.
        licence: Of both, in words.
    """

    encoder: str | None = None
    labels: Labels | None = None
    codes: str | None = None
    bounds: tuple[float | None, float | None] | None = None
    image_range: tuple[float, float] | None = None
    crop: int | None = None
    natural: Any = None
    licence: str = ""


def known(classifier, generator) -> Known:
    """What the folders of two sources say; nothing of sources that are no folders."""
    f, G = loading.about(classifier), loading.about(generator)
    labels, codes = f.get("labels"), G.get("codes") or {}
    return Known(
        encoder=f.get("encoder"),
        labels=Labels.read(labels),
        codes=codes.get("kind"),
        bounds=codes.get("bounds") and tuple(codes["bounds"]),
        image_range=adapters.PIXELS if G else None,
        crop=G.get("generator", {}).get("crop"),
        natural=_natural(f, G),
        licence="; ".join(dict.fromkeys(filter(None, (f.get("licence"), G.get("licence"))))),
    )


def _natural(f, G):
    mine, theirs = (storage.statistics(one["folder"], one) if one else None for one in (f, G))
    if mine is None or theirs is None or f["folder"] == G["folder"]:
        return mine or theirs and dataclasses.replace(theirs, layers={}, activations={})
    if theirs.bank is not None:
        # A file keeps the bank as the first of its encodings: those of the classifier give way.
        mine = dataclasses.replace(
            mine, encodings=theirs.encodings, activations={}, bank=theirs.bank, random=None
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
        images: From `nature.load`.

    Raises:
        UsageError: Codes come from a file, but statistics of the classifier from nowhere.
    """
    stored = told.natural and _placed(networks, told.natural)
    if stored is not None and told.encoder != networks.encoder:
        # Encodings of another layer; only as codes do they still count.
        stored = dataclasses.replace(stored, encodings=stored.bank, activations={}, random=None)
    if images is not None:
        return nature.statistics(networks, images, stored)
    if stored is not None and not stored.layers:
        if networks.codes.kind in STORED:
            raise UsageError(
                f"expected --images: codes are a {networks.codes.kind} of the generator's folder, "
                f"which has no statistics of {networks.name}; or give --codes=normal"
            )
        return None
    return stored


def _placed(networks, stored):
    """Statistics by the paths that layers have in a classifier which was wrapped since."""
    known = networks.shapes

    def path(layer):
        ends = [name for name in known if name.endswith(f"/{layer}")]
        return ends[0] if layer not in known and len(ends) == 1 else layer

    return dataclasses.replace(
        stored,
        layers={path(layer): one for layer, one in stored.layers.items()},
        activations={path(layer): z for layer, z in stored.activations.items()},
    )
