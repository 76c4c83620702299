"""MatConvNet's layers in Caffe's terms: a type, its settings, and blobs as Caffe stores them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tf_inverse.caffe.blob_shape import BlobShape, Options
from tf_inverse.errors import ConversionError
from tf_inverse.tensors import Array


class Part(NamedTuple):
    """A layer of a MatConvNet file: settings, and arrays as they are stored."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    settings: dict[str, Any]
    arrays: list[Array]


class Translation(NamedTuple):
    """What a type of layer is in Caffe.

    Attributes:
        type: Caffe's type.
        options: (part, shapes of its bottoms) -> settings, as of `layer_types`.
        blobs: Part -> arrays in Caffe's order of axes.
    """

    type: str
    options: Callable[[Part, tuple[tuple[int, ...], ...]], dict[str, Any]]
    blobs: Callable[[Part], list[Array]] = lambda part: []


def _row(
    settings: dict[str, Any], name: str, count: int, default: int, least: int = 0
) -> tuple[int, ...]:
    """A setting of one value or `count`, as integers from `least` to 4096."""
    value = settings.get(name)
    value = np.ravel(default if value is None or np.size(value) == 0 else value).astype(int)
    value = np.repeat(value, count) if value.size == 1 else value
    if value.size != count or (value < least).any() or (value > 4096).any():
        raise ConversionError(
            f"expected {count} values from {least} to 4096 for {name}, got {value}"
        )
    return tuple(int(v) for v in value)


def _kernel(part: Part) -> list[Array]:
    """The filters as blobs: [out, in, h, w], and [out] where there are biases."""
    arrays = [np.asarray(a, np.float32) for a in part.arrays if np.size(a)]
    if not arrays or arrays[0].ndim > 4:
        raise ConversionError("expected filters (h, w, in, out), found none")
    # MATLAB drops trailing axes of one.
    filters = arrays[0].reshape(arrays[0].shape + (1,) * (4 - arrays[0].ndim))
    return [filters.transpose(3, 2, 0, 1), *(a.reshape(-1) for a in arrays[1:2])]


def _convolution(part: Part, shapes: tuple[BlobShape, ...]) -> Options:
    filters, *bias = _kernel(part)
    return _window(part, filters, bias, "stride", "pad") | {
        "filters": filters.shape[0],
        "dilation": _row(part.settings, "dilate", 2, 1, least=1),
        "groups": max(1, shapes[0][0] // filters.shape[1]),
    }


def _deconvolution(part: Part, shapes: tuple[BlobShape, ...]) -> Options:
    filters, *bias = _kernel(part)
    groups = _row(part.settings, "numGroups", 1, 1, least=1)[0]
    return _window(part, filters, bias, "upsample", "crop") | {
        "filters": filters.shape[1] * groups,
        "groups": groups,
    }


def _window(part: Part, filters: Array, bias: list[Array], strides: str, pads: str) -> Options:
    return {
        "kernel": filters.shape[2:],
        "strides": _row(part.settings, strides, 2, 1, least=1),
        "pads": _row(part.settings, pads, 4, 0),
        "bias": bool(bias),
    }


def _pooling(part: Part, shapes: tuple[BlobShape, ...]) -> Options:
    method = part.settings.get("method", "max")
    if method not in ("max", "avg"):
        raise ConversionError(f"expected method max or avg, got {method!r}")
    size = "poolSize" if "poolSize" in part.settings else "pool"
    return {
        "mode": "max" if method == "max" else "average",
        "global": False,
        "overhang": False,
        "padding_counts": False,
        "kernel": _row(part.settings, size, 2, 1, least=1),
        "strides": _row(part.settings, "stride", 2, 1, least=1),
        "pads": _row(part.settings, "pad", 4, 0),
    }


def _lrn(part: Part, shapes: tuple[BlobShape, ...]) -> Options:
    size, k, alpha, beta = (float(v) for v in np.ravel(part.settings["param"]))
    return {"size": int(size), "alpha": alpha * size, "beta": beta, "k": k, "across": True}


def _concat(part: Part, shapes: tuple[BlobShape, ...]) -> Options:
    (dim,) = _row(part.settings, "dim", 1, 3, least=1)
    if dim > 3:
        raise ConversionError(f"expected dim from 1 (rows) to 3 (channels), got {dim}")
    return {"axis": {1: 2, 2: 3, 3: 1}[dim]}


def _relu(part: Part, shapes: tuple[BlobShape, ...]) -> Options:
    leak = np.ravel(part.settings.get("leak", 0.0))
    return {"negative_slope": float(leak[0]) if leak.size else 0.0}


def _folded(part: Part) -> list[Array]:
    """Batch normalization, (x - mean) / sigma * factor + shift; sigma has epsilon in it already."""
    factor, shift, moments = (np.asarray(a, np.float32) for a in part.arrays)
    mean, sigma = moments.reshape(-1, 2).T
    factor = factor.ravel() / sigma
    return [factor, shift.ravel() - mean * factor]


def _always(
    type: str, blobs: Callable[[Part], list[Array]] = lambda part: [], **options: Any
) -> Translation:
    """A type of layer whose settings are the same in every file."""
    return Translation(type, lambda part, shapes: options, blobs)


_ONE_WORD = {
    "conv": Translation("Convolution", _convolution, _kernel),
    "convt": Translation("Deconvolution", _deconvolution, _kernel),
    "pool": Translation("Pooling", _pooling),
    "lrn": Translation("LRN", _lrn),
    "relu": Translation("ReLU", _relu),
    "bnorm": _always("Scale", _folded, bias=True),
    "dropout": _always("Dropout", dropout_ratio=0.5, scale_train=True),
    "softmax": _always("Softmax", axis=1),
    "sigmoid": _always("Sigmoid"),
    "concat": Translation("Concat", _concat),
    "sum": _always("Eltwise", operation="SUM", coeff=[]),
}
# SimpleNN's names, the older one for LRN, and DagNN's, which has layers that join two.
TYPES = {
    **{name: one for name, one in _ONE_WORD.items() if name not in ("concat", "sum")},
    "normalize": _ONE_WORD["lrn"],
    "dagnn.Conv": _ONE_WORD["conv"],
    "dagnn.ConvTranspose": _ONE_WORD["convt"],
    "dagnn.Pooling": _ONE_WORD["pool"],
    "dagnn.LRN": _ONE_WORD["lrn"],
    "dagnn.ReLU": _ONE_WORD["relu"],
    "dagnn.BatchNorm": _ONE_WORD["bnorm"],
    "dagnn.DropOut": _ONE_WORD["dropout"],
    "dagnn.SoftMax": _ONE_WORD["softmax"],
    "dagnn.Sigmoid": _ONE_WORD["sigmoid"],
    "dagnn.Concat": _ONE_WORD["concat"],
    "dagnn.Sum": _ONE_WORD["sum"],
}
