"""Where fetched and prepared files lie: the one folder of the user's that we write to."""

import os
import pathlib


def cache_folder() -> pathlib.Path:
    """Where fetched files lie: $TF_INVERSE_CACHE, or tf_inverse in the user's cache folder."""
    if "TF_INVERSE_CACHE" in os.environ:
        return pathlib.Path(os.environ["TF_INVERSE_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "tf_inverse"
