"""MatConvNet networks, SimpleNN and DagNN, as networks and weights in Caffe's terms.

MatConvNet keeps filters as (height, width, in, out), pads as [top bottom left right] and images
as RGB; inner products are convolutions of the whole map; LRN's alpha is already divided.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from tf_inverse.caffe import caffemodel, convert, mat, means, shape_inference
from tf_inverse.caffe.blob_shape import BlobShape, Options
from tf_inverse.caffe.matconvnet_layers import TYPES, Part
from tf_inverse.caffe.message import Message
from tf_inverse.caffe.net_parameter import Layer, Net
from tf_inverse.errors import ConversionError, RefusedInput, reason
from tf_inverse.tensors import Array

# Layers of training; softmaxloss closes networks that were saved as trained.
TRAINING = {"softmaxloss", "loss", "dagnn.Loss", "dagnn.SoftMaxLoss", "dagnn.EuclideanLoss"}
# Python raises these where a file lacks a field, or has another kind of value in it.
DAMAGE = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)

T = TypeVar("T")


def to_keras(path: str | os.PathLike) -> convert.Converted:
    """A classifier from a `.mat` file.

    Raises:
        RefusedInput: Damaged, or not a MatConvNet network.
        ConversionError: Layers that are unknown or do not fit, all of them.
    """
    network = mat.read(path)
    network = network.get("net", network)
    if not isinstance(network, dict) or not network.get("layers"):
        raise RefusedInput(f"expected a MatConvNet network in {path}, found no layers")
    meta = _dict(network.get("meta")) | {
        key: network[key] for key in ("normalization", "classes") if key in network
    }
    normalization = _dict(meta.get("normalization"))
    try:
        size = _size(normalization)
        mean = _mean(normalization, size)
        parts = _dag(network) if "params" in network else _simple(network)
    except DAMAGE as error:
        raise RefusedInput(
            f"expected layers as MatConvNet writes them in {path}: {reason(error)}"
        ) from None
    planned, file = understand(path, parts, size)
    made = convert.built(
        "matconvnet", "classifier", planned, file, means.Pixels(mean, 1.0, "rgb"), files=(path,)
    )
    encoder = "relu6" if any(layer.name == "relu6" for layer in made.model.layers) else None
    # A name is often a number in WordNet, as n03063599: then ImageNet's own words tell more.
    described, named = (_class_names(meta, key) for key in ("description", "name"))
    labels = convert.class_labels(made.model, described) or convert.class_labels(made.model, named)
    return made._replace(labels=labels, encoder=encoder)


def _simple(network: dict[str, Any]) -> list[Part]:
    """SimpleNN: a chain; each layer reads the one before it."""
    parts, last = [], "data"
    for i, layer in enumerate(network["layers"]):
        name = layer.get("name") or f"layer{i + 1}"
        if layer.get("type") in TRAINING:
            continue
        old = [layer[key] for key in ("filters", "biases") if key in layer]
        arrays = layer.get("weights") or old
        parts.append(Part(name, layer.get("type"), (last,), (name,), layer, list(arrays)))
        last = name
    return parts


def _dag(network: dict[str, Any]) -> list[Part]:
    """DagNN: layers name the variables that they read and make, and their parameters."""
    values = {param["name"]: param["value"] for param in _list(network["params"])}
    parts = []
    for layer in _list(network["layers"]):
        if layer["type"] in TRAINING:
            continue
        arrays = [values[name] for name in _list(layer.get("params"))]
        read, made = (tuple(_list(layer[key])) for key in ("inputs", "outputs"))
        block = _dict(layer.get("block"))
        parts.append(Part(layer["name"], layer["type"], read, made, block, arrays))
    return parts


def understand(
    path: str | os.PathLike, parts: list[Part], size: tuple[int, int, int]
) -> tuple[shape_inference.Plan, caffemodel.Caffemodel]:
    """The plan of a network, and its weights as a Caffe file would hold them.

    Args:
        path: Of the file, for messages.
        parts: Its layers in order.
        size: (C, H, W) of the input.

    Raises:
        ConversionError: As of `shape_inference.make`.
    """
    named = {part.name: part for part in parts}
    layers = [_layer(part) for part in parts]
    first = layers[0].bottoms[:1] if layers else ()
    net = Net("matconvnet", dict.fromkeys(first or ("data",), size), tuple(layers))

    def options(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
        part = named[layer.name]
        return _translated(layer, lambda: TYPES[part.type].options(part, shapes))

    planned = shape_inference.make(net, options=options, known=TYPES)
    held = []
    for step in planned.steps:
        layer, part = step.layer, named[step.layer.name]
        arrays = _translated(layer, functools.partial(TYPES[part.type].blobs, part))
        blobs = tuple(caffemodel.Blob(a.shape, False, a.reshape(-1)) for a in arrays)
        held.append(caffemodel.Layer(layer.name, layer.type, layer.bottoms, layer.tops, blobs))
    return planned, caffemodel.Caffemodel(str(path), "", tuple(held), None)


def _layer(part: Part) -> Layer:
    """A part as a layer of a prototxt that has no settings; an unknown type keeps its name."""
    kind = TYPES[part.type].type if part.type in TYPES else part.type
    where = Message(f"layer {part.name!r}")
    return Layer(part.name, kind, part.bottoms, part.tops, where)


def _translated(layer: Layer, translate: Callable[[], T]) -> T:
    try:
        return translate()
    except ConversionError as error:
        raise ConversionError(f"layer {layer.name!r}: {error}") from None
    except DAMAGE as error:
        raise ConversionError(
            f"layer {layer.name!r} ({layer.type}): expected settings as MatConvNet writes them: "
            f"{reason(error)}"
        ) from None


def _size(normalization: dict[str, Any]) -> tuple[int, int, int]:
    """(C, H, W) of the input."""
    size = np.ravel(normalization.get("imageSize", ())).astype(int)
    if size.size < 3 or (size[:3] < 1).any() or (size[:3] > 4096).any():
        raise ConversionError(f"expected normalization.imageSize [H W C], got {size}")
    return (int(size[2]), int(size[0]), int(size[1]))


def _mean(normalization: dict[str, Any], size: tuple[int, int, int]) -> Array:
    """The averageImage at the input's (C, H, W), resized as MatConvNet does, corner to corner."""
    channels, height, width = size
    mean = np.asarray(normalization.get("averageImage", ()), np.float32)
    if mean.size in (1, channels):
        return mean.ravel()
    if mean.ndim != 3 or mean.shape[-1] != channels:
        raise ConversionError(f"expected averageImage [H, W, {channels}], got {mean.shape}")
    for axis, side in ((0, height), (1, width)):
        place = np.linspace(0, mean.shape[axis] - 1, side)
        low = np.minimum(place.astype(int), max(0, mean.shape[axis] - 2))
        high = np.minimum(low + 1, mean.shape[axis] - 1)
        share = (place - low).reshape([-1 if i == axis else 1 for i in range(3)])
        mean = mean.take(low, axis) * (1 - share) + mean.take(high, axis) * share
    return mean.astype(np.float32)


def _class_names(meta: dict[str, Any], key: str) -> list[str]:
    """The file's own names of classes; none where it has none of that sort."""
    return [str(name) for name in _list(_dict(meta.get("classes")).get(key))]


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    if value is None or isinstance(value, np.ndarray):
        return []
    return value if isinstance(value, list) else [value]
