"""What the first page of a site shows of a unit: its picture, its range, and its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tf_inverse.report import encode, ordering, page_data
from tf_inverse.report.site import unit_page

if TYPE_CHECKING:
    from tf_inverse.archive import Archive
    from tf_inverse.report.site.catalogue import Rung, Unit


def found(unit: Unit, main: Rung, archive: Archive, facets: dict[str, Any]) -> dict[str, Any]:
    """The figures of a unit, ready for JSON.

    Args:
        unit: The unit.
        main: Its main range.
        archive: Of that range.
        facets: As of `faceted.page`.
    """
    measured = page_data.figures(archive)
    state = "done" if len(archive) >= archive.asked else "partial"
    figures = _told(unit) | {
        "range": main.band,
        "low": float(archive.targets[0]["z1"]),
        "found": len(archive),
        "asked": archive.asked,
        "state": state,
        "reason": main.reason,
        "vendi": measured["vendi"],
        "agreement": measured["agreement"],
        "facets": len(facets["medoids"]),
        "poly": facets["polysemanticity"],
    }
    return {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in figures.items()}


def missing(unit: Unit, reason: str | None = None) -> dict[str, Any]:
    """The figures of a unit without a sample: its name, and what became of it.

    Args:
        unit: The unit.
        reason: Why its archive is not shown; that of its range by default.
    """
    rung = unit.rungs[0]
    state = "failed" if reason else rung.state
    told = {"range": rung.band, "found": 0, "state": state}
    return _told(unit) | told | {"reason": reason or unit_page.state(rung)}


def _told(unit: Unit) -> dict[str, Any]:
    words = {"name": unit.name, "label": unit.label}
    places = {"layers": unit.layers, "numbers": unit.numbers}
    return words | places | {"place": None, "like": []}


def picture(archive: Archive, medoids: list[int]) -> bytes:
    """The picture of a unit, a WebP file's contents: medoids, then the most different samples."""
    different = ordering.most_different(archive.encodings[:], 4 + len(medoids)).tolist()
    rows = [*medoids, *(row for row in different if row not in medoids)][:4]
    return encode.mosaic(np.stack([page_data.shown_images(archive)[row] for row in rows]))
