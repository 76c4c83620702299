"""What `tf-inverse adopt` does, with its words turned into values."""

from __future__ import annotations

import json
import pathlib

from tf_inverse import adopt
from tf_inverse.errors import UsageError
from tf_inverse.networks import storage


def run(classifier, generator, out, **words) -> list[str]:
    """Adopt and write; the arguments are those of the command. Returns the lines to print."""
    storage.expect_free(out, words["overwrite"])
    adopted = adopt.adopt(
        classifier,
        generator,
        words["encoder"],
        name=words["name"],
        image_range=span("range", words["range"]),
        pixel_range=span("pixels", words["pixels"]),
        codes=words["codes"],
        bounds=span("bounds", words["bounds"]),
        crop=words["crop"],
        fixed=values(words["fixed"]),
        labels=lines(words["labels"]),
        images=words["images"],
        size=shape(words["size"]),
        code_size=words["code_size"],
        weights=None if words["weights"] == "none" else words["weights"],
        trust=words["trust"],
    )
    path = adopt.write(adopted, out, licence=words["licence"], overwrite=words["overwrite"])
    facts = adopted.measured | {"folder": str(path)}
    if words["json"]:
        return [json.dumps(facts)]
    said = facts.pop("notes")
    return [*said, *(f"{name}: {json.dumps(value)}" for name, value in facts.items())]


def span(flag: str, text: str | None) -> tuple[float, float] | None:
    """LOW:HIGH of a flag as numbers."""
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        low = high = 0.0
    if not low < high:
        raise UsageError(f"expected --{flag}=LOW:HIGH, as -1:1, got {text!r}")
    return low, high


def shape(text: str | None) -> tuple[int, ...] | None:
    """ROWS,COLUMNS,CHANNELS as numbers."""
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 3 or not all(part.isdigit() and 1 <= int(part) <= 4096 for part in parts):
        raise UsageError(f"expected --size=ROWS,COLUMNS,CHANNELS, got {text!r}")
    return tuple(int(part) for part in parts)


def values(text: str | None) -> dict[str, float | str]:
    """NAME=NUMBER or NAME=FILE, several with commas, as numbers and pictures' files by name."""
    fixed = {}
    for part in filter(None, (text or "").split(",")):
        name, _, value = part.partition("=")
        try:
            fixed[name] = float(value)
        except ValueError:
            if not pathlib.Path(value).is_file():
                raise UsageError(
                    f"expected --fixed=NAME=NUMBER, or NAME=FILE for a picture, got {part!r}"
                ) from None
            fixed[name] = value
    return fixed


def lines(path: str | None) -> tuple[None, tuple[str, ...]] | None:
    """A file's lines as labels of the output."""
    if path is None:
        return None
    names = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    return None, tuple(name.strip() for name in names if name.strip())
