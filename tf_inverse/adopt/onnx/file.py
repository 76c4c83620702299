"""An ONNX file, checked before any of it is believed: sizes, operators, where its weights lie."""

from __future__ import annotations

import importlib
import math
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tf_inverse.adopt.onnx import (
    attention,
    control,
    elementwise,
    grids,
    half,
    indexing,
    norms,
    operators,
    padding,
    placing,
    pooling,
    quantised,
    recurrent,
    resample,
    sequences,
    shapes,
    spatial,
    transposed,
    within,
)
from tf_inverse.errors import RefusedInput, UsageError, reason
from tf_inverse.tensors import Array, StrPath

LARGEST = 2 << 30
"""Bytes that Protocol Buffers can read."""

OPSET = 13
"""Older files are put into this version of the operators, since which axes are inputs."""

OF_MAPS = spatial.OPERATORS | pooling.OPERATORS | transposed.OPERATORS | grids.OPERATORS
"""Operators of maps, whose channels are always first."""

OF_TENSORS = operators.OPERATORS | elementwise.OPERATORS | OF_MAPS | attention.OPERATORS
OF_TENSORS |= norms.OPERATORS | recurrent.OPERATORS
"""Operators of numbers alone, which are written for tensors; others take NumPy's arrays too."""

TABLES = (
    OF_TENSORS,
    shapes.OPERATORS,
    padding.OPERATORS,
    resample.OPERATORS,
    indexing.OPERATORS,
    placing.OPERATORS,
    sequences.OPERATORS,
    quantised.OPERATORS,
)
RANDOM = ["Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike"]
RANDOM += ["RandomUniform", "RandomUniformLike"]
OPERATORS = {name: run for table in TABLES for name, run in table.items()}


class Contents(NamedTuple):
    """What a file holds.

    Attributes:
        proto: The `onnx.ModelProto`.
        weights: Arrays by name.
        inputs: Shape and NumPy's type of each input by name; a size that is left open is None.
        outputs: Names of the outputs that are floats.
        changed: Whether the model is no longer that of the file, but has been put into float32.
    """

    proto: Any
    weights: dict[str, Array]
    inputs: dict[str, tuple[list[int | None], str]]
    outputs: list[str]
    changed: bool = False


def package(name: str, path: StrPath) -> Any:
    """A package of the extra `onnx`.

    Raises:
        UsageError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(
            f"expected {name} for {path}: pip install 'tf_inverse[onnx]' ({reason(error)})"
        ) from error


def read(path: StrPath) -> Contents:
    """What a file holds, with nothing run and nothing larger than its files allocated.

    Raises:
        UsageError: The extra is not installed, or the file has operators that are not known here.
        RefusedInput: The file is damaged, too large, or has weights elsewhere than beside it.
    """
    onnx = package("onnx", path)
    if pathlib.Path(path).stat().st_size > LARGEST:
        raise RefusedInput(f"{path}: is larger than {LARGEST} bytes")
    try:
        proto = onnx.load_model(str(path), load_external_data=False)
        own = {one.domain: one.version for one in proto.opset_import}
        if proto.functions:
            proto = onnx.inliner.inline_local_functions(proto)
        if own.get("", OPSET) < OPSET:
            proto = onnx.version_converter.convert_version(proto, OPSET)
            _place_pixels(onnx, proto, own.get("", OPSET))
    except Exception as error:  # onnx raises its own errors, and those of Protocol Buffers
        raise RefusedInput(f"{path}: no ONNX file that can be read ({reason(error)})") from error
    graph = proto.graph
    if not graph.node or not graph.output:
        raise RefusedInput(f"{path}: no ONNX file, for it computes nothing")
    _expect_known(graph, path)
    if graph.sparse_initializer:
        raise UsageError(f"expected weights that are not sparse in {path}")
    weights = {one.name: array(one, path) for one in graph.initializer}
    changed = half.has(proto)
    if changed:
        half.as_float32(onnx, proto, weights)
    free = [one for one in graph.input if one.name not in weights]
    inputs = {one.name: _declared(one, path) for one in free}
    return Contents(proto, weights, inputs, _scores(graph, path), changed)


def _place_pixels(onnx: Any, proto: Any, opset: int) -> None:
    """Has resized pixels lie where they lay before opset 11, which onnx's converter forgets."""
    if opset >= 11:
        return
    before = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    for node in proto.graph.node:
        if node.op_type == "Resize":
            told = {one.name for one in node.attribute}
            more = {key: one for key, one in before.items() if key not in told}
            node.attribute.extend(onnx.helper.make_attribute(*pair) for pair in more.items())


