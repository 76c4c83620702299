"""Any classifier and any generator as a pair: facts of each, then joined, then checked."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np

from tf_inverse.adopt import (
    adapters,
    check,
    code_check,
    defaults,
    facts,
    join,
    layouts,
    loading,
    nature,
    notes,
    pixel_check,
    pixels,
    repeatable,
)
from tf_inverse.adopt.folder import write as write
from tf_inverse.caffe import join as converted
from tf_inverse.compute import arithmetic
from tf_inverse.errors import UsageError
from tf_inverse.networks.networks import Networks
from tf_inverse.networks.stored_image import stored
from tf_inverse.tensors import Array, Model
from tf_inverse.zoo.generator import ARCHITECTURES

Source = Model | str | os.PathLike
"""A Keras model, or text as of `loading.FORMS`."""

PPGN_BOUNDS = (0.0, 30.0)
"""PPGN keeps the codes of fc6 within these bounds; a pair does where nothing else is known."""


class Adopted(NamedTuple):
    """A pair, and what was found out about it: plain values by name."""

    networks: Networks
    measured: dict[str, Any]


def adopt(
    classifier: Source,
    generator: Source,
    encoder: join.Encoder = None,
    *,
    name: str | None = None,
    image_range: tuple[float, float] | None = None,
    pixel_range: pixels.Pixels = adapters.PIXELS,
    codes: str | None = None,
    bounds: tuple[float | None, float | None] | None = None,
    crop: int | None = None,
    fixed: dict[str, Any] | None = None,
    labels: facts.Named | None = None,
    images: Array | str | os.PathLike | None = None,
    size: tuple[int, ...] | None = None,
    code_size: int | None = None,
    trust: bool = False,
    weights: str | None = "imagenet",
    sae: Source | None = None,
    sae_layer: str | None = None,
) -> Adopted:
    """A pair from a classifier and a generator.

    Args:
        classifier: A Keras model, or text (`loading.FORMS`): keras:MobileNetV2, f.keras, a folder.
        generator: Likewise.
        encoder: Layer of the classifier, by name or path; or another model of images (Keras, or
            text that names a file or a folder, and no layer); if left out, the one of the
            classifier's folder, or the last layer without a map before the output, or, where every
            layer has a map, the mean over the last of them.
        name: Of the pair; the classifier's by default, or its file's where nobody named it.
        image_range: (low, high) of the generator's images; if left out, told from a final tanh or
            sigmoid, or else from its images.
        pixel_range: (low, high) of the pixels that the classifier, and an encoder of its own, take;
            three such for red, green and blue; or a mode of Keras's preprocess_input: caffe, tf or
            torch.
        codes: How codes are drawn: "normal", "uniform", or "noise" (encodings of noise); if left
            out, as the generator's folder says, or "normal".
        bounds: Smallest and largest entry of a code; None for an end that is open.
        crop: Side of the centre square that is cut from the generator's image; 0 for none. If left
            out, as the generator's folder says, or none.
        fixed: Values of further inputs of either model, by name: a label, or a picture's file for
            another image of the classifier.
        labels: (layer, names) of units; the output where the layer is None.
        images: Natural images [N, H, W, C] in 0..255, of the generator's size, or a path that
            `image_files.load` reads: statistics of every layer over them make percentiles
            usable in targets, the default one among them, and samples have nature beside them.
            Their classes, where they are as many as the outputs, are the labels if none are given.
        size: (H, W, C) of the classifier's input, where it leaves that open.
        code_size: Entries of a code, where the generator leaves that open.
        trust: As of `loading.open`, for all models.
        weights: As of `loading.open`, for all models.
        sae: A sparse autoencoder of what `sae_layer` gives: an encoder, or a whole autoencoder. It
            becomes part of the classifier, and its features units of the layer SAE_LAYER_sae; of a
            whole autoencoder, of a layer within that.
        sae_layer: Layer of the classifier, by name or path.

    Raises:
        UsageError: Something does not fit; the line says what there is and what to change.

    Example:
        pair, measured = adopt("keras:MobileNetV2", my_generator, image_range=(-1, 1))
    """
    opening: loading.Opening = {"trust": trust, "weights": weights}
    opened_f = loading.open(classifier, "classifier", size=size, **opening)
    if (sae is None) != (sae_layer is None):
        raise UsageError("expected --sae=FILE and --sae-layer=LAYER, one is missing")
    features = None if sae is None else loading.open(sae, "sae", **opening).model
    code_shape = (code_size,) if code_size else None
    opened_G = loading.open(generator, "generator", size=code_shape, **opening)
    mine, theirs = facts.shares(fixed or {}, opened_f.model, opened_G.model)
    G = facts.generator(opened_G, image_range, theirs, codes=codes, bounds=bounds, crop=crop)
    f = facts.classifier(opened_f, pixel_range, mine)
    said, photos = [notes.read(f), *notes.generator(G, f)], nature.load(images, G.image)
    classes = photos.names if photos else ()
    networks = join.join(
        f,
        G,
        encoder,
        name=name or loading.name(classifier, f.model),
        labels=labels,
        classes=classes,
        opening=opening,
        sae=features,
        sae_layer=sae_layer,
    )
    seen = check.images(networks, G.pixels, G.beyond)
    repeatable.expect_generator(networks, seen)
    repeatable.expect_classifier(networks, seen.images)
    target = defaults.target(networks, seen)
    natural = nature.known(networks, photos)
    target = nature.in_percentiles(networks, natural, target, seen)
    own = [*f.picture.size, f.picture.channels]
    found = measured(networks, target, seen, G.pixels, own) | nature.findings(
        networks, natural, photos
    )
    said += notes.guessed(G, seen) + code_check.doubts(networks, G)
    said += notes.chosen(networks, bool(encoder or f.encoder))
    if not f.entries:
        said += pixel_check.doubts(networks, f, photos, stored(seen.images))
    said += notes.features(networks) if features is not None else []
    networks.natural, networks.default = natural, target
    networks.yardstick = nature.measure(networks, natural, photos)
    return Adopted(networks, found | {"licence": facts.licence(f, G), "notes": said})


def pair(
    classifier: Source,
    generator: Source,
    encoder: str = "relu6",
    *,
    name: str | None = None,
    codes: str | None = None,
    bounds: tuple[float | None, float | None] | None = None,
    crop: int | None = None,
    trust: bool = False,
) -> tuple[Networks, list[str], dict[str, Any]]:
    """A pair of converted models, with the habits of the paper's networks where nothing is said.

    Args:
        classifier: As of `adopt`; it takes images in 0..255.
        generator: As of `adopt`; it gives images in 0..255.
        encoder: Layer of the classifier.
        name: Of the pair; that of the classifier's folder, or the classifier's, if left out.
        codes: How codes are drawn; encodings of noise if left out, where the generator takes codes
            of their size, else normal.
        bounds: Smallest and largest entry of a code; those of the paper's generator for the encoder
            if left out, where codes are encodings of noise.
        crop: As of `adopt`; if left out the classifier's side, where it takes squares and the
            image is at most a quarter larger.
        trust: As of `loading.open`.

    Returns:
        (the pair, lines of the check, what its folder says of it beside that: licence and source).

    Raises:
        UsageError: They do not fit.
        ConversionError: The round trip E(G(c)) has another size or is not finite.
    """
    opening: loading.Opening = {"trust": trust}
    f = facts.classifier(loading.open(classifier, "classifier", **opening))
    G = facts.generator(loading.open(generator, "generator", **opening), adapters.PIXELS)
    if codes is None:
        codes = "noise" if join.encoding_size(f.model, encoder) == G.size else "normal"
    if codes == "noise":
        known = {built.encoder: built.code_bounds for built in ARCHITECTURES.values()}
        bounds = bounds or known.get(encoder, PPGN_BOUNDS)
    if crop is None:
        crop = converted.crop_side(f.picture.size, layouts.image_shape(G.model)[:2])
    G = G._replace(codes=codes, bounds=bounds, crop=crop or None)
    networks = join.join(f, G, encoder, name=name or f.entries.get("name"), opening=opening)
    networks.natural = nature.known(networks, None)
    roles = {"classifier": f.entries, "generator": G.entries}
    licences = {role: entries.get("licence") for role, entries in roles.items()}
    said = [f"{role.capitalize()}: {text}" for role, text in licences.items() if text]
    source = {role: entries.get("source") for role, entries in roles.items()}
    return networks, converted.round_trip(networks), {"licence": " ".join(said), "source": source}


def measured(
    networks: Networks,
    target: str | None,
    seen: check.Seen,
    pixels: tuple[float, float],
    own: list[int | None] | None = None,
) -> dict[str, Any]:
    """What was found out about a pair: plain values by name.

    Args:
        networks: The pair.
        target: The default one.
        seen: From `check.images`.
        pixels: (low, high) of the generator's own images.
        own: [rows, columns, channels] that the classifier took before it was made to take what the
            generator gives; as the pair's classifier takes them if left out.
    """
    d_E = int(np.prod(networks.layer_shape(networks.encoder)))
    return {
        "codes": [networks.codes.kind, networks.codes.size],
        "image": list(networks.image_shape),
        "declared range": list(pixels),
        "pixels": [float(seen.images.min()), float(seen.images.max())],
        "pixels clipped": float(np.mean((seen.images < 0.0) | (seen.images > 255.0))),
        "classifier": own or list(networks.classifier.input_shape[1:]),
        "encoder": [networks.encoder, d_E],
        "encoding": {"mean": float(seen.encodings.mean()), "sd": float(seen.encodings.std())},
        "target": target,
        "half precision": arithmetic.halves(networks.classifier),
    }
