"""Where the folder of a network is: among those that come with the package, or wherever it is said.

No TensorFlow.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from tf_inverse.archive import atomic_folder
from tf_inverse.errors import UsageError
from tf_inverse.networks import cache
from tf_inverse.networks.manifest import MANIFEST

SHIPPED = pathlib.Path(__file__).parents[1] / "zoo" / "pairs"


def shipped() -> list[str]:
    """Names of the pairs that come with the package."""
    return sorted(p.parent.name for p in SHIPPED.glob("*/network.json"))


def find(
    network: str | os.PathLike,
    others: Mapping[str, Callable[[], pathlib.Path]] = MappingProxyType({}),
) -> pathlib.Path:
    """The folder of a shipped name, of a name in the working directory, or of a path.

    Args:
        network: The name or the path.
        others: What brings the folder of each other name that is known.

    Raises:
        UsageError: There is none.
    """
    for folder in (pathlib.Path(network), SHIPPED / str(network)):
        if os.path.isfile(folder / MANIFEST):
            return folder
    work = atomic_folder.beside(pathlib.Path(os.path.abspath(network)))
    kept = [work / name for name in ("new", "old") if os.path.isfile(work / name / MANIFEST)]
    if kept:
        raise UsageError(
            f"expected a network in {network}; the process that was to replace it was stopped in "
            f"the middle: move {' or '.join(map(str, kept))} there, or run that command again"
        )
    if str(network) in others:
        return others[str(network)]()
    told = f"{str(network)!r}"
    if os.path.isfile(network):
        told += ", a file: tf-inverse adopt makes a network's folder of a model and a generator"
    raise UsageError(
        f"expected a network: one of {', '.join([*shipped(), *others])}, or a folder with "
        f"{MANIFEST}; got {told}"
    )


def is_named(folder: pathlib.Path) -> bool:
    """Whether a name alone stands for a network's folder, on any machine."""
    return folder.parent == SHIPPED or folder == cache.prepared(folder.name)
