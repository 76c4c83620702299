"""What each layer of a network computes on which shapes, before anything is allocated.

Shapes are Caffe's without the batch: (C, H, W) or (N,). A plan is refused as a whole: every
layer that cannot be ported is named in one message.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Collection, Iterable
from typing import NamedTuple

from tf_inverse.caffe import layer_names, layer_types, net_parameter, pooling
from tf_inverse.caffe.blob_shape import BlobShape, Needs, Options
from tf_inverse.caffe.layer_types import OptionsReader
from tf_inverse.caffe.net_parameter import Layer, Net
from tf_inverse.errors import ConversionError, RefusedInput

# Numbers in one layer's activations or in one blob: 1 GiB of float32.
MOST_ELEMENTS = 2**28


class Step(NamedTuple):
    """One layer of a plan.

    Attributes:
        layer: As declared.
        options: Its settings, complete and checked.
        shapes: Of its bottoms.
        outputs: Shapes of its tops.
        weights: Shapes of its blobs.
    """

    layer: Layer
    options: Options
    shapes: tuple[BlobShape, ...]
    outputs: tuple[BlobShape, ...]
    weights: tuple[BlobShape, ...]


class Plan(NamedTuple):
    """A network ready to be built: inputs by name, steps in order."""

    name: str
    inputs: dict[str, BlobShape]
    steps: tuple[Step, ...]

    def weights(self) -> Needs:
        """(type, blob shapes) of every layer that has weights, by name."""
        return {
            step.layer.name: (step.layer.type, step.weights) for step in self.steps if step.weights
        }

    def outputs(self) -> dict[str, BlobShape]:
        """Shapes of the blobs that no layer reads, by name: the network's results."""
        unread: dict[str, BlobShape] = {}
        for step in self.steps:
            for blob in step.layer.bottoms:
                unread.pop(blob, None)
            unread |= dict(zip(step.layer.tops, step.outputs, strict=True))
        return unread

    def notes(self) -> list[str]:
        """What is as Caffe computes it and may yet surprise, a line for each layer concerned."""
        said = [
            (step.layer.name, pooling.empty_windows(step.options, step.shapes[0]))
            for step in self.steps
            if step.layer.type == "Pooling"
        ]
        return [f"{name}: {text}" for name, text in said if text]


def _of_caffe(layer: Layer, shapes: tuple[BlobShape, ...]) -> Options:
    return layer_types.KINDS[layer.type].options(layer, shapes)


def make(
    net: Net,
    input_shape: BlobShape | None = None,
    options: OptionsReader = _of_caffe,
    known: Collection[str] = layer_types.KINDS,
) -> Plan:
    """Plan a network, of Caffe or of another program in Caffe's terms.

    Args:
        net: From `net_parameter.read` or `matconvnet.understand`.
        input_shape: (C, H, W), for a net that declares none, or in place of what it declares.
        options: Reads the settings of a layer.
        known: Types of layers that are ported, in the words of the program that wrote the file.

    Raises:
        ConversionError: Layers that are unknown, unconnected or do not fit, and settings that no
            layer of their type has; all of them.
    """
    _refuse_unknown(net, known)
    _refuse_repeats(net.layers)
    net_parameter.expect_few(len(net.layers))
    if not net.layers:
        raise ConversionError(
            "expected layers of the phase TEST that map images or codes, found none: training's "
            "layers, and those of other phases, stages and levels, are left out"
        )
    sizes = {name: input_shape or shape for name, shape in (net.inputs or {"data": None}).items()}
    inputs = {name: shape for name, shape in sizes.items() if shape is not None}
    if len(inputs) < len(sizes):
        raise ConversionError(
            "the network declares no size for its input: use a deploy prototxt or give "
            "--size=ROWS,COLUMNS,CHANNELS"
        )
    shapes, steps = dict(inputs), []
    wrong: list[str] = []
    for shape in inputs.values():
        _check_size("the input", shape)
    for i, layer in enumerate(net.layers):
        try:
            step = _step(layer, shapes, net.layers[i + 1 :], options)
        except (ConversionError, RefusedInput) as error:
            wrong.append(str(error))
            # What follows cannot be judged without this layer's shape.
            break
        steps.append(step)
        wrong += layer.param.unknown(layer_names.HARMLESS)
        shapes |= dict(zip(layer.tops, step.outputs, strict=True))
    if wrong:
        raise ConversionError("; ".join(wrong[:20]))
    return Plan(net.name, inputs, tuple(steps))


def _refuse_unknown(net: Net, known: Collection[str]) -> None:
    unknown = [f"{x.name!r} ({x.type})" for x in net.layers if x.type not in layer_types.KINDS]
    if unknown:
        raise ConversionError(
            f"no port for {len(unknown)} layers: {', '.join(unknown[:50])}; "
            f"known types are {', '.join(sorted(known))}"
        )


def _refuse_repeats(layers: Iterable[Layer]) -> None:
    times = collections.Counter(layer.name for layer in layers)
    repeats = sorted(name for name, count in times.items() if count > 1)
    if repeats:
        raise ConversionError(f"expected layers with names of their own, got twice: {repeats[:50]}")


def _step(
    layer: Layer, known: dict[str, BlobShape], later: tuple[Layer, ...], read: OptionsReader
) -> Step:
    missing = [name for name in layer.bottoms if name not in known]
    if missing:
        made = [other.name for other in later if set(missing) & set(other.tops)]
        reason = f"made only later, by {made}: a cycle" if made else "which no layer makes"
        raise ConversionError(f"layer {layer.name!r} reads {', '.join(missing)}, {reason}")
    kind = layer_types.KINDS[layer.type]
    shapes = tuple(known[name] for name in layer.bottoms)
    layer_types.expect_counts(layer, kind)
    options = read(layer, shapes)
    outputs, weights = kind.shapes(layer, options, shapes)
    for shape in (*outputs, *weights):
        _check_size(f"layer {layer.name!r}", shape)
    return Step(layer, options, shapes, tuple(outputs), tuple(weights))


def _check_size(where: str, shape: BlobShape) -> None:
    if any(not 1 <= n <= 2**20 for n in shape) or math.prod(shape) > MOST_ELEMENTS:
        raise ConversionError(
            f"{where}: expected dimensions from 1 and at most {MOST_ELEMENTS} numbers, got {shape}"
        )
