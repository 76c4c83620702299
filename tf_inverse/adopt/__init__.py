"""Any classifier and any generator as a pair: opened, brought to the conventions, and checked."""

from __future__ import annotations

import pathlib
from typing import NamedTuple

import keras
import numpy as np

from tf_inverse.adopt import adapters, check, defaults, ends, facts, loading, nature, notes
from tf_inverse.compute import arithmetic
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.networks import codes as distributions
from tf_inverse.networks import logits, storage, yardstick
from tf_inverse.networks.networks import Networks


class Adopted(NamedTuple):
    """A pair, and what was found out about it: plain values by name."""

    networks: Networks
    measured: dict


def adopt(
    classifier,
    generator,
    encoder=None,
    *,
    name: str | None = None,
    image_range: tuple[float, float] | None = None,
    pixel_range: tuple[float, float] = adapters.PIXELS,
    codes: str | None = None,
    bounds: tuple[float, float] | None = None,
    crop: int | None = None,
    fixed: dict | None = None,
    labels: tuple[str | None, tuple[str, ...]] | None = None,
    images=None,
    size: tuple[int, ...] | None = None,
    code_size: int | None = None,
    **opening,
) -> Adopted:
    """A pair from a classifier and a generator.

    Args:
        classifier: A Keras model, or text (`loading.FORMS`): keras:MobileNetV2, f.keras, a folder.
        generator: Likewise.
        encoder: Layer of the classifier, by name or path; or another model of images (Keras, or
            text that names a file or a folder); if left out, the one of the classifier's folder,
            or the last layer without a map before the output, or, where every layer has a map, the
            mean over the last of them.
        name: Of the pair; the classifier's by default.
        image_range: (low, high) of the generator's images; told from its images if left out.
        pixel_range: (low, high) of the pixels that the classifier, and an encoder of its own, take.
        codes: How codes are drawn: "normal", "uniform", or "noise" (encodings of noise); if left
            out, as the generator's folder says, or "normal".
        bounds: Smallest and largest entry of a code.
        crop: Side of the centre square that is cut from the generator's image.
        fixed: Values of further inputs of either model, by name: a label, or a picture's file for
            another image of the classifier.
        labels: (layer, names) of units; the output where the layer is None.
        images: Natural images [N, H, W, C] in 0..255, of the generator's size, or a path that
            `image_files.load` reads: statistics of every layer over them make percentiles
            usable in targets, the default one among them, and samples have nature beside them.
            Their classes, where they are as many as the outputs, are the labels if none are given.
        size: (H, W, C) of the classifier's input, where it leaves that open.
        code_size: Entries of a code, where the generator leaves that open.
        **opening: trust, weights of `loading.open`, for all models.

    Raises:
        UsageError: Something does not fit; the line says what there is and what to change.

    Example:
        pair, measured = adopt("keras:MobileNetV2", my_generator, image_range=(-1, 1))
    """
    told = facts.known(classifier, generator)
    f = loading.open(classifier, "classifier", size=size, **opening)
    G = loading.open(generator, "generator", size=code_size and (code_size,), **opening)
    fixed, kind = _named(fixed or {}, f, G), codes or told.codes or "normal"
    facts.expect_stored(kind, told.natural)
    free = adapters.generator(G, fixed=_of(G, fixed))
    d = free.input_shape[-1]
    values = image_range or told.image_range or check.likely_range(free, d, kind)
    G = adapters.generator(G, values, _of(G, fixed))
    crop = _crop(crop or told.crop, G.output_shape)
    read = notes.read(f, _of(f, fixed))
    f, path = with_conventions(
        f, encoder or told.encoder, pixel_range, G.output_shape[-1], _of(f, fixed), opening
    )
    networks = Networks(
        name=name or f.name,
        classifier=f,
        generator=G,
        encoder=path,
        codes=distributions.Codes(kind, d, bounds or (told.bounds if codes is None else None)),
        crop=crop,
        natural=told.natural,
    )
    check.codes_fit(networks, G)
    given = nature.load(networks, images)
    labels = labels or told.labels or nature.labels(networks, given)
    networks.labels = labelled(networks, labels)
    share = check.CLIPPED if image_range else check.SHARE
    # A folder's generator keeps to the conventions, and may overshoot as it has learned to.
    seen = check.images(networks, values, 1.0 if values == told.image_range else share)
    networks.default = defaults.target(networks, seen)
    networks.natural = facts.joined(networks, told, given)
    networks.default = nature.default(networks, seen)
    findings = measured(networks, seen, values) | nature.told(networks, given)
    said = {"notes": [read, *notes.chosen(networks, encoder or told.encoder)]}
    return Adopted(networks, findings | {"licence": told.licence} | said)


def with_conventions(
    f, encoder, pixel_range, channels: int, fixed: dict, opening: dict
) -> tuple[keras.Model, str]:
    """A classifier that takes images in 0..255, and the path of its encoder.

    Args:
        f: From `loading.open`.
        encoder: As of `adopt`.
        pixel_range: As of `adopt`.
        channels: Of the images that will come.
        fixed: Values of further inputs of the classifier, by name.
        opening: trust, weights of `loading.open`, for an encoder of its own.
    """
    f = ends.with_logits(adapters.classifier(f, pixel_range, channels, fixed))
    return _with_encoder(f, encoder, pixel_range, channels, opening)


