"""Natural images to show beside archives: those that lie in an archive's own bands."""

from __future__ import annotations

import itertools
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
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
        source: As of `of_each`; where it is None, the images that lie beside the archives.
        network: The network of all of them, a name or a folder; found again by default.
        trust: As of `storage.load`.
        store: Put what was found beside each archive.

    Raises:
        UsageError: `store` without a source; no images; a network that is not found again.
        RefusedInput: An image, a network or a file beside an archive that cannot be read.
    """
    return list(each(archives, source, network, trust, store))


def each(
    archives: Iterable[Archive | None],
    source: str | None,
    network: str | None = None,
    trust: bool = False,
    store: bool = False,
) -> Iterator[beside.Nature | None]:
    """As `of_archives`, one after another; None in the place of an archive is None.

    Natural images are scored for many archives at a time.
    """
    expect_source(source, store)
    if source is None:
        yield from (None if one is None else beside.nature(one) for one in archives)
        return
    # TensorFlow takes seconds to start: only where images are to be scored.
    from tf_inverse.run import verify

    loaded: dict[pathlib.Path, Networks] = {}
    asked: list[tuple[pathlib.Path, Bands, pathlib.Path] | None] = []
    for one in archives:
        if one is None:
            asked.append(None)
            continue
        where = origin.find(one, network)
        if where not in loaded:
            loaded[where] = storage.load(where, trust)
        asked.append((where, verify.bands(one, loaded[where]), one.path))
    for place, group in itertools.groupby(asked, lambda one: None if one is None else one[0]):
        if place is None:
            yield from (None for _ in group)
            continue
        members = [one for one in group if one is not None]
        found = of_each(loaded[place], [bands for _, bands, _ in members], source)
        for natural, (_, _, path) in zip(found, members, strict=True):
            if store and natural is not None:
                beside.store(path, natural)
            yield natural


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
    """The natural images of some bands: the one that `of_each` yields of them."""
    return next(of_each(networks, [bands], source))


def of_each(
    networks: Networks, several: Sequence[Bands], source: str
) -> Iterator[beside.Nature | None]:
    """The natural images of some bands after others.

    Args:
        networks: Their classifier scores the images.
        several: What the images of each are to lie in.
        source: Folder or file of images, or `REMEMBERED` for those that the network's folder says
            its statistics are of.

    Yields:
        None where the network remembers images, but not the activations of these neurons.

    Raises:
        UsageError: The network remembers no images, or they are not where they were.
    """
    from tf_inverse.explain import nature

    if source != REMEMBERED:
        yield from nature.each(networks, several, source)
        return
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
    yield from (nature.remembered(networks, bands, place) for bands in several)
