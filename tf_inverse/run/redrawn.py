"""Images of archives that store codes alone, made again by their networks where those are found."""

from __future__ import annotations

import sys

from tf_inverse.errors import InverseSetError
from tf_inverse.run import origin


def images(archives, network: str | None = None, trust: bool = False) -> None:
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


def _renderer(where, trust):
    # TensorFlow takes seconds to start: only where an archive needs it.
    from tf_inverse.networks import storage
    from tf_inverse.run import verify

    networks = storage.load(where, trust)
    return lambda codes: verify.render(networks, codes)