def write(
    adopted: Adopted, out, *, licence: str = "", half: bool = False, overwrite: bool = False
) -> pathlib.Path:
    """Write a pair's folder, read it again and compare, and only then put it in its place.

    Args:
        adopted: The pair.
        out: Folder to be made.
        licence: What the weights may be used for; that of the models' folders if left out.
        half: Store weights in half precision: see `storage.save`.
        overwrite: Replace a network's folder that is there.

    Raises:
        FileExistsError: The folder exists and overwrite is False, or it is no network's.
        RefusedInput: What was written cannot be read without code of the user's own.
        UsageError: What was read does not give what was written.
    """
    networks = adopted.networks
    return storage.save(
        out,
        name=networks.name,
        classifier=networks.classifier,
        generator=networks.generator,
        encoder=networks.encoder,
        codes=networks.codes,
        crop=networks.crop,
        labels=networks.labels,
        natural=networks.natural,
        default=networks.default,
        measure=yardstick.of(networks),
        licence=licence or adopted.measured["licence"],
        source={"measured": adopted.measured},
        half=half,
        overwrite=overwrite,
        check=lambda made: _same(networks, _read_again(made)),
    )


def _read_again(made):
    try:
        return storage.load(made, trust=True)
    except RefusedInput as error:
        rule = str(error).partition(": ")[2].partition("; ")[0]
        raise RefusedInput(
            f"expected models of layers that Keras has, so that a folder of them holds no program; "
            f"{rule}. The pair samples as it is in this program; and a SavedModel (model.export) "
            f"of your own class can be adopted with --trust"
        ) from error


def _crop(side, shape):
    if side is not None and not 1 <= side <= min(shape[1:3]):
        raise UsageError(f"expected --crop from 1 to {min(shape[1:3])} of {shape[1:]}, got {side}")
    return side


def _named(fixed, *models):
    names = [one.name for model in models for one in model.inputs]
    unknown = [name for name in fixed if name not in names]
    if unknown:
        raise UsageError(
            f"expected --fixed of an input, {unknown[0]} is none; there is {', '.join(names)}"
        )
    return fixed


def _of(model, fixed):
    names = [one.name for one in model.inputs]
    return {name: value for name, value in fixed.items() if name in names}


def _with_encoder(f, encoder, pixel_range, channels, opening):
    if encoder is None:
        path = defaults.penultimate(f)
        return (f, path) if path else _pooled(f)
    if isinstance(encoder, str) and not _is_model(encoder):
        return f, encoder
    own = loading.open(encoder, "classifier", **opening | {"size": None})
    own = adapters.classifier(own, pixel_range, channels)
    return adapters.with_encoder(f, own)


def _pooled(f):
    f = ends.with_pooled(f)
    return f, logits.source(f.outputs[-1])


def _is_model(text):
    return text.startswith("keras:") or pathlib.Path(text).exists()


def labelled(networks, labels) -> tuple[str, tuple[str, ...]] | None:
    """Labels as of `adopt`, of the output where they name no layer; None where there are none.

    Raises:
        UsageError: There are more or fewer than the layer has units.
    """
    if labels is None:
        return None
    layer, names = labels
    layer = networks.layer_path(layer or defaults.output(networks))
    count = networks.layer_shape(layer)[-1]
    if len(names) != count:
        raise UsageError(f"expected {count} labels for the units of {layer}, got {len(names)}")
    return layer, tuple(names)


def measured(networks, seen, values) -> dict:
    """What was found out about a pair: plain values by name.

    Args:
        networks: `networks.Networks`.
        seen: From `check.images`.
        values: (low, high) of the generator's own images.
    """
    d_E = int(np.prod(networks.layer_shape(networks.encoder)))
    return {
        "codes": [networks.codes.kind, networks.codes.size],
        "image": list(networks.image_shape),
        "declared range": list(values),
        "pixels": [float(seen.images.min()), float(seen.images.max())],
        "pixels clipped": float(np.mean((seen.images < 0.0) | (seen.images > 255.0))),
        "classifier": list(networks.classifier.input_shape[1:]),
        "encoder": [networks.encoder, d_E],
        "encoding": {"mean": float(seen.encodings.mean()), "sd": float(seen.encodings.std())},
        "target": networks.default,
        "half precision": arithmetic.halves(networks.classifier),
    }


def _same(networks, again):
    c = distributions.draw(networks, 2, distributions.generator(0, 2))
    before, after = (one.look(c, (), None) for one in (networks, again))
    if not np.allclose(before.e, after.e, rtol=1e-3, atol=1e-3 * float(np.abs(before.e).max())):
        raise UsageError(
            "expected the folder to give what the models give, it does not: a layer does not save "
            "all that it needs (get_config, save_own_variables)"
        )
