"""Which neurons an atlas samples, and in which ranges: of layers, or out of a file."""

from __future__ import annotations

import urllib.parse
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from tf_inverse import band, grammar
from tf_inverse.band import Band
from tf_inverse.directions import Direction
from tf_inverse.errors import UsageError
from tf_inverse.networks import codes
from tf_inverse.neuron import Neuron, placed
from tf_inverse.run import record
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

RANGES = ((99.0, 99.8), (90.0, 99.0), (50.0, 90.0))
"""Percentiles of natural images between which a unit is sampled; a ladder takes all of them."""

PLACES = ("centre", "mean", "max")
IMAGES, BATCH, SEED = 1000, 50, 0
"""Images of random codes that stand in for natural ones, how many at a time, and their seed."""

LONGEST = 80
"""Bytes of a layer's or a direction's name in the path of an archive."""


class Target(NamedTuple):
    """A neuron with its range, and where its archive is.

    Attributes:
        told: As an archive's header tells it: text, layer, unit, at, label, z1, z2 and direction.
        levels: The ends as they were asked for, as ("p99", "p99.8"), where they were percentiles.
        rung: 0 for the highest range of a neuron, 1 and 2 for the lower ones of a ladder.
        archive: Path of its archive below the atlas's folder, with slashes.
        reason: Why it is not sampled at all, in one line; None for one that is.
        direction: The direction that stands for a unit, or None.
    """

    told: dict
    levels: tuple[str, str] | None
    rung: int
    archive: str
    reason: str | None = None
    direction: Direction | None = None


class Asked(NamedTuple):
    """A neuron and a range before it has a path: z1 and z2, which may be equal, and `Target`'s."""

    neuron: Neuron
    z1: float
    z2: float
    levels: tuple[str, str] | None
    rung: int
    reason: str | None = None


def of_layers(
    networks: Networks, layers: Iterable[str], at: str, ladder: bool
) -> tuple[list[Target], dict[str, str]]:
    """Every unit of some layers, at natural ranges.

    Args:
        networks: The pair to sample.
        layers: Names of layers.
        at: Where in a map a unit is meant: "centre", "mean" or "max" over it.
        ladder: Take two lower ranges of each unit, too.

    Returns:
        The targets, a layer after the other, the highest range of all its units first; and for each
        layer, what the percentiles are of.

    Raises:
        UsageError: There is no such layer, none at all, one twice, or another place.
    """
    paths = [networks.layer_path(layer) for layer in layers]
    twice = [path for path, count in Counter(paths).items() if count > 1]
    if not paths or twice:
        got = f"{twice[0]} twice" if twice else "none"
        raise UsageError(f"expected names of layers, as --layers=fc8,fc6, got {got}")
    if at not in PLACES:
        raise UsageError(f"expected --at={' or --at='.join(PLACES)}, got {at!r}")
    asked, of = [], {}
    for path in paths:
        shape = networks.layer_shape(path)
        place = None if at == "centre" or len(shape) == 1 else at
        levels, percentiles, of[path] = _percentiles(networks, path, place)
        for rung, ends in enumerate(RANGES if ladder else RANGES[:1]):
            for unit in range(shape[-1]):
                neuron = placed(Neuron(path, unit, place), shape)
                z1, z2 = (float(np.interp(end, levels, percentiles[unit])) for end in ends)
                names = (f"p{ends[0]:g}", f"p{ends[1]:g}")
                reason = None if z1 < z2 else _empty(percentiles[unit], z1, names, of[path])
                asked.append(Asked(neuron, z1, z2, names, rung, reason))
    return _placed(networks, asked), of


