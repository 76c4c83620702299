"""MatConvNet networks, SimpleNN and DagNN, as plans and weights in Caffe's terms.

MatConvNet keeps filters as (height, width, in, out), pads as [top bottom left right] and images
as RGB; inner products are convolutions of the whole map; LRN's alpha is already divided.
"""

import pathlib
from typing import NamedTuple

import numpy as np

from tf_inverse.archive import atomic
from tf_inverse.caffe import (
    caffemodel,
    convert,
    keras_model,
    layer_types,
    mat,
    matconvnet_layers,
    shape_inference,
    weights,
)
from tf_inverse.caffe.message import Message
from tf_inverse.caffe.net_parameter import Layer
from tf_inverse.errors import ConversionError, RefusedInput

UNKNOWN = "Not stated here: see the source of the weights."
# Layers of training; softmaxloss closes networks that were saved as trained.
TRAINING = {"softmaxloss", "loss", "dagnn.Loss", "dagnn.SoftMaxLoss", "dagnn.EuclideanLoss"}


class Part(NamedTuple):
    """A layer of a MatConvNet file: settings, and arrays as they are stored."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    settings: dict
    arrays: list


def to_keras(path) -> convert.Converted:
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
    parts = _dag(network) if "params" in network else _simple(network)
    planned, file = _plan(path, parts, _size(normalization))
    mean = _mean(normalization, planned)
    model = keras_model.classifier(planned, mean, channels="rgb")
    names = {keras_name: name for name, keras_name in keras_model.keras_names(planned).items()}
    report = weights.load(model, file, names)
    convert.check(model, path)
    return convert.Converted(
        model,
        "classifier",
        report,
        _labels(meta, model),
        "relu6" if any(layer.name == "relu6" for layer in model.layers) else None,
        UNKNOWN,
        {"converted": "matconvnet", "files": {pathlib.Path(path).name: atomic.checksum(path)}},
    )


def _simple(network):
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


def _dag(network):
    """DagNN: layers name the variables that they read and make, and their parameters."""
    values = {param["name"]: param["value"] for param in _list(network["params"])}
    parts = []
    for layer in _list(network["layers"]):
        if layer["type"] in TRAINING:
            continue
        arrays = [values[name] for name in _list(layer.get("params"))]
        ends = [tuple(_list(layer[key])) for key in ("inputs", "outputs")]
        parts.append(Part(layer["name"], layer["type"], *ends, _dict(layer.get("block")), arrays))
    return parts


def _plan(path, parts, size):
    """The plan, and the weights as a Caffe file would hold them."""
    first = parts[0].bottoms[0]
    known, steps, layers, unknown = {first: size}, [], [], []
    for part in parts:
        translate = matconvnet_layers.TYPES.get(part.type)
        if translate is None:
            unknown.append(f"{part.name!r} ({part.type})")
            continue
        if unknown:
            continue
        missing = [name for name in part.bottoms if name not in known]
        if missing:
            raise ConversionError(f"layer {part.name!r} reads {missing}, which no layer makes")
        shapes = tuple(known[name] for name in part.bottoms)
        kind, options, blobs = translate(part, shapes)
        layer = Layer(part.name, kind, part.bottoms, part.tops, Message(f"layer {part.name!r}"))
        outputs, needs = layer_types.KINDS[kind].shapes(layer, options, shapes)
        steps.append(shape_inference.Step(layer, options, shapes, tuple(outputs), tuple(needs)))
        known |= dict(zip(part.tops, outputs, strict=True))
        blobs = tuple(caffemodel.Blob(b.shape, False, b.reshape(-1)) for b in blobs)
        layers.append(caffemodel.Layer(part.name, kind, part.bottoms, part.tops, blobs))
    if unknown:
        raise ConversionError(f"no port for {len(unknown)} layers: {', '.join(unknown[:50])}")
    made = shape_inference.Plan("matconvnet", {first: size}, tuple(steps))
    return made, caffemodel.Caffemodel(str(path), "", tuple(layers), None)


def _size(normalization):
    """(C, H, W) of the input."""
    size = np.ravel(normalization.get("imageSize", ())).astype(int)
    if size.size < 3 or (size[:3] < 1).any() or (size[:3] > 4096).any():
        raise ConversionError(f"expected normalization.imageSize [H W C], got {size}")
    return (int(size[2]), int(size[0]), int(size[1]))


def _mean(normalization, planned):
    """Its averageImage at the input's size; resized as MatConvNet does, corner to corner."""
    channels, height, width = next(iter(planned.inputs.values()))
    mean = np.asarray(normalization.get("averageImage", ()), np.float32)
    if mean.size in (1, channels):
        return mean.ravel()
    if mean.ndim != 3 or mean.shape[-1] != channels:
        raise ConversionError(f"expected averageImage [H, W, {channels}], got {mean.shape}")
    for axis, size in ((0, height), (1, width)):
        place = np.linspace(0, mean.shape[axis] - 1, size)
        low = np.minimum(place.astype(int), max(0, mean.shape[axis] - 2))
        high = np.minimum(low + 1, mean.shape[axis] - 1)
        share = (place - low).reshape([-1 if i == axis else 1 for i in range(3)])
        mean = mean.take(low, axis) * (1 - share) + mean.take(high, axis) * share
    return mean.astype(np.float32)


def _labels(meta, model):
    """The file's own names of classes, for the last layer before any softmax."""
    names = _list(_dict(meta.get("classes")).get("description"))
    named = convert.class_labels(model)
    return (named[0], [str(n) for n in names]) if named and len(names) == len(named[1]) else named


def _dict(value):
    return value if isinstance(value, dict) else {}


def _list(value):
    if value is None or isinstance(value, np.ndarray):
        return []
    return value if isinstance(value, list) else [value]
