"""A site of many archives: static pages that are opened from disk and ask no network for anything.

    FOLDER/site/index.html              every unit, to be sorted, filtered and searched
    FOLDER/site/unit/fc8/8.html         a page a unit
    FOLDER/site/unit/fc8/8.webp         all images of that page in one picture
    FOLDER/site/unit/fc8/8.small.webp   its picture on the first page
    FOLDER/site/units.js                what all pages know of every unit

Pages share a style and scripts. The site is made of the archives alone, again and again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tf_inverse.archive import atomic_folder, json_file
from tf_inverse.errors import InverseSetError, RefusedInput, UsageError
from tf_inverse.neuron import quoted
from tf_inverse.report import figure_table, html
from tf_inverse.report.site import card, catalogue, likeness, unit_page
from tf_inverse.tensors import StrPath

if TYPE_CHECKING:
    from tf_inverse.archive import Archive
    from tf_inverse.report.beside import Nature
    from tf_inverse.report.site.catalogue import Catalogue, Unit

__all__ = ["Written", "remove", "write"]

FORMAT, ABOUT, MOST_ABOUT = "tf_inverse site", "site.json", 1 << 16
STYLE, LIST = "site.css", "units.js"
SCRIPTS = {
    "unit.js": unit_page.SCRIPTS,
    "index.js": ("elements", "grid", "theme", "unit_tile", "index"),
}


Natures = Callable[[Iterable["Archive | None"]], Iterator["Nature | None"]]


@dataclasses.dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        index: The first page.
        units: Units that are shown.
        pages: Units with a page of their own.
        size: Bytes of the whole site.
        left_out: A line for each file that is no archive, or a damaged one.
    """

    index: pathlib.Path
    units: int
    pages: int
    size: int
    left_out: list[str]


