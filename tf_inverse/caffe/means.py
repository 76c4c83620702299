"""Mean images and mean values, from the forms in which they are published or described."""

from __future__ import annotations

import math
import os
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tf_inverse import npy
from tf_inverse.caffe import caffemodel
from tf_inverse.caffe.feeds import Transform
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.tensors import Array, StrPath


def parse(text: str) -> np.ndarray:
    """One value, or one for each channel: "104,117,123".

    >>> parse("104,117,123").tolist()
    [104.0, 117.0, 123.0]
    """
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (1, 3) or not all(math.isfinite(value) for value in values):
        raise UsageError(
            f"expected a mean of one or three numbers, or a file .binaryproto, .npy or .mat; "
            f"got {text!r}"
        )
    return np.asarray(values, np.float32)


def read(path: str | os.PathLike) -> np.ndarray:
    """A mean image [H, W, C], its channels in the order of the file.

    Args:
        path: `.binaryproto`; `.npy` of (C, H, W) or (1, C, H, W), as Caffe's; or `.mat` with one
            array (H, W, C), as ppgn's, or `mean_data` (W, H, C), as MatCaffe's.

    Raises:
        RefusedInput: Of another form, damaged, or not an image of 1 or 3 channels.
    """
    kind = pathlib.Path(path).suffix.lower()
    if kind == ".npy":
        mean = _npy(path)
    elif kind == ".mat":
        mean = _mat(path)
    else:
        mean = caffemodel.read_mean(path)
    if mean.ndim != 3 or mean.shape[-1] not in (1, 3) or not np.isfinite(mean).all():
        raise RefusedInput(f"expected a mean image of 1 or 3 channels in {path}, got {mean.shape}")
    return np.ascontiguousarray(mean, np.float32)


def _npy(path: StrPath) -> Array:
    array = npy.mapped(path)
    array = array[0] if array.ndim == 4 and len(array) == 1 else array
    if array.ndim != 3 or array.size > caffemodel.MOST_PIXELS or array.dtype.kind != "f":
        raise RefusedInput(f"expected (C, H, W) numbers in {path}, got {array.shape}")
    return array.transpose(1, 2, 0)


def _mat(path: StrPath) -> Array:
    from tf_inverse.caffe import mat

    variables = mat.read(path).items()
    found = [(name, v) for name, v in variables if isinstance(v, np.ndarray) and v.ndim == 3]
    if (
        len(found) != 1
        or found[0][1].dtype.kind != "f"
        or found[0][1].size > caffemodel.MOST_PIXELS
    ):
        raise RefusedInput(f"expected one array (H, W, C) in {path}, got {len(found)}")
    name, array = found[0]
    # MatCaffe's own mean image lies as its blobs do, on its side.
    return array.transpose(1, 0, 2) if name == "mean_data" else array


class Pixels(NamedTuple):
    """What a network does to pixels before anything else, or after everything: (x - mean) * scale.

    Attributes:
        mean: [C] or [H, W, C], in the network's order of channels.
        scale: What pixels are multiplied by once the mean is off.
        channels: "bgr" or "rgb", the network's order.
    """

    mean: Array
    scale: float
    channels: str


def choose(
    transform: Transform | None,
    mean: Array | None = None,
    scale: float | None = None,
    channels: str = "bgr",
) -> tuple[Pixels, list[str]]:
    """What is done to pixels, as given or else as the prototxt says.

    Args:
        transform: Of the prototxt's data layer, or None.
        mean: As given, None if not.
        scale: As given, None if not.
        channels: As given.

    Returns:
        (what is done, lines that say where it comes from).

    Raises:
        UsageError: The prototxt names a mean image, which is another file, and no mean is given; or
            the scale is 0, which leaves nothing of a pixel, or no finite number.
    """
    described, notes = transform or Transform(), []
    used = described.scale if scale is None else scale
    if not math.isfinite(used) or used == 0:
        raise UsageError(f"expected a --scale other than 0, got {used:g}")
    if mean is None and described.mean_file:
        raise UsageError(
            f"expected --mean=FILE: the prototxt takes the mean image {described.mean_file} off "
            f"its pixels (--mean=0 takes nothing off)"
        )
    if mean is None and described.mean:
        mean = np.asarray(described.mean, np.float32)
        notes.append(f"mean: {_text(described.mean)}, from the prototxt")
    elif mean is None:
        notes.append("mean: none is taken off, as neither the prototxt nor --mean names one")
    elif described.mean or described.mean_file:
        there = described.mean_file or _text(described.mean)
        notes.append(f"mean: as given, in place of the prototxt's {there}")
    if scale is None and described.scale != 1:
        notes.append(f"scale: {described.scale:g}, from the prototxt")
    elif scale is not None and scale != described.scale != 1:
        notes.append(f"scale: as given, in place of the prototxt's {described.scale:g}")
    if described.mirror:
        notes.append("mirror: left out, since it turns images at random")
    mean = np.zeros(1, np.float32) if mean is None else np.asarray(mean, np.float32)
    return Pixels(mean, used, channels), notes


def _text(mean: Iterable[float]) -> str:
    return ",".join(f"{value:g}" for value in mean)
