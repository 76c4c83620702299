"""The file `natural.h5` of a network's folder, which holds its natural statistics. No TensorFlow.

Layout (HDF5, version 1): attributes `format`, `version`, `images` (how many), `description`;
`levels` [P], percentile levels; a group `layers/NAME` a layer with `mean` [U], `sd` [U] and
`percentiles` [U, P] (of a convolution: its units at the centre of the map); `encodings` [N, d_E]
of N images, `activations/NAME` [N, U] of the same images; the attribute `bank` tells how many of
the encodings, the first ones, are codes to start from, `random` how many are of images that were
chosen at random; `indices` [N] are their numbers in the source of the images, for who has it;
`gaussian/mean` [d] and `gaussian/factor` [r, d] are a Gaussian fitted to codes.
NAME is a layer's path with "/" written as %2F, since HDF5 takes a slash for a group. Files that
were written before that have a group a level instead, and are read as well.
"""

from __future__ import annotations

import pathlib
import urllib.parse
from collections.abc import Iterable
from typing import Any

import h5py
import numpy as np

from tf_inverse.archive import hdf5, walk
from tf_inverse.errors import InverseSetError, RefusedInput, reason
from tf_inverse.networks import half
from tf_inverse.networks.natural import Natural
from tf_inverse.tensors import Array, StrPath

FORMAT, VERSION = "tf_inverse natural", 1
MAX_BYTES = 1 << 30


def read(path: StrPath) -> Natural:
    """Read `natural.h5`.

    Raises:
        RefusedInput: Not a file of this format, one that lacks arrays or whose arrays do not
            belong together, or one that declares more than 1 GB.
    """
    try:
        with hdf5.opened(path) as file:
            if file.attrs.get("format") != FORMAT or file.attrs.get("version") != VERSION:
                raise RefusedInput(
                    f"expected {FORMAT} version {VERSION} in {pathlib.Path(path).name}, "
                    f"got {file.attrs.get('format')!r} version {file.attrs.get('version')}"
                )
            return _natural(file, _arrays(file, path), path)
    except InverseSetError:
        raise
    except Exception as error:  # HDF5 and NumPy raise almost anything for a damaged file
        said = f"cannot read natural statistics from {path}: {reason(error)}"
        raise RefusedInput(said) from error


def _arrays(file: h5py.File, path: StrPath) -> dict[str, h5py.Dataset]:
    """Every dataset by its path, all of them plain numbers in the file itself."""
    found = walk.bearable(file, path, MAX_BYTES)
    for name, item in found.items():
        if item.dtype.kind not in "fi":
            raise RefusedInput(f"expected plain numbers in {path}, {name} is {item.dtype}")
    return found


def _natural(file: h5py.File, arrays: dict[str, h5py.Dataset], path: StrPath) -> Natural:
    def array(name: str, *shape: int | None, dtype: Any = np.float32) -> Array:
        """One array, of a shape in which None is any number."""
        if name not in arrays:
            raise RefusedInput(f"expected {name} in the natural statistics {path}; it is missing")
        got = arrays[name].shape
        sides = zip(got, shape, strict=False)
        if len(got) != len(shape) or any(wanted not in (None, have) for have, wanted in sides):
            raise RefusedInput(f"expected {name} of shape {list(shape)} in {path}, got {list(got)}")
        return arrays[name][()].astype(dtype)

    levels = array("levels", None)
    layers = {}
    for name in _layers(arrays):
        mean = array(f"layers/{name}/mean", None)
        sd = array(f"layers/{name}/sd", len(mean))
        percentiles = array(f"layers/{name}/percentiles", len(mean), len(levels))
        layers[_layer(name)] = mean, sd, percentiles
    encodings = array("encodings", None, None) if "encodings" in arrays else None
    count = 0 if encodings is None else len(encodings)
    bank, random = (int(file.attrs.get(name, -1)) for name in ("bank", "random"))
    if max(bank, random) > count:
        most = max(bank, random)
        raise RefusedInput(f"expected encodings of {most} images in {path}, got {count}")
    gaussian = None
    if any(name.startswith("gaussian/") for name in arrays):
        mean = array("gaussian/mean", None)
        gaussian = mean, array("gaussian/factor", None, len(mean))
    activations = [name for name in arrays if name.startswith("activations/")]
    return Natural(
        images=int(file.attrs["images"]),
        description=str(file.attrs["description"]),
        levels=arrays["levels"][()].astype(np.float64),
        layers=layers,
        encodings=encodings,
        activations={
            _layer(name.removeprefix("activations/")): array(name, count, None)
            for name in activations
        },
        bank=encodings[:bank] if encodings is not None and bank > 0 else None,
        gaussian=gaussian,
        random=random if random >= 0 else None,
        indices=array("indices", count, dtype=np.int64) if "indices" in arrays else None,
    )


def _layers(arrays: Iterable[str]) -> list[str]:
    """Names of the groups that hold statistics of a layer, however deep."""
    inside = [name.removeprefix("layers/") for name in arrays if name.startswith("layers/")]
    return list(dict.fromkeys(name.rpartition("/")[0] for name in inside))


def _name(layer: str) -> str:
    """A layer's path as one name in HDF5, and back."""
    return urllib.parse.quote(layer, safe=" !#$&'()*+,:;=?@[]")


def _layer(name: str) -> str:
    return urllib.parse.unquote(name)


def write(path: StrPath, natural: Natural) -> None:
    """Write `natural.h5`; everything per image in half precision where that holds it (`half`)."""
    options = {"compression": "gzip", "compression_opts": 9, "shuffle": True, "track_times": False}
    with hdf5.opened(path, "w") as file:
        file.attrs.update(
            format=FORMAT, version=VERSION, images=natural.images, description=natural.description
        )
        file.create_dataset("levels", data=np.asarray(natural.levels, np.float64))
        for layer, arrays in natural.layers.items():
            for key, values in zip(("mean", "sd", "percentiles"), arrays, strict=True):
                name = f"layers/{_name(layer)}/{key}"
                file.create_dataset(name, data=values.astype("f4"), **options)
        if natural.indices is not None:
            file.create_dataset("indices", data=natural.indices.astype("i4"), **options)
        halves: dict[str, Array | None] = {
            f"activations/{_name(layer)}": z for layer, z in natural.activations.items()
        }
        halves["encodings"] = natural.encodings
        file.attrs["bank"] = 0 if natural.bank is None else len(natural.bank)
        if natural.random is not None:
            file.attrs["random"] = natural.random
        if natural.gaussian is not None:
            halves |= {"gaussian/mean": natural.gaussian[0], "gaussian/factor": natural.gaussian[1]}
        for name, each in halves.items():
            if each is not None:
                file.create_dataset(name, data=half.fitting(each), **options)
