"""Reads weights: `.caffemodel` and `.binaryproto` files, memory-mapped.

Field numbers are those of caffe.proto. The file is never loaded as a whole, so its size has no
limit but the disk's; a blob's numbers are read when they are asked for.
"""

from __future__ import annotations

import collections
import math
import mmap
import os
from typing import NamedTuple

import numpy as np

from tf_inverse.caffe import layer_names, wire_format
from tf_inverse.caffe.blob_shape import BlobShape
from tf_inverse.errors import RefusedInput
from tf_inverse.tensors import Array, StrPath

# NetParameter
NET_NAME, NET_LAYERS_V1, NET_LAYERS_V2 = 1, 2, 100
# name, type, bottom, top, blobs of LayerParameter, V1LayerParameter and V0LayerParameter
V2 = {1: "name", 2: "type", 3: "bottom", 4: "top", 7: "blob"}
V1 = {4: "name", 5: "type", 2: "bottom", 3: "top", 6: "blob", 1: "inner"}
V0 = {1: "name", 2: "type", 50: "blob"}
# BlobProto
BLOB_DIMS, BLOB_FLOATS, BLOB_SHAPE, BLOB_DOUBLES = range(1, 5), 5, 7, 8
# NVIDIA's fork and OpenCV's shrinkCaffeModel keep numbers as raw bytes beside their type's number.
BLOB_RAW_TYPE, BLOB_RAW = 10, 12
MOST_PIXELS = 4096 * 4096
"""Numbers of a mean image."""
RAW_TYPES = {0: "<f8", 1: "<f4", 2: "<f2"}


class Blob(NamedTuple):
    """One array of a file: shape in Caffe's order; `legacy` shapes are always four numbers."""

    shape: tuple[int, ...]
    legacy: bool
    values: np.ndarray

    def array(self, shape: BlobShape | None = None) -> np.ndarray:
        """The numbers, float32 (a view of the file where it holds float32)."""
        values = self.values.reshape(self.shape if shape is None else shape)
        return values.astype(np.float32, copy=False)

    def fits(self, shape: BlobShape) -> bool:
        """Whether this blob has a shape; the old form pads shapes with ones in front."""
        if self.legacy and len(shape) <= 4:
            return self.shape == (1,) * (4 - len(shape)) + tuple(shape)
        return self.shape == tuple(shape)


class Layer(NamedTuple):
    """A layer of a weight file. The type is as V2 names it, "" where the file has none."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    blobs: tuple[Blob, ...]


class Caffemodel(NamedTuple):
    """A weight file: `layers` in file order; `mapped` is its memory map."""

    path: str
    name: str
    layers: tuple[Layer, ...]
    mapped: mmap.mmap | None

    def weights(self) -> dict[str, Layer]:
        """The layers that hold blobs, by name."""
        return {layer.name: layer for layer in self.layers if layer.blobs}


def read(path: str | os.PathLike) -> Caffemodel:
    """Open a `.caffemodel` of any version of the format.

    Raises:
        RefusedInput: Not such a file, damaged or truncated; the message names file and layer.
        FileNotFoundError: No such file.
    """
    mapped = wire_format.map_file(path)
    reader, name, layers = wire_format.Reader(mapped), "", []
    try:
        for number, kind, value in reader.fields(0, len(mapped)):
            if number == NET_NAME:
                name = reader.text(kind, value)
            elif number in (NET_LAYERS_V1, NET_LAYERS_V2):
                fields = V1 if number == NET_LAYERS_V1 else V2
                layers.append(_layer(reader, fields, kind, value))
    except RefusedInput as error:
        wire_format.expect_binary(path, mapped)
        raise RefusedInput(f"{path} after layer {_last(layers)}: {error}") from None
    if not layers:
        raise RefusedInput(f"expected a .caffemodel, found no layer in {path}")
    _refuse_repeats(path, layers)
    return Caffemodel(str(path), name, tuple(layers), mapped)


def read_mean(path: str | os.PathLike) -> np.ndarray:
    """A mean image from a `.binaryproto` file, [H, W, C], channels in the file's order."""
    mapped = wire_format.map_file(path)
    try:
        blob = _blob(wire_format.Reader(mapped), wire_format.BYTES, (0, len(mapped)))
    except RefusedInput as error:
        wire_format.expect_binary(path, mapped)
        raise RefusedInput(f"{path}: {error}") from None
    shape = blob.shape[1:] if len(blob.shape) == 4 and blob.shape[0] == 1 else blob.shape
    if len(shape) != 3 or shape[0] not in (1, 3) or blob.values.size > MOST_PIXELS:
        raise RefusedInput(f"expected a mean image of 1 or 3 channels in {path}, got {blob.shape}")
    return np.ascontiguousarray(blob.array(shape).transpose(1, 2, 0))


