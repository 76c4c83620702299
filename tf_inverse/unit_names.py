"""A unit by its number or label, and sums of units: what stands between a layer and a range.

A sum has weights, `ship-airplane` or `ship-0.5*airplane+2*7`. Labels may hold the signs themselves:
a text that is a label as a whole is that label.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Sequence

from tf_inverse.errors import UsageError
from tf_inverse.grammar import meant, whole

NUMBER = re.compile(r"-?\d+")
SIGN = re.compile(r"[+-]")
WEIGHTED = re.compile(r"(?P<weight>(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*\*\s*(?P<unit>.+)", re.I)
MOST_SIGNS = 64

Labels = Sequence[str] | None
Known = dict[str, list[int]]
"""Units of each name, in small letters."""
Sum = tuple[tuple[float, int], ...]
"""Weights with their units."""


def weights(layer: str, text: str, units: int, labels: Labels) -> dict[int, float]:
    """Units with their weights: one of weight 1, or those of a sum.

    Args:
        layer: Name of the layer, for messages.
        text: A number, a label, or a sum of such.
        units: How many the layer has.
        labels: Of its units, or None.

    Raises:
        UsageError: A unit is not there, or the signs can be read in two ways.

    >>> weights("fc8", "ship-.5*0", 10, ["airplane"] * 8 + ["ship", "truck"])
    {8: 1.0, 0: -0.5}
    """
    if NUMBER.fullmatch(text) or named(text, labels):
        return {unit(layer, text, units, labels): 1.0}
    found = _sums(text, labels)
    if not found:
        unit(layer, _wrong(text, labels), units, labels)
        raise UsageError(
            f"expected units of {layer} with signs between them, as ship-0.5*airplane, got {text!r}"
        )
    first, *others = (_added(one) for one in found)
    if any(other != first for other in others):
        raise UsageError(
            f"expected units of {layer} whose signs can be read in one way, got {text!r}: a label "
            "holds a sign; write the units' numbers"
        )
    for one in first:
        unit(layer, str(one), units, labels)
    return first


def unit(layer: str, text: str, units: int, labels: Labels) -> int:
    """The unit of a number or a label.

    Raises:
        UsageError: There is none, or there are several.
    """
    if NUMBER.fullmatch(text):
        number = int(text) if len(text) <= 9 else units
        if not 0 <= number < units:
            raise UsageError(f"expected a unit of {layer} from 0 to {units - 1}, got {text:.20}")
        return number
    if labels is None:
        raise UsageError(
            f"expected a number from 0 to {units - 1} for a unit of {layer}, which has no labels, "
            f"got {text!r}"
        )
    found = named(text, labels)
    if len(found) == 1:
        return found[0]
    names = [name.lower() for name in labels]
    near = [labels[i] for i in found] or difflib.get_close_matches(text.lower(), names, 3, 0.4)
    raise UsageError(
        f"expected a label of {layer}, got {text!r}"
        + (f"; which is one of {', '.join(near)}" if found else f"; {meant(near)}" if near else "")
    )


def named(text: str, labels: Labels) -> list[int]:
    """Units of a label, in any case; a label may list several names with commas."""
    return _known(labels).get(text.lower(), [])


def _known(labels: Labels) -> Known:
    found: Known = {}
    for i, label in enumerate(labels or ()):
        name = label.lower()
        for one in {name, *name.split(", ")}:
            found.setdefault(one, []).append(i)
    return found


def _term(text: str, known: Known) -> tuple[float, int] | None:
    """Weight and unit of a part of a sum, or None."""
    match = WEIGHTED.fullmatch(text)
    for weight, name in (
        (1.0, text),
        (float(match["weight"]), match["unit"]) if match else (0, ""),
    ):
        found = [number] if (number := whole(name)) is not None else known.get(name.lower(), [])
        if name and len(found) == 1:
            return weight, found[0]
    return None


def _starts(text: str, labels: Labels) -> list[tuple[int, int, float, int]]:
    """(start, end, weight, unit) of every part of a text between two signs that is a unit."""
    cuts = [match.start() for match in SIGN.finditer(text)]
    if len(cuts) > MOST_SIGNS:
        return []
    known, parts = _known(labels), []
    for start in dict.fromkeys([0, *cuts]):
        sign = text[start : start + 1] if start in cuts else ""
        for end in [*cuts, len(text)]:
            one = _term(text[start + len(sign) : end].strip(), known) if end > start else None
            if one is not None:
                parts.append((start, end, -one[0] if sign == "-" else one[0], one[1]))
    return parts


def _sums(text: str, labels: Labels) -> list[Sum]:
    """The ways to read a text as a sum; two of them at most."""
    parts = _starts(text, labels)

    @functools.cache
    def onward(start: int) -> list[Sum]:
        if start == len(text):
            return [()]
        found = [
            ((weight, one), *rest)
            for first, end, weight, one in parts
            if first == start
            for rest in onward(end)
        ]
        return found[:2]

    return onward(0)


def _wrong(text: str, labels: Labels) -> str:
    """The part of a sum at which reading it ends; the whole text where no part is a unit."""
    reached = {0}
    for start, end, *_ in _starts(text, labels):
        if start in reached:
            reached.add(end)
    rest = text[max(reached) :]
    return text if rest == text else (SIGN.split(rest[1:])[0].strip() or rest)


def _added(one: Sum) -> dict[int, float]:
    total: dict[int, float] = {}
    for weight, number in one:
        total[number] = total.get(number, 0.0) + weight
    return total