def write(
    folder: StrPath,
    natures: Natures | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Written:
    """Writes the site of an atlas, or of any folder of archives, into FOLDER/site.

    A site that is there is replaced, whole or not at all. A unit whose archive is damaged is shown
    without its sample and told of.

    Args:
        folder: Of the archives, with or without atlas.json.
        natures: What yields the natural images of the ranges of one archive after another; by
            default they are those that the file beside each holds.
        progress: Called with the number of units done, and of all.

    Raises:
        UsageError: There is nothing to show.
        RefusedInput: atlas.json is no index of an atlas.
        FileExistsError: FOLDER/site is something else, or another process writes it.
        archive.writer.StorageError: The disk is full or read-only; what was there stays.
        FileNotFoundError: There is no such folder.
    """
    folder = pathlib.Path(folder)
    if not os.path.lexists(folder):
        raise FileNotFoundError(f"{folder} does not exist")
    found = catalogue.of(folder)
    if not found.units:
        more = f": {found.left_out[0]}" if found.left_out else ""
        raise UsageError(f"expected archives, A.h5, in {folder}, there are none{more}")
    to = folder / catalogue.FOLDER
    with atomic_folder.folder(to, _ours, overwrite=True) as made:
        left_out = [*found.left_out, *_fill(made, found, natures, progress or (lambda *_: None))]
        pages = sum(1 for _ in made.rglob("unit/*/*.html"))
        size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
    return Written(to / "index.html", len(found.units), pages, size, left_out)


def remove(folder: StrPath) -> None:
    """Removes FOLDER/site, which shows archives that are there no more; what is no site stays."""
    to = pathlib.Path(folder) / catalogue.FOLDER
    with contextlib.suppress(FileExistsError):
        atomic_folder.expect_free(to, _ours, overwrite=True)
        if to.is_dir() and not to.is_symlink():
            shutil.rmtree(to)


def _ours(folder: pathlib.Path) -> list[str] | None:
    """What a site's folder holds; None where it is no site."""
    about = json_file.mine(folder / ABOUT, MOST_ABOUT)
    is_site = about is not None and about.get("format") == FORMAT
    return [ABOUT, "index.html", STYLE, LIST, *SCRIPTS, "unit"] if is_site else None


def _fill(
    made: pathlib.Path,
    found: Catalogue,
    natures: Natures | None,
    progress: Callable[[int, int], None],
) -> list[str]:
    """Writes all files; returns a line for each archive that could not be read."""
    cards: list[dict[str, Any]] = []
    compared: dict[int, likeness.Compared] = {}
    left_out: list[str] = []
    natural = natures(_archives(found.units)) if natures else itertools.repeat(None)
    for i, (unit, place) in enumerate(zip(found.units, _places(found.units), strict=True)):
        cards.append(card.missing(unit))
        main = unit.main
        nature = next(natural) if main is not None else None
        try:
            if main is not None:
                with catalogue.opened(main) as archive:
                    data, sprite, lines = unit_page.data(i, unit, archive, nature)
                    facets = data["archives"][0]["facets"]
                    shown = card.found(unit, main, archive, facets) | {"place": place}
                    picture = card.picture(archive, facets["medoids"])
                    compared[i] = likeness.of(archive, len(found.units))
                data["sprite"]["address"] = f"{pathlib.PurePath(place).name}.webp"
                _put(made / f"{place}.html", _page(data))
                (made / f"{place}.webp").write_bytes(sprite.contents())
                (made / f"{place}.small.webp").write_bytes(picture)
                cards[i] = shown
                left_out += lines
        except InverseSetError as error:
            cards[i] = card.missing(unit, "its archive cannot be read")
            named = isinstance(error, RefusedInput)
            left_out.append(str(error) if named or main is None else f"{main.path}: {error}")
        progress(i + 1, len(found.units))
    for i, near in likeness.nearest(compared).items():
        cards[i]["like"] = [[j, float(f"{unlike:.3g}")] for j, unlike in near]
    _shared(made, found.network, cards)
    return left_out


def _archives(units: list[Unit]) -> Iterator[Archive | None]:
    """The archive of each unit's main range; None for one that cannot be read."""
    for unit in units:
        if unit.main is not None:
            try:
                with catalogue.opened(unit.main) as archive:
                    yield archive
            except RefusedInput:
                yield None


def _page(data: dict[str, Any]) -> str:
    """A page in a folder of the folder `unit`."""
    up = "../../"
    scripts = [up + LIST, up + "unit.js"]
    return html.linked("page.html", up + STYLE, scripts, data["title"], data)


def _shared(made: pathlib.Path, network: str, cards: list[dict[str, Any]]) -> None:
    """The first page, and what it shares with all others."""
    title = f"Atlas of {network}" if network else "Atlas"
    scripts = [LIST, "index.js"]
    first = html.linked("index.html", STYLE, scripts, title, {"title": title})
    _put(made / "index.html", first)
    _put(made / STYLE, html.joined_styles(("style.css", "site.css")))
    shared = {"figures": figure_table.FIGURES, "units": cards}
    lines = [f"const {name} = {html.script_json(value)};\n" for name, value in shared.items()]
    _put(made / LIST, "".join(lines))
    for name, parts in SCRIPTS.items():
        _put(made / name, html.joined_scripts(parts))
    _put(made / ABOUT, json.dumps({"format": FORMAT}) + "\n")


def _put(path: pathlib.Path, contents: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(contents, encoding="utf-8")


def _places(units: list[Unit]) -> list[str]:
    """Where the page of each unit is in the site, without its ending.

    Names of layers come from files and may hold anything: of them letters, digits and a few signs
    are left, and a number is added where that makes two of them one.
    """
    layers: dict[str, str] = {}
    folders: set[str] = set()
    pages: set[str] = set()
    places = []
    for unit in units:
        if unit.layer not in layers:
            layers[unit.layer] = _free(_plain(unit.layer), folders)
        own = unit.name.removeprefix(f"{quoted(unit.layer)}:")
        places.append(_free(f"unit/{layers[unit.layer]}/{_plain(own)}", pages))
    return places


def _plain(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:80].strip("_") or "unit"
    # Windows keeps these for devices: no file or folder there can have such a name.
    return f"{plain}_" if re.fullmatch("(?i)con|prn|aux|nul|(com|lpt)[0-9]", plain) else plain


def _free(name: str, taken: set[str]) -> str:
    """The name, or with a number the first that is not taken, also where case does not count."""
    tries = (name if i == 0 else f"{name}.{i}" for i in itertools.count())
    free = next(one for one in tries if one.lower() not in taken)
    taken.add(free.lower())
    return free
