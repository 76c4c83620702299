"""Which neuron, and between which activations: targets as text and as values.

The text form of a target is `LAYER:UNIT@Z1:Z2`, for a unit of a convolution
`LAYER:UNIT,ROW,COLUMN@Z1:Z2` (the centre where no position is given; `mean` or `max` over the map
in the place of `ROW,COLUMN`). The name of a layer stands in quotes, single or double, where it
holds commas, colons or @; one with blanks needs none where its target is the only one, or where all
targets tell their ranges. UNIT is a number, from zero, or a label; or a direction, which is a
sum of units (`ship-airplane`, `ship-0.5*airplane`) or an array in a file (`@FILE.npy`). Z1 and Z2
are activations, percentiles of natural images (`p95`) or standard deviations above their mean
(`+2sd`). Several targets, separated by commas or spaces, mean their intersection (section 3.5).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tf_inverse import directions, grammar, unit_names
from tf_inverse.directions import Direction
from tf_inverse.errors import UsageError
from tf_inverse.neuron import Neuron, linear, placed, unquoted
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.networks.natural import UnitStatistics
    from tf_inverse.networks.networks import Networks

FORM = "LAYER:UNIT@Z1:Z2 (for example fc8:ship@8:10)"
QUOTED = r"\"[^\"]+\"|'[^']+'"
SEPARATOR = re.compile(rf"[,\s]+(?=(?:{QUOTED}|[^\s,:@]+):)")
BEGUN = re.compile(rf"(?:{QUOTED}|(?![\"'])[^,:@]*):")
"""A text that holds the whole name of its layer, so that what comes after it is another target."""

ENDED = re.compile(r"(.*@[^:@]+:\s*[^\s,:@]+)([,\s]+)[^\s,:@][^,:@]*", re.DOTALL)
"""A target with its range, and the first words of the next one's layer."""

TARGET = re.compile(
    # The path of a file may hold what parts a target elsewhere.
    rf"(?P<layer>{QUOTED}|[^\s,:@][^,:@]*):"
    r"(?P<unit>@.+?\.npy(?:\[\d+\])?(?:,[^:@]+)?|@?[^:@]+)"
    r"(?:@(?P<z1>[^:@]+):(?P<z2>[^:@]+))?",
    re.DOTALL,
)
POSITION = re.compile(r"(?P<unit>.+?),\s*(?:(?P<row>\d+),\s*(?P<column>\d+)|(?P<over>mean|max))")
RELATIVE = re.compile(r"p(\d+(?:\.\d+)?)|([+-]\d+(?:\.\d+)?)sd")
# High, and yet met by natural images: one in a hundred lies above its lower end.
NATURAL_RANGE = ("p99", "p99.8")


@dataclass(frozen=True)
class Band:
    """A neuron with the range [z1, z2] that its activation is to lie in.

    Raises:
        UsageError: z1 is not below z2, one of them is not a finite number, or no float32 number,
            as activations are, lies between them.
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
        if not _holds_float32(self.z1, self.z2):
            raise UsageError(
                f"expected a range that holds float32 numbers, as activations are, got "
                f"z1={self.z1!r}, z2={self.z2!r} for {self.neuron}: give a wider one"
            )

    def __str__(self) -> str:
        return f"{self.neuron}@{self.z1:g}:{self.z2:g}"


def _holds_float32(z1: float, z2: float) -> bool:
    """Whether both ends are within the limits of float32, and one of its numbers between them."""
    if max(abs(z1), abs(z2)) > float(np.finfo(np.float32).max):
        return False
    first = np.float32(z1)
    if float(first) < z1:
        first = np.nextafter(first, np.float32(np.inf))
    return float(first) <= z2


class Range(NamedTuple):
    """A neuron with a range as it was asked for, which may have no width.

    Attributes:
        neuron: The neuron.
        z1: The lower end, an activation.
        z2: The upper end.
        ends: Both as they were written, as ("p99", "p99.8").
    """

    neuron: Neuron
    z1: float
    z2: float
    ends: tuple[str, str]

    @property
    def is_flat(self) -> bool:
        """Whether two ends that differ by nature are one activation: the unit seems to be dead."""
        natural = all(RELATIVE.fullmatch(end) for end in self.ends)
        return natural and self.ends[0] != self.ends[1] and self.z1 == self.z2

    def band(self) -> Band:
        """The neuron with its range.

        Raises:
            UsageError: The range has no width, or its ends are the wrong way round.
        """
        if self.is_flat:
            raise UsageError(
                f"expected a range with a width for {self.neuron}, which is {self.z1:g} at "
                f"{self.ends[0]} and at {self.ends[1]} alike, as a dead unit is; give two "
                f"activations, as {self.neuron}@{self.z1:g}:{self.z1 + 1:g}"
            )
        return Band(self.neuron, self.z1, self.z2)


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
    >>> split("first layer:3@1:2, 'second, last':5@0:1")
    ['first layer:3@1:2', "'second, last':5@0:1"]
    """
    text, parts, start = text.strip(), [], 0
    for mark in SEPARATOR.finditer(text):
        part = text[start : mark.start()]
        if part and not BEGUN.match(part):
            continue  # a layer's name goes on after its blank
        ended = ENDED.fullmatch(part)
        parts.append(ended[1] if ended else part)
        start = start + ended.end(2) if ended else mark.end()
    return [part for part in (*parts, text[start:]) if part]


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
    return Bands(one.band() for part in parts for one in ranges(part, networks))


