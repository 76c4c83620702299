"""Where fetched and prepared files lie: the one folder of the user's that we write to."""

import os
import pathlib


def cache_folder() -> pathlib.Path:
    """Where fetched files lie: $TF_INVERSE_CACHE, or tf_inverse in the user's cache folder."""
    if chosen := os.environ.get("TF_INVERSE_CACHE"):
        return pathlib.Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "tf_inverse"


def prepared(name: str) -> pathlib.Path:
    """The folder of a published pair, whether it is there yet or not."""
    return cache_folder() / "networks" / name
