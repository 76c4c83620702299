"""What a page shows of archives, as plain data ready for JSON."""

from __future__ import annotations

import pathlib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from tf_inverse import metrics
from tf_inverse.archive import run_folder
from tf_inverse.archive.atlas_index import GROUP
from tf_inverse.archive.columns import Rows
from tf_inverse.report import (
    beside,
    cells,
    comparison,
    encode,
    figure_table,
    judged,
    ordering,
    standing,
    text,
)
from tf_inverse.tensors import Array, StrPath
from tf_inverse.version import BEFORE

if TYPE_CHECKING:
    from tf_inverse.archive import Archive
    from tf_inverse.report.beside import Nature


# Figures that an archive alone cannot tell: what the run stored of them.
STORED = ("steps", "seconds", "ess", "r_hat", "burn_in", "apart", "probability")
NEIGHBOURS = 8
BINS, BINS_ALONE = 40, 16


def figures(archive: Archive, bandwidth: float | None = None) -> dict[str, Any]:
    """The metrics of an archive, measured again from what it holds.

    Args:
        archive: archive.Archive.
        bandwidth: h of the Vendi score; that of the archive's yardstick by default.

    Returns:
        dict with the keys of metrics.summary, and steps and seconds as the run stored them.
    """
    stored = text.numbers(archive.summary)
    z1, z2 = ends(archive)
    natural = archive.natural
    measured = metrics.summary(
        archive.encodings[:],
        archive.activations[:],
        z1,
        z2,
        asked=archive.asked,
        bandwidth=comparison.own(archive)[0] if bandwidth is None else bandwidth,
        natural_encodings=None if natural is None else natural.encodings,
    )
    if measured["vendi_natural"] is None and bandwidth is None:
        measured["vendi_natural"] = stored.get("vendi_natural")
    measured |= metrics.ways(archive.from_start, archive.from_bank) | judged.agreement(archive)
    return measured | {key: stored.get(key) for key in STORED}


