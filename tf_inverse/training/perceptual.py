"""Features in which images are compared while a generator learns: those of a classifier, and more.

A teacher beside the classifier sees what the classifier forgets. It may be any network that was
trained on such images; a stranger's is best, for what it sees is what strangers ask of samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
from keras import ops

from tf_inverse.errors import UsageError
from tf_inverse.tensors import Model, Tensor


class Features(NamedTuple):
    """What layers give for images RGB 0..255, the code (flattened) last.

    Attributes:
        read: Images [B, H, W, C] -> list of features.
        variables: That reading them needs, where the backend has to be told.
    """

    read: Callable[[Tensor], list[Tensor]]
    variables: Sequence[keras.Variable] = ()

    def __call__(self, x: Tensor) -> list[Tensor]:
        """The features of images x."""
        return self.read(x)


def of_model(model: Model, compare: Sequence[str], encoder: str) -> Features:
    """The features of a functional classifier that Keras alone describes, on any backend.

    Args:
        model: RGB 0..255 in.
        compare: Layers at its top to compare.
        encoder: Layer at its top whose output is the code.

    Raises:
        UsageError: It has no such layer.
    """
    tapped = _tapped(model, [*compare, encoder])

    def read(x: Tensor) -> list[Tensor]:
        *maps, code = tapped(x, training=False)
        return [*maps, ops.reshape(code, (ops.shape(code)[0], -1))]

    return Features(read, tuple(model.variables))


def taught(features: Features, teacher: Model, layers: Sequence[str] = ()) -> Features:
    """The features, and those of a teacher before the code.

    Args:
        features: Of the classifier.
        teacher: A functional model of images RGB 0..255, which are resized to what it takes.
        layers: At its top; if left out the last map of each size that it has.

    Raises:
        UsageError: It has no such layer.
    """
    layers = layers or lessons(teacher)
    tapped, size = _tapped(teacher, layers), teacher.input_shape[1:3]

    def read(x: Tensor) -> list[Tensor]:
        *known, code = features(x)
        if None not in size and tuple(x.shape[1:3]) != size:
            x = ops.image.resize(x, size, interpolation="bilinear")
        seen = tapped(x, training=False)
        return [*known, *(seen if isinstance(seen, list) else [seen]), code]

    return Features(read, (*features.variables, *teacher.variables))


def lessons(teacher: Model) -> tuple[str, ...]:
    """Of the maps of each size the last one, where more than one row is left.

    Raises:
        UsageError: There is no map.
    """
    found: dict[tuple[int | None, ...], str] = {}
    for layer in teacher.layers[1:]:
        shape: tuple[int | None, ...] = tuple(getattr(layer.output, "shape", ()))
        if len(shape) == 4 and (shape[1] or 2) > 1 and (shape[-1] or 0) > 4:
            found[tuple(shape[1:3])] = layer.name
    if not found or None in next(iter(found)):
        raise UsageError(
            f"expected layers of {teacher.name} whose maps have fixed sizes; give "
            f"--teacher-layers=A,B"
        )
    return tuple(found.values())


def _tapped(model: Model, names: Sequence[str]) -> keras.Model:
    there = {layer.name: layer for layer in model.layers}
    unknown = [name for name in names if name not in there]
    if unknown:
        raise UsageError(
            f"expected layers of {model.name} ({', '.join(there)}), got {unknown[0]!r}"
        )
    return keras.Model(model.inputs[0], [there[name].output for name in names])
