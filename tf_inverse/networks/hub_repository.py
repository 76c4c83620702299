"""One repository of the Hugging Face hub at one commit, asked through `huggingface_hub`.

That library is an extra; it knows the user's token and how the hub stores large files.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import sys
from collections.abc import Callable
from typing import Any

from tf_inverse.archive import atomic
from tf_inverse.archive.writer import StorageError
from tf_inverse.errors import RefusedInput, UsageError, printable, reason
from tf_inverse.networks.cache import cache_folder
from tf_inverse.networks.manifest import MANIFEST, MAX_MANIFEST, written

MOST_BYTES = 4 << 30
COMMIT = re.compile(r"[0-9a-f]{40}")
FILE = re.compile(r"\w[\w.\-]{0,200}")


class Repository:
    """A repository at one commit.

    Args:
        address: hf://user/repo, for messages too.
        name: user/repo.
        revision: Branch, tag or commit.

    Attributes:
        commit: The commit that the revision is.

    Raises:
        UsageError: No such repository or revision, or the hub cannot be reached.
        RefusedInput: The hub's answer has no commit.
    """

    def __init__(self, address: str, name: str, revision: str) -> None:
        try:
            import huggingface_hub
        except ImportError:
            raise UsageError(
                f"expected huggingface_hub to fetch {address}: pip install 'tf_inverse[hub]'"
            ) from None
        self.address, self.name = address, name
        # Read when it is asked, not when the library is imported.
        self.hub = huggingface_hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
        self.info = self._ask(
            self.hub.model_info, name, revision=revision, files_metadata=True, timeout=30
        )
        self.commit = str(self.info.sha)
        if not COMMIT.fullmatch(self.commit):
            raise RefusedInput(f"expected a commit of {address}, got {self.commit!r:.80}")
        self.sizes = {one.rfilename: one.size for one in self.info.siblings or ()}

    def fetch(self, folder: pathlib.Path) -> None:
        """Brings network.json, and then the files that it names, into a folder.

        Raises:
            UsageError: The hub cannot be reached any more.
            RefusedInput: There is no network in it, or one that is too large.
            StorageError: The disk is full.
        """
        self._bring([MANIFEST], folder, MAX_MANIFEST)
        others = set(written(folder) or ()) - {MANIFEST}
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
                self.name,
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
