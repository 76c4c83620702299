"""Any classifier and any generator as a pair: opened, brought to the conventions, and checked."""

from __future__ import annotations

import os
import pathlib
import tempfile
from typing import NamedTuple

import numpy as np

from tf_inverse import codes as distributions
from tf_inverse import folder, taps, units
from tf_inverse.adopt import check, source, wrap
from tf_inverse.errors import UsageError
from tf_inverse.natural import LEVELS, Natural
from tf_inverse.networks import Networks


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
    pixel_range: tuple[float, float] = wrap.PIXELS,
    codes: str = "normal",
    bounds: tuple[float, float] | None = None,
    crop: int | None = None,
    fixed: dict | None = None,
    labels: tuple[str | None, tuple[str, ...]] | None = None,
    images: np.ndarray | None = None,
    **opening,
) -> Adopted:
    """A pair from a classifier and a generator.

    Args:
        classifier: A Keras model, or text (`source.FORMS`): keras:MobileNetV2, f.keras, a folder.
        generator: Likewise.
        encoder: Layer of the classifier, by name or path; or another model of images (Keras, or
            text that names a file or a folder); the last layer without a map, before the output,
            if left out.
        name: Of the pair; the classifier's by default.
        image_range: (low, high) of the generator's images; told from its images if left out.
        pixel_range: (low, high) of the pixels that the classifier, and an encoder of its own, take.
        codes: How codes are drawn: "normal", "uniform", or "noise" (encodings of noise).
        bounds: Smallest and largest entry of a code.
        crop: Side of the centre square that is cut from the generator's image.
        fixed: Values of further inputs of either model, by name: a label.
        labels: (layer, names) of units; the output where the layer is None.
        images: Natural images [N, H, W, C] in 0..255, of the generator's size: statistics of the
            encoding and of the output over them make percentiles usable in targets.
        **opening: trust, size, weights of `source.open`, for both.

    Raises:
        UsageError: Something does not fit; the line says what there is and what to change.

    Example:
        pair, measured = adopt("keras:MobileNetV2", my_generator, image_range=(-1, 1))
    """
    f = source.open(classifier, "classifier", **opening)
    G = source.open(generator, "generator", **opening | {"size": None})
    fixed = fixed or {}
    free = wrap.generator(G, fixed=_of(G, fixed))
    size = free.input_shape[-1]
    values = image_range or check.likely_range(free, size, codes)
    G = wrap.generator(G, values, _of(G, fixed))
    f = wrap.classifier(f, pixel_range, G.output_shape[-1], _of(f, fixed))
    f, path = _with_encoder(f, encoder, pixel_range, G.output_shape[-1], opening)
    networks = Networks(
        name=name or f.name,
        classifier=f,
        generator=G,
        encoder=path,
        codes=distributions.Codes(codes, size, bounds),
        crop=crop,
    )
    check.codes_fit(networks, G)
    networks.labels = _labels(networks, labels)
    seen = check.images(networks, values)
    networks.default = _default(networks, seen)
    if images is not None:
        networks.natural = _natural(networks, images)
    return Adopted(networks, _measured(networks, seen, values))


def write(adopted: Adopted, out, *, licence: str = "", overwrite: bool = False) -> pathlib.Path:
    """Write a pair's folder, read it again and compare, and only then put it in its place.

    Raises:
        FileExistsError: The folder exists and overwrite is False.
        RefusedInput: What was written cannot be read without code of the user's own.
        UsageError: What was read does not give what was written.
    """
    out, networks = pathlib.Path(out), adopted.networks
    if out.exists() and not overwrite:
        raise FileExistsError(f"{out} exists; give --overwrite to replace it, or another name")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
        made = folder.save(
            pathlib.Path(temporary) / out.name,
            name=networks.name,
            classifier=networks.classifier,
            generator=networks.generator,
            encoder=networks.encoder,
            codes=networks.codes,
            crop=networks.crop,
            labels=networks.labels,
            natural=networks.natural,
            default=networks.default,
            licence=licence,
            source={"measured": adopted.measured},
        )
        _same(networks, folder.load(made, trust=True))
        if out.exists():
            os.replace(out, pathlib.Path(temporary) / "old")
        os.replace(made, out)
    return out


