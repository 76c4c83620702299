"""Mean images and mean values, from the forms in which they are published."""

import math
import os
import pathlib

import numpy as np

from tf_inverse.caffe import caffemodel
from tf_inverse.errors import RefusedInput, UsageError

MOST_PIXELS = 4096 * 4096


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
        path: `.binaryproto`; `.npy` of (C, H, W), as Caffe's; or `.mat` with one array (H, W, C),
            as ppgn's.

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


def _npy(path):
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise RefusedInput(f"cannot read {path} as a NumPy array: {error}") from None
    if array.ndim != 3 or array.size > MOST_PIXELS or array.dtype.kind != "f":
        raise RefusedInput(f"expected (C, H, W) numbers in {path}, got {array.shape}")
    return array.transpose(1, 2, 0)


def _mat(path):
    from tf_inverse.caffe import mat

    arrays = [v for v in mat.read(path).values() if isinstance(v, np.ndarray) and v.ndim == 3]
    if len(arrays) != 1 or arrays[0].dtype.kind != "f" or arrays[0].size > MOST_PIXELS:
        raise RefusedInput(f"expected one array (H, W, C) in {path}, got {len(arrays)}")
    return arrays[0]