def of_file(networks: Networks, path: str) -> list[Target]:
    """The targets that a file lists: one a line, as `band.parse` reads it; `#` begins a comment.

    Raises:
        UsageError: A line that is no target or several, or no target at all.
        RefusedInput: The file is too large, or no text.
    """
    asked: list[Asked] = []
    for number, line in enumerate(grammar.lines("targets", path), 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            asked += _of_line(networks, text)
        except UsageError as error:
            raise UsageError(f"{path}, line {number}: {error}") from error
    if not asked:
        raise UsageError(f"expected targets in {path}, one a line, it has none")
    return _placed(networks, asked)


def _of_line(networks: Networks, text: str) -> Iterator[Asked]:
    """The neurons of one line with their ranges; a unit that is dead over nature tells why."""
    if len(band.split(text)) != 1:
        raise UsageError(
            "expected one neuron with its range, got several: an atlas has no intersections"
        )
    for one in band.ranges(text, networks):
        neuron, z1, z2, ends = one
        natural = all(end.startswith("p") for end in ends)
        reason = _flat(networks, one) if one.is_flat else None
        if reason is None:
            one.band()  # refuses what is no range
        yield Asked(neuron, z1, z2, ends if natural else None, 0, reason)


def _flat(networks: Networks, one: band.Range) -> str:
    """Why a neuron's natural range has no width, in words."""
    over = networks.nature(one.neuron) or networks.generated(one.neuron)
    of = over.of or (networks.natural.description if networks.natural else "natural images")
    return _empty(over.percentiles, one.z1, one.ends, of)


def _empty(percentiles: Array, z: float, names: tuple[str, str], of: str) -> str:
    if percentiles[0] == percentiles[-1]:
        return f"it is {z:g} for all of {of}"
    return f"no range between {names[0]} and {names[1]}: both are {z:g} over {of}"


def _percentiles(networks: Networks, layer: str, at: str | None) -> tuple[Array, Array, str]:
    """Levels [P], percentiles of each unit there [U, P], and what they are of."""
    natural = networks.natural
    if natural is not None and at is None and layer in natural.layers:
        return natural.levels, natural.layers[layer][2], natural.description
    levels = np.array([0.0, *sorted({end for ends in RANGES for end in ends}), 100.0])
    z = np.concatenate([_over(h, at) for h in _random(networks, layer)])
    return levels, np.percentile(z, levels, axis=0).T, f"images of {IMAGES} random codes"


def _random(networks: Networks, layer: str) -> Iterator[Array]:
    """What a layer gives for images of random codes, a batch at a time, in float32."""
    read = tf.function(lambda x: networks.outputs(x, (layer,))[1][layer], autograph=False)
    c = codes.draw(networks, IMAGES, codes.generator(SEED, 0))
    for i in range(0, IMAGES, BATCH):
        yield read(networks.images(tf.constant(c[i : i + BATCH]))).numpy()


def _over(h: Array, at: str | None) -> Array:
    """Activations [N, U] at the centre of a map, or of its mean or maximum."""
    places = tuple(range(1, h.ndim - 1))
    if at is not None:
        return h.mean(axis=places) if at == "mean" else h.max(axis=places)
    return h[(slice(None), *(size // 2 for size in h.shape[1:-1]))]


def _placed(networks: Networks, asked: Iterable[Asked]) -> list[Target]:
    """The targets with their paths: LAYER/UNIT.h5, and LAYER/UNIT-2.h5 where that is taken.

    That may be taken, too: unit 1 less unit 2 is the direction 1-2.
    """
    seen: Counter[str] = Counter()
    taken: set[str] = set()
    found = []
    for one in asked:
        told = _told(networks, one)
        parts = (str(part).encode()[:LONGEST] for part in (told["layer"], one.neuron.unit))
        name = "/".join(urllib.parse.quote(part, safe="@-+*") for part in parts)
        path = f"{name}.h5"
        while path in taken or not seen[name]:
            seen[name] += 1
            path = f"{name}-{seen[name]}.h5" if seen[name] > 1 else path
        taken.add(path)
        direction = one.neuron.direction
        found.append(Target(told, one.levels, one.rung, path, one.reason, direction))
    return found


def _told(networks: Networks, one: Asked) -> dict:
    if one.reason is None:
        return record.described(Band(one.neuron, one.z1, one.z2), networks)
    # Its range has no width, which a band cannot have.
    told = record.described(Band(one.neuron, one.z1, one.z1 + 1.0), networks)
    text = f"{one.neuron}@{one.z1:g}:{one.z2:g}"
    return told | {"z1": one.z1, "z2": one.z2, "text": text}
