"""Puts the weights of a file into a Keras model, layer by layer, and refuses what does not fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import keras
import numpy as np

from tf_inverse.caffe import weight_check, wire_format
from tf_inverse.caffe.blob_shape import BlobShape
from tf_inverse.caffe.caffemodel import Caffemodel
from tf_inverse.errors import ConversionError
from tf_inverse.layers.caffe_layers import Scale
from tf_inverse.layers.convolution import Convolution, Deconvolution
from tf_inverse.layers.pixels import FromPixels, ToPixels
from tf_inverse.tensors import Array, Model

# Bytes of a blob that are in memory at a time.
PIECE = 2**23


def expected(model: keras.Model, names: Mapping[str, str] | None = None) -> dict:
    """What a model needs of a file: {name in the file: (type, blob shapes)}.

    Args:
        model: With Caffe's names for its layers.
        names: Names in the file by name of the layer, where they differ.
    """
    return {
        (names or {}).get(layer.name, layer.name): (_type(layer), _shapes(layer))
        for layer in _weighted(model)
    }


def load(
    model: keras.Model,
    file: Caffemodel,
    names: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
) -> list[str]:
    """Fill a model from a file, all or nothing.

    Args:
        model: With Caffe's names for its layers.
        file: The weights.
        names: Names in the file by name of the layer, where they differ.
        ignore: Layers of the file that may stay unused.

    Returns:
        One line for each layer filled: name, type, shapes.

    Raises:
        ConversionError: As `weight_check.check`, and weights that are not finite.
    """
    weight_check.check(expected(model, names), file, ignore)
    held, report = file.weights(), []
    for layer in _weighted(model):
        name = (names or {}).get(layer.name, layer.name)
        shapes = _shapes(layer)
        blobs = [b.array(s) for b, s in zip(held[name].blobs, shapes, strict=True)]
        if isinstance(layer, keras.layers.BatchNormalization):
            blobs = _unscaled(*blobs)
        for variable, blob in zip(_variables(layer), blobs, strict=True):
            _fill(variable, blob, name, file)
        report.append(f"{name}: {_type(layer)} {' '.join(map(str, shapes))}")
    return report


def _fill(variable: keras.Variable, blob: Array, name: str, file: Caffemodel) -> None:
    """Copy a blob into a variable, a few rows at a time: neither file nor copy stays in memory.

    A kernel's last axis is its blob's first, for every kind of layer: both frameworks correlate,
    so no kernel is flipped and turning the axes round is all there is to do.
    """
    blob = blob.reshape(variable.shape[-1:]) if blob.ndim < 2 else blob
    rows = max(1, PIECE // max(1, blob[0].nbytes))
    for i in range(0, len(blob), rows):
        part = blob[i : i + rows]
        if not np.isfinite(part).all():
            raise ConversionError(f"{name!r}: the weights are not finite; download the file again")
        part = part.transpose(2, 3, 1, 0) if part.ndim == 4 else part.T
        part = part.reshape((*variable.shape[:-1], part.shape[-1]))
        variable.value[..., i : i + rows].assign(part)
        wire_format.release(file.mapped)


def _weighted(model: Model) -> list[keras.layers.Layer]:
    return [
        layer
        for layer in model.layers
        if layer.weights and not isinstance(layer, FromPixels | ToPixels)
    ]


def _variables(layer: keras.layers.Layer) -> list[keras.Variable]:
    if isinstance(layer, keras.layers.BatchNormalization):
        return [layer.moving_mean, layer.moving_variance]
    return layer.weights


_TYPES = {
    Convolution: "Convolution",
    keras.layers.Conv2D: "Convolution",
    Deconvolution: "Deconvolution",
    keras.layers.Conv2DTranspose: "Deconvolution",
    keras.layers.Dense: "InnerProduct",
    keras.layers.PReLU: "PReLU",
    keras.layers.BatchNormalization: "BatchNorm",
}


def _type(layer: keras.layers.Layer) -> str:
    if isinstance(layer, Scale):
        return "Scale" if layer.use_scale else "Bias"
    return _TYPES[type(layer)]


def _shapes(layer: keras.layers.Layer) -> tuple[BlobShape, ...]:
    """Caffe's blob shapes for a Keras layer."""
    shapes = [tuple(weight.shape) for weight in _variables(layer)]
    if _type(layer) == "BatchNorm":
        return (*shapes, (1,))
    if _type(layer) == "PReLU":
        return ((),) if shapes[0][-1] == 1 and len(shapes[0]) == 3 else (shapes[0][-1:],)
    return tuple(_caffe_shape(shape) for shape in shapes)


def _caffe_shape(shape: BlobShape) -> BlobShape:
    """(kh, kw, in, out) -> (out, in, kh, kw), and (in, out) -> (out, in)."""
    return (shape[3], shape[2], shape[0], shape[1]) if len(shape) == 4 else shape[::-1]


def _unscaled(mean: Array, variance: Array, factor: Array) -> list[Array]:
    """Caffe's BatchNorm stores sums; the third blob is what they are divided by."""
    share = 1 / factor[0] if factor[0] else 0.0
    return [mean * share, variance * share]
