"""Samples and targets in words and numbers for people; `figure_table` has the figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

LARGEST = 1e100
"""No figure is as large, and none but 0 as small as one over it."""

MOST_DECIMALS = 6
"""Single precision has about seven digits."""


def number(value: float | None, digits: int = 4) -> str:
    """A figure with about `digits` digits, and a dash for what is unknown.

    >>> number(1234.5), number(0.012345), number(200), number(None)
    ('1234', '0.01235', '200', '-')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, (int, np.integer)):
        return str(value)
    if abs(value) >= 10**digits:
        return f"{value:.0f}"
    return f"{value:.{digits}g}"


def numbers(summary: dict | None) -> dict[str, float]:
    """The plain numbers of a summary out of a file, which may hold anything.

    >>> numbers({"steps": 70, "seconds": 1e999, "ess": "many", "vendi": True})
    {'steps': 70}
    """
    found = (summary or {}).items()
    plain = {k: v for k, v in found if type(v) in (int, float)}
    return {k: v for k, v in plain.items() if v == 0 or 1 / LARGEST < abs(v) < LARGEST}


def decimals(z1: float, z2: float) -> int:
    """Decimals that tell activations within a band apart.

    >>> decimals(8, 10), decimals(50, 60), decimals(0, 0.4)
    (2, 1, 3)
    """
    return min(MOST_DECIMALS, max(0, 2 - math.floor(math.log10(max(z2 - z1, 1e-9)))))


def within(z: float, z1: float, z2: float) -> str:
    """An activation with the decimals that suit its band, or as a power of ten.

    A probability from 1e-6 to 0.002 would be 0.00000 with the decimals that suit the width of its
    band. Where zero lies inside a wide band, a value next to it is written as zero.

    >>> within(8.123, 8, 10), within(0.0003, 0, 0.4), within(3.108e-6, 2.7e-6, 0.0019)
    ('8.12', '0.000', '3.11e-06')
    """
    place = decimals(z1, z2)
    small = abs(z) < 1e-3 if place == MOST_DECIMALS else z1 * z2 > 0 and abs(z) < 10 ** (1 - place)
    if small:
        return f"{z:.3g}"
    return f"{z:.{place}f}"


def captions(activations: ArrayLike, targets: Sequence[Mapping[str, Any]]) -> list[str]:
    """The activations of each sample as text, one number for each target.

    Args:
        activations: Activations z, [n, p].
        targets: p target dictionaries of an archive.

    Returns:
        n texts such as "8.73" or "8.73 / 4.1".
    """
    ends = [(target["z1"], target["z2"]) for target in targets]
    return [
        " / ".join(within(z, *band) for z, band in zip(row, ends, strict=True))
        for row in np.asarray(activations, np.float64)
    ]


def place(target: Mapping[str, Any]) -> str:
    """Layer and unit of a target, or layer and direction.

    >>> place({"layer": "fc8", "unit": -1, "direction": {"name": "ship-airplane"}})
    'fc8:ship-airplane'
    """
    direction = target.get("direction")
    return f"{target['layer']}:{direction['name'] if direction else target['unit']}"


def neuron(target: Mapping[str, Any]) -> str:
    """Layer, unit and label of a target.

    >>> neuron({"layer": "fc8", "unit": 8, "label": "ship", "at": None})
    'fc8:8 (ship)'
    >>> neuron({"layer": "conv5", "unit": 196, "label": None, "at": [6, 6]})
    'conv5:196,6,6'
    """
    words, at = place(target), target.get("at")
    if at:
        words += f",{at}" if isinstance(at, str) else f",{at[0]},{at[1]}"
    return words + (f" ({target['label']})" if target.get("label") else "")


def digits(low: float, high: float, least: int = 4) -> int:
    """Digits with which both ends of a range are told apart, `least` or more, nine at most.

    >>> digits(13.2, 15.49), digits(1000.01, 1000.02)
    (4, 8)
    """
    if not low < high:
        return least
    # Both within what a quotient can hold, for files may have any finite numbers.
    largest, width = (
        min(max(size, 1e-150), 1e150) for size in (max(abs(low), abs(high)), high - low)
    )
    return max(least, min(9, math.ceil(math.log10(largest / width)) + 2))


def band(target: Mapping[str, Any]) -> str:
    """The range of a target.

    >>> band({"z1": 8.0, "z2": 10.0}), band({"z1": 1000.01, "z2": 1000.02})
    ('8 to 10', '1000.01 to 1000.02')
    """
    ends = float(target["z1"]), float(target["z2"])
    return " to ".join(number(z, digits(*ends)) for z in ends)


