"""What `tf-inverse adopt` and `tf-inverse pair` do, with their words turned into values."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import numpy as np

from tf_inverse import adopt, grammar, npy
from tf_inverse.adopt import pixels
from tf_inverse.errors import UsageError
from tf_inverse.networks import storage
from tf_inverse.tensors import Array


def run(classifier: str, generator: str, out: str, **words: Any) -> list[str]:
    """Adopt and write; the arguments are those of the command. Returns the lines to print."""
    storage.expect_free(out, words["overwrite"])
    adopted = adopt.adopt(
        classifier,
        generator,
        words["encoder"],
        name=words["name"],
        image_range=grammar.span("range", words["range"]),
        pixel_range=pixels.read(words["pixels"]),
        codes=words["codes"],
        bounds=grammar.ends("bounds", words["bounds"]),
        crop=words["crop"],
        fixed=values(words["fixed"]),
        labels=lines(words["labels"]),
        images=words["images"],
        size=grammar.shape("size", words["size"]),
        code_size=words["code_size"],
        weights=None if words["weights"] == "none" else words["weights"],
        trust=words["trust"],
        sae=words["sae"],
        sae_layer=words["sae_layer"],
    )
    path = adopt.write(adopted, out, licence=words["licence"], overwrite=words["overwrite"])
    facts = adopted.measured | {"folder": str(path)}
    if words["json"]:
        return [json.dumps(facts)]
    said = facts.pop("notes")
    return [*said, *(f"{name}: {json.dumps(value)}" for name, value in facts.items())]


def pair(
    classifier: str, generator: str, *, out: str | None, overwrite: bool = False, **words: Any
) -> tuple[list[str], pathlib.Path]:
    """Join and write; the arguments are those of the command, and `adopt.pair`'s defaults hold.

    Returns:
        (lines of the report, folder).
    """
    if out is None:
        raise UsageError("expected --out=FOLDER to write")
    storage.expect_free(out, overwrite)
    words["bounds"] = grammar.ends("bounds", words.get("bounds"))
    networks, report, said = adopt.pair(classifier, generator, **words)
    return report, storage.save_pair(out, networks, overwrite=overwrite, **said)


def values(text: str | None) -> dict[str, float | str | Array]:
    """NAME=NUMBERS or NAME=FILE, several with commas, as numbers and pictures' files by name.

    Numbers stand with blanks between; those of an .npy file are read.

    Raises:
        UsageError: A value is neither numbers nor a file.
        RefusedInput: An .npy file is none.
    """
    fixed: dict[str, float | str | Array] = {}
    for part in filter(None, (text or "").split(",")):
        name, _, value = part.partition("=")
        try:
            numbers = [float(one) for one in value.split()]
        except ValueError:
            numbers = []
        if not numbers and not os.path.isfile(value):
            raise UsageError(
                f"expected --fixed=NAME=NUMBER, several numbers with blanks between, or NAME=FILE "
                f"for a picture or an .npy file, got {part!r}; an input of words is fixed in a "
                f"model of the other inputs that you save"
            )
        if numbers:
            fixed[name] = numbers[0] if len(numbers) == 1 else np.array(numbers)
        else:
            fixed[name] = npy.mapped(value) if value.endswith(".npy") else value
    return fixed


def lines(path: str | None) -> tuple[None, tuple[str, ...]] | None:
    """A file's lines as labels of the output."""
    if path is None:
        return None
    names = map(str.strip, grammar.lines("labels", path))
    return None, tuple(filter(None, names))
