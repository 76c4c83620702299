"""Natural images to show beside archives: those that lie in an archive's own bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tf_inverse.errors import UsageError
from tf_inverse.report import beside
from tf_inverse.run import origin

if TYPE_CHECKING:
    from tf_inverse.archive import Archive


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
        source: Folder or file of images; where it is None, those that lie beside the archives.
        network: The network of all of them, a name or a folder; found again by default.
        trust: As of `storage.load`.
        store: Put what was found beside each archive.

    Raises:
        UsageError: `store` without a source; no images; a network that is not found again.
        RefusedInput: An image, a network or a file beside an archive that cannot be read.
    """
    if source is None:
        if store:
            raise UsageError("expected --nature=FOLDER of the images that --store-nature keeps")
        return [beside.nature(one) for one in archives]
    # TensorFlow takes seconds to start: only where images are to be scored.
    from tf_inverse.explain import nature
    from tf_inverse.networks import storage
    from tf_inverse.run import verify

    found, loaded = [], {}
    for one in archives:
        where = origin.find(one, network)
        if where not in loaded:
            loaded[where] = storage.load(where, trust)
        natural = nature.beside(loaded[where], verify.bands(one, loaded[where]), source)
        if store:
            beside.store(one.path, natural)
        found.append(natural)
    return found
