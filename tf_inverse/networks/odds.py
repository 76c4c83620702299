"""Probabilities are searched for by their log-odds.

What a softmax or a sigmoid gives hardly changes with its logits where it is near 0 or 1, so the
gradient of a probability vanishes there, and the search would stand still. The logarithm of the
odds, log(p / (1 - p)), tells the same order and never flattens: of a sigmoid it is the logit, of a
softmax the logit less the log-sum-exp of all others. Ranges stay ranges of the probability, and so
does all that is stored; only the way there is measured in log-odds.

The graph of a model tells what a layer gives: the tensor comes out of an operation Softmax or
Sigmoid, whose input are the logits, whichever layer or function of the user's own has made it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_inverse import private
from tf_inverse.errors import UsageError
from tf_inverse.networks.neuron_index import Places, Where, activations, chosen, of_unit
from tf_inverse.tensors import Tensor

# Probabilities nearer to 0 or 1 than float32 can tell count as these.
LEAST, MOST = float(np.finfo(np.float32).tiny), 1.0 - 2.0**-24
_SAME = ("Identity", "Cast", "EnsureShape", "StopGradient")
_SUMS, _SCALED = ("AddV2", "AddN", "Add"), ("RealDiv", "Mul")
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


class Origin(NamedTuple):
    """The operation that made probabilities.

    Attributes:
        kind: "Softmax", over the last axis, "Sigmoid", or "Mean" of several of those, as of an
            ensemble.
        logits: Its input; None of a mean, and where it is inside a function of a graph, as in a
            SavedModel.
    """

    kind: str
    logits: Any


def origin(h: Tensor) -> Origin | None:
    """Where probabilities come from; None for a tensor that is none, or that no graph made."""
    if not tf.is_symbolic_tensor(h) or h.shape[-1] is None:
        return None
    op = _maker(h)
    if op.type == "Softmax":
        # A softmax of one number is always 1.
        return Origin(op.type, op.inputs[0]) if h.shape[-1] > 1 else None
    if op.type == "Sigmoid":
        return Origin(op.type, op.inputs[0])
    if op.type in _CALLS:
        graph = private.called(op)
        inner = graph and origin(graph.outputs[h.value_index])
        return inner and inner._replace(logits=None)
    return Origin("Mean", None) if _is_mean(op) else None


def _is_mean(op: tf.Operation) -> bool:
    """Whether an operation gives the mean of several probabilities, as the members' of an ensemble.

    A mean of their stack is one operation, and a layer `Average` a sum that a number divides.
    """
    if op.type == "Mean":
        stack = _maker(op.inputs[0])
        return stack.type == "Pack" and all(map(origin, stack.inputs))
    if op.type not in _SCALED:
        return False
    for total, number in (tuple(op.inputs), tuple(op.inputs)[::-1]):
        by, terms = tf.get_static_value(number), _terms(total)
        if np.ndim(by) == 0 and by and len(terms) > 1:
            share = 1.0 / by if op.type == "RealDiv" else by
            return bool(np.isclose(share * len(terms), 1.0)) and all(map(origin, terms))
    return False


def _terms(h: Tensor) -> list[Tensor]:
    """The tensors of which a tensor is the sum; itself where it is none."""
    op = _maker(h)
    return [part for one in op.inputs for part in _terms(one)] if op.type in _SUMS else [h]


def _maker(h: Tensor) -> tf.Operation:
    while h.op.type in _SAME:
        h = h.op.inputs[0]
    return h.op


def single(h: Tensor) -> Tensor:
    """A layer's output in float32; probabilities of half precision anew, from their logits."""
    found = origin(h) if h.dtype != tf.float32 else None
    if found is None or found.logits is None:
        return tf.cast(h, tf.float32)
    logits = tf.cast(found.logits, tf.float32)
    return tf.nn.softmax(logits) if found.kind == "Softmax" else tf.sigmoid(logits)


def log_odds(p: Tensor) -> Tensor:
    """log(p / (1 - p)) of probabilities of any shape, finite for 0 and 1 too.

    >>> float(log_odds(tf.constant(0.5)))
    0.0
    """
    p = tf.clip_by_value(p, LEAST, MOST)
    return tf.math.log(p) - tf.math.log1p(-p)


def of_units(h: Tensor, places: Tensor) -> Tensor:
    """Log-odds [K, p] of p units of a layer that gives probabilities, from its logits if it can be.

    Args:
        h: What the layer gives, as `activations` takes it, in a graph or not.
        places: Rows of `neuron_index.index`, [p, 3]; or [K, p, 3], as `activations` takes them.
    """
    unit, found = places[..., 0], origin(h)
    if found is None or found.logits is None:
        each = log_odds(of_unit(h, unit))
    elif found.kind == "Sigmoid":
        each = of_unit(tf.cast(found.logits, tf.float32), unit)
    else:
        each = _softmax(tf.cast(found.logits, tf.float32), unit)
    return each if len(h.shape) == 2 else chosen(each, places, _mean)


def _softmax(logits: Tensor, unit: Tensor) -> Tensor:
    own = tf.one_hot(unit, logits.shape[-1], True, False, dtype=tf.bool)
    if len(unit.shape) == 2:
        # Between the row and its units lie the axes of the map, for all of which they are the same.
        for _ in logits.shape[1:-1]:
            own = own[:, tf.newaxis]
    # Leaving the unit out before the sum is exact where its probability is nearly 1.
    others = tf.where(own, -float("inf"), logits[..., tf.newaxis, :])
    return of_unit(logits, unit) - tf.reduce_logsumexp(others, axis=-1)


def _mean(each: Tensor, axis: int) -> Tensor:
    """Log-odds of the mean probability over a map, from those of its places."""
    return tf.reduce_logsumexp(-tf.nn.softplus(-each), axis) - tf.reduce_logsumexp(
        -tf.nn.softplus(each), axis
    )


def probable(
    outputs: Callable[[Tensor], dict[str, Tensor]],
    shape: tuple[int, ...],
    layers: tuple[str, ...],
) -> tuple[bool, ...]:
    """Of which layers the units are probabilities.

    Args:
        outputs: Images -> what each layer gives, by name.
        shape: Height, width and channels of an image.
        layers: Names of layers.
    """
    found: dict[str, bool] = {}

    def run(x: Tensor) -> Tensor:
        found.update({name: origin(h) is not None for name, h in outputs(x).items()})
        return x

    spec = tf.TensorSpec((None, *shape), tf.float32)
    tf.function(run, autograph=False).get_concrete_function(spec)
    return tuple(found[name] for name in layers)


def of_neurons(
    e: Tensor,
    outputs: dict[str, Tensor],
    layers: tuple[str, ...],
    index: Where,
    likely: tuple[bool, ...] | None = None,
) -> Tensor:
    """Activations [K, p], or log-odds where they are likely to be probabilities.

    Raises:
        UsageError: A neuron is a direction of probabilities.
    """
    likely = likely or (False,) * len(layers)
    if isinstance(index, Places):
        for name, one in zip(layers, likely, strict=True):
            if one and name in index.directions:
                raise UsageError(f"expected no direction of {name}, which gives probabilities")
        outputs, index = index.among(outputs, layers)
    columns = [
        (of_units if one else activations)(outputs[name], index[..., i : i + 1, :])
        for i, (name, one) in enumerate(zip(layers, likely, strict=True))
    ]
    return tf.concat(columns, axis=1) if columns else tf.zeros((tf.shape(e)[0], 0))
