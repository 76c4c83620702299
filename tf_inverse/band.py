"""Which neuron, and between which activations: targets as text and as values.

The text form of a target is `LAYER:UNIT@Z1:Z2`, for a unit of a convolution
`LAYER:UNIT,ROW,COLUMN@Z1:Z2` (the centre where no position is given; `mean` or `max` over the map
in the place of `ROW,COLUMN`). UNIT is a number, from zero, or a label. Z1 and Z2 are activations,
percentiles of natural images (`p95`) or standard deviations above their mean (`+2sd`). Several
targets, separated by commas or spaces, mean their intersection (section 3.5).
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tf_inverse.errors import UsageError
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

FORM = "LAYER:UNIT@Z1:Z2 (for example fc8:ship@8:10)"
SEPARATOR = re.compile(r"[,\s]+(?=[^\s,:@]+:)")
TARGET = re.compile(r"(?P<layer>[^\s,:@]+):(?P<unit>[^:@]+)(?:@(?P<z1>[^:@]+):(?P<z2>[^:@]+))?")
POSITION = re.compile(r"(?P<unit>.+?),\s*(?:(?P<row>\d+),\s*(?P<column>\d+)|(?P<over>mean|max))")
# High, and yet met by natural images: one in a hundred lies above its lower end.
NATURAL_RANGE = ("p99", "p99.8")


class Neuron(NamedTuple):
    """A unit of a layer.

    Attributes:
        layer: Name of the layer whose output is meant.
        unit: Index of the unit or channel, from zero.
        at: Row and column of a convolutional unit, "mean" or "max" over its map, or None.
    """

    layer: str
    unit: int
    at: tuple[int, int] | str | None = None

    def __str__(self) -> str:
        at = self.at if isinstance(self.at, str) else ",".join(map(str, self.at or ()))
        return f"{self.layer}:{self.unit}" + (f",{at}" if at else "")


@dataclass(frozen=True)
class Band:
    """A neuron with the range [z1, z2] that its activation is to lie in.

    Raises:
        UsageError: z1 is not below z2, or one of them is not a finite number.
    """

    neuron: Neuron
    z1: float
    z2: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.z1) and math.isfinite(self.z2) and self.z1 < self.z2):
            raise UsageError(
                f"expected z1 < z2, both finite, got z1={self.z1:g}, z2={self.z2:g} "
                f"for {self.neuron}"
            )

    def __str__(self) -> str:
        return f"{self.neuron}@{self.z1:g}:{self.z2:g}"


class Bands(tuple[Band, ...]):
    """Several neurons with their ranges, which mean the intersection of all: a tuple of `Band`."""

    __slots__ = ()

    def __new__(cls, bands: Iterable[Band] | Band = ()) -> Bands:
        """Bands in the order of the columns of activations; a band alone is several of one.

        Raises:
            UsageError: Something among them is no `Band`.
        """
        found = tuple(bands) if isinstance(bands, Iterable) else (bands,)
        for one in found:
            if not isinstance(one, Band):
                raise UsageError(
                    f"expected bands, as tf_inverse.parse makes them of a text, got {bands!r:.80}"
                )
        return super().__new__(cls, found)

    @property
    def neurons(self) -> tuple[Neuron, ...]:
        """The neuron of each band."""
        return tuple(band.neuron for band in self)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layer of each band's neuron; two neurons of one layer name it twice."""
        return tuple(band.neuron.layer for band in self)

    @property
    def z1(self) -> Array:
        """The lower end of each range, float64 [p]."""
        return np.array([band.z1 for band in self], np.float64)

    @property
    def z2(self) -> Array:
        """The upper end of each range, float64 [p]."""
        return np.array([band.z2 for band in self], np.float64)


def split(text: str) -> list[str]:
    """The single targets of a comma- or space-separated list.

    >>> split("fc8:ship@8:10, conv5:196,6,6@170:200")
    ['fc8:ship@8:10', 'conv5:196,6,6@170:200']
    """
    return [part for part in SEPARATOR.split(text.strip()) if part]


def parse(text: str, networks: Networks) -> Bands:
    """The bands that a text names, for a given network.

    Args:
        text: One or several targets; see the module.
        networks: They know layers, labels and natural statistics.

    Returns:
        One band a target, in the order written: a tuple.

    Raises:
        UsageError: Form, layer, unit, position or range is wrong; the line says what there is.
    """
    parts = split(text)
    if not parts:
        raise UsageError(f"expected targets of the form {FORM}, got none")
    return Bands(_band(part, networks) for part in parts)


