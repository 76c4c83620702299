"""Natural images to show beside archives: those that lie in an archive's own bands."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tf_inverse.errors import UsageError
from tf_inverse.networks import storage
from tf_inverse.report import beside
from tf_inverse.run import origin

REMEMBERED = "remembered"
"""What stands for the images that a network's statistics were made of, where they still are."""

if TYPE_CHECKING:
    from tf_inverse.archive import Archive
    from tf_inverse.band import Bands
    from tf_inverse.networks.networks import Networks


def of_archives(
    archives: Sequence[Archive],
    source: str | None,
    network: str | None = None,
    trust: bool = False,
    store: bool = False,
) -> list[beside.Nature | None]:
    """The natural images of each archive's bands.

    Args:
        archives: Each is scored by the network that it was drawn with.
        source: As of `of_bands`; where it is None, the images that lie beside the archives.
        network: The network of all of them, a name or a folder; found again by default.
        trust: As of `storage.load`.
        store: Put what was found beside each archive.

    Raises:
        UsageError: `store` without a source; no images; a network that is not found again.
        RefusedInput: An image, a network or a file beside an archive that cannot be read.
    """
    return list(map(finder(source, network, trust, store), archives))


def finder(
    source: str | None, network: str | None = None, trust: bool = False, store: bool = False
) -> Callable[[Archive], beside.Nature | None]:
    """What finds the natural images of one archive after another, each network loaded once.

    Args:
        source: As of `of_archives`, as are the others, and what is raised.
        network: As of `of_archives`.
        trust: As of `of_archives`.
        store: As of `of_archives`.
    """
    expect_source(source, store)
    if source is None:
        return beside.nature
    # TensorFlow takes seconds to start: only where images are to be scored.
    from tf_inverse.run import verify

    loaded: dict[pathlib.Path, Networks] = {}

    def find(one: Archive) -> beside.Nature | None:
        where = origin.find(one, network)
        if where not in loaded:
            loaded[where] = storage.load(where, trust)
        natural = of_bands(loaded[where], verify.bands(one, loaded[where]), source)
        if store and natural is not None:
            beside.store(one.path, natural)
        return natural

    return find


def expect_source(source: str | None, store: bool) -> None:
    """Refuses, before any work, images that are not there.

    Raises:
        UsageError: They are to be stored, and there are none.
        FileNotFoundError: Nothing is at their path.
    """
    if source is None and store:
        raise UsageError("expected --nature=FOLDER of the images that --store-nature keeps")
    if source not in (None, REMEMBERED) and not os.path.exists(source):
        raise FileNotFoundError(f"expected images at --nature={source}, there is nothing")


def of_bands(networks: Networks, bands: Bands, source: str) -> beside.Nature | None:
    """The natural images of some bands.

    Args:
        networks: Their classifier scores the images.
        bands: What the images are to lie in.
        source: Folder or file of images, or `REMEMBERED` for those that the network's folder says
            its statistics are of.

    Returns:
        None where the network remembers images, but not the activations of these neurons.

    Raises:
        UsageError: The network remembers no images, or they are not where they were.
    """
    from tf_inverse.explain import nature

    if source != REMEMBERED:
        return nature.beside(networks, bands, source)
    place = networks.folder and storage.natural_images(networks.folder)
    if not place:
        raise UsageError(
            f"expected --nature=FOLDER of images: {networks.name} does not remember where those of "
            "its statistics are"
        )
    # To `os.path` a name that no system could have, which a folder may tell, is a missing one.
    if not os.path.exists(place):
        raise UsageError(
            f"expected the images of {networks.name} at {place}, where they were: they are not "
            "there any more; give --nature=FOLDER"
        )
    return nature.remembered(networks, bands, place)
