"""What is said of a published sample beside its data: its title, licence, sources and date."""

from __future__ import annotations

import datetime
import os
import re
from typing import NamedTuple

from tf_inverse.archive.reader import Archive
from tf_inverse.errors import UsageError
from tf_inverse.report import text

CITE = (
    '@article{hada2019inverse, title={Sampling the "Inverse Set" of a Neuron}, author={Hada, '
    "Suryabhan Singh and Carreira-Perpi{\\~n}{\\'a}n, Miguel {\\'A}.}, journal={arXiv:1910.04857}, "
    "year={2019}}"
)
UNKNOWN = "unknown"
LONGEST = 2000  # characters of a text from a flag or from a network's folder


class About(NamedTuple):
    """What is said of a published sample.

    Attributes:
        name: Title of the data set.
        description: One sentence.
        licence: An identifier such as cc-by-4.0 or mit, or free text; UNKNOWN where nobody said.
        origin: What the network's folder says of where its weights come from; {} where it is not
            at hand.
        creator: Who publishes it, or "".
        url: Its page, or "".
        date: YYYY-MM-DD.
        cite: BibTeX of the method's paper.
    """

    name: str
    description: str
    licence: str
    origin: dict
    creator: str
    url: str
    date: str
    cite: str = CITE


def about(
    archive: Archive,
    network: dict | None = None,
    *,
    name: str | None = None,
    licence: str | None = None,
    creator: str | None = None,
    url: str | None = None,
    date: str | None = None,
) -> About:
    """What is said of an archive's samples.

    Args:
        archive: Of the samples.
        network: `network.json` of its network, or None where it is not at hand.
        name: Title; made of the neurons by default.
        licence: Of the samples; what the network's folder says of its weights by default.
        creator: Who publishes it.
        url: Its page.
        date: YYYY-MM-DD; by default $SOURCE_DATE_EPOCH's day where that is set, else today.

    Raises:
        UsageError: A date, an address or a text of another form.
    """
    neurons = ", ".join(dict.fromkeys(text.neuron(target) for target in archive.targets))
    of_network = str((network or {}).get("licence") or "").strip()[:LONGEST]
    if url and not re.fullmatch(r"https?://\S+", url):
        raise UsageError(f"expected --url to be http:// or https:// and a page, got {url!r}")
    for flag, value in (("name", name), ("licence", licence), ("creator", creator)):
        if value is not None and not 0 < len(value.strip()) <= LONGEST:
            raise UsageError(f"expected a text of 1 to {LONGEST} characters for --{flag}")
    for flag, value in (("name", name), ("licence", licence), ("creator", creator), ("url", url)):
        # Bytes of an argument that are no UTF-8 reach Python so, and no file of text takes them.
        if value and re.search("[\ud800-\udfff]", value):
            raise UsageError(f"expected --{flag} in UTF-8, got {ascii(value):.80}")
    return About(
        name=name or f"Inverse set of {neurons} in {archive.network}",
        description=(
            f"{len(archive)} generated images, each of which excites a neuron of the network "
            f"{archive.network} to a chosen range: "
            + " and ".join(f"{text.neuron(t)} from {text.band(t)}" for t in archive.targets)
            + "."
        ),
        licence=licence or of_network or UNKNOWN,
        origin=dict((network or {}).get("source") or {}),
        creator=creator or "",
        url=url or "",
        date=_day(date),
    )


def lacking(told: About) -> list[str]:
    """A line that names what Croissant requires and nobody said; no line where nothing lacks."""
    known = {"licence": told.licence != UNKNOWN, "creator": told.creator, "url": told.url}
    flags = [f"--{name}" for name, value in known.items() if not value]
    return [f"not told, and readers will ask for it: {', '.join(flags)}"] if flags else []


def _day(date: str | None) -> str:
    if date is None:
        seconds = os.environ.get("SOURCE_DATE_EPOCH", "")
        now = datetime.datetime.now(datetime.UTC)
        if seconds:
            try:
                now = datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)
            except (ValueError, OverflowError, OSError):
                raise UsageError(
                    f"expected SOURCE_DATE_EPOCH in seconds since 1970, got {seconds!r:.80}"
                ) from None
        return now.date().isoformat()
    try:
        return datetime.date.fromisoformat(date).isoformat()
    except ValueError:
        raise UsageError(f"expected --date as YYYY-MM-DD, got {date!r}") from None
