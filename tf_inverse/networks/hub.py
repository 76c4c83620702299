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
import shutil
import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from tf_inverse.archive import atomic, atomic_folder
from tf_inverse.archive.writer import StorageError
from tf_inverse.errors import InverseSetError, RefusedInput, UsageError, printable, reason
from tf_inverse.networks.cache import cache_folder

MOST_BYTES = 4 << 30
MANIFEST, MAX_MANIFEST = "network.json", 4 << 20
PINS = "pins"
FILE = re.compile(r"\w[\w.\-]{0,200}")
COMMIT = re.compile(r"[0-9a-f]{40}")
# A path object makes one slash of two.
ADDRESS = re.compile(
    r"hf:/{1,2}(?P<user>[A-Za-z0-9][\w.\-]{0,95})/(?P<repo>[A-Za-z0-9][\w.\-]{0,95})"
    r"(@(?P<revision>[A-Za-z0-9][\w.\-/]{0,200}))?"
)
Names = Callable[[pathlib.Path], Iterable[str] | None]
"""Names of the files of a network whose `network.json` is in a folder; None where it is none."""


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


def find(
    network: str | os.PathLike, names: Names, check: Callable[[pathlib.Path], object]
) -> pathlib.Path:
    """The folder of a network on the hub, fetched where it is not in the cache.

    Args:
        network: Its address.
        names: Tells which files belong to it.
        check: Called with the fetched folder before it gets its name; what it raises stops that.

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
        found = _Repository(address, commit or revision)
    except UsageError as error:
        if not pinned or commit or not (address.place(pinned) / MANIFEST).is_file():
            raise
        print(f"{printable(str(error))}; taking commit {pinned} from the cache", file=sys.stderr)
        return address.place(pinned)
    folder = address.place(found.commit)
    if not (folder / MANIFEST).is_file():
        with atomic_folder.folder(folder, lambda _: None) as made:
            found.fetch(made, names)
            check(made)
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


class _Repository:
    """A repository at one commit, asked through `huggingface_hub`, which knows the user's token."""

    def __init__(self, address: Address, revision: str) -> None:
        try:
            import huggingface_hub
        except ImportError:
            raise UsageError(
                f"expected huggingface_hub to fetch {address}: pip install 'tf_inverse[hub]'"
            ) from None
        self.address = address
        # Read when it is asked, not when the library is imported.
        self.hub = huggingface_hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
        name = f"{address.user}/{address.repo}"
        self.info = self._ask(
            self.hub.model_info, name, revision=revision, files_metadata=True, timeout=30
        )
        self.commit = str(self.info.sha)
        if not COMMIT.fullmatch(self.commit):
            raise RefusedInput(f"expected a commit of {address}, got {self.commit!r:.80}")
        self.sizes = {one.rfilename: one.size for one in self.info.siblings or ()}

    def fetch(self, folder: pathlib.Path, names: Names) -> None:
        """Brings network.json, and then the files that it names, into a folder."""
        self._bring([MANIFEST], folder, MAX_MANIFEST)
        others = set(names(folder) or ()) - {MANIFEST}
        if not others:
            raise RefusedInput(f"expected a network in {self.address}; its {MANIFEST} is not one")
        self._bring(sorted(others), folder, MOST_BYTES)
        # What the library notes down beside the files is no part of a network.
        shutil.rmtree(folder / ".cache", ignore_errors=True)

    def _bring(self, files: list[str], folder: pathlib.Path, most: int) -> None:
        for name in files:
            if not FILE.fullmatch(name) or not isinstance(self.sizes.get(name), int):
                raise RefusedInput(f"expected a file {name!r:.80} in {self.address}, found none")
        size, free = sum(self.sizes[name] for name in files), shutil.disk_usage(folder).free
        if size > most:
            raise RefusedInput(
                f"expected at most {most} bytes of {', '.join(files)} in {self.address}, it has "
                f"{size}"
            )
        if size > free:
            raise StorageError(
                f"expected {size} bytes free in {cache_folder()}, found {free}; make room, or set "
                f"TF_INVERSE_CACHE to another folder"
            )
        if files != [MANIFEST]:
            told = f"fetching {self.address}, commit {self.commit}: {size / 1e6:.1f} MB"
            print(printable(told), file=sys.stderr)
        for name in files:
            self._ask(
                self.hub.hf_hub_download,
                f"{self.address.user}/{self.address.repo}",
                name,
                revision=self.commit,
                local_dir=folder,
            )
            if (got := (folder / name).stat().st_size) != self.sizes[name]:
                raise RefusedInput(f"expected {self.sizes[name]} bytes of {name}, got {got}")

    def _ask(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """What the library answers; its errors, whichever they are, in one line."""
        from huggingface_hub import errors

        try:
            return call(*arguments, **options)
        except InverseSetError:
            raise
        except errors.GatedRepoError:
            why = "its owner wants to be asked first: do so on its page, then hf auth login"
        except errors.RepositoryNotFoundError:
            why = "the hub has none of that name, or it is private: see hf auth login"
        except errors.RevisionNotFoundError:
            why = "the hub has no such revision of it"
        except Exception as error:  # of the HTTP library below, which differs between versions
            if getattr(error, "errno", None) in atomic.FULL:
                raise StorageError(
                    f"cannot write into {cache_folder()} ({reason(error)}): make room, or set "
                    f"TF_INVERSE_CACHE to another folder"
                ) from error
            why = f"the hub cannot be reached ({reason(error)}): check the network"
        raise UsageError(f"cannot fetch {self.address}: {why}")