def whole(text: str) -> bool:
    """Whether the text of one target tells a range, too."""
    match = TARGET.fullmatch(text.strip(" ,"))
    return match is not None and match["z1"] is not None


def neurons(text: str, networks: Networks) -> tuple[Neuron, ...]:
    """The neurons of one or several targets, whose ranges, if they tell any, do not matter.

    Raises:
        UsageError: As of `parse`.
    """
    return tuple(one for part in split(text) for one in _neurons(_matched(part), networks))


def neuron(text: str, networks: Networks) -> Neuron:
    """The neuron of one target, whose range, if it tells any, does not matter.

    Raises:
        UsageError: As of `parse`; or the target is a file of several directions.
    """
    found = neurons(text, networks)
    if len(found) != 1:
        raise UsageError(
            f"expected one direction, {text!r} has {len(found)}: choose one, as @FILE.npy[0]"
        )
    return found[0]


def _matched(text: str) -> re.Match[str]:
    match = TARGET.fullmatch(text.strip(" ,"))
    if match is None:
        raise UsageError(f"expected a target of the form {FORM}, got {text!r}")
    return match


def ranges(text: str, networks: Networks) -> Iterator[Range]:
    """The neurons of one target, which are several for a file of directions, with their ranges.

    Raises:
        UsageError: As of `parse`, but for a range without a width, which `Range.band` refuses.
    """
    match = _matched(text)
    ends = (match["z1"].strip(), match["z2"].strip()) if match["z1"] else NATURAL_RANGE
    for one in _neurons(match, networks):
        z1, z2 = _activations(ends, one, networks, text)
        yield Range(one, z1, z2, ends)


def _neurons(match: re.Match[str], networks: Networks) -> Iterator[Neuron]:
    # By its full path, as labels and natural statistics have it, however short it was written.
    layer, unit = networks.layer_path(unquoted(match["layer"])), match["unit"].strip()
    shape, labels = networks.layer_shape(layer), networks.names(layer)
    position = POSITION.fullmatch(unit)
    at: tuple[int, int] | str | None = None
    if position is not None and unit not in (labels or ()):
        unit = position["unit"]
        at = position["over"] or (int(position["row"]), int(position["column"]))
    if unit.startswith("@") and not unit_names.named(unit, labels):
        for direction in directions.read(unit, layer, shape):
            yield linear(placed(Neuron(layer, direction, at), shape), networks)
        return
    weights = unit_names.weights(layer, unit, shape[-1], labels)
    if list(weights.values()) == [1.0]:
        yield placed(Neuron(layer, next(iter(weights)), at), shape)
        return
    values = np.zeros(shape[-1])
    values[list(weights)] = list(weights.values())
    direction = Direction(" ".join(unit.split()), values)
    yield linear(placed(Neuron(layer, direction, at), shape), networks)


def _activations(
    ends: tuple[str, str], neuron: Neuron, networks: Networks, target: str
) -> list[float]:
    """The two ends of a range, of which natural ones are looked up once."""
    found = [_end(text, target) for text in ends]
    if all(isinstance(one, float) for one in found):
        return [one for one in found if isinstance(one, float)]
    natural = networks.nature(neuron)
    if natural is None and neuron.direction is not None:
        natural = networks.generated(neuron)
        grammar.say(
            f"{neuron}: {' and '.join(ends)} are of {natural.of}, not of natural ones: "
            f"{networks.name} keeps no natural activations of it"
        )
    if natural is None:
        raise UsageError(
            f"expected plain numbers for the range of {target!r}: network {networks.name} stores "
            f"no natural statistics of {neuron}"
        )
    return [one if isinstance(one, float) else _natural(one, natural) for one in found]


def _end(text: str, target: str) -> float | re.Match[str]:
    """An end of a range: a number, or a text of `RELATIVE`.

    Raises:
        UsageError: It is neither.
    """
    match = RELATIVE.fullmatch(text)
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
    return match


def _natural(end: re.Match[str], natural: UnitStatistics) -> float:
    return natural.percentile(float(end[1])) if end[1] else natural.deviation(float(end[2]))
