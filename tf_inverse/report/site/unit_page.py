"""The page of one unit: a report of its sample, with its other ranges and the units like it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tf_inverse import diversity
from tf_inverse.errors import RefusedInput
from tf_inverse.report import beside, encode, html, ordering, page_data, text
from tf_inverse.report.site import catalogue

if TYPE_CHECKING:
    from tf_inverse.archive import Archive
    from tf_inverse.report.beside import Nature
    from tf_inverse.report.site.catalogue import Rung, Unit

SCRIPTS = (*html.SCRIPTS[:-1], "unit_tile", "unit", html.SCRIPTS[-1])
OF_RANGE, OF_NATURE = 8, 12
"""Samples of another range, and natural images, that are shown."""


def data(
    number: int, unit: Unit, archive: Archive, nature: Nature | None
) -> tuple[dict[str, Any], encode.Sprite, list[str]]:
    """What a unit's page holds.

    Args:
        number: Of the unit in the list that all pages share.
        unit: The unit.
        archive: Of its main range.
        nature: Natural images of that range; those beside the archive by default.

    Returns:
        (dict for JSON; its pictures; a line for each archive of another range that cannot be read).

    Raises:
        RefusedInput: The archive is damaged, or the file beside it.
    """
    nature = beside.nature(archive) if nature is None else nature
    nature, sprite = nature and _fewer(nature), encode.Sprite()
    shown = page_data.page([archive], [archive.path.name], [nature], sprite)
    shown |= {"title": unit.title, "number": number, "ladder": []}
    # What they are called and mean is the same on all pages, which share it.
    shown["figures"] = [key for key, *_ in shown["figures"]]
    lines = []
    for rung in unit.rungs if len(unit.rungs) > 1 else ():
        try:
            shown["ladder"].append(_range(rung, rung is unit.main, sprite))
        except RefusedInput as error:
            lines.append(str(error))
            shown["ladder"].append(_told(rung, "its archive cannot be read"))
    return shown | {"sprite": sprite.layout}, sprite, lines


def _fewer(nature: Nature) -> Nature:
    rows = diversity.evenly(np.arange(len(nature.images)), OF_NATURE)
    few = {name: getattr(nature, name)[rows] for name in ("images", "activations", "numbers")}
    return nature._replace(**few)


def _range(rung: Rung, is_main: bool, sprite: encode.Sprite) -> dict[str, Any]:
    """One range of the ladder: its most different samples, or why there are none."""
    if is_main:
        return _told(rung, "this page")
    if rung.path is None:
        return _told(rung, state(rung))
    with catalogue.opened(rung) as archive:
        found = f"{len(archive)} of {archive.asked} found"
        words = f"{found}: {rung.reason}" if rung.reason else found
        return _told(rung, words) | {"items": _most_different(archive, sprite)}


def _told(rung: Rung, words: str) -> dict[str, Any]:
    band = f"{rung.band} ({rung.levels})" if rung.levels else rung.band
    return {"band": band, "words": words, "items": []}


def _most_different(archive: Archive, sprite: encode.Sprite) -> list[dict[str, Any]]:
    rows = ordering.most_different(archive.encodings[:], OF_RANGE)
    rows = rows[ordering.by_activation(archive.activations[:][rows])]
    captions = text.captions(archive.activations[:][rows], archive.targets)
    words = [f"Row {row}, activation {z}" for row, z in zip(rows, captions, strict=True)]
    images = page_data.shown_images(archive)[rows]
    return beside.items(images, captions, words, sprite)


def state(rung: Rung) -> str:
    """What became of a range, in words."""
    return f"{rung.state}: {rung.reason}" if rung.reason else rung.state
