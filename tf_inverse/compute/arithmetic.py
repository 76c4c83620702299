"""The arithmetic that a Keras model computes in, whatever precision it is stored in.

A search may compute in half precision; what decides and what is stored is computed in float32. Both
use the user's own model, for a copy of a model can lose what its layers keep beside their weights.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from tf_inverse import private
from tf_inverse.compute import resting
from tf_inverse.tensors import Array, Model

HALVES = ("float16", "bfloat16")

# Layers that prepare pixels compute in float32: 16 bits cannot hold a pixel minus a mean.
_EXACT = (keras.layers.Rescaling, keras.layers.Normalization, keras.layers.InputLayer)

Kernels = tuple[tuple[keras.Variable, tf.Variable], ...]


@contextlib.contextmanager
def computing(model: keras.Model, precision: str, stored: Kernels = ()) -> Iterator[None]:
    """While open, the layers of a model compute in a precision, with the model's own variables.

    Nothing is copied, so nothing that a layer keeps can be lost: statistics of a normalisation,
    values that a layer derives from its weights, seeds, weights that several layers share, or
    attributes of the user's own classes. Only the dtype policies of layers change, and the former
    policies are back at the end. What a functional model does outside of layers (a sum, a
    division) follows the dtype of the tensors that it is given. Layers that Keras has quantised
    stay as they are.

    Args:
        model: Keras model of any kind.
        precision: "float32", "bfloat16" or "float16".
        stored: From `kernels`: values that stand in for variables. Without them the layers cast
            their weights at every call.
    """
    scope = keras.StatelessScope()
    for variable, value in stored:
        scope.add_update((variable, value.value()))
    changing = _changing(model, precision)
    try:
        for layer, policy, wanted in changing:
            layer.dtype_policy = _policy(wanted, policy.variable_dtype)
        with scope if stored else contextlib.nullcontext():
            yield
    finally:
        for layer, policy, _ in changing:
            layer.dtype_policy = policy


def kernels(model: keras.Model, precision: str, rest: bool = False) -> Kernels:
    """Each kernel of a model beside a variable that holds its value in another precision.

    To cast the kernels of a large network again in every step would take as long as to multiply by
    them. What a layer keeps beside its kernels (biases, statistics of a normalisation) is small and
    is cast by the layer.

    Args:
        model: Keras model.
        precision: "bfloat16" or "float16".
        rest: Whether the variables themselves are seldom read from now on, and may rest.

    Returns:
        Pairs of a Keras variable and a `tf.Variable`; `refresh` brings the second up to date.
    """
    found = {
        id(weight): weight
        for layer in _layers(model)
        if _plain(layer) and layer.autocast and _wanted(layer, model, precision) == precision
        for weight in _weights(layer)
        if len(weight.shape) > 1 and weight.dtype == "float32" and private.is_cast(weight)
    }
    if rest:
        resting.lay(found.values())
    pairs = []
    for one in found.values():
        pairs.append((one, tf.Variable(tf.cast(one.value, precision), trainable=False)))
        resting.drop(one)
    return tuple(pairs)


def refresh(stored: Kernels) -> None:
    """Bring the values from `kernels` up to date with a model that was trained since."""
    for variable, value in stored:
        value.assign(tf.cast(variable.value, value.dtype))
        resting.drop(variable)


def digest(model: keras.Model) -> str:
    """A short text that another value of any variable of a model changes."""
    found = hashlib.blake2b(digest_size=16)
    for variable in model.variables:
        found.update(_array(variable).reshape(-1).view(np.uint8).data)
        resting.drop(variable)
    return found.hexdigest()


def _array(variable: keras.Variable) -> Array:
    """A variable's value; float32 without a copy, for one kernel may be most of what is left."""
    value = tf.convert_to_tensor(variable.value)
    in_place = value.dtype == tf.float32 and "CPU" in value.device
    return np.asarray(memoryview(value)) if in_place else np.ascontiguousarray(value.numpy())


def halves(model: keras.Model) -> list[str]:
    """The half precisions that some layer of a model computes in when Keras itself calls it."""
    return sorted({layer.compute_dtype for layer in _layers(model)} & set(HALVES))


def quantization(model: keras.Model) -> str | None:
    """How Keras has quantised some layer of a model, as "int8", or None."""
    modes = (layer.dtype_policy.quantization_mode for layer in _layers(model))
    return next(filter(None, modes), None)


def _layers(model: Model) -> list[keras.layers.Layer]:
    return list(private.layers(model, own=True))


def _weights(layer: keras.layers.Layer) -> list[keras.Variable]:
    """Weights of a layer itself, without those of the layers in it."""
    inner = {id(w) for one in private.layers(layer) for w in one.weights}
    return [weight for weight in layer.weights if id(weight) not in inner]


def _plain(layer: keras.layers.Layer) -> bool:
    """Whether a layer computes with plain numbers: neither quantised nor integers."""
    known = type(layer.dtype_policy) is keras.DTypePolicy
    return known and layer.compute_dtype in ("float32", *HALVES)


def _wanted(layer: keras.layers.Layer, model: Model, precision: str) -> str:
    # A model without weights of its own hands its inputs on as they come: pixels stay exact.
    exact = isinstance(layer, _EXACT) or (layer is model and not _weights(layer))
    # TensorFlow has no gradient of an antialiased resize in half precision.
    exact = exact or getattr(layer, "antialias", False)
    return "float32" if exact else precision


def _changing(
    model: Model, precision: str
) -> list[tuple[keras.layers.Layer, keras.DTypePolicy, str]]:
    """(layer, its policy, the precision it is to compute in) where that is another one."""
    wanted = [(one, _wanted(one, model, precision)) for one in _layers(model) if _plain(one)]
    return [(one, one.dtype_policy, how) for one, how in wanted if one.compute_dtype != how]


class _Widened(keras.DTypePolicy):
    """Computes in one precision on weights that are stored in another.

    Keras has names for such policies only where the weights are float32.
    """

    def __init__(self, compute: str, variable: str) -> None:
        super().__init__(variable)
        self._computing = compute

    @property
    def compute_dtype(self) -> str:
        return self._computing


def _policy(compute: str, variable: str) -> keras.DTypePolicy:
    if variable == compute:
        return keras.DTypePolicy(compute)
    if variable == "float32":
        return keras.DTypePolicy(f"mixed_{compute}")
    return _Widened(compute, variable)
