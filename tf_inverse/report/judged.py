"""What judges say of an archive's samples: kept beside it, told in tables, marked on its page."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tf_inverse.archive import side_file
from tf_inverse.errors import RefusedInput
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.archive import Archive

PREFIX = "judge."
"""What the names of judges' sections in a side file begin with."""


class Said(NamedTuple):
    """What one judge says.

    Attributes:
        judge: Its name.
        classes: Class of each sample, [n] int32.
        agrees: Which samples are given to a class that stands for the neuron, [n] booleans; None
            where the judge has no such class.
        names: Name of each class that is among `classes`.
        expected: Names of the classes that stand for the neuron.
        shares: Kind of images -> (share of them given to an expected class, or to the class that
            most samples are given to; how many they are). The first kind is the samples.
        sha256: Of the judge's file, or None.
    """

    judge: str
    classes: Array
    agrees: Array | None
    names: dict[int, str]
    expected: tuple[str, ...]
    shares: dict[str, tuple[float, int]]
    sha256: str | None = None


def store(archive: Archive, said: Said) -> None:
    """Puts what a judge says into the file beside a finished archive.

    Raises:
        FileExistsError: As of `side_file.put`; RefusedInput as well.
    """
    arrays = {"classes": np.asarray(said.classes, np.int32)}
    if said.agrees is not None:
        arrays["agrees"] = np.asarray(said.agrees, np.uint8)
    facts = {
        "judge": said.judge,
        "sha256": said.sha256,
        "names": {str(number): name for number, name in said.names.items()},
        "expected": list(said.expected),
        "shares": [[kind, *share] for kind, share in said.shares.items()],
    }
    side_file.put(archive.path, PREFIX + _plain(said.judge), arrays, facts)


def _plain(name: str) -> str:
    """The name as a section may have it; a mark of the whole name goes with what was changed."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "_" for c in name)[:40]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def read(archive: Archive) -> list[Said]:
    """What judges say of an archive, by the file beside it; none where there is no such file.

    Raises:
        RefusedInput: That file is damaged or of another archive.
    """
    sections = side_file.sections(archive.path)
    return [
        _said(section, f"{side_file.beside(archive.path)}: /{name}")
        for name, section in sections.items()
        if name.startswith(PREFIX)
    ]


def _said(section: side_file.Section, where: str) -> Said:
    """One section, its facts checked: they may say anything."""
    try:
        facts, agrees = section.facts, section.arrays.get("agrees")
        classes = section.arrays["classes"][:].astype(np.int64)
        said = Said(
            _text(facts["judge"]),
            classes,
            None if agrees is None else agrees[:] != 0,
            {int(number): _text(name) for number, name in facts["names"].items()},
            tuple(_text(name) for name in facts["expected"]),
            {_text(kind): (float(share), int(count)) for kind, share, count in facts["shares"]},
        )
        plain = all(array is None or array.ndim == 1 for array in (said.classes, said.agrees))
        if not plain or not set(classes.tolist()) <= set(said.names) or not said.shares:
            raise ValueError("classes without names, or no shares")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RefusedInput(
            f"{where}: expected what a judge says, as tf-inverse judge writes it: {error!s:.120}"
        ) from error
    return said


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.60} is no text")
    return value


def agreement(archive: Archive) -> dict:
    """The figures `agreement`, the mean over judges that have the neuron's class, and `judges`.

    Raises:
        RefusedInput: As of `read`.
    """
    shares = [float(one.agrees.mean()) for one in read(archive) if one.agrees is not None]
    if not shares:
        return {"agreement": None, "judges": None}
    return {"agreement": float(np.mean(shares)), "judges": len(shares)}


def page(archive: Archive) -> list[dict] | None:
    """The part of a page's data that is about judges: one entry a judge; None without any."""
    return [
        {
            "name": one.judge,
            "sees": [one.names[number] for number in one.classes.tolist()],
            "agrees": None if one.agrees is None else one.agrees.tolist(),
            "words": words(one),
        }
        for one in read(archive)
    ] or None


def words(one: Said) -> str:
    """What a judge says, as one sentence."""
    (kind, (share, _)), *others = one.shares.items()
    counted = " or ".join(one.expected[:3]) or "the class that it gives most of them to"
    beside = ", ".join(f"{name} {100 * value:.3g} %" for name, (value, _) in others)
    return (
        f"{one.judge} gives {100 * share:.3g} % of the {kind} to {counted}"
        + (f" ({beside})" if beside else "")
        + "."
    )