def compared(
    archives: Sequence[Archive], names: Sequence[str], bandwidth: float | None = None
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Figures of archives beside each other, by one yardstick.

    Args:
        archives: archive.Archive list; at least one.
        names: A name for each, as shown.
        bandwidth: h of the Vendi score, where the user names one.

    Returns:
        (name -> figures, sentences that go with them): see `comparison`.
    """
    width, notes = comparison.shared(archives, names, bandwidth)
    common = comparison.at_one_count(archives, width)
    columns = {
        name: figures(archive, width) | more
        for archive, name, more in zip(archives, names, common, strict=True)
    }
    return columns, notes


def ends(archive: Archive) -> tuple[Array, Array]:
    """The ends z1 [p] and z2 [p] of an archive's bands."""
    targets = archive.targets
    return np.array([t["z1"] for t in targets]), np.array([t["z2"] for t in targets])


def page(
    archives: Sequence[Archive],
    names: Sequence[str],
    natures: Sequence[Nature | None] | None = None,
    pictures: encode.Pictures = encode.for_page,
) -> dict[str, Any]:
    """Everything a page holds.

    Args:
        archives: archive.Archive list; at least one.
        names: A name for each, as shown.
        natures: As of `html.render`.
        pictures: What makes thumbnails and large images of images.

    Returns:
        dict for JSON; see the functions below for its parts.
    """
    columns, notes = compared(archives, names)
    natures = natures or [None] * len(archives)
    shown = [
        _archive(archive, name, columns[name], pictures)
        | beside.page(archive, nature, pictures)
        | {"judges": judged.page(archive)}
        for archive, name, nature in zip(archives, names, natures, strict=True)
    ]
    titles = list(dict.fromkeys(text.question(a.targets, a.network) for a in archives))
    return {
        "title": titles[0] if len(titles) == 1 else f"{len(archives)} inverse sets",
        "archives": shown,
        "figures": [[key, *figure_table.FIGURES[key]] for key in figure_table.known(columns)],
        "notes": notes,
        "maps": _maps(archives, names),
    }


def shown_images(archive: Archive) -> Rows:
    """The archive's images, or its thumbnails where it stores codes only, [n, H, W, C]."""
    return archive.columns["images" if "images" in archive.columns else "thumbnails"]


def command(archive: Archive, path: StrPath | None = None) -> str:
    """The command line that draws this sample again, or in words what drew it.

    No command line draws one neuron of an atlas alone as its group did, or a rival's images.

    Args:
        archive: archive.Archive.
        path: What the command line writes; the archive's own file by default.
    """
    if GROUP in archive.settings:
        return "tf-inverse atlas: drawn together with the other targets of its group, see Settings"
    if "K" not in archive.settings:
        return f"tf-inverse experiment: drawn by a rival, {archive.settings.get('method')}"
    # A report may show an archive by another name, which no command would take.
    out = pathlib.Path(path or archive.path).name.removesuffix(run_folder.SUFFIX)
    targets = " ".join(map(_exactly, archive.targets))
    # From the archive's own folder a network of the user's own is where it was, relative to that.
    place = archive.header.get("folder", {}).get("relative", archive.network)
    flags = {"network": place, "targets": targets, "n": archive.asked, "seed": archive.seed}
    settings = BEFORE | archive.settings
    plane = settings.get(cells.PLANE)
    if plane is not None:
        rows, columns = cells.edges(archive).shape
        flags |= {"n": plane.get("each"), "rows": rows, "columns": columns}
        flags |= {name: settings.get(name) for name in ("K", "patience", "starts")}
        parts = [f"--{key}={value}" for key, value in flags.items()]
        return shlex.join(["tf-inverse", "plane", out, *parts])
    flags |= {
        key: value
        for key, value in settings.items()
        if key not in flags and isinstance(value, (str, int, float)) and value != ""
    }
    parts = [f"--{key}={value}" for key, value in flags.items()]
    return shlex.join(["tf-inverse", "sample", out, *parts])


def _exactly(target: dict[str, Any]) -> str:
    """A target whose range is written with all digits that it has; its text has six of them."""
    place = text.asked(target, text.neuron(target | {"label": None}) + "@").rpartition("@")[0]
    ends = (float(target[end]) for end in ("z1", "z2"))
    return f"{place}@" + ":".join(f"{z:g}" if float(f"{z:g}") == z else repr(z) for z in ends)


def _archive(
    archive: Archive, name: str, measured: Mapping[str, Any], pictures: encode.Pictures
) -> dict[str, Any]:
    z, e, images = archive.activations[:], archive.encodings[:], shown_images(archive)
    thumbnails, larges = pictures(images[:])
    return {
        "name": name,
        "question": text.question(archive.targets, archive.network),
        "volume": standing.size(archive),
        "compared": standing.compared(archive),
        "complete": bool(archive.complete),
        "size": list(images.shape[1:3]),
        "targets": [_target(archive, i) for i in range(len(archive.targets))],
        "metrics": _metrics(measured),
        "facts": _facts(archive),
        "samples": {
            "activations": _short(z, _digits(archive)),
            "captions": text.captions(z, archive.targets),
            "steps": archive.steps[:].tolist(),
            "chain": archive.chain[:].tolist(),
            "similar": ordering.by_similarity(e).tolist(),
            "different": ordering.most_different(e, len(e)).tolist(),
            "nearest": ordering.nearest(e, NEIGHBOURS).tolist(),
            "thumbnails": thumbnails,
            "larges": larges,
        },
    }


def _digits(archive: Archive) -> int:
    """Digits with which activations within each range are told apart."""
    return max(6, *(text.digits(t["z1"], t["z2"]) + 2 for t in archive.targets))


def _target(archive: Archive, i: int) -> dict[str, Any]:
    target = archive.targets[i]
    natural, known = standing.activations(archive, i), standing.quantiles(archive, i)
    z = archive.activations[:][:, i]
    return {
        "name": text.neuron(target),
        "text": text.asked(target),
        "band": text.band(target),
        "z1": float(target["z1"]),
        "z2": float(target["z2"]),
        "decimals": text.decimals(target["z1"], target["z2"]),
        "natural": standing.line(archive, i),
        "levels": None if known is None else known[0],
        "quantiles": None if known is None else _short(known[1]),
        "histogram": _histogram(z, natural, target["z1"], target["z2"]),
    }


def _histogram(z: Array, natural: Array | None, z1: float, z2: float) -> dict[str, Any]:
    """Shares of samples and natural images in common bins, of which one ends at z1 and at z2.

    Bins as narrow as a narrow range would be thousands over all of nature: there only z1 is an end.
    """
    bins = BINS_ALONE if natural is None else BINS
    both = np.concatenate([z, [z1, z2], [] if natural is None else natural])
    span = both.max() - both.min()
    width = (z2 - z1) / max(1, round(bins * (z2 - z1) / span)) if span else 1.0
    width = max(width, span / (4 * bins))
    first, last = np.floor((both.min() - z1) / width), np.ceil((both.max() - z1) / width)
    edges = z1 + width * np.arange(first, max(last, first + 1) + 1)

    def shares(values: Array) -> list[Any]:
        return _short(np.histogram(values, edges)[0] / max(len(values), 1))

    return {
        "edges": _short(edges, max(6, text.digits(edges[0], edges[-1]) + 3)),
        "samples": shares(z),
        "natural": None if natural is None else shares(natural),
    }


def _metrics(measured: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: figure_table.figure(key, measured[key])
        for key in figure_table.FIGURES
        if key in measured
    }


def _facts(archive: Archive) -> list[list[Any]]:
    settings = archive.settings | {"seed": archive.seed, "network": archive.network}
    return [
        ["Command", [["", command(archive)]]],
        ["Settings", _pairs(settings)],
        ["Versions", _pairs(archive.versions)],
        ["Checksums (SHA-256)", _pairs(archive.checksums)],
    ]


def _pairs(mapping: Mapping[str, Any]) -> list[list[str]]:
    return [[str(key), str(value)] for key, value in mapping.items()]


def _maps(archives: Sequence[Archive], names: Sequence[str]) -> list[dict[str, Any]]:
    """One map of all archives where their encodings are of one network, else one for each."""
    kinds = {(a.encodings.shape[1], tuple(sorted(a.checksums.items()))) for a in archives}
    if len(kinds) == 1:
        return [_map("all", archives, range(len(archives)))]
    return [_map(name, [a], [i]) for i, (a, name) in enumerate(zip(archives, names, strict=True))]


def _map(name: str, archives: Sequence[Archive], numbers: Iterable[int]) -> dict[str, Any]:
    places, explained = ordering.principal_map(np.concatenate([a.encodings[:] for a in archives]))
    extent = np.abs(places).max(initial=0) or 1.0
    members = [[k, i] for k, a in zip(numbers, archives, strict=True) for i in range(len(a))]
    return {
        "name": name,
        "members": members,
        "places": _short(places / extent, 3),
        "explained": _short(explained),
    }


def _short(values: ArrayLike, digits: int = 6) -> list[Any]:
    """Nested lists of numbers with as many digits as a page can show."""
    return [
        _short(v, digits) if np.ndim(v) else float(f"{v:.{digits}g}") for v in np.asarray(values)
    ]
