"""ONNX files, as PyTorch writes them, as Keras models whose layers can be asked for.

The operators are computed by TensorFlow's own (`operators`, `spatial`, `shapes`), and what comes of
it is compared with ONNX Runtime before it is used.
"""

from __future__ import annotations

import pathlib
import tempfile
from typing import Any

import numpy as np
import tensorflow as tf

from tf_inverse.adopt.onnx import file, graph, orders, quantised, within
from tf_inverse.errors import RefusedInput, UsageError, reason
from tf_inverse.layers import frozen_inputs
from tf_inverse.tensors import Array, Model, StrPath

IMAGES = 3
"""Images, of a batch of any size, for which both are compared."""

CLOSE = 1e-3
"""Difference, of the largest number that an output has, that rounding may make."""


ROUNDED = 0.05
"""The same of a quantised file, where a sum that rounds otherwise moves an activation by a step."""


def model(path: StrPath, name: str, size: tuple[int, ...] | None = None) -> Model:
    """The Keras model of an ONNX file: one layer, `graph`, with the file's layers inside.

    Args:
        path: Of the file. Its operators are of a fixed list, and none reads or writes files.
        name: Of the model.
        size: (H, W, C) of an image, where the file leaves it open.

    Raises:
        UsageError: The extra `onnx` is not installed, an operator is not known here, or a size is
            open.
        RefusedInput: The file is damaged, or gives other numbers here than in ONNX Runtime.
    """
    contents = file.read(path)
    specs = _specs(contents, path, size)
    one = {
        key: tf.TensorSpec(
            (1 if spec.shape[0] is None else spec.shape[0], *spec.shape[1:]), spec.dtype
        )
        for key, spec in specs.items()
    }
    module = tf.Module()
    # Of one image at a time some files can be built alone, and some, where PyTorch's `squeeze`
    # takes the axis of one image away, cannot.
    many = _of_any_number(contents, path, specs) if specs != one else None
    module.run = _traced(contents, path, one) if many is None else many
    if many is None:
        _compare(module.run, contents, one, path)
    with tempfile.TemporaryDirectory() as folder, frozen_inputs.trust(True):
        saved = pathlib.Path(folder) / "model"
        tf.saved_model.save(module, str(saved), signatures=module.run)
        first = orders.channels_first(contents, path)
        return frozen_inputs.graph(saved, name, first=first, source=path)


def _of_any_number(
    contents: file.Contents, path: StrPath, specs: dict[str, tf.TensorSpec]
) -> Any | None:
    """The function for any number of images, or None where it works for one at a time alone."""
    try:
        run = graph.of_any_number(contents, path, specs)
        traced = tf.function(run, autograph=False).get_concrete_function(**specs)
        _compare(traced, contents, specs, path)
    except Exception:  # TensorFlow raises almost anything for shapes that do not fit
        return None
    return traced


def _traced(contents: file.Contents, path: StrPath, specs: dict[str, tf.TensorSpec]) -> Any:
    run = graph.function(contents, path)
    try:
        return tf.function(run, autograph=False).get_concrete_function(**specs)
    except RefusedInput:
        raise
    except NotImplementedError as error:
        raise UsageError(
            f"expected an ONNX file of operators in forms that are known here, {path} has "
            f"{reason(error)}; docs/own_network.md tells another way, a SavedModel"
        ) from error
    except Exception as error:  # TensorFlow raises almost anything for shapes that do not fit
        raise RefusedInput(f"{path}: its graph cannot be built ({reason(error)})") from error


def _specs(
    contents: file.Contents, path: StrPath, size: tuple[int, ...] | None
) -> dict[str, tf.TensorSpec]:
    """Shape and type of each input by its plain name."""
    found = {}
    for name, (shape, kind) in contents.inputs.items():
        batch, sides = shape[:1], shape[1:]
        if None in sides and size is not None and len(sides) == 3:
            sides = _sized(sides, size, path)
        if not batch:
            raise UsageError(
                f"expected inputs with an axis of images, {name:.60} of {path} is a single number: "
                f"make it a constant of the file"
            )
        if None in sides:
            raise UsageError(
                f"expected --size=ROWS,COLUMNS,CHANNELS for {path}, whose input has none"
            )
        found[graph.plain(name)] = tf.TensorSpec((*batch, *sides), kind)
    if not found:
        raise UsageError(f"expected an ONNX file with an input, {path} has none")
    return found


