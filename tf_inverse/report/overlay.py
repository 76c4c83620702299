"""Attribution maps as coloured layers over images: red raises the activation, blue lowers it.

A layer is a PNG with a palette of 31 colours from blue over nothing to red, the more opaque the
stronger: a tenth of the bytes of a picture in true colours with transparency. Each map has a scale
of its own, so that the colours compare places of one image and not images with each other.
"""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image

from tf_inverse.report import encode
from tf_inverse.tensors import Array

RAISES, LOWERS = (225, 29, 38), (24, 90, 219)
LARGEST = 64
"""Side up to which a layer is as fine as its map; layers of larger ones are reduced to it."""

WIDTH = 1 / 24
"""Standard deviation of the smoothing, as a share of the image's shorter side."""

MIDDLE = 15
"""Steps of strength to either side; more of them make the file larger and look the same."""
STRONGEST = 0.8
"""Opacity of the strongest place, which leaves the image visible below."""

SHARE = 0.99
"""Share of a map's pixels that are within the scale: a single one does not set it."""


def scaled(attribution: Array) -> Array:
    """A map [H, W] from -1 to 1, smoothed as the eye would smooth it.

    Single pixels of gradient maps are speckles; a mean over the neighbourhood shows where they
    gather.
    """
    down, across = (_blur(length, min(attribution.shape)) for length in attribution.shape)
    # What is no number marks nothing: the file that maps come from may hold anything.
    plain = np.nan_to_num(attribution.astype(np.float64), posinf=0.0, neginf=0.0)
    smooth = down @ plain @ across.T
    strongest = np.quantile(np.abs(smooth), SHARE) or np.abs(smooth).max()
    return np.clip(smooth / strongest, -1, 1) if strongest else np.zeros_like(smooth)


@functools.cache
def _blur(length: int, shorter: int) -> Array:
    """The Gaussian means over `length` places in a row as a matrix, [length, length]."""
    away = np.subtract.outer(np.arange(length), np.arange(length))
    weights = np.exp(-0.5 * (away / max(shorter * WIDTH, 0.5)) ** 2)
    return weights / weights.sum(axis=1, keepdims=True)


def layer(attribution: Array) -> Image.Image:
    """The layer of a map [H, W], as a picture with a palette whose opacity is the strength."""
    values = Image.fromarray(scaled(attribution).astype(np.float32))
    if max(values.size) > LARGEST:
        values.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
    picture = Image.fromarray(
        (np.rint(np.asarray(values) * MIDDLE) + MIDDLE).astype(np.uint8), mode="P"
    )
    lower, upper = np.array([LOWERS] * MIDDLE), np.array([RAISES] * (MIDDLE + 1))
    picture.putpalette(np.concatenate([lower, upper]).astype(np.uint8).tobytes())
    return picture


def _opacity() -> bytes:
    strength = np.abs(np.arange(2 * MIDDLE + 1) - MIDDLE) / MIDDLE
    return np.rint(255 * STRONGEST * strength).astype(np.uint8).tobytes()


def address(attribution: Array) -> str:
    """The layer of a map [H, W] as a data: address for a page."""
    buffer = io.BytesIO()
    layer(attribution).save(buffer, "PNG", optimize=True, transparency=_opacity())
    return encode.data_address(buffer.getvalue())


def blended(image: Array, attribution: Array) -> Array:
    """An image [H, W, C] in greys with the layer of a map [H, W] over it, [H, W, 3] uint8.

    The image loses its own colours, which would mix with those of the layer.
    """
    below = encode.picture(image).convert("L").convert("RGB")
    above = layer(attribution)
    above.info["transparency"] = _opacity()
    above = above.convert("RGBA").resize(below.size, Image.Resampling.BILINEAR)
    return np.asarray(Image.alpha_composite(below.convert("RGBA"), above).convert("RGB"))
