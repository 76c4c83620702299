"""Natural images of the same band: what a sample of the inverse set is looked at beside.

They are read from images that the user has, or from those that a network remembers: its
`natural.h5` keeps the activations of some hundred natural images with their numbers in the source,
so that only the few that lie in the band need be read.
"""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING

import numpy as np

from tf_inverse import metrics
from tf_inverse.errors import UsageError
from tf_inverse.networks import codes, image_files, unit_nature
from tf_inverse.report.beside import Nature

if TYPE_CHECKING:
    from tf_inverse.band import Bands
    from tf_inverse.networks.networks import Networks
    from tf_inverse.tensors import Array, StrPath

MOST = 60
"""Natural images that are kept at most: a few rows of a page."""


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
    return _chosen(networks, bands, source, None, most, seed)


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
    found = _chosen(networks, bands, source, natural.indices[within], most, seed)
    return found._replace(
        looked_at=len(natural.indices), source=f"{found.source} that the network remembers"
    )


def _chosen(
    networks: Networks, bands: Bands, source: StrPath, only: Array | None, most: int, seed: int
) -> Nature:
    """The images of a source that lie in the bands; of those with the numbers `only`, if given."""
    if networks.stored != "uint8":
        raise UsageError(
            f"expected a network of images to show natural ones beside, {networks.name} takes "
            "vectors"
        )
    height, width, channels = networks.image_shape
    pixels, _ = image_files.load(source, (height, width), "test", channels, only)
    numbers = np.arange(len(pixels)) if only is None else np.asarray(only)
    z = networks.activations(pixels, bands.neurons)
    inside = kept = np.flatnonzero(metrics.in_range(z, bands.z1, bands.z2))
    if len(inside) > most:
        kept = codes.generator(seed, 8).choice(inside, most, replace=False)
    kept = kept[np.lexsort((kept, z[kept, 0]))]
    name = pathlib.Path(os.fspath(source)).name
    return Nature(pixels[kept], z[kept], numbers[kept], len(inside), len(numbers), name)
