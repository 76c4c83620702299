"""Which function of a SavedModel is meant: its signatures by name, and what they take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_inverse.errors import UsageError
from tf_inverse.tensors import StrPath

DEFAULT = "serving_default"
MARK = "#"
"""Stands between a SavedModel's folder and the name of a signature."""


def chosen(functions: Mapping[str, Any], folder: StrPath, asked: str | None = None) -> str:
    """The name of the signature that takes images as arrays.

    It is `serving_default`, or the only one whose inputs are numbers. Servers often have one of
    encoded pictures as well, which are strings that no gradient gets through.

    Args:
        functions: Signatures of the SavedModel by name.
        folder: Of the SavedModel, for the words of a refusal.
        asked: The signature that the user names, or None.

    Raises:
        UsageError: There is no such signature, or several might be meant.
    """
    kinds = {
        name: {one.dtype for one in function.structured_input_signature[1].values()}
        for name, function in functions.items()
    }
    taken = {name: found for name, found in kinds.items() if found}
    numeric = sorted(name for name, found in taken.items() if tf.string not in found)
    if asked is not None and asked not in taken:
        raise UsageError(
            f"expected a signature of {folder}, got {asked!r}; it has {', '.join(sorted(taken))}"
        )
    if not taken:
        raise UsageError(
            f"expected a SavedModel with a signature in {folder}, it has none; "
            f"tf.saved_model.save(MODEL, FOLDER, signatures=FUNCTION) writes one"
        )
    if not numeric or asked not in (None, *numeric):
        text = asked or ", ".join(sorted(taken))
        raise UsageError(
            f"expected a signature of pixels in {folder}, {text} takes "
            f"strings, as of encoded pictures, which have no gradient; export one that takes an "
            f"array [n, rows, columns, channels], as docs/own_network.md does with add_endpoint"
        )
    names = [asked] if asked else [DEFAULT] if DEFAULT in numeric else numeric
    if len(names) > 1:
        raise UsageError(f"expected {folder}{MARK}SIGNATURE, it has several: {', '.join(numeric)}")
    return names[0]
