"""Whole conversions: files in, a checked Keras model and the story of its weights out."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, overload

import keras
import numpy as np
from numpy.typing import ArrayLike

from tf_inverse.archive import atomic
from tf_inverse.caffe import (
    caffemodel,
    keras_model,
    means,
    net_parameter,
    shape_inference,
    sources,
    supply,
    weight_check,
    weight_file,
    weights,
    which_network,
)
from tf_inverse.caffe.blob_shape import BlobShape
from tf_inverse.errors import ConversionError
from tf_inverse.layers.pixels import IMAGENET_MEAN
from tf_inverse.networks.unit_labels import Labels
from tf_inverse.tensors import Array, Model, StrPath
from tf_inverse.zoo import caffenet, generator, labels

UNKNOWN = "Not stated here: see the source of the weights."

NETWORKS = ("caffenet", "places205", "alexnet", "generator")


class Converted(NamedTuple):
    """A conversion's result.

    Attributes:
        model: Keras model, RGB 0..255 in or out.
        role: "classifier" or "generator".
        report: One line for each layer filled.
        labels: (layer, names) or None.
        encoder: Layer whose output codes come from, or None.
        licence: Of the weights.
        source: Files with their sha256, and the settings.
        notes: What the reader of the report should know beside it, a line each.
    """

    model: keras.Model
    role: str
    report: list[str]
    labels: Labels | None
    encoder: str | None
    licence: str
    source: dict[str, Any]
    notes: tuple[str, ...] = ()

    def outputs(self) -> str:
        """Every output of the model with its shape: "prob [10], boxes [4]"."""
        names, tensors = self.model.output_names, self.model.outputs
        return ", ".join(
            f"{name} {list(tensor.shape[1:])}" for name, tensor in zip(names, tensors, strict=True)
        )


def network(
    kind: str,
    path: StrPath,
    prototxt: StrPath | None = None,
    mean: ArrayLike = IMAGENET_MEAN,
    code: str = "fc6",
    ignore: Iterable[str] = (),
) -> Converted:
    """One of the paper's networks from its weights.

    Args:
        kind: One of `NETWORKS`.
        path: Of a `.caffemodel`, or of PyTorch's or a safetensors file with the same names.
        prototxt: Its description; only compared with the network that is built.
        mean: [3] or [H, W, 3], blue first.
        code: Of a generator: a key of `generator.ARCHITECTURES`.
        ignore: Layers of the file that may stay unused.

    Raises:
        ConversionError: The file holds another network.
    """
    file = weight_file.read(path)
    described = net_parameter.read(prototxt) if prototxt else None
    if kind != "generator":
        which_network.refuse_other_order(kind, file, described)
    model = blank(kind, mean, code)
    if described:
        needs = shape_inference.make(described).weights()
        which_network.compare(weights.expected(model), needs, prototxt)
    report = weights.load(model, file, ignore=ignore)
    check(model, kind)
    source = _source(kind, (path, prototxt))
    report.append(f"{pathlib.Path(path).name}: {which_network.published(source)}")
    if kind != "generator" and not which_network.tells_order(file.layers):
        report.append(f"nothing in it says whether pool1 or norm1 is first: as in {kind}")
    return Converted(
        model,
        "generator" if kind == "generator" else "classifier",
        report,
        None if kind == "generator" else Labels("fc8", _class_names(kind)),
        None if kind == "generator" else "relu6",
        {"generator": sources.DEEPSIM, "places205": sources.PLACES}.get(kind, sources.BVLC),
        source,
    )


def _class_names(kind: str) -> tuple[str, ...]:
    return tuple(labels.places205() if kind == "places205" else labels.imagenet())


def blank(kind: str, mean: ArrayLike = IMAGENET_MEAN, code: str = "fc6") -> keras.Model:
    """One of the paper's networks before it has weights: all of them are zero.

    Args:
        kind: One of `NETWORKS`.
        mean: As of `network`.
        code: As of `network`.
    """
    if kind == "generator":
        return generator.generator(code, mean)
    make = caffenet.alexnet if kind == "alexnet" else caffenet.caffenet
    return make(205 if kind == "places205" else 1000, mean, name=kind)


def any_caffe(
    prototxt: StrPath,
    path: StrPath,
    role: str | None = None,
    mean: Array | None = None,
    scale: float | None = None,
    channels: str = "bgr",
    *,
    input_shape: BlobShape | None = None,
    ignore: Iterable[str] = (),
) -> Converted:
    """Any network of the known layers from its prototxt and `.caffemodel`.

    Args:
        prototxt: Deploy description.
        path: Of the `.caffemodel`.
        role: "classifier" or "generator"; None tells by the input and the outputs.
        mean: [C] or [H, W, C] in the network's order of channels; None for the prototxt's, if any.
        scale: What pixels are multiplied by once the mean is off; None for the prototxt's, or 1.
        channels: "bgr" or "rgb".
        input_shape: (C, H, W), where the prototxt declares none or in its place.
        ignore: Layers of the file that may stay unused.

    Raises:
        ConversionError: Layers that are unknown or do not fit, weights that are missing or surplus,
            or a network that is neither a classifier of images nor a generator.
        RefusedInput: A damaged file, or fields that are not known.
        UsageError: The prototxt names a mean image, and no mean is given.
    """
    described = net_parameter.read(prototxt)
    planned = shape_inference.make(described, input_shape)
    pixels, said = means.choose(described.transform, mean, scale, channels)
    file, supplied = supply.complete(planned, weight_file.read(path))
    made = built(
        "caffe",
        role or _role(planned),
        planned,
        file,
        pixels,
        files=(prototxt, path),
        ignore=ignore,
    )
    return made._replace(notes=(*supplied, *said, *made.notes))


def built(
    kind: str,
    role: str,
    planned: shape_inference.Plan,
    file: caffemodel.Caffemodel,
    pixels: means.Pixels,
    *,
    files: Iterable[str | os.PathLike],
    ignore: Iterable[str] = (),
) -> Converted:
    """A plan as a Keras model that holds the weights of a file, and that was tried.

    Args:
        kind: What is converted, for the folder.
        role: "classifier" or "generator".
        planned: From `shape_inference.make`.
        file: Its weights.
        pixels: What the network does to pixels.
        files: What was read.
        ignore: Layers of the file that may stay unused.

    Raises:
        ConversionError: Weights that are missing or surplus or do not fit, or a network of another
            role.
    """
    weight_check.check(planned.weights(), file, ignore)
    build = {"classifier": keras_model.classifier, "generator": keras_model.generator}[role]
    model = build(planned, *pixels)
    names = {keras_name: name for name, keras_name in keras_model.keras_names(planned).items()}
    report = weights.load(model, file, names, ignore)
    notes = planned.notes()
    check(model, planned.name or file.path, notes)
    named = class_labels(model) if role == "classifier" else None
    return Converted(model, role, report, named, None, UNKNOWN, _source(kind, files), tuple(notes))


def _role(planned: shape_inference.Plan) -> str:
    """Whether a network takes images, or makes one."""
    shape, outputs = next(iter(planned.inputs.values())), list(planned.outputs().values())
    if len(shape) == 3 and shape[0] in (1, 3):
        return "classifier"
    if len(outputs) == 1 and len(outputs[0]) == 3 and outputs[0][0] in (1, 3):
        return "generator"
    raise ConversionError(
        f"expected a classifier, whose input is an image of 1 or 3 channels, or a generator, whose "
        f"only output is; got input {shape} and outputs {', '.join(map(str, outputs))}: no image "
        f"goes in or comes out"
    )


def class_labels(model: Model, own: Sequence[str] = ()) -> Labels | None:
    """Labels of the last layer but a softmax, where a list has one name for each of its units.

    Args:
        model: A classifier.
        own: Names that its file has; taken where there are as many as units.
    """
    for layer in reversed(model.layers):
        if isinstance(layer, keras.layers.Softmax):
            continue
        count = layer.output.shape[-1]
        names = own if len(own) == count else labels.for_classes(count)
        return Labels(layer.name, tuple(names)) if names else None
    return None


def check(model: Model, name: str, notes: Iterable[str] = ()) -> None:
    """Refuses a model whose outputs for random input are not finite numbers.

    Args:
        model: As converted.
        name: Of the network, for the message.
        notes: What may be the reason, for the message.

    Raises:
        ConversionError: Some output is not finite.
    """
    shape = model.input_shape[1:]
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 255, shape) if len(shape) == 3 else rng.standard_normal(shape)
    outputs = model(x[None].astype(np.float32), training=False)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    if not all(np.isfinite(np.asarray(y)).all() for y in outputs):
        reason = "; ".join(notes) or "wrong file?"
        raise ConversionError(f"self-check: {name} gives numbers that are not finite; {reason}")


def _source(kind: str, files: Iterable[StrPath | None]) -> dict[str, Any]:
    paths = [pathlib.Path(file) for file in files if file]
    return {"converted": kind, "files": {path.name: atomic.checksum(path) for path in paths}}


@overload
def read_mean(text: str | None, default: ArrayLike = IMAGENET_MEAN) -> Array: ...
@overload
def read_mean(text: str | None, default: None) -> Array | None: ...
def read_mean(text: str | None, default: ArrayLike | None = IMAGENET_MEAN) -> Array | None:
    """A mean from "104,117,123", one number, or a file; None gives the default."""
    if text is None:
        return None if default is None else np.asarray(default, np.float32)
    if os.path.exists(text):
        return means.read(text)
    return means.parse(text)