def _of(model, fixed):
    names = [one.name for one in model.inputs]
    return {name: value for name, value in fixed.items() if name in names}


def _with_encoder(f, encoder, pixel_range, channels, opening):
    if encoder is None:
        return f, _penultimate(f)
    if isinstance(encoder, str) and not _is_model(encoder):
        return f, encoder
    own = source.open(encoder, "classifier", **opening | {"size": None})
    own = wrap.classifier(own, pixel_range, channels)
    return wrap.with_encoder(f, own)


def _is_model(text):
    return text.startswith("keras:") or pathlib.Path(text).exists()


def _penultimate(f):
    """The last layer before the output that has units without a map."""
    flat = [path for path, shape in taps.shapes(f).items() if len(shape) == 1 and shape[0]]
    # A model within the model comes after its own layers and gives what the last of them gives.
    parents = {path.rpartition("/")[0] for path in flat}
    flat = [path for path in flat if path not in parents]
    if not flat:
        raise UsageError(f"expected --encoder=LAYER: {f.name} has no layer without a map")
    return flat[-2] if len(flat) > 1 else flat[-1]


def _labels(networks, labels):
    if labels is None:
        return None
    layer, names = labels
    layer = layer or _output(networks)
    count = networks.layer_shape(layer)[-1]
    if len(names) != count:
        raise UsageError(f"expected {count} labels for the units of {layer}, got {len(names)}")
    return layer, tuple(names)


def _output(networks):
    """The path of the layer that gives the classifier's first output."""
    last = networks.classifier.outputs[0]._keras_history.operation.name
    inside = [path for path, _ in taps.walk(networks.classifier)]
    inner = [path for path in networks.shapes if path.startswith(f"{last}/")]
    # Layers rather than numbered outputs of the model within.
    layers = [path for path in inner if path in inside]
    return (layers or inner or [last])[-1]


def _default(networks, seen):
    """The liveliest unit of the output: around what random codes give, up to their highest."""
    layer = networks.labels[0] if networks.labels else _output(networks)
    neuron = check.liveliest(networks, layer, seen)
    check.gradient(networks, neuron)
    z = networks.score(np.rint(np.clip(seen.images, 0, 255)).astype(np.uint8), (neuron,))[1]
    low, high = np.percentile(z, (60, 95))
    return f"{neuron}@{low:.6g}:{high:.6g}" if low < high else None


def _natural(networks, images):
    layers = {}
    chosen = dict.fromkeys((networks.labels[0] if networks.labels else _output(networks),))
    for layer in (*chosen, networks.encoder):
        one = units.measure(networks, layer, images, "images")
        layers[layer] = (one.mean, one.sd, one.percentiles)
    return Natural(len(images), "images given at adoption", np.array(LEVELS), layers)


def _measured(networks, seen, values):
    d_E = int(np.prod(networks.layer_shape(networks.encoder)))
    return {
        "codes": [networks.codes.kind, networks.codes.size],
        "image": list(networks.image_shape),
        "declared range": list(values),
        "pixels": [float(seen.images.min()), float(seen.images.max())],
        "classifier": list(networks.classifier.input_shape[1:]),
        "encoder": [networks.encoder, d_E],
        "encoding": {"mean": float(seen.encodings.mean()), "sd": float(seen.encodings.std())},
        "target": networks.default,
    }


def _same(networks, again):
    c = distributions.draw(networks, 2, distributions.generator(0, 2))
    before, after = (one.look(c, (), None) for one in (networks, again))
    if not np.allclose(before.e, after.e, rtol=1e-3, atol=1e-3 * float(np.abs(before.e).max())):
        raise UsageError(
            "expected the folder to give what the models give, it does not: a layer does not save "
            "all that it needs (get_config, save_own_variables)"
        )
