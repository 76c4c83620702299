"""What the fields of `network.json` may be: the file may come from anywhere, and say anything."""

from __future__ import annotations

import math
from typing import Any

from tf_inverse.errors import RefusedInput
from tf_inverse.tensors import StrPath


def check(entries: dict, path: StrPath) -> None:
    """Passes fields of the types that `storage.save` writes; those that are left out may be.

    Args:
        entries: The JSON object.
        path: Of the file, for the words of a refusal.

    Raises:
        RefusedInput: It names the field, what was expected and what is there.
    """
    generator = entries.get("generator")
    values = entries | {"crop": generator.get("crop") if isinstance(generator, dict) else None}
    for name, (passes, what) in FIELDS.items():
        value = values.get(name)
        if value is not None and not passes(value):
            raise RefusedInput(f"expected {what} as {name} in {path}, got {value!r:.80}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_count(value: Any) -> bool:
    return type(value) is int and 1 <= value < 2**31


def _is_bound(value: Any) -> bool:
    return value is None or type(value) in (int, float)


def _is_codes(value: Any) -> bool:
    if not isinstance(value, dict) or not _is_name(value.get("kind")):
        return False
    bounds = value.get("bounds")
    pair = isinstance(bounds, list) and len(bounds) == 2 and all(map(_is_bound, bounds))
    return _is_count(value.get("size")) and (bounds is None or pair)


def _is_labels(value: Any) -> bool:
    if not isinstance(value, dict) or not _is_name(value.get("layer")):
        return False
    names = value.get("names")
    return isinstance(names, list) and all(map(_is_text, names))


def is_yardstick(value: Any) -> bool:
    """Whether a value is a yardstick as JSON has it: see `yardstick.Yardstick`."""
    if not isinstance(value, dict) or set(value) != {"bandwidth", "source", "count"}:
        return False
    width = value["bandwidth"]
    positive = type(width) in (int, float) and math.isfinite(width) and width > 0
    return positive and _is_name(value["source"]) and _is_count(value["count"])


FIELDS = {
    "name": (_is_name, "a text of one line"),
    "encoder": (_is_name, "the name of a layer"),
    "codes": (_is_codes, "kind, size and bounds"),
    "crop": (_is_count, "a number of pixels"),
    "labels": (_is_labels, "a layer and a list of names"),
    "licence": (_is_text, "a text"),
    "source": (lambda value: isinstance(value, dict), "an object"),
    "default": (_is_name, "targets in one line"),
    "yardstick": (is_yardstick, "bandwidth, source and count"),
}
"""Field -> (whether a value passes, what it should be)."""