def _last(layers: list[Layer]) -> str:
    return repr(layers[-1].name) if layers else "none"


def _refuse_repeats(path: StrPath, layers: list[Layer]) -> None:
    times = collections.Counter(layer.name for layer in layers if layer.blobs)
    repeats = sorted(name for name, count in times.items() if count > 1)
    if repeats:
        raise RefusedInput(f"{path} holds weights twice for {', '.join(repeats)}")


def _layer(
    reader: wire_format.Reader, names: dict[int, str], kind: int, value: wire_format.Value
) -> Layer:
    texts = {"name": "", "type": ""}
    ends: dict[str, list[str]] = {"bottom": [], "top": []}
    blobs: list[Blob] = []
    for number, kind_, value_ in reader.message(kind, value):
        field = names.get(number)
        if field in ("bottom", "top"):
            ends[field].append(reader.text(kind_, value_))
        elif field == "blob":
            blobs.append(_blob(reader, kind_, value_))
        elif field == "type" and isinstance(value_, int):
            texts[field] = layer_names.V1_NUMBERS.get(value_, f"V1 type {value_}")
        elif field in ("name", "type"):
            texts[field] = reader.text(kind_, value_)
        elif field == "inner":
            inner = _layer(reader, V0, kind_, value_)
            texts = {"name": inner.name, "type": layer_names.V0.get(inner.type, inner.type)}
            blobs = list(inner.blobs)
    return Layer(
        texts["name"], texts["type"], tuple(ends["bottom"]), tuple(ends["top"]), tuple(blobs)
    )


def _blob(reader: wire_format.Reader, kind: int, value: wire_format.Value) -> Blob:
    legacy, raw = [0] * 4, 0
    shape: list[int] | None = None
    parts: list[tuple[int, int, int]] = []
    for number, kind_, value_ in reader.message(kind, value):
        if number in BLOB_DIMS and isinstance(value_, int):
            legacy[number - 1] = value_
        elif number == BLOB_SHAPE:
            shape = [
                n
                for inner, k, v in reader.message(kind_, value_)
                if inner == 1
                for n in reader.integers(k, v)
            ]
        elif number == BLOB_RAW_TYPE and isinstance(value_, int):
            raw = value_
        elif number in (BLOB_FLOATS, BLOB_DOUBLES, BLOB_RAW):
            parts.append((number, *reader.span(kind_, value_)))
    dims = tuple(legacy if shape is None else shape)
    return Blob(dims, shape is None, _values(reader.buffer, dims, parts, raw))


def _values(
    buffer: mmap.mmap, dims: BlobShape, parts: list[tuple[int, int, int]], raw: int
) -> Array:
    dtype = _dtype({number for number, _, _ in parts}, raw)
    size = dtype.itemsize
    if any((stop - start) % size for _, start, stop in parts):
        raise RefusedInput("a blob ends within a number")
    arrays = [np.frombuffer(buffer, dtype, (b - a) // size, a) for _, a, b in parts]
    values = arrays[0] if len(arrays) == 1 else np.concatenate([*arrays, np.empty(0, dtype)])
    if math.prod(dims) != values.size:
        raise RefusedInput(f"a blob of shape {dims} holds {values.size} numbers; truncated?")
    return values


def _dtype(fields: set[int], raw: int) -> np.dtype:
    """The type of a blob's numbers, from the fields that hold them."""
    if len(fields) > 1:
        raise RefusedInput("a blob holds numbers of several types, such as floats and doubles")
    if BLOB_RAW in fields and raw not in RAW_TYPES:
        raise RefusedInput(f"expected raw_data of doubles, floats or halves, got type {raw}")
    kinds = {BLOB_FLOATS: "<f4", BLOB_DOUBLES: "<f8", BLOB_RAW: RAW_TYPES.get(raw)}
    return np.dtype(kinds[next(iter(fields), BLOB_FLOATS)])
