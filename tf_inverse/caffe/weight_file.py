"""Weight files of any form that is read: Caffe's, PyTorch's and safetensors, as layers of blobs.

PyTorch keeps the kernels of convolutions [O, I / groups, kh, kw], of transposed convolutions
[I, O / groups, kh, kw] and of dense layers [O, I], which is Caffe's order exactly. So a layer's
weight and bias are its two blobs, and all that fills a model from a caffemodel serves them too.
"""

from __future__ import annotations

import mmap
import os
import pathlib
from collections.abc import Mapping

import numpy as np

from tf_inverse.caffe import caffemodel
from tf_inverse.caffe.caffemodel import Blob, Caffemodel, Layer
from tf_inverse.caffe.pytorch import checkpoint
from tf_inverse.errors import RefusedInput, UsageError, reason
from tf_inverse.tensors import Array

PYTORCH = (".pt", ".pth")
FLOATS = ("float16", "bfloat16", "float32", "float64")
MOST_BYTES = 4 << 30


def read(path: str | os.PathLike) -> Caffemodel:
    """Open a weight file; its form is told by its first bytes and its name.

    Raises:
        RefusedInput: Not such a file, damaged or truncated.
        UsageError: A safetensors file, and the package safetensors is not installed.
        FileNotFoundError: No such file.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() == ".safetensors":
        return _layers(path, _safetensors(path), None)
    head = b""
    if path.is_file():
        with open(path, "rb") as file:
            head = file.read(64)
    if path.suffix.lower() in PYTORCH or checkpoint.is_one(head):
        opened = checkpoint.read(path)
        return _layers(path, opened.tensors, opened.mapped)
    return caffemodel.read(path)


def _safetensors(path: pathlib.Path) -> dict[str, Array]:
    try:
        import safetensors
    except ImportError:
        raise UsageError(
            f"expected the package safetensors to read {path.name}: "
            f"pip install 'tf_inverse[safetensors]'"
        ) from None
    if not path.is_file():
        raise FileNotFoundError(f"expected a file, found none at {path}")
    if path.stat().st_size > MOST_BYTES:
        raise RefusedInput(f"expected at most {MOST_BYTES} bytes in {path}")
    try:
        with safetensors.safe_open(path, framework="np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # the package has errors of its own, and NumPy's for other types
        raise RefusedInput(f"cannot read {path} as safetensors: {reason(error)}") from None


def _layers(
    path: pathlib.Path, tensors: Mapping[str, Array], mapped: mmap.mmap | None
) -> Caffemodel:
    """Tensors called LAYER.weight and LAYER.bias as layers of blobs."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, array in zip(_plain(list(tensors)), tensors.values(), strict=True):
        layer, _, kind = name.rpartition(".")
        if kind not in ("weight", "bias") or not layer:
            raise RefusedInput(f"{path}: expected LAYER.weight and LAYER.bias, found {name!r}")
        if kind in found.setdefault(layer, {}):
            raise RefusedInput(f"{path} holds {kind}s twice for {layer!r}")
        if array.dtype.name not in FLOATS:
            raise RefusedInput(f"{path}: expected floating-point numbers in {name!r}")
        found[layer][kind] = array
    layers = []
    for layer, parts in found.items():
        blobs = [parts[kind] for kind in ("weight", "bias") if kind in parts]
        layers.append(Layer(layer, "", (), (), tuple(Blob(a.shape, False, a) for a in blobs)))
    return Caffemodel(str(path), "", tuple(layers), mapped)


def _plain(names: list[str]) -> list[str]:
    """Names of tensors without what converters put around them.

    DeePSiM's PyTorch files call some layers `defc7.1`, after a wrapper; a whole module saved puts
    its own name, as `G` or `net`, before all of them.
    """
    names = [name.replace(".1.", ".") for name in names]
    one = len({name.split(".", 1)[0] for name in names}) == 1
    if one and all(name.count(".") >= 2 for name in names):
        return [name.split(".", 1)[1] for name in names]
    return names
