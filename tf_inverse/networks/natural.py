"""What is natural: statistics of every unit over real images, and images to show beside samples.

`natural_file` reads and writes them; `training.statistics` and `adopt.nature` measure them. No
TensorFlow here.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tf_inverse.directions import Direction
from tf_inverse.errors import RefusedInput
from tf_inverse.neuron import Neuron
from tf_inverse.tensors import Array

MAPS = "_maps"
"""What the name of a layer is followed by in that of an encoder whose output has maps after it."""

LEVELS = (0, 1, 2, 5, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 100)


@dataclass(frozen=True)
class UnitStatistics:
    """One neuron over images: mean, standard deviation, and percentiles at `levels`.

    The images are all natural ones that the network was measured on, or, where `of` says which,
    as many others as `images`.
    """

    mean: float
    sd: float
    levels: np.ndarray
    percentiles: np.ndarray
    images: int | None = None
    of: str | None = None

    @classmethod
    def measured(cls, z: Array, levels: Array, of: str) -> UnitStatistics:
        """Those of activations z [N] over images that `of` tells of."""
        z = z.astype(np.float64)
        percentiles = np.percentile(z, levels)
        return cls(float(z.mean()), float(z.std()), levels, percentiles, len(z), of)

    def told(self) -> dict[str, Any]:
        """The statistics as an archive stores them, ready for JSON."""
        other = {} if self.of is None else {"images": self.images, "of": self.of}
        numbers = {"mean": self.mean, "sd": self.sd, "percentiles": self.percentiles.tolist()}
        return numbers | other

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
    """Statistics of a network's units over natural images; see `natural_file` for the arrays.

    `source` is the absolute path of the images where these are new, for `storage.save` to note.
    The arrays are left out of its text: TensorFlow's warnings and a notebook's cell show the text
    of the whole network, which would be hundreds of lines of numbers.
    """

    images: int
    description: str
    levels: np.ndarray = field(repr=False)
    layers: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = field(repr=False)
    encodings: np.ndarray | None = field(default=None, repr=False)
    activations: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    bank: np.ndarray | None = field(default=None, repr=False)
    gaussian: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)
    random: int | None = None
    indices: Array | None = field(default=None, repr=False)
    source: str | None = field(default=None, repr=False)

    @property
    def typical(self) -> int:
        """How many of the stored images, the first ones, were chosen at random.

        Those that follow were chosen for their activations. The images of a bank are random.
        """
        if self.random is not None:
            return self.random
        stored = self.encodings if self.bank is None else self.bank
        return 0 if stored is None else len(stored)

    def of_other_images(self, encodings: Array | None, bank: Array | None) -> Natural:
        """The same statistics of units with other encodings; nothing of the images stays.

        Args:
            encodings: Of images whose activations and numbers nobody knows, [N, d_E], or None.
            bank: The first of them, where they are codes to start from, or None.
        """
        return dataclasses.replace(
            self, encodings=encodings, bank=bank, activations={}, random=None, indices=None
        )

    def codes(self, size: int) -> Array | None:
        """The bank where it is of codes with so many entries, else None."""
        return self.bank if self.bank is not None and self.bank.shape[1] == size else None

    def unit(self, neuron: Neuron) -> UnitStatistics | None:
        """Statistics of a neuron's unit, or None where there are none.

        There are none of a map's mean or max, and none of a direction. Of a convolution they are
        those of the map's centre; other positions share them.
        """
        layer, unit, at = neuron
        if isinstance(unit, Direction) or isinstance(at, str) or layer not in self.layers:
            return None
        mean, sd, percentiles = self.layers[layer]
        i = _of(neuron, unit, len(mean))
        return UnitStatistics(float(mean[i]), float(sd[i]), self.levels, percentiles[i])

    def kept(self, neuron: Neuron) -> Array | None:
        """Activations [N] of a neuron over the stored images, or None where they are not stored.

        Of a convolution they are those of the map's centre.
        """
        if neuron.layer not in self.activations:
            return None
        stored = self.activations[neuron.layer]
        if not isinstance(neuron.unit, Direction):
            return stored[:, _of(neuron, neuron.unit, stored.shape[1])]
        values = neuron.unit.values
        # Stored in half precision: summed in more, the direction's rounding adds nothing to theirs.
        return stored.astype(np.float64) @ values if len(values) == stored.shape[1] else None


def _of(neuron: Neuron, unit: int, count: int) -> int:
    """The column of a neuron's unit, where the statistics of its layer have so many units.

    Raises:
        RefusedInput: The statistics are of another network.
    """
    if unit >= count:
        raise RefusedInput(
            f"expected natural statistics of {neuron}, they are of {count} units of that layer: "
            "natural.h5 is of another network"
        )
    return unit


def counted(images: int, words: str) -> str:
    """How many natural images, and what they are; the number once, where the words begin with it.

    >>> counted(500, "photographs"), counted(500, "500 images of photos")
    ('500 natural images: photographs', '500 images of photos')
    """
    return words if words.startswith(f"{images} images") else f"{images} natural images: {words}"
