"""A neuron: a unit of a layer, or a direction of it, and where in the layer's map it is."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from tf_inverse.directions import Direction
from tf_inverse.errors import UsageError

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks


class Neuron(NamedTuple):
    """A unit of a layer, or a direction of it.

    Attributes:
        layer: Name of the layer whose output is meant.
        unit: Index of the unit or channel, from zero; or a direction of the layer in its place.
        at: Row and column of a convolutional unit, "mean" or "max" over its map, or None.
    """

    layer: str
    unit: int | Direction
    at: tuple[int, int] | str | None = None

    @property
    def direction(self) -> Direction | None:
        """The direction that it is; None of a unit."""
        return self.unit if isinstance(self.unit, Direction) else None

    def __str__(self) -> str:
        at = self.at if isinstance(self.at, str) else ",".join(map(str, self.at or ()))
        return f"{quoted(self.layer)}:{self.unit}" + (f",{at}" if at else "")


def quoted(layer: str) -> str:
    """A layer's name as targets have it: in quotes where it holds what parts a target.

    >>> print(quoted("block1/conv"), quoted("my layer"), quoted('the "last" one'))
    block1/conv "my layer" 'the "last" one'
    """
    if not re.search(r"[\s,:@]|^[\"']", layer):
        return layer
    return f"'{layer}'" if '"' in layer else f'"{layer}"'


def unquoted(text: str) -> str:
    """The name of a layer that a target tells, with or without quotes."""
    text = text.strip()
    is_quoted = len(text) > 2 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if is_quoted else text


def linear(neuron: Neuron, networks: Networks) -> Neuron:
    """The neuron itself, unless it is a direction of probabilities, which is not sampled.

    A difference of probabilities flattens where either is near 0 or 1, and has no log-odds to be
    searched by. One of logits is what is meant: the log-odds of one class against the other.

    Raises:
        UsageError: The layer gives probabilities; the line says which layer has the logits.
    """
    direction = neuron.direction
    if direction is None or not networks.probabilities((neuron.layer,))[0]:
        return neuron
    logits = networks.logits(neuron.layer)
    of = f"its logits, {logits}:{direction}" if logits else "the layer of its logits"
    raise UsageError(
        f"expected a direction of a layer without limits, {neuron.layer} gives probabilities: take "
        f"{of}, where a difference of units is the log-odds of one against the other"
    )


def placed(neuron: Neuron, shape: tuple[int, ...]) -> Neuron:
    """The neuron with its position: the centre of the map where none was given.

    A direction that is 1 at one unit alone becomes that unit.

    Args:
        neuron: Any neuron of the layer.
        shape: The layer's output without its batch axis: (units,) or (rows, columns, units), or
            (tokens, units).

    Raises:
        UsageError: The unit or the position does not exist, or the direction is of another length.
    """
    layer, unit, _ = neuron
    if isinstance(unit, Direction):
        return _directed(neuron, unit, shape)
    if not 0 <= unit < shape[-1]:
        raise UsageError(f"expected a unit of {layer} from 0 to {shape[-1] - 1}, got {unit}")
    return _positioned(neuron, shape)


def _directed(neuron: Neuron, direction: Direction, shape: tuple[int, ...]) -> Neuron:
    """A direction with its position, or the unit that it is."""
    layer, _, at = neuron
    size, units, everything = direction.values.size, shape[-1], math.prod(shape)
    if size not in (units, everything):
        whole = f", or {everything}, all that it gives" if len(shape) > 1 else ""
        raise UsageError(
            f"expected a direction of {units} numbers, the units of {layer}{whole}; {direction} "
            f"has {size}"
        )
    one = direction.unit
    if size == units:
        if one is not None:
            return placed(Neuron(layer, one, at), shape)
        return _positioned(neuron, shape)
    if at is not None:
        raise UsageError(f"expected no position for a direction of all of {layer}, got {neuron}")
    if one is None:
        return neuron
    place, unit = divmod(one, units)
    columns = shape[1] if len(shape) == 3 else math.prod(shape[:-1])
    return placed(Neuron(layer, unit, divmod(place, columns)), shape)


def _positioned(neuron: Neuron, shape: tuple[int, ...]) -> Neuron:
    layer, at = neuron.layer, neuron.at
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
    return neuron._replace(at=at)