def _band(text: str, networks: Networks) -> Band:
    match = TARGET.fullmatch(text.strip(" ,"))
    if match is None:
        raise UsageError(f"expected a target of the form {FORM}, got {text!r}")
    neuron = _neuron(match["layer"], match["unit"].strip(), networks)
    z1, z2 = (match["z1"], match["z2"]) if match["z1"] else NATURAL_RANGE
    return Band(neuron, *(_activation(z.strip(), neuron, networks, text) for z in (z1, z2)))


def _neuron(layer: str, unit: str, networks: Networks) -> Neuron:
    # By its full path, as labels and natural statistics have it, however short it was written.
    layer = networks.layer_path(layer)
    shape = networks.layer_shape(layer)
    position = POSITION.fullmatch(unit)
    at: tuple[int, int] | str | None = None
    if position is not None and not _is_label(layer, unit, networks):
        unit = position["unit"]
        at = position["over"] or (int(position["row"]), int(position["column"]))
    neuron = Neuron(layer, _unit(layer, unit, shape[-1], networks), at)
    return placed(neuron, shape)


def placed(neuron: Neuron, shape: tuple[int, ...]) -> Neuron:
    """The neuron with its position: the centre of the map where none was given.

    Args:
        neuron: Any neuron of the layer.
        shape: The layer's output without its batch axis: (units,) or (rows, columns, units), or
            (tokens, units).

    Raises:
        UsageError: The unit or the position does not exist.
    """
    layer, unit, at = neuron
    if not 0 <= unit < shape[-1]:
        raise UsageError(f"expected a unit of {layer} from 0 to {shape[-1] - 1}, got {unit}")
    if len(shape) == 1:
        if at is not None:
            raise UsageError(f"expected no position for {layer}, which has no map, got {neuron}")
        return neuron
    if isinstance(at, str):
        return neuron
    extent = shape[:-1] if len(shape) == 3 else (1, shape[0])
    if at is None:
        at = extent[0] // 2, extent[1] // 2
    if any(not 0 <= a < size for a, size in zip(at, extent, strict=True)):
        raise UsageError(
            f"expected a position of {layer} below {extent[0]},{extent[1]}, got {at[0]},{at[1]}"
        )
    return Neuron(layer, unit, at)


def _is_label(layer: str, text: str, networks: Networks) -> bool:
    return text in (networks.names(layer) or ())


def _unit(layer: str, text: str, units: int, networks: Networks) -> int:
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    labels = networks.names(layer)
    if labels is None:
        raise UsageError(
            f"expected a number from 0 to {units - 1} for a unit of {layer}, which has no labels, "
            f"got {text!r}"
        )
    names = [name.lower() for name in labels]
    found = [i for i, name in enumerate(names) if text.lower() in (name, *name.split(", "))]
    if len(found) == 1:
        return found[0]
    near = [labels[i] for i in found] or difflib.get_close_matches(text.lower(), names, 3, 0.4)
    raise UsageError(
        f"expected a label of {layer}, got {text!r}"
        + (f"; {'which is one of' if found else 'near it are'} {', '.join(near)}" if near else "")
    )


def _activation(text: str, neuron: Neuron, networks: Networks, target: str) -> float:
    match = re.fullmatch(r"p(\d+(?:\.\d+)?)|([+-]\d+(?:\.\d+)?)sd", text)
    if match is None:
        try:
            return float(text)
        except ValueError:
            raise UsageError(
                f"expected numbers, percentiles (p95) or deviations (+2sd) for the range of "
                f"{target!r}, got {text!r}"
            ) from None
    if match[1] and float(match[1]) > 100:
        raise UsageError(f"expected a percentile from 0 to 100 in {target!r}, got {text!r}")
    natural = networks.natural and networks.natural.unit(neuron)
    if not natural:
        raise UsageError(
            f"expected plain numbers for the range of {target!r}: network {networks.name} stores "
            f"no natural statistics of {neuron}"
        )
    return natural.percentile(float(match[1])) if match[1] else natural.deviation(float(match[2]))
