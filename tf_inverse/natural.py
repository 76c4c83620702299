"""What is natural: statistics of every unit over real images, read from `natural.h5`.

The file is made by `training.statistics` and lies in a network's folder. No TensorFlow here.

Layout (HDF5, version 1): attributes `format`, `version`, `images` (how many), `description`;
`levels` [P], percentile levels; a group `layers/NAME` a layer with `mean` [U], `sd` [U] and
`percentiles` [U, P] (of a convolution: its units at the centre of the map); `encodings` [N, d_E]
of N images, `activations/NAME` [N, U] of the same images; the attribute `bank` tells how many of
the encodings, the first ones, are codes to start from; `gaussian/mean` [d] and `gaussian/factor`
[r, d] are a Gaussian fitted to codes.
"""

from __future__ import annotations

import pathlib
from dataclasses import dataclass, field

import h5py
import numpy as np

from tf_inverse.errors import RefusedInput

FORMAT, VERSION = "tf_inverse natural", 1
LEVELS = (0, 1, 2, 5, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 100)
MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class UnitStatistics:
    """One unit over natural images: mean, standard deviation, and percentiles at `levels`."""

    mean: float
    sd: float
    levels: np.ndarray
    percentiles: np.ndarray

    def percentile(self, level: float) -> float:
        """The activation at a percentile level in [0, 100], interpolated."""
        return float(np.interp(level, self.levels, self.percentiles))

    def level(self, z: float) -> float:
        """The percentile level of an activation; 0 or 100 beyond the natural ones."""
        return float(np.interp(z, self.percentiles, self.levels))

    def deviation(self, sds: float) -> float:
        """The activation so many standard deviations above the mean."""
        return self.mean + sds * self.sd

    def deviations(self, z: float) -> float:
        """How many standard deviations above the mean an activation lies."""
        return (z - self.mean) / self.sd if self.sd > 0 else float("nan")


@dataclass(frozen=True)
class Natural:
    """Statistics of a network's units over natural images; see the module for the arrays."""

    images: int
    description: str
    levels: np.ndarray
    layers: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
    encodings: np.ndarray | None = None
    activations: dict[str, np.ndarray] = field(default_factory=dict)
    bank: np.ndarray | None = None
    gaussian: tuple[np.ndarray, np.ndarray] | None = None

    def unit(self, neuron) -> UnitStatistics | None:
        """Statistics of a neuron's unit, or None where there are none (or of a map's mean or max).

        Of a convolution they are those of the map's centre; other positions share them.
        """
        if neuron.layer not in self.layers or isinstance(neuron.at, str):
            return None
        mean, sd, percentiles = self.layers[neuron.layer]
        i = neuron.unit
        return UnitStatistics(float(mean[i]), float(sd[i]), self.levels, percentiles[i])

    def within(self, bands) -> np.ndarray | None:
        """Which of the stored images lie in all bands: indices, or None where that is unknown."""
        if self.encodings is None or any(b.neuron.layer not in self.activations for b in bands):
            return None
        z = np.stack([self.activations[b.neuron.layer][:, b.neuron.unit] for b in bands], axis=1)
        z1, z2 = np.array([(b.z1, b.z2) for b in bands]).T
        return np.flatnonzero(((z >= z1) & (z <= z2)).all(axis=1))


def read(path) -> Natural:
    """Read `natural.h5`.

    Raises:
        RefusedInput: Not a file of this format, or one that declares more than 1 GB.
    """
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT or file.attrs.get("version") != VERSION:
                raise RefusedInput(
                    f"expected {FORMAT} version {VERSION} in {pathlib.Path(path).name}, "
                    f"got {file.attrs.get('format')!r} version {file.attrs.get('version')}"
                )
            _check(file, path)
            return _natural(file)
    except (OSError, KeyError) as error:
        raise RefusedInput(f"cannot read natural statistics from {path}: {error}") from error


def _check(group, path):
    sizes = []

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            if item.dtype.kind not in "fi" or item.is_virtual or item.external:
                raise RefusedInput(f"expected plain numbers in {path}, {name} is {item.dtype}")
            sizes.append(item.size * 4)

    group.visititems(visit)
    if sum(sizes) > MAX_BYTES:
        raise RefusedInput(f"expected at most {MAX_BYTES} bytes of statistics in {path}")


def _natural(file):
    def array(name):
        return file[name][()].astype(np.float32) if name in file else None

    encodings, bank = array("encodings"), int(file.attrs.get("bank", 0))

    layers = {
        name: tuple(array(f"layers/{name}/{key}") for key in ("mean", "sd", "percentiles"))
        for name in file.get("layers", ())
    }
    gaussian = None
    if "gaussian" in file:
        gaussian = array("gaussian/mean"), array("gaussian/factor")
    return Natural(
        images=int(file.attrs["images"]),
        description=str(file.attrs["description"]),
        levels=file["levels"][()].astype(np.float64),
        layers=layers,
        encodings=encodings,
        activations={name: array(f"activations/{name}") for name in file.get("activations", ())},
        bank=encodings[:bank] if bank else None,
        gaussian=gaussian,
    )


def write(path, natural: Natural) -> None:
    """Write `natural.h5`; half precision for everything per image, as it is for looking."""
    options = {"compression": "gzip", "compression_opts": 9, "shuffle": True, "track_times": False}
    with h5py.File(path, "w") as file:
        file.attrs.update(
            format=FORMAT, version=VERSION, images=natural.images, description=natural.description
        )
        file.create_dataset("levels", data=np.asarray(natural.levels, np.float64))
        for name, arrays in natural.layers.items():
            for key, values in zip(("mean", "sd", "percentiles"), arrays, strict=True):
                file.create_dataset(f"layers/{name}/{key}", data=values.astype("f4"), **options)
        halves = {f"activations/{name}": z for name, z in natural.activations.items()}
        halves["encodings"] = natural.encodings
        file.attrs["bank"] = 0 if natural.bank is None else len(natural.bank)
        if natural.gaussian is not None:
            halves |= {"gaussian/mean": natural.gaussian[0], "gaussian/factor": natural.gaussian[1]}
        for name, values in halves.items():
            if values is not None:
                file.create_dataset(name, data=values.astype("f2"), **options)
