"""Shapes that a file of ONNX computes as it goes, from that of its input, for its reshapes.

So that all but the batch's size is known before anything runs, such a shape is a NumPy array of
whole numbers with a `Size` in the place of one that is not known (an array of objects).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tf_inverse.tensors import Array, Tensor

MOST = 1 << 28
"""Numbers for one image, at most, that an operator may give: a gigabyte."""


class Size:
    """A size that is not known before the function runs, such as the number of images."""

    def __init__(self, now: Tensor) -> None:
        self.now = now

    def __add__(self, other: Any) -> Size:
        return Size(self.now + _now(other))

    def __mul__(self, other: Any) -> Size:
        return Size(self.now * _now(other))

    def __sub__(self, other: Any) -> Size:
        return Size(self.now - _now(other))

    def __floordiv__(self, other: Any) -> Size:
        return Size(self.now // _now(other))

    __radd__, __rmul__ = __add__, __mul__


def _now(one: Any) -> Any:
    return one.now if isinstance(one, Size) else int(one)


def is_open(x: Any) -> bool:
    """Whether a value is a shape in which a size is not known yet."""
    return isinstance(x, np.ndarray) and x.dtype == object


def settled(x: Array) -> Array:
    """A shape as whole numbers where all of its sizes are known; any other array as it is."""
    known = is_open(x) and not any(isinstance(one, Size) for one in x.flat)
    return x.astype(np.int64) if known else x


def listed(shape: Any) -> list[Any]:
    """A shape as a list of numbers, and of scalars of TensorFlow in the place of open sizes.

    Raises:
        NotImplementedError: It is a tensor, so that its sizes depend on the image.
    """
    if not isinstance(shape, np.ndarray):
        raise NotImplementedError("a shape that is computed from the image")
    return [_now(one) for one in shape]


def few(sizes: list[Any]) -> list[Any]:
    """The sizes, where so many numbers may be made.

    Raises:
        OverflowError: They are more than `MOST`.
    """
    if math.prod(one for one in sizes if not tf.is_tensor(one)) > MOST:
        raise OverflowError(f"more than {MOST} numbers")
    return sizes


OPEN = {
    "Add": np.add,
    "Div": np.floor_divide,
    "Mul": np.multiply,
    "Sub": np.subtract,
}
"""Arithmetic of shapes in which a size is not known yet."""
