"""Which folder an archive's network came from: told when it is written, found when it is read.

An archive of a shipped or published network needs no place, its name is enough. One of a user's
network has the folder's path from the archive's own folder, which holds where both were moved, and
the absolute one, which holds where the archive alone was. The sha256 of the network's files decide
whether what lies there is still it. No TensorFlow.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tf_inverse.archive.attributes import FOLDER
from tf_inverse.caffe import published
from tf_inverse.errors import InverseSetError, RefusedInput, UsageError
from tf_inverse.networks import hub, storage
from tf_inverse.tensors import StrPath

if TYPE_CHECKING:
    from tf_inverse.archive import Archive


def told(network: str | None, archive: StrPath) -> dict:
    """What a header says of a network's folder.

    Args:
        network: `networks.Networks.folder`.
        archive: Path of the archive to be.

    Returns:
        {"folder": {"relative": ..., "absolute": ...}}; {} for a network that has no folder, and
        for a path that is no text.
    """
    try:
        if network is None or not str(network).encode():
            return {}
    except UnicodeEncodeError:
        return {}
    if hub.is_address(network):
        return {FOLDER: {"relative": str(network), "absolute": str(network)}}
    beside = pathlib.Path(os.path.abspath(archive)).parent
    paths = {"relative": os.path.relpath(network, beside), "absolute": os.path.abspath(network)}
    return {FOLDER: paths}


def find(archive: Archive, given: str | None = None) -> pathlib.Path:
    """The folder of an archive's network.

    Args:
        archive: `archive.Archive`.
        given: What the user names instead, a name or a folder; it is not compared.

    Raises:
        UsageError: It is not where it was; the line names `--network`.
        RefusedInput: There is another network in its place, or a damaged one.
    """
    if given is not None:
        return published.find(given)
    paths = archive.header.get(FOLDER)
    if paths is None and archive.network in published.names():
        return published.find(archive.network)
    there = [path for path in _places(archive, paths) if os.path.isfile(path / storage.MANIFEST)]
    wrong = []
    for path in there:
        try:
            found = storage.checksums(storage.manifest(path))
        except RefusedInput as error:
            wrong.append(str(error))
            continue
        other = _differing(found, archive.checksums)
        if not other:
            return path
        wrong.append(f"{path} has another {', '.join(other)}")
    where = "it is not there any more" if paths else "the archive does not tell its folder"
    flag = f"give --network=FOLDER of {archive.network}"
    if paths and hub.is_address(paths["absolute"]):
        where, flag = "it is not in the cache", f"give --network={paths['absolute']}"
    if wrong:
        raise RefusedInput(
            f"expected the network that {archive.path} was drawn with: {'; '.join(wrong)}; {flag}"
        )
    looked = f" ({paths['absolute']})" if paths else ""
    raise UsageError(
        f"expected the network {archive.network!r} that {archive.path} was drawn with, "
        f"{where}{looked}: {flag}"
    )


def described(archive: Archive, given: str | None = None) -> tuple[dict | None, list[str]]:
    """What an archive's network says of itself, and a line where it is not found again.

    Args:
        archive: `archive.Archive`.
        given: As of `find`.

    Returns:
        (`network.json` or None, lines).

    Raises:
        UsageError: There is no such network as the user named.
        RefusedInput: The network that the user named is damaged.
    """
    try:
        return storage.manifest(find(archive, given)), []
    except InverseSetError as error:
        if given is not None:
            raise
        return None, [f"the network's licence and sources are not told: {error}"]


def _differing(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    return sorted(n for n in {*found, *wanted} if found.get(n) != wanted.get(n))


def _places(archive: Archive, paths: Mapping[str, str] | None) -> list[pathlib.Path]:
    """Where the folder may be, the likeliest first: each once."""
    if paths is None:
        # Archives that were written before this was told: a folder of that name right here.
        return [pathlib.Path(archive.network)]
    if hub.is_address(paths["absolute"]):
        # From the cache alone: a file from elsewhere does not make this machine ask another.
        folder = hub.kept(paths["absolute"])
        return [folder] if folder else []
    beside = pathlib.Path(os.path.abspath(archive.path)).parent
    places = [os.path.normpath(beside / paths["relative"]), paths["absolute"]]
    return [pathlib.Path(place) for place in dict.fromkeys(places)]
