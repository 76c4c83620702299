"""MatConvNet's layers in Caffe's terms: each gives (type, options, blobs)."""

from collections.abc import Callable

import numpy as np

from tf_inverse.errors import ConversionError


def _row(settings, name, count, default):
    """A setting of one value or `count`, as integers from 0 to 4096."""
    value = settings.get(name)
    value = np.ravel(default if value is None or np.size(value) == 0 else value).astype(int)
    value = np.repeat(value, count) if value.size == 1 else value
    if value.size != count or (value < 0).any() or (value > 4096).any():
        raise ConversionError(f"expected {count} values from 0 to 4096 for {name}, got {value}")
    return tuple(int(v) for v in value)


def _filters(part):
    arrays = [np.asarray(a, np.float32) for a in part.arrays if np.size(a)]
    if not arrays or arrays[0].ndim > 4:
        raise ConversionError(f"layer {part.name!r}: expected filters (h, w, in, out), found none")
    # MATLAB drops trailing axes of one.
    filters = arrays[0].reshape(arrays[0].shape + (1,) * (4 - arrays[0].ndim))
    return filters.transpose(3, 2, 0, 1), [a.reshape(-1) for a in arrays[1:2]]


def _convolution(part, shapes):
    filters, bias = _filters(part)
    groups = max(1, shapes[0][0] // filters.shape[1])
    options = {
        "filters": filters.shape[0],
        "kernel": filters.shape[2:],
        "strides": _row(part.settings, "stride", 2, 1),
        "pads": _row(part.settings, "pad", 4, 0),
        "dilation": _row(part.settings, "dilate", 2, 1),
        "groups": groups,
        "bias": bool(bias),
    }
    return "Convolution", options, [filters, *bias]


def _deconvolution(part, shapes):
    filters, bias = _filters(part)
    groups = _row(part.settings, "numGroups", 1, 1)[0]
    options = {
        "filters": filters.shape[1] * groups,
        "kernel": filters.shape[2:],
        "strides": _row(part.settings, "upsample", 2, 1),
        "pads": _row(part.settings, "crop", 4, 0),
        "groups": groups,
        "bias": bool(bias),
    }
    return "Deconvolution", options, [filters, *bias]


def _pooling(part, shapes):
    method = part.settings.get("method", "max")
    if method not in ("max", "avg"):
        raise ConversionError(f"layer {part.name!r}: expected method max or avg, got {method!r}")
    size = "poolSize" if "poolSize" in part.settings else "pool"
    options = {
        "mode": "max" if method == "max" else "average",
        "global": False,
        "overhang": False,
        "padding_counts": False,
        "kernel": _row(part.settings, size, 2, 1),
        "strides": _row(part.settings, "stride", 2, 1),
        "pads": _row(part.settings, "pad", 4, 0),
    }
    return "Pooling", options, []


def _lrn(part, shapes):
    size, k, alpha, beta = (float(v) for v in np.ravel(part.settings["param"]))
    options = {"size": int(size), "alpha": alpha * size, "beta": beta, "k": k, "across": True}
    return "LRN", options, []


def _relu(part, shapes):
    leak = np.ravel(part.settings.get("leak", 0.0))
    return "ReLU", {"negative_slope": float(leak[0]) if leak.size else 0.0}, []


def _batch_norm(part, shapes):
    """Folded: (x - mean) / sigma * factor + shift, where sigma has epsilon in it already."""
    factor, shift, moments = (np.asarray(a, np.float32) for a in part.arrays)
    mean, sigma = moments.reshape(-1, 2).T
    factor = factor.ravel() / sigma
    return "Scale", {"bias": True}, [factor, shift.ravel() - mean * factor]


def _plain(kind: str, **options) -> Callable:
    return lambda part, shapes: (kind, options, [])


TYPES = {
    "conv": _convolution,
    "dagnn.Conv": _convolution,
    "convt": _deconvolution,
    "dagnn.ConvTranspose": _deconvolution,
    "pool": _pooling,
    "dagnn.Pooling": _pooling,
    "normalize": _lrn,
    "lrn": _lrn,
    "dagnn.LRN": _lrn,
    "relu": _relu,
    "dagnn.ReLU": _relu,
    "bnorm": _batch_norm,
    "dagnn.BatchNorm": _batch_norm,
    "dropout": _plain("Dropout", dropout_ratio=0.5, scale_train=True),
    "dagnn.DropOut": _plain("Dropout", dropout_ratio=0.5, scale_train=True),
    "softmax": _plain("Softmax", axis=1),
    "dagnn.SoftMax": _plain("Softmax", axis=1),
    "sigmoid": _plain("Sigmoid"),
    "dagnn.Sigmoid": _plain("Sigmoid"),
    "dagnn.Concat": _plain("Concat", axis=1),
    "dagnn.Sum": _plain("Eltwise", operation="SUM", coeff=[]),
}