def _sized(sides: list[int | None], size: tuple[int, ...], path: StrPath) -> list[int | None]:
    """An image's (H, W, C) on the axes of an input: PyTorch's order, or that of Keras's files.

    Raises:
        UsageError: The input's own sizes are others.
    """
    orders: list[list[int | None]] = [[size[2], size[0], size[1]], [*size]]
    for order in orders:
        if all(own in (None, side) for own, side in zip(sides, order, strict=True)):
            return order
    words = ", ".join("any" if side is None else str(side) for side in sides)
    raise UsageError(
        f"expected a --size that fits the input [{words}] of {path}, got "
        f"--size={','.join(map(str, size))}, which are rows, columns and channels"
    )


def _compare(
    run: Any, contents: file.Contents, specs: dict[str, tf.TensorSpec], path: StrPath
) -> None:
    """Refuses a file that gives other numbers here than in ONNX Runtime."""
    rng = np.random.default_rng(0)
    x = {name: _drawn(rng, specs[graph.plain(name)]) for name in contents.inputs}
    expected = _expected(contents, x, path)
    try:
        got = run(**{graph.plain(name): tf.constant(one) for name, one in x.items()})
    except tf.errors.OpError as error:
        raise RefusedInput(f"{path}: TensorFlow cannot run it ({reason(error)})") from error
    close = ROUNDED if _is_quantised(contents) else CLOSE
    for name, told in zip(contents.outputs, expected, strict=True):
        want = told[:, np.newaxis] if told.ndim == 1 else told
        if np.isnan(want).any():
            raise RefusedInput(
                f"{path}: its output {name:.120} is no number (NaN) for images of noise, in ONNX "
                f"Runtime too: are its weights damaged, or was its training?"
            )
        here = np.asarray(got[graph.plain(name)], np.float64)
        most = np.abs(want[np.isfinite(want)]).max(initial=0.0)
        far = _apart(here, want)
        if not far <= close * max(most, 1e-6):
            off = f"by {far:.3g}" if np.isfinite(far) else "in its shape, or is not finite"
            raise RefusedInput(
                f"{path}: its output {name:.120} is off {off} from what ONNX Runtime "
                f"gives, which goes up to {most:.3g}; please report it with the file"
            )


def _apart(here: Array, want: Array) -> float:
    """The largest difference of two arrays; infinite where shapes differ, or only one is finite."""
    if here.shape != want.shape:
        return np.inf
    same = here == want  # an infinity is like itself, and has no difference
    return float(np.abs(np.where(same, 0.0, here - want)).max(initial=0.0))


def _expected(contents: file.Contents, x: dict[str, Array], path: StrPath) -> list[Array]:
    """What ONNX Runtime gives for inputs by name: each output, as floats."""
    runtime = file.package("onnxruntime", path)
    try:
        options = runtime.SessionOptions()
        options.log_severity_level = 4
        if _is_quantised(contents):
            # Its optimisations join pairs to operators of whole numbers, which round otherwise.
            options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        source = contents.proto.SerializeToString() if contents.changed else str(path)
        session = runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        return [np.asarray(one, np.float64) for one in session.run(contents.outputs, x)]
    except Exception as error:  # ONNX Runtime has a dozen errors of its own
        raise RefusedInput(f"{path}: ONNX Runtime cannot run it ({reason(error)})") from error


def _is_quantised(contents: file.Contents) -> bool:
    return any(node.op_type in quantised.OPERATORS for node in within.nodes(contents.proto.graph))


def _drawn(rng: np.random.Generator, spec: tf.TensorSpec) -> Array:
    shape = tuple(IMAGES if side is None else side for side in spec.shape)
    return rng.standard_normal(shape).astype(spec.dtype.as_numpy_dtype)