def asked(target: Mapping[str, Any], unknown: str | None = None) -> str:
    """A target as it was asked for, LAYER:UNIT@Z1:Z2.

    Args:
        target: Of an archive; an old one does not tell.
        unknown: What stands in its place then: its neuron and range by default.

    >>> asked({"layer": "fc8", "unit": 8, "z1": 8.0, "z2": 10.0})
    'fc8:8 from 8 to 10'
    """
    return target.get("text") or unknown or f"{neuron(target)} from {band(target)}"


def question(targets: Sequence[Mapping[str, Any]], network: str | None) -> str:
    """What the sample answers, as one sentence."""
    parts = [f"{neuron(target)} from {band(target)}" for target in targets]
    return f"Which inputs hold {' and '.join(parts)} in {network or 'the network'}?"


def share_of_images(figures: Mapping[str, float]) -> str:
    """How large the inverse set is, as one sentence.

    Args:
        figures: With `probability`, `probability_low` and `probability_high`, as in `FIGURES`.

    >>> share_of_images(dict(probability=2.43e-5, probability_low=2e-5, probability_high=3e-5))
    'about 1 in 41,000 of the images that this generator draws (1 in 33,000 to 50,000)'
    """
    names = ("probability", "probability_high", "probability_low")
    middle, most, least = (one_in(figures[name]) for name in names)
    return f"about 1 in {middle} of the images that this generator draws (1 in {most} to {least})"


def variety(figures: Mapping[str, float]) -> list[str]:
    """How different samples are from each other, in words, and beside natural images; [] unknown.

    Args:
        figures: The known ones of a summary, as `numbers` gives them.

    >>> variety({"vendi": 78.7, "vendi_equal_count": 32.7, "natural": 49, "vendi_natural": 25.4})
    ['as varied as 78.7 wholly different images (Vendi score); 49 of them as 32.7, and the 49 \
natural images in the range as 25.4']
    >>> variety({"vendi": 9.5, "vendi_equal_count": 9.5, "natural": 12, "vendi_natural": 8.1, \
"vendi_count": 12})
    ['as varied as 9.5 wholly different images (Vendi score), and the 12 natural images in the \
range as 8.1']
    """
    if "vendi" not in figures:
        return []
    line = f"as varied as {number(figures['vendi'], 3)} wholly different images (Vendi score)"
    if {"vendi_natural", "vendi_equal_count", "natural"} <= set(figures):
        of = number(figures["natural"])
        if figures["natural"] != figures.get("vendi_count"):
            line += f"; {of} of them as {number(figures['vendi_equal_count'], 3)}"
        line += f", and the {of} natural images in the range as "
        line += number(figures["vendi_natural"], 3)
    return [line]


def one_in(probability: float) -> str:
    """One over a probability, two digits of it: 1.2, 56, 41,000."""
    images = 1.0 / probability
    return (
        f"{images:.2g}"
        if images < 10
        else f"{round(images, 1 - math.floor(math.log10(images))):,.0f}"
    )


def histogram(values: ArrayLike, z1: float, z2: float, bins: int = 10, width: int = 40) -> str:
    """Histogram of activations over a band as text for terminals.

    Args:
        values: Activations of one neuron, [n].
        z1: Lower end.
        z2: Upper end.
        bins: Lines.
        width: Characters of the longest bar.

    Returns:
        Text of `bins` lines: range, bar, count.

    >>> print(histogram([8.1, 8.2, 9.5], 8, 10, bins=2, width=4))
      8.00 ..   9.00  ####  2
      9.00 ..  10.00  ##    1
    """
    counts, edges = np.histogram(np.asarray(values), bins, (z1, z2))
    most = max(int(counts.max()), 1)
    ends = [within(edge, z1, z2) for edge in edges]
    wide, lines = max(6, *map(len, ends)), []
    for count, left, right in zip(counts, ends, ends[1:], strict=False):
        bar = "#" * -(-int(count) * width // most)
        lines.append(f"{left:>{wide}} .. {right:>{wide}}  {bar:<{width}}  {count}")
    return "\n".join(lines)


def in_columns(rows: Sequence[Sequence[str]], left: int) -> str:
    """Rows of texts set in columns, the first `left` of them flush left.

    >>> print(in_columns([["a", "12"], ["bcd", "3"]], left=1))
    a    12
    bcd   3
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
