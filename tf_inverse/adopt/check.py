"""Whether a pair can be sampled: its images, its numbers, and the way from target to code."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from tf_inverse.band import Neuron, placed
from tf_inverse.compute import arithmetic
from tf_inverse.errors import UsageError, reason
from tf_inverse.networks import codes, logits
from tf_inverse.networks.networks import index
from tf_inverse.networks.stored_image import stored
from tf_inverse.tensors import Array, Model, Tensor

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks


COUNT = 24
RANGES = ((-1.0, 1.0), (0.0, 1.0), (0.0, 255.0))
# Pixels may overshoot by a twentieth of their range, one in a hundred by more.
OVERSHOOT, SHARE = 0.05, 0.01
MIDDLE = 0.25
"""From this share of the largest value on, negative ones are no overshoot: zero is the middle."""

CLIPPED = 0.25
"""Share of pixels that may lie outside a range that the user declared: they are clipped."""

LEAST = 0.02
"""Share of the declared range that images must fill."""


class Seen(NamedTuple):
    """What random codes gave: images [N, H, W, C] unclipped, in 0..255, and encodings [N, d_E]."""

    images: np.ndarray
    encodings: np.ndarray


def told_range(model: Model) -> tuple[float, float] | None:
    """The range of a generator's images by its final tanh or sigmoid; None where it has neither."""
    return {"tanh": RANGES[0], "sigmoid": RANGES[1]}.get(logits.squashed(model.outputs[0]) or "")


def likely_range(model: Model, size: int, kind: str) -> tuple[float, float]:
    """The range that a generator's images seem to be in: [-1, 1], [0, 1] or [0, 255].

    Args:
        model: Generator as it came, of codes alone.
        size: d.
        kind: "uniform" for codes on [-1, 1], anything else for N(0, 1).

    A final tanh or sigmoid tells it; else the images of random codes do.

    Raises:
        UsageError: They are in none of these, as logits of pixels, or pixels that were normalised.
    """
    told = told_range(model)
    if told is not None:
        return told
    rng = codes.generator(0, 0)
    c = rng.uniform(-1, 1, (COUNT, size)) if kind == "uniform" else rng.normal(size=(COUNT, size))
    x = np.asarray(tried(model, c.astype(np.float32)), np.float64)
    low, high = np.percentile(x, (1, 99))
    if high > 2.0 or low < -2.0:
        # What reaches far into 0:255 is taken for that; `images` tells how much of it lies beyond.
        if high < 128.0 and -low > MIDDLE * high:
            raise UsageError(
                f"expected pixels of the generator {model.name} in -1:1, 0:1 or 0:255, they go "
                f"from {x.min():.3g} to {x.max():.3g}: declare with --range=LOW:HIGH which of them "
                f"are black and white, or save a model that makes pixels of them at its end, a "
                f"sigmoid of logits, keras.layers.Rescaling of what was normalised"
            )
        return RANGES[2]
    # A generator that is not trained yet stays near the middle of its range, within OVERSHOOT.
    return RANGES[0] if low < -OVERSHOOT or -low > MIDDLE * high else RANGES[1]


def tried(model: Model, x: Tensor | Array) -> Tensor:
    """What a model gives for x.

    Raises:
        UsageError: It fails, with its own words.
    """
    try:
        with arithmetic.computing(model, "float32"):
            return model(x, training=False)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise UsageError(
            f"expected {model.name} to take inputs {list(x.shape)}, it fails: {reason(error)}"
        ) from error


def images(networks: Networks, values: tuple[float, float], share: float = SHARE) -> Seen:
    """Looks at random codes.

    Args:
        networks: `networks.Networks`.
        values: (low, high) that the generator's own images were declared to be in.
        share: Of all pixels, how many may lie outside.

    Raises:
        UsageError: Values are not finite, lie outside the range, or fill next to nothing of it.
    """
    c = codes.draw(networks, COUNT, codes.generator(0, 0))
    x = networks.cropped(tried(networks.generator, c))
    x = np.asarray(x, np.float32)
    if not np.isfinite(x).all():
        raise UsageError(
            "expected finite pixels, the generator gives values that are not: are its weights "
            "loaded, and are codes drawn as it was trained with?"
        )
    low, high = values
    span = f"{low:g}:{high:g}"
    own = low + x / 255.0 * (high - low)
    beyond = np.mean((x < -255.0 * OVERSHOOT) | (x > 255.0 * (1 + OVERSHOOT)))
    if beyond > share:
        raise UsageError(
            f"expected pixels in the declared range {span}, {beyond:.0%} lie outside; they go from "
            f"{own.min():.3g} to {own.max():.3g}: declare with --range=LOW:HIGH which of them are "
            f"black and white; what lies beyond is clipped"
        )
    if x.max() - x.min() < 255.0 * LEAST:
        raise UsageError(
            f"expected pixels that fill the declared range {span}, they go from {own.min():.3g} "
            f"to {own.max():.3g} only: declare that with --range=LOW:HIGH"
        )
    return Seen(x, networks.encode(stored(x)))