def _scores(graph: Any, path: StrPath) -> list[str]:
    """Names of the outputs that are floats: places and labels beside them have no gradients."""
    kinds = {one.name: one.type.tensor_type.elem_type for one in graph.output}
    names = {name: shapes.TYPES.get(kind, "float32") for name, kind in kinds.items()}
    found = [name for name, kind in names.items() if "float" in kind]
    if not found:
        words = ", ".join(f"{name:.60} ({kind})" for name, kind in names.items())
        raise UsageError(
            f"expected an ONNX file with an output of floats, {path} has {words[:200]}, which has "
            f"no gradients: export the scores that it is made of"
        )
    return found


def attributes(node: Any, path: StrPath) -> dict[str, Any]:
    """Attributes of a node by name, with the number of its outputs as `outputs`.

    Raises:
        RefusedInput: One holds what no operator here takes.
    """
    helper = package("onnx", path).helper
    found: dict[str, Any] = {"outputs": len(node.output)}
    for one in node.attribute:
        value = helper.get_attribute_value(one)
        found[one.name] = array(value, path) if hasattr(value, "data_type") else value
    return found


def array(tensor: Any, path: StrPath) -> Array:
    """The numbers of a tensor of a file, from the file itself or from one that lies beside it.

    Raises:
        RefusedInput: It declares other numbers than there are, or a file elsewhere.
    """
    numpy_helper = package("onnx", path).numpy_helper
    where = {one.key: one.value for one in tensor.external_data}
    try:
        if not where and tensor.data_location == 0:
            return numpy_helper.to_array(tensor)
        kind = np.dtype(shapes.TYPES[tensor.data_type])
        name, count = where["location"], math.prod(tensor.dims)
        file = pathlib.Path(path).parent / name
        if pathlib.PurePath(name).name != name or file.is_symlink() or not file.is_file():
            raise RefusedInput(
                f"{path}: weights in {name!r:.120}, expected a file beside it: keep both together"
            )
        offset = int(where.get("offset", 0))
        size = file.stat().st_size
        length = int(where.get("length", size - offset))
        if min(tensor.dims, default=0) < 0 or offset < 0 or count * kind.itemsize != length:
            raise RefusedInput(f"{path}: {tensor.name:.120} declares more than {name} holds")
        if offset + length > size:
            raise RefusedInput(f"{path}: {tensor.name:.120} ends beyond {name}; is it cut off?")
        numbers = np.fromfile(file, kind.newbyteorder("<"), count, offset=offset)
        return numbers.reshape(tuple(tensor.dims))
    except (ValueError, KeyError, TypeError, MemoryError) as error:
        raise RefusedInput(
            f"{path}: damaged tensor {tensor.name:.120} ({reason(error)})"
        ) from error


def _expect_known(graph: Any, path: StrPath) -> None:
    unknown = sorted(set(_unknown(graph)))
    if whole := [name for name in unknown if name in quantised.WHOLE]:
        raise UsageError(
            f"expected an ONNX file that computes in floats, {path} has {', '.join(whole)}, of "
            f"whole numbers, which have no gradients: give the file that it was quantised from, or "
            f"quantise that in pairs (quant_format=QuantFormat.QDQ)"
        )
    if fused := [name for name in unknown if name.startswith("com.microsoft.")]:
        raise UsageError(
            f"expected an ONNX file of the standard's operators, {path} has "
            f"{', '.join(fused)[:200]}, ONNX Runtime's own: give the file that it optimised, or "
            f"have it optimise no further than ORT_ENABLE_BASIC"
        )
    if random := [name for name in unknown if name in RANDOM]:
        raise UsageError(
            f"expected an ONNX file that gives the same each time, {path} draws random numbers "
            f"({', '.join(random)}): export it with noise that is an input, or fixed"
        )
    if unknown:
        raise UsageError(
            f"expected an ONNX file of operators that are known here, {path} has "
            f"{', '.join(unknown)[:200]}; docs/own_network.md tells another way, a SavedModel"
        )


def _unknown(graph: Any) -> Iterator[str]:
    for node in within.nodes(graph):
        known = node.op_type in OPERATORS or node.op_type in control.OPERATORS
        if node.domain not in ("", "ai.onnx") or not known:
            yield f"{node.domain}.{node.op_type}".lstrip(".")


def _declared(value: Any, path: StrPath) -> tuple[list[int | None], str]:
    tensor = value.type.tensor_type
    if tensor.elem_type not in shapes.TYPES or not tensor.HasField("shape"):
        raise UsageError(f"expected inputs of numbers with a shape, {value.name} of {path} is none")
    sides = [one.dim_value or None for one in tensor.shape.dim]
    if any(side is not None and side < 0 for side in sides):
        raise RefusedInput(f"{path}: {value.name:.120} has a negative size")
    return sides, shapes.TYPES[tensor.elem_type]
