"""The facets of an archive: found or read from beside it, told in tables, shown on its page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tf_inverse import facets
from tf_inverse.archive import side_file
from tf_inverse.errors import RefusedInput
from tf_inverse.report import comparison, text
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.archive import Archive

SECTION = "facets"
"""The section of a side file; its one array is the number of each sample's facet."""


class Faceted(NamedTuple):
    """The facets of an archive, and how far they are from each other.

    Attributes:
        found: The facets.
        polysemanticity: Effective number of facets, or None where the archive has no yardstick.
        apart: Mean distance of two medoids, in mean distances of two natural images; None for one
            facet, or without a yardstick.
    """

    found: facets.Facets
    polysemanticity: float | None
    apart: float | None


def of(archive: Archive, k: int | None = None) -> Faceted:
    """Looks for the facets of an archive.

    Raises:
        UsageError: As of `facets.of`.
    """
    e = archive.encodings[:]
    return _measured(archive, e, facets.of(e, k))


def read(archive: Archive, sections: dict[str, side_file.Section]) -> Faceted:
    """The facets that the file beside an archive holds, or else those that are found now.

    Args:
        archive: With samples.
        sections: Of the file beside it.

    Raises:
        RefusedInput: Those in the file are none of this archive.
    """
    section = sections.get(SECTION)
    if section is None:
        return of(archive)
    try:
        members = section.arrays["members"][:].astype(np.int64)
        if members.ndim != 1 or not 0 <= members.min() <= members.max() < len(members):
            raise ValueError("facets that are not numbered")
        medoids = np.array(section.facts["medoids"], np.int64)
        tried = {int(k): float(value) for k, value in section.facts["tried"].items()}
        counts = np.bincount(members, minlength=len(medoids))
        own = np.array_equal(members[medoids], np.arange(len(medoids)))
        if len(counts) != len(medoids) or not own:
            raise ValueError("medoids that are not of their facets")
        silhouette = tried[len(medoids)]
        if not np.isfinite([*tried.values()]).all():
            raise ValueError("a silhouette that is no number")
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise RefusedInput(
            f"{side_file.beside(archive.path)}: /{SECTION}: expected facets as tf-inverse facets "
            f"writes them: {error!s:.120}; run it again"
        ) from error
    shares = counts / len(members)
    return _measured(
        archive,
        archive.encodings[:],
        facets.Facets(members, medoids, shares, silhouette, tried),
    )


def _measured(archive: Archive, e: Array, found: facets.Facets) -> Faceted:
    bandwidth = comparison.own(archive)[0]
    if bandwidth is None:
        return Faceted(found, None, None)
    distance = facets.apart(e, found)
    return Faceted(
        found,
        facets.polysemanticity(e, found, bandwidth),
        # The yardstick is half the mean distance of two natural images.
        None if distance is None else distance / (2 * bandwidth),
    )


def store(archive: Archive, one: Faceted) -> None:
    """Puts facets into the file beside a finished archive.

    Raises:
        FileExistsError: As of `side_file.put`; RefusedInput as well.
    """
    arrays = {"members": one.found.members.astype(np.int32)}
    side_file.put(archive.path, SECTION, arrays, facts(one))


def facts(one: Faceted) -> dict:
    """Facets in figures, ready for JSON: all but the facet of each sample."""
    return {
        "facets": len(one.found.medoids),
        "medoids": one.found.medoids.tolist(),
        "shares": one.found.shares.tolist(),
        "silhouette": one.found.silhouette,
        "tried": {str(k): value for k, value in one.found.tried.items()},
        "polysemanticity": one.polysemanticity,
        "apart": one.apart,
    }


def words(one: Faceted) -> str:
    """How many facets there are, and how unlike, as one sentence or two."""
    k, best = len(one.found.medoids), max(one.found.tried.values())
    if k == 1:
        return (
            "One facet: the samples fall into no groups that chance would not make as well "
            f"(silhouette {text.number(best, 2)})."
        )
    line = f"{k} facets, silhouette {text.number(one.found.silhouette, 2)}."
    if one.polysemanticity is None:
        return line
    return (
        f"{line} Polysemanticity {text.number(one.polysemanticity, 3)} of {k}: their medoids are "
        f"{text.number(one.apart, 2)} times as far apart as two natural images."
    )


def table(archive: Archive, one: Faceted) -> str:
    """The facets of an archive as text for terminals."""
    z = text.captions(archive.activations[:][one.found.medoids], archive.targets)
    counts = np.bincount(one.found.members)
    rows = [["facet", "samples", "share", "medoid", "activation"]]
    for i, medoid in enumerate(one.found.medoids.tolist()):
        share = f"{100 * one.found.shares[i]:.3g} %"
        rows.append([str(i + 1), str(counts[i]), share, f"row {medoid}", z[i]])
    return text.in_columns(rows, left=0)


def page(one: Faceted) -> dict:
    """The part of a page's data that is about facets."""
    shares = [f"{100 * share:.3g} %" for share in one.found.shares]
    return {
        "members": one.found.members.tolist(),
        "medoids": one.found.medoids.tolist(),
        "shares": shares,
        "polysemanticity": one.polysemanticity,
        "words": words(one),
    }
