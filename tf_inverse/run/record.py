"""What an archive says of its run: everything that its samples and its figures depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf_inverse.archive import attributes, schema
from tf_inverse.archive.schema import DIRECTED, MAX_DIRECTIONS
from tf_inverse.band import Band, Bands
from tf_inverse.directions import Direction
from tf_inverse.errors import UsageError
from tf_inverse.networks import unit_nature, yardstick
from tf_inverse.tensors import Array
from tf_inverse.version import versions

if TYPE_CHECKING:
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks.networks import Networks


def header(
    networks: Networks,
    bands: Bands,
    settings: Settings,
    store: str = "images",
    volume: bool = False,
) -> dict:
    """The header of an archive, of plain values.

    Args:
        networks: The pair that is sampled.
        bands: Neurons with their ranges.
        settings: What is asked for.
        store: "images" or "codes".
        volume: Whether the summary is to tell how probable the bands are.

    Raises:
        UsageError: An archive cannot hold such images, or so many targets.
    """
    shape = networks.image_shape
    if networks.stored != "uint8" or not schema.fits(schema.COLUMNS["images"], (1, *shape)):
        raise UsageError(
            f"expected images of 8 bits, grey or RGB, of at most {schema.MAX_SIDE} pixels a side, "
            f"for an archive; {networks.name} gives {networks.stored} {list(shape)}: draw without "
            "an archive, in memory"
        )
    how = {"store": store} | ({"volume": True} if volume else {})
    nature = unit_nature.told(networks, bands)
    found = {
        "name": f"{' & '.join(map(str, bands))} of {networks.name}",
        "targets": [described(b, networks) for b in bands],
        "settings": settings.asdict() | how,
        "versions": versions(),
        "checksums": networks.checksums,
        "network": networks.name,
        "seed": settings.seed,
        "asked": settings.n,
        "yardstick": yardstick.of(networks)._asdict(),
        **({"nature": nature} if nature else {}),
    }
    try:
        return attributes.check_header(found)
    except ValueError as error:
        raise UsageError(
            f"expected fewer targets, or shorter names, of an archive: {error}"
        ) from error


def described(target: Band, networks: Networks) -> dict:
    """A band as an archive's `targets` tells it."""
    layer, unit, at = target.neuron
    told = {
        "text": str(target),
        "layer": layer,
        "at": list(at) if isinstance(at, tuple) else at,
        "z1": target.z1,
        "z2": target.z2,
    }
    if isinstance(unit, Direction):
        facts = {"name": unit.name, "sha256": unit.sha256, "size": unit.values.size}
        return told | {"unit": DIRECTED, "label": None, "direction": facts}
    labels = networks.names(layer)
    return told | {"unit": unit, "label": labels[unit] if labels else None}


def directions(bands: Bands) -> dict[int, Array]:
    """The numbers of each target that is a direction, by its place among the targets.

    Raises:
        UsageError: They are more than an archive holds.
    """
    along = {i: one.direction for i, one in enumerate(bands.neurons)}
    found = {i: one.values for i, one in along.items() if one is not None}
    total = sum(one.size for one in found.values())
    if total > MAX_DIRECTIONS:
        raise UsageError(
            f"expected at most {MAX_DIRECTIONS} numbers of directions in all targets, got {total}"
        )
    return found
