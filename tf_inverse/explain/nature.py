"""Natural images of the same band: what a sample of the inverse set is looked at beside.

They are read from images that the user has, or from those that a network remembers: its
`natural.h5` keeps the activations of some hundred natural images with their numbers in the source,
so that only the few that lie in the band need be read.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tf_inverse import metrics
from tf_inverse.errors import UsageError
from tf_inverse.networks import codes, image_files, repeats, unit_nature
from tf_inverse.networks.networks import BATCH
from tf_inverse.report.beside import Nature

if TYPE_CHECKING:
    from tf_inverse.band import Bands
    from tf_inverse.networks.networks import Networks
    from tf_inverse.neuron import Neuron
    from tf_inverse.tensors import Array, StrPath

MOST = 60
"""Natural images that are kept at most: a few rows of a page."""

AT_A_TIME = 64
"""Sets of bands that natural images are scored for at a time."""


def beside(
    networks: Networks,
    bands: Bands,
    source: StrPath,
    most: int = MOST,
    seed: int = 0,
) -> Nature:
    """The natural images of a folder or file whose activations lie in every band.

    Args:
        networks: The classifier scores the images at the size of the generator's.
        bands: p bands.
        source: What `image_files.load` reads; of data in parts, the part `test`.
        most: Images to keep; of more, some are chosen at random, which leaves the choice blind to
            what they show.
        seed: Of that choice.

    Raises:
        FileNotFoundError: Nothing is there.
        UsageError: There are no images, or the network's inputs are no images.
        RefusedInput: An image cannot be read.
    """
    return next(each(networks, [bands], source, most, seed))


def each(
    networks: Networks,
    several: Sequence[Bands],
    source: StrPath,
    most: int = MOST,
    seed: int = 0,
) -> Iterator[Nature]:
    """As `beside` for one set of bands after another: images are read once, and scored for many.

    Args:
        networks: As of `beside`, as are source, most, seed and what is raised.
        several: Bands of each.
        source: As of `beside`.
        most: As of `beside`.
        seed: As of `beside`.
    """
    pixels, numbers = _read(networks, source)
    for start in range(0, len(several), AT_A_TIME):
        part = several[start : start + AT_A_TIME]
        z = _scored(networks, pixels, tuple(n for bands in part for n in bands.neurons))
        widths = np.cumsum([len(bands) for bands in part])
        for bands, own in zip(part, np.split(z, widths[:-1], axis=1), strict=True):
            yield _chosen(bands, pixels, own, numbers, source, most, seed)


def remembered(
    networks: Networks,
    bands: Bands,
    source: StrPath,
    most: int = MOST,
    seed: int = 0,
) -> Nature | None:
    """As `beside`, but only images that the network remembers to lie in the bands are read.

    Returns:
        None where the network does not remember the activations of these neurons, or the numbers
        of the images.
    """
    natural = networks.natural
    if natural is None or natural.indices is None:
        return None
    within = unit_nature.within(networks, bands)
    if within is None:
        return None
    pixels, numbers = _read(networks, source, natural.indices[within])
    z = _scored(networks, pixels, bands.neurons)
    found = _chosen(bands, pixels, z, numbers, source, most, seed)
    return found._replace(
        looked_at=len(natural.indices), source=f"{found.source} that the network remembers"
    )


def _read(networks: Networks, source: StrPath, only: Array | None = None) -> tuple[Array, Array]:
    """Images of a source, [n, H, W, C], and their numbers there; those of `only`, if given."""
    if networks.stored != "uint8":
        raise UsageError(
            f"expected a network of images to show natural ones beside, {networks.name} takes "
            "vectors"
        )
    height, width, channels = networks.image_shape
    pixels, _ = image_files.load(source, (height, width), "test", channels, only)
    return pixels, np.arange(len(pixels)) if only is None else np.asarray(only)


def _scored(networks: Networks, pixels: Array, neurons: tuple[Neuron, ...]) -> Array:
    repeats.expect_neurons(networks, neurons, BATCH)
    return networks.activations(pixels, neurons)


def _chosen(
    bands: Bands, pixels: Array, z: Array, numbers: Array, source: StrPath, most: int, seed: int
) -> Nature:
    """The images whose activations z [n, p] lie in the bands."""
    inside = kept = np.flatnonzero(metrics.in_range(z, bands.z1, bands.z2))
    if len(inside) > most:
        kept = codes.generator(seed, 8).choice(inside, most, replace=False)
    kept = kept[np.lexsort((kept, z[kept, 0]))]
    name = pathlib.Path(os.fspath(source)).name
    return Nature(pixels[kept], z[kept], numbers[kept], len(inside), len(numbers), name)
