"""tf-inverse facets: the groups that the samples of an archive fall into."""

from __future__ import annotations

import json as json_module


def facets(archive: str, count: int | None = None, json: bool = False) -> None:
    """Groups the samples of an archive by what they show: k-medoids on their encodings.

    The facet of each sample is kept beside the archive, in ARCHIVE.extra.h5, where report and site
    find it. Polysemanticity is the effective number of facets: 1 where all are alike.

    Examples:
        tf-inverse facets samples.h5
        tf-inverse facets truck.h5 --count=4

    Args:
        archive: Archive, A.h5, or the folder of a run in progress, beside which nothing is kept.
        count: How many facets to make; by default as many as silhouettes tell, and one where chance
            would make groups as well.
        json: Print one JSON object in place of the table.
    """
    from tf_inverse.report import faceted, png

    (opened,), (name,) = png.opened([archive])
    one = faceted.of(opened, count)
    if not opened.in_progress:
        faceted.store(opened, one)
    if json:
        print(json_module.dumps(faceted.facts(one)))
        return
    print(f"{name}: {faceted.words(one)}")
    print(faceted.table(opened, one))
