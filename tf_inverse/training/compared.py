"""What a pair's classifier gives to compare images in: any Keras classifier, in TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tf_inverse.adopt.nature import PASSIVE
from tf_inverse.compute import arithmetic
from tf_inverse.method import fidelity
from tf_inverse.networks import unit_statistics
from tf_inverse.tensors import Array, Model, Tensor
from tf_inverse.training.perceptual import Features, taught

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

COUNT = 10
"""Images that both precisions look at."""


def compared(networks: Networks, layers: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The layers whose features are compared: those named, or the last map before the encoder.

    Args:
        networks: The pair.
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


def features(
    networks: Networks,
    compare: tuple[str, ...],
    teacher: Model | None = None,
    lessons: tuple[str, ...] = (),
    precision: str = "float32",
) -> Features:
    """What the layers compared give for images, those of a teacher, and last the code that G takes.

    Args:
        networks: Its generator is not asked.
        compare: From `compared`.
        teacher: As of `perceptual.taught`, or None.
        lessons: Layers of the teacher.
        precision: That the layers of both compute in; what comes out is float32.
    """
    lower = networks.at(precision)

    def read(x: Tensor) -> list[Tensor]:
        code, outputs = lower.outputs(x, compare)
        return [*(outputs[name] for name in compare), code]

    if teacher is None:
        return Features(read)
    both = taught(Features(read), teacher, lessons)

    def computed(x: Tensor) -> list[Tensor]:
        with arithmetic.computing(teacher, precision):
            return [tf.cast(one, tf.float32) for one in both(x)]

    return both._replace(read=computed)


def quick(
    x: Array,
    precision: str,
    networks: Networks,
    compare: tuple[str, ...],
    teacher: Model | None = None,
    lessons: tuple[str, ...] = (),
) -> tuple[Features, str]:
    """Features in half precision where they serve, else in float32; and the precision.

    They take half of the time where the device multiplies such numbers. They serve if on some
    images they are off by less than a quarter of how they differ between images, as of a search.

    Args:
        x: Images [N, H, W, C]; `COUNT` of them are looked at.
        precision: "float32" or "bfloat16".
        networks: As of `features`, as what follows is.
        compare: Layers.
        teacher: Another network.
        lessons: Its layers.
    """
    about = (networks, compare, teacher, lessons)
    exact = features(*about)
    if precision == "float32":
        return exact, precision
    half, seen = features(*about, precision), tf.constant(x[:COUNT], tf.float32)
    try:
        pairs = list(zip(half(seen), exact(seen), strict=True))
    except Exception:  # a layer of the user's own may raise anything in another precision
        return exact, "float32"
    serves = all(_share(one, wanted) <= fidelity.SPREAD for one, wanted in pairs)
    return (half, precision) if serves else (exact, "float32")


def _share(found: Any, expected: Any) -> float:
    """Root mean square error over how images differ."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    return np.sqrt(np.mean((found - expected) ** 2) / max(expected.var(axis=0).mean(), 1e-12))
