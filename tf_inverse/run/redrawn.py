"""Images of archives that store codes alone, made again by their networks where those are found."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from tf_inverse.errors import InverseSetError, RefusedInput
from tf_inverse.run import origin
from tf_inverse.tensors import Array, StrPath

if TYPE_CHECKING:
    from tf_inverse.archive import Archive


def images(archives: Iterable[Archive], network: str | None = None, trust: bool = False) -> None:
    """Gives archives of codes their images; the others have them.

    Where a network is not found again and the user named none, the thumbnails have to do, and a
    line says why.

    Args:
        archives: `archive.Archive` list.
        network: Of all of them, a shipped name or a folder; where each was drawn by default.
        trust: As of `storage.load`.

    Raises:
        UsageError: There is no such network as the user named.
        RefusedInput: It cannot be loaded safely.
    """
    loaded = {}
    for one in archives:
        if one.thumbnails is None:
            continue
        try:
            where = origin.find(one, network)
            if where not in loaded:
                loaded[where] = _renderer(where, trust)
        except InverseSetError as error:
            if network is not None:
                raise
            print(f"{one.path} shows its thumbnails: {error}", file=sys.stderr)
            continue
        one.rendered(loaded[where])


def proven(archive: Archive, network: str | None = None, trust: bool = False) -> None:
    """Gives an archive of codes its images, each scored again; an archive of images has them.

    Args:
        archive: `archive.Archive`.
        network: That it was drawn with, a shipped name or a folder; its own by default.
        trust: As of `storage.load`.

    Raises:
        UsageError: The network is not found.
        RefusedInput: It cannot be loaded safely, or gives other images on this machine.
    """
    if archive.thumbnails is None:
        return
    where = origin.find(archive, network)

    from tf_inverse.networks import storage
    from tf_inverse.run import verify

    networks = storage.load(where, trust)
    archive.rendered(lambda codes: verify.render(networks, codes))
    problems = verify.verify(archive, networks).problems
    if problems:
        raise RefusedInput(
            f"{archive.path} stores codes, and the images of them are not what it says: "
            f"{problems[0]}; draw it with --store=images"
        )


def _renderer(where: StrPath, trust: bool) -> Callable[[Array], Array]:
    # TensorFlow takes seconds to start: only where an archive needs it.
    from tf_inverse.networks import storage
    from tf_inverse.run import verify

    networks = storage.load(where, trust)
    return lambda codes: verify.render(networks, codes)
