"""From a prototxt of any version to one list of layers in the terms of V2.

Follows Caffe's own upgrade: V0 layers lose their nesting and their padding layers, V1 words
become V2 names, and the layers of the training phase are left out.
"""

import os
from typing import NamedTuple

from tf_inverse.caffe import feeds, layer_names, layer_types, phases, prototxt
from tf_inverse.caffe.feeds import Transform
from tf_inverse.caffe.message import Message
from tf_inverse.errors import ConversionError, RefusedInput

MOST_LAYERS = 5000

# Layers that only serve training; none of them maps an image to a unit.
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
_V0_NAMES = {
    "kernelsize": "kernel_size",
    "biasterm": "bias_term",
    "cropsize": "crop_size",
    "meanfile": "mean_file",
}


class Layer(NamedTuple):
    """One layer: `param` is the message with the type's own settings.

    `shared` holds a name for each blob that other layers may use too, "" for the layer's own.
    """

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    param: Message
    shared: tuple[str, ...] = ()


class Net(NamedTuple):
    """A network.

    Attributes:
        name: Of the network.
        inputs: {blob: shape without the batch, None if unknown}.
        layers: In order.
        transform: What its data layer does to pixels, None where it has none.
    """

    name: str
    inputs: dict[str, tuple[int, ...] | None]
    layers: tuple[Layer, ...]
    transform: Transform | None = None


def read(path: str | os.PathLike) -> Net:
    """Read a prototxt file as a network; errors as of `prototxt.read` and `understand`."""
    message = prototxt.read(path)
    try:
        return understand(message)
    except RefusedInput as error:
        raise RefusedInput(f"{path}: {error}") from None


def understand(message: Message) -> Net:
    """The network that a parsed prototxt describes, in the phase TEST.

    Raises:
        ConversionError: Not a network, or one whose layers are not connected.
        RefusedInput: A number out of its limits, or fields that are not known.
    """
    old, new = message.messages("layers"), message.messages("layer")
    if len(old) + len(new) == 0:
        raise ConversionError("expected a network, found no layer; is this a solver's prototxt?")
    expect_few(len(old) + len(new))
    if old and new:
        raise ConversionError("expected layers of one version, got both `layers` and `layer`")
    state = phases.state(message.message("state"))
    inputs, transform, training = feeds.declared(message), None, None
    name = message.word("name")
    unknown = message.unknown(layer_names.HARMLESS | {"layer", "layers"})
    kept = []
    for i, one in enumerate(old or new):
        tested, layer = phases.included(one, *state), _layer(one, i)
        if not tested:
            if layer.type in feeds.DATA:
                training = layer, one
            continue
        unknown += _unknown(one, layer)
        if layer.type in feeds.DATA:
            fed, transform = feeds.of_data_layer(layer, one)
            inputs |= fed
        elif layer.type == "Input":
            inputs |= feeds.of_input_layer(layer)
        elif layer.type not in TRAINING:
            kept.append(layer)
    if unknown:
        raise RefusedInput("; ".join(unknown[:20]))
    kept = _fold_padding(kept)
    if training and not transform:
        # A file for training alone says there what was done to the pixels that it learnt from.
        _, transform = feeds.of_data_layer(*training)
    return Net(name, inputs, tuple(kept), transform)


def expect_few(count: int) -> None:
    """Refuses a network of more layers than any has: planning would take forever.

    Raises:
        ConversionError: It has more than `MOST_LAYERS`.
    """
    if count > MOST_LAYERS:
        raise ConversionError(f"expected at most {MOST_LAYERS} layers, got {count}")


def _layer(message: Message, i: int) -> Layer:
    inner = message.messages("layer")
    core = inner[-1] if inner else message
    name = core.word("name") or f"layer {i}"
    message.where = core.where = f"layer {name!r}"
    word = core.word("type")
    kind = (layer_names.V0 if inner else layer_names.V1_WORDS).get(word, word)
    if not kind:
        raise ConversionError(f"{core.where}: expected a type, found none")
    if inner:
        param = core.renamed(_V0_NAMES)
        param.asked = {"name", "type"}
    else:
        param = message.message(layer_names.settings_of(kind))
    bottoms, tops = tuple(message.all("bottom", str)), tuple(message.all("top", str))
    return Layer(name, kind, bottoms, tops, param, _shared(message))


def _shared(message: Message) -> tuple[str, ...]:
    """The names of a layer's blobs; V1 has them as words, V2 in messages."""
    values = message.all("param", (str, Message))
    return tuple(value.word("name") if isinstance(value, Message) else value for value in values)


def _unknown(message: Message, layer: Layer) -> list[str]:
    """Fields of a layer that nothing has asked for.

    The layer's own settings are looked at when its shape is known. Layers that are left out, or
    refused for their type, may have settings of forks of Caffe.
    """
    known = (
        layer_names.HARMLESS | layer_names.SETTINGS | {"layer", layer_names.settings_of(layer.type)}
    )
    if layer.type not in layer_types.KINDS:
        known |= {name for name in message.fields if name.endswith("_param")}
    return message.unknown(known)


def _fold_padding(layers: list[Layer]) -> list[Layer]:
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
