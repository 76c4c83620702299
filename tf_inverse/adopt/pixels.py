"""What pixels a classifier takes, in the user's words: a range, one a channel, or Keras's modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tf_inverse import grammar
from tf_inverse.errors import UsageError
from tf_inverse.tensors import Array

PIXELS = (0.0, 255.0)

MODES = ("caffe", "tf", "torch")
"""What `keras.applications.imagenet_utils.preprocess_input` calls the three ways to prepare images:
BGR minus the means of ImageNet; -1..1; RGB / 255, less the means of ImageNet, over the deviations.
"""

Range = tuple[float, float]

Pixels = Range | tuple[Range, ...] | str
"""Black and white of all channels, or of each of three, or one of `MODES`."""


def read(text: str) -> Pixels:
    """The pixels that --pixels tells.

    Raises:
        UsageError: The text is of no form.

    >>> read("-1:1"), read("torch"), read("-1:1,-2:2,0:1")
    ((-1.0, 1.0), 'torch', ((-1.0, 1.0), (-2.0, 2.0), (0.0, 1.0)))
    """
    if text in MODES:
        return text
    if text.count(":") == 3 and text.count(",") == 2:
        return tuple(grammar.span("pixels", part) for part in text.split(","))
    try:
        return grammar.span("pixels", text)
    except UsageError:
        raise UsageError(
            f"expected --pixels=LOW:HIGH, as -1:1, or three of them with commas for red, green and "
            f"blue, or {', '.join(MODES)}, as Keras's preprocess_input has them; got {text!r}"
        ) from None


def known(pixels: Any) -> Pixels:
    """Pixels as they may be compared: ranges in tuples, of which lists are taken as well.

    Raises:
        UsageError: A range has no width, or a number is not finite.
    """
    if isinstance(pixels, str):
        return pixels
    if hasattr(pixels, "__len__") and len(pixels) and not np.isscalar(pixels[0]):
        return tuple(expected("pixels", one) for one in pixels)
    return expected("pixels", pixels)


def expected(flag: str, span: Any) -> Range:
    """A range (low, high) of pixels; one of dark on light has its high end first.

    Args:
        flag: Name of the flag that tells it.
        span: As the user gives it.

    Raises:
        UsageError: It is no two finite numbers, or they are the same.
    """
    try:
        low, high = map(float, span)
    except (TypeError, ValueError):
        low = high = 0.0
    if low == high or not np.isfinite([low, high]).all():
        raise UsageError(f"expected --{flag} as LOW:HIGH, (low, high), got {span!r}")
    return low, high


def words(pixels: Pixels) -> str:
    """Pixels as --pixels tells them.

    >>> words((0.0, 255.0)), words("caffe"), words(((0, 1), (0, 1), (-1, 1)))
    ('0:255', 'caffe', '0:1,0:1,-1:1')
    """
    if isinstance(pixels, str):
        return pixels
    return ",".join(f"{low:g}:{high:g}" for low, high in _spans(pixels))


def transform(pixels: Pixels, channels: int) -> tuple[Array, Array]:
    """The matrix A [C, C] and the shift b [C] that make x A + b of pixels x in 0..255.

    Args:
        pixels: What a classifier takes.
        channels: C, of its pictures.

    Raises:
        UsageError: Pixels of three channels are told of another number.
    """
    if isinstance(pixels, str):
        if pixels not in MODES:
            raise UsageError(f"expected pixels (low, high) or {', '.join(MODES)}, got {pixels!r}")
        _expect_colour(pixels, channels)
        prepare = keras.applications.imagenet_utils.preprocess_input
        return affine(lambda x: prepare(x, data_format="channels_last", mode=pixels))
    spans = _spans(pixels)
    if len(spans) > 1:
        _expect_colour(pixels, channels)
    low, high = np.broadcast_to(np.array(spans, np.float64), (channels, 2)).T
    return np.diag((high - low) / 255.0), low.copy()


def _expect_colour(pixels: Pixels, channels: int) -> None:
    if channels != 3:
        raise UsageError(
            f"expected pixels LOW:HIGH for a classifier of grey pictures, got {words(pixels)}, "
            f"which is for red, green and blue"
        )


def _spans(pixels: Any) -> list[Range]:
    nested = not np.isscalar(pixels[0])
    return [(low, high) for low, high in (pixels if nested else [pixels])]


def affine(prepare: Callable[[Array], Any]) -> tuple[Array, Array]:
    """The matrix A [3, 3] and the shift b [3] of a preprocessing x A + b of RGB pixels.

    Four pixels tell them: black, and each colour at its brightest.

    Args:
        prepare: Of images [N, 1, 1, 3] in 0..255.
    """
    pixels = np.concatenate([np.zeros((1, 3)), 255.0 * np.eye(3)]).astype(np.float32)
    shift, *rows = np.asarray(prepare(pixels.reshape(4, 1, 1, 3).copy()), np.float64).reshape(4, 3)
    return (np.array(rows) - shift) / 255.0, shift
