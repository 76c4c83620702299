"""Networks on the Hugging Face hub: hf://user/repo, fetched once and used from the cache, offline.

A name alone is resolved once, and stays at the commit that it had then; `@REVISION` (a branch, a
tag or a commit) is asked for each time, a whole commit never again. A fetched network is a folder
like any other, `hub/USER--REPO/COMMIT` of the cache folder, and its files are as untrusted as any
other's: `storage` checks their checksums, and loads no code. No TensorFlow.
"""

from __future__ import annotations

import os
import pathlib
import re
import sys
from typing import NamedTuple

from tf_inverse.archive import atomic, atomic_folder
from tf_inverse.errors import UsageError, printable
from tf_inverse.networks.cache import cache_folder
from tf_inverse.networks.hub_repository import COMMIT, Repository
from tf_inverse.networks.manifest import MANIFEST, manifest

PINS = "pins"
# A path object makes one slash of two.
ADDRESS = re.compile(
    r"hf:/{1,2}(?P<user>[A-Za-z0-9][\w.\-]{0,95})/(?P<repo>[A-Za-z0-9][\w.\-]{0,95})"
    r"(@(?P<revision>[A-Za-z0-9][\w.\-/]{0,200}))?"
)


class Address(NamedTuple):
    """A network on the hub.

    Attributes:
        user: Or organisation.
        repo: Its repository.
        revision: Branch, tag or commit; None where none was asked for.
    """

    user: str
    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"hf://{self.user}/{self.repo}" + (f"@{self.revision}" if self.revision else "")

    def place(self, commit: str) -> pathlib.Path:
        """The folder of a commit, whether it is there yet or not."""
        return self.home() / commit

    def home(self) -> pathlib.Path:
        """The folder of all commits."""
        return cache_folder() / "hub" / f"{self.user}--{self.repo}"


def is_address(network: str | os.PathLike) -> bool:
    """Whether a text means a network on the hub."""
    return re.match(r"hf:/", str(network)) is not None


def parse(network: str | os.PathLike) -> Address:
    """An address out of its text, hf://user/repo or hf://user/repo@REVISION.

    Raises:
        UsageError: The text has another form.
    """
    found = ADDRESS.fullmatch(str(network))
    if not found or any(twice in str(network) for twice in ("..", "--")):
        raise UsageError(
            f"expected hf://USER/REPO or hf://USER/REPO@REVISION, got {str(network)!r:.200}"
        )
    return Address(found["user"], found["repo"], found["revision"])


def address_of(folder: pathlib.Path) -> str | None:
    """The address, with its commit, of a folder that was fetched; None of any other folder."""
    user, _, repo = folder.parent.name.partition("--")
    if not COMMIT.fullmatch(folder.name):
        return None
    address = Address(user, repo, folder.name)
    return str(address) if address.place(folder.name) == folder else None


def kept(network: str) -> pathlib.Path | None:
    """The folder of an address with its commit, if it was fetched; asks nobody."""
    address = parse(network)
    folder = address.place(address.revision or "")
    return folder if (folder / MANIFEST).is_file() else None


def find(network: str | os.PathLike) -> pathlib.Path:
    """The folder of a network on the hub, fetched where it is not in the cache.

    Args:
        network: Its address.

    Raises:
        UsageError: No such repository or revision, or the hub cannot be reached.
        RefusedInput: The repository holds no network, or one that is too large.
        StorageError: The disk is full or read-only.
        archive.lock.LockedError: Another process is fetching the same.
    """
    address = parse(network)
    revision, pinned = address.revision or "main", _pinned(address)
    commit = revision if COMMIT.fullmatch(revision) else None
    if not address.revision:
        commit = pinned
    if commit and (address.place(commit) / MANIFEST).is_file():
        return address.place(commit)
    try:
        found = Repository(str(address), f"{address.user}/{address.repo}", commit or revision)
    except UsageError as error:
        if not pinned or commit or not (address.place(pinned) / MANIFEST).is_file():
            raise
        print(f"{printable(str(error))}; taking commit {pinned} from the cache", file=sys.stderr)
        return address.place(pinned)
    folder = address.place(found.commit)
    if not (folder / MANIFEST).is_file():
        with atomic_folder.folder(folder, lambda _: None) as made:
            found.fetch(made)
            # What is damaged or no network gets no name.
            manifest(made)
    if not commit:
        pin = _pin(address)
        pin.parent.mkdir(exist_ok=True)
        atomic.write(pin, f"{found.commit}\n".encode())
    return folder


def _pin(address: Address) -> pathlib.Path:
    """Where the commit of a branch or tag is written down."""
    revision = (address.revision or "main").replace("/", "--")
    return address.home() / PINS / revision


def _pinned(address: Address) -> str | None:
    """The commit that was written down, or None."""
    pin = _pin(address)
    commit = pin.read_text(encoding="ascii", errors="replace").strip() if pin.is_file() else ""
    return commit if COMMIT.fullmatch(commit) else None
