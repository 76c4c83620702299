"""From a prototxt of any version to one list of layers in the terms of V2.

Follows Caffe's own upgrade: V0 layers lose their nesting and their padding layers, V1 words
become V2 names, and the layers of the training phase are left out.
"""

import collections
import os
from typing import NamedTuple

from tf_inverse.caffe import prototxt, versions
from tf_inverse.caffe.prototxt import Message
from tf_inverse.errors import ConversionError

MOST_LAYERS = 5000

# Layers that feed a net in training, or only serve it; none of them maps an image to a unit.
DATA = {
    "AnnotatedData",
    "Data",
    "DummyData",
    "HDF5Data",
    "ImageData",
    "MemoryData",
    "WindowData",
}
TRAINING = {
    "Accuracy",
    "ContrastiveLoss",
    "EuclideanLoss",
    "HingeLoss",
    "InfogainLoss",
    "MultinomialLogisticLoss",
    "SigmoidCrossEntropyLoss",
    "Silence",
    "SoftmaxWithLoss",
}

# V0 keeps every parameter in the layer itself, some under other names.
_V0_NAMES = {"kernelsize": "kernel_size", "biasterm": "bias_term", "concat_dim": "concat_dim"}


class Layer(NamedTuple):
    """One layer: `param` is the message with the type's own settings."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    param: Message


class Net(NamedTuple):
    """A network: `inputs` maps a blob's name to its shape without the batch, None if unknown."""

    name: str
    inputs: dict[str, tuple[int, ...] | None]
    layers: tuple[Layer, ...]


def read(path: str | os.PathLike) -> Net:
    """Read a prototxt file as a network; errors as of `prototxt.read` and `understand`."""
    return understand(prototxt.read(path))


def understand(message: Message) -> Net:
    """The network that a parsed prototxt describes.

    Raises:
        ConversionError: Not a network, or one whose layers are not connected.
        RefusedInput: A number out of its limits.
    """
    old, new = message.messages("layers"), message.messages("layer")
    if len(old) + len(new) == 0:
        raise ConversionError("expected a network, found no layer; is this a solver's prototxt?")
    if len(old) + len(new) > MOST_LAYERS:
        raise ConversionError(f"expected at most {MOST_LAYERS} layers, got {len(old) + len(new)}")
    layers = [_layer(layer, i) for i, layer in enumerate(old or new) if _in_test(layer)]
    inputs = _declared_inputs(message)
    for layer in layers:
        if layer.type == "Input" or layer.type in DATA:
            inputs |= _layer_inputs(layer)
    kept = [
        layer
        for layer in _fold_padding(layers)
        if layer.type not in DATA | TRAINING and layer.type != "Input"
    ]
    _refuse_repeats(kept)
    return Net(message.word("name"), inputs, tuple(kept))


def _in_test(layer):
    """Whether the layer is in the net of the phase TEST."""
    phases = [rule.word("phase") for rule in layer.messages("include")]
    if phases and not any(phase in ("", "TEST") for phase in phases):
        return False
    return not any(rule.word("phase") == "TEST" for rule in layer.messages("exclude"))


def _layer(message, i):
    inner = message.messages("layer")
    core = inner[-1] if inner else message
    name = core.word("name") or f"layer {i}"
    message.where = core.where = f"layer {name!r}"
    word = core.word("type")
    kind = (versions.V0 if inner else versions.V1_WORDS).get(word, word)
    if not kind:
        raise ConversionError(f"{core.where}: expected a type, found none")
    param = _flat(core) if inner else message.message(_param_name(kind))
    param.where = core.where
    if kind in DATA:
        param.fields = param.fields | message.message("transform_param").fields
    bottoms, tops = tuple(message.all("bottom", str)), tuple(message.all("top", str))
    return Layer(name, kind, bottoms, tops, param)


def _param_name(kind):
    """The field that holds a type's settings: InnerProduct -> inner_product_param."""
    names = {"ReLU": "relu", "PReLU": "prelu", "ELU": "elu", "LRN": "lrn", "TanH": "tanh"}
    names["Deconvolution"] = "convolution"
    snake = "".join("_" + c.lower() if c.isupper() else c for c in kind).lstrip("_")
    return names.get(kind, snake) + "_param"


def _flat(core):
    param = Message(core.where)
    param.fields = {_V0_NAMES.get(name, name): values for name, values in core.fields.items()}
    return param


def _declared_inputs(message):
    """The inputs that old nets declare outside of any layer."""
    names, dims = message.all("input", str), message.integers("input_dim")
    shapes = [shape.integers("dim") for shape in message.messages("input_shape")]
    shapes = shapes or [dims[i : i + 4] for i in range(0, len(dims), 4)]
    if names and len(shapes) not in (0, len(names)):
        raise ConversionError(f"expected a shape for each input {names}, got {len(shapes)}")
    shapes = shapes or [None] * len(names)
    return {
        name: tuple(shape[1:]) if shape else None for name, shape in zip(names, shapes, strict=True)
    }


def _layer_inputs(layer):
    """What an Input layer or a data layer feeds; of a data layer only the image counts."""
    if layer.type != "Input":
        size = layer.param.integer("crop_size", 0, 0)
        shape = (1 if "force_gray" in layer.param.fields else 3, size, size) if size else None
        return {top: shape for top in layer.tops[:1]}
    shapes = [tuple(shape.integers("dim")[1:]) for shape in layer.param.messages("shape")]
    if len(shapes) not in (0, 1, len(layer.tops)):
        raise ConversionError(f"layer {layer.name!r}: expected a shape for each top")
    shapes = shapes * len(layer.tops) if len(shapes) < 2 else shapes
    return dict(zip(layer.tops, shapes or [None] * len(layer.tops), strict=True))


def _fold_padding(layers):
    """V0's padding layers become the pad of the convolution or pooling that reads them."""
    padded, kept = {}, []
    for layer in layers:
        if layer.type == "Padding":
            if len(layer.bottoms) != 1 or len(layer.tops) != 1:
                raise ConversionError(f"layer {layer.name!r}: expected one bottom and one top")
            padded[layer.tops[0]] = (layer.bottoms[0], layer.param.integer("pad", 0, 0))
            continue
        if layer.bottoms and layer.bottoms[0] in padded:
            bottom, pad = padded[layer.bottoms[0]]
            layer.param.fields["pad"] = [pad]
            layer = layer._replace(bottoms=(bottom, *layer.bottoms[1:]))
        kept.append(layer)
    return kept


def _refuse_repeats(layers):
    times = collections.Counter(layer.name for layer in layers)
    repeats = sorted(name for name, count in times.items() if count > 1)
    if repeats:
        raise ConversionError(f"expected layers with names of their own, got twice: {repeats}")