def liveliest(networks: Networks, layer: str, seen: Seen) -> Neuron:
    """The unit of a layer that varies most over random codes, at the centre of a map.

    Raises:
        UsageError: No unit of it is finite for all of them.
    """
    shape = networks.layer_shape(layer)
    outputs = networks.outputs(tf.constant(stored(seen.images), tf.float32), (layer,))[1][
        layer
    ].numpy()
    centre = tuple(size // 2 for size in shape[:-1])
    with np.errstate(invalid="ignore"):
        spread = outputs[(slice(None), *centre)].astype(np.float64).std(axis=0)
    finite = np.isfinite(spread)
    if not finite.any():
        raise UsageError(
            f"expected finite activations, no unit of {layer} has them for images of random codes: "
            f"are weights of {networks.name} not finite, or pixels in another range than "
            f"--pixels says?"
        )
    return placed(Neuron(layer, int(np.where(finite, spread, -1.0).argmax())), shape)


def gradient(networks: Networks, neuron: Neuron) -> None:
    """Refuses a pair in which no gradient gets from a neuron to the code.

    Raises:
        UsageError: It names the operation that breaks the way.
    """
    c = tf.constant(codes.draw(networks, 4, codes.generator(0, 1)))
    layers, where = (neuron.layer,), index((neuron,))

    @tf.function(autograph=False)
    def slope(c: Tensor) -> Tensor:
        with tf.GradientTape() as tape:
            tape.watch(c)
            s = networks.look(c, layers, where).s
        return tape.gradient(s, c, unconnected_gradients="zero")

    g = slope(c).numpy()
    if np.isfinite(g).all() and (g != 0).any():
        return
    if not np.isfinite(g).all():
        raise UsageError(f"expected a finite gradient from {neuron} to the code, it is not finite")
    x = networks.images(c)
    broken = blockers(lambda x: networks.read(x, layers, where)[1], x)
    part = f"from {neuron} to the image"
    if not broken:
        broken = blockers(networks.decode, c)
        part = "from the image to the code"
    if broken:
        raise UsageError(
            f"no gradient gets {part}: {', '.join(broken[:3])} stops it; put something "
            f"differentiable there, or take a layer before it"
        )
    raise UsageError(
        f"the gradient from {neuron} to the code is zero for all of {len(g)} codes: a dead unit, a "
        f"step (as of tf.sign), or a layer that the code does not reach"
    )


def blockers(function: Callable[[Tensor], Tensor], x: Tensor) -> list[str]:
    """Operations through which no gradient passes, between a function's input and its output.

    Args:
        function: Of one tensor.
        x: Such a tensor.

    Returns:
        "Round in model/quantise" for each, in the order of the graph; none where a gradient passes.
    """
    found: list[str] = []

    def run(start: Tensor) -> Tensor:
        end = function(start)
        if tf.gradients(end, start)[0] is None:
            found.extend(
                f"{op.type} in {op.name.rpartition('/')[0] or op.name}"
                for op, inputs in _between(start.graph, start, end)
                if _stops(op, inputs)
            )
        return start

    # Gradients of operations are asked for in a graph, which a traced function has.
    spec = tf.TensorSpec(x.shape, x.dtype)
    tf.function(run, autograph=False).get_concrete_function(spec)
    return found


def _between(
    graph: tf.Graph, start: Tensor, end: Tensor
) -> list[tuple[tf.Operation, list[Tensor]]]:
    """Operations on a way from start to end, each with those of its inputs that are on it too."""
    operations, reached = graph.get_operations(), {start.ref()}
    for op in operations:
        if any(one.ref() in reached for one in op.inputs):
            reached |= {one.ref() for one in op.outputs}
    needed, found = {end.ref()}, []
    for op in reversed(operations):
        if any(one.ref() in needed for one in op.outputs):
            needed |= {one.ref() for one in op.inputs}
            inputs = [one for one in op.inputs if one.ref() in reached]
            if inputs:
                found.append((op, inputs))
    return found[::-1]


def _stops(op: tf.Operation, inputs: list[Tensor]) -> bool:
    # Shapes are whole numbers by nature; where one is all that is used, something else stops too.
    if op.type in ("Shape", "StridedSlice", "Pack") and op.outputs[0].dtype.is_integer:
        return False
    floats = [one for one in inputs if one.dtype.is_floating]
    if not floats:
        return False
    if not op.outputs[0].dtype.is_floating:
        return True
    try:
        gradients = tf.gradients(op.outputs[0], floats)
    except (LookupError, TypeError):
        return True
    return all(g is None for g in gradients)
