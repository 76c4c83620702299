"""What a pair's classifier gives to compare images in: any Keras classifier, in TensorFlow."""

from __future__ import annotations

import tensorflow as tf

from tf_inverse.adopt.nature import PASSIVE
from tf_inverse.compute import arithmetic
from tf_inverse.networks import unit_statistics
from tf_inverse.tensors import Model
from tf_inverse.training.perceptual import Features


def compared(networks, layers: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The layers whose features are compared: those named, or the last map before the encoder.

    Args:
        networks: `networks.Networks`.
        layers: Names or paths.

    Raises:
        UsageError: The classifier has no such layer.
    """
    if layers:
        return tuple(map(networks.layer_path, layers))
    known = {layer.name: layer for layer in unit_statistics.layers(networks)}
    paths = list(networks.shapes)
    before = paths[: paths.index(networks.layer_path(networks.encoder))]
    maps = [path for path in before if path in known and len(known[path].shape) == 3]
    maps = [path for path in maps if known[path].kind not in PASSIVE]
    return tuple(maps[-1:])


def features(networks, compare: tuple[str, ...]) -> Features:
    """What the layers compared give for images, and last the code that G takes.

    Args:
        networks: `networks.Networks`; its generator is not asked. Its precision is that of the
            features: in bfloat16, where the device multiplies it, they take half of the time.
        compare: From `compared`.
    """

    def read(x):
        code, outputs = networks.outputs(x, compare)
        return [*(outputs[name] for name in compare), code]

    return Features(read)


def computed(features: Features, model: Model, precision: str) -> Features:
    """The same features in float32, for which the layers of a model compute in a precision.

    Args:
        features: That ask the model.
        model: A teacher.
        precision: As of `arithmetic.computing`.
    """

    def read(x):
        with arithmetic.computing(model, precision):
            return [tf.cast(one, tf.float32) for one in features(x)]

    return features._replace(read=read)
