"""A plane of two neurons as a picture and as a page: one medoid a cell, over both ranges."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from tf_inverse.report import cells, encode, html, page_data, png, sheet, standing, text

if TYPE_CHECKING:
    from tf_inverse.archive import Archive

TILE, GAP, LEFT, MARGIN, LINE = 76, 4, 84, 20, 15
EMPTY, HATCH = (236, 238, 241), (186, 191, 199)


def title(archive: Archive) -> str:
    """The two neurons and the network."""
    names = " and ".join(text.neuron(target) for target in archive.targets)
    return f"{names} of {archive.network}"


def tally(shown: cells.Cells) -> str:
    """How many cells have samples, and what became of the others."""
    filled = sum(len(rows) > 0 for rows in shown.members)
    line = f"{filled} of {len(shown.members)} cells have samples"
    out = sum(word.startswith(cells.UNREACHABLE) for word in shown.words)
    left = len(shown.members) - filled - out
    line += f"; {out} (hatched) not reached in the steps they were given" if out else ""
    return line + (f"; {left} (grey) still open: the run was stopped" if left else "")


def legend(archive: Archive) -> list[str]:
    """What a cell shows, and what the numbers beside it are."""
    known = any(standing.quantiles(archive, i) is not None for i in range(2))
    lines = ["in each cell the most typical of its samples, the medoid"]
    return lines + (["p99 is the 99th percentile of natural images"] if known else [])


def picture(archive: Archive, summary: dict | None = None) -> bytes:
    """The plane as a PNG file's contents: a medoid a cell, with the ranges along both axes.

    Cells that were tried in vain are hatched; those of a stopped run that are open are plain grey.

    Args:
        archive: Of a plane.
        summary: As of `cells.of`.
    """
    shown = cells.of(archive, summary)
    rows, columns = shown.grid.shape
    images = page_data.shown_images(archive)
    high = max(1, round(TILE * images.shape[1] / images.shape[2]))
    top = MARGIN + 8 * LINE
    left = MARGIN + LEFT
    size = left + columns * (TILE + GAP) + MARGIN, top + rows * (high + GAP) + 5 * LINE + MARGIN
    drawn = Image.new("RGB", (max(size[0], 460), size[1]), sheet.PAPER)
    draw = ImageDraw.Draw(drawn)
    notes = enumerate([tally(shown), *legend(archive)], 2)
    lines = [(0, title(archive), 20, sheet.INK), *((i, note, 13, sheet.FAINT) for i, note in notes)]
    for line, words, height, ink in lines:
        font, room = sheet.typeface(height), drawn.width - 2 * MARGIN
        draw.text((MARGIN, MARGIN + line * LINE), sheet.fitted(words, font, room), ink, font)
    for cell, members in enumerate(shown.members):
        row, column = divmod(cell, columns)
        corner = left + column * (TILE + GAP), top + (rows - 1 - row) * (high + GAP)
        if len(members):
            drawn.paste(sheet.resized(images[int(members[0])], (TILE, high)), corner)
        else:
            hatched = shown.words[cell].startswith(cells.UNREACHABLE)
            drawn.paste(_empty((TILE, high), hatched), corner)
    _axes(draw, archive, shown, (left, top, high))
    buffer = io.BytesIO()
    metadata = PngInfo()
    metadata.add_text("Software", png.OURS)
    drawn.save(buffer, "PNG", optimize=True, pnginfo=metadata)
    return buffer.getvalue()


def _empty(size: tuple[int, int], hatched: bool) -> Image.Image:
    empty = Image.new("RGB", size, EMPTY)
    draw = ImageDraw.Draw(empty)
    for start in range(-size[1], size[0], 9) if hatched else ():
        draw.line((start, size[1], start + size[1], 0), HATCH)
    return empty


def _axes(
    draw: ImageDraw.ImageDraw, archive: Archive, shown: cells.Cells, where: tuple[int, int, int]
) -> None:
    """The edges of the cells in activations and percentiles, and the neurons' names."""
    left, top, high = where
    rows, columns = shown.grid.shape
    font, name = sheet.typeface(11), sheet.typeface(14)
    bottom = top + rows * (high + GAP)
    for i, label in enumerate(cells.axis(archive, 0, shown.grid.across)):
        at = left + i * (TILE + GAP) - GAP / 2
        draw.line((at, bottom, at, bottom + 4), sheet.FAINT)
        for line, part in enumerate(label):
            draw.text((at, bottom + 6 + 12 * line), part, sheet.FAINT, font, anchor="ma")
    for i, label in enumerate(cells.axis(archive, 1, shown.grid.up)):
        at = bottom - i * (high + GAP) - GAP / 2
        draw.line((left - 8, at, left - 4, at), sheet.FAINT)
        draw.text((left - 12, at), "  ".join(label), sheet.FAINT, font, anchor="rm")
    first, second = archive.targets
    middle, width = left + columns * (TILE + GAP) / 2, draw.im.size[0]
    across = _named(first, ", across", name, 2 * min(middle, width - middle) - MARGIN)
    draw.text((middle, bottom + 2.5 * LINE), across, sheet.INK, name, anchor="ma")
    up = _named(second, ", up", name, width - 2 * MARGIN)
    draw.text((MARGIN, top - 2 * LINE), up, sheet.INK, name)


def _named(target: dict, way: str, font: sheet.Font, room: float) -> str:
    """A neuron and which way its ranges go, the neuron cut where there is no room."""
    return sheet.fitted(text.neuron(target), font, room - font.getlength(way)) + way


def page(archive: Archive, summary: dict | None = None) -> str:
    """The plane as one self-contained HTML page: a click on a cell shows its samples.

    Args:
        archive: Of a plane.
        summary: As of `cells.of`.

    Returns:
        Text of the page.
    """
    shown = cells.of(archive, summary)
    order = np.concatenate([*shown.members, np.zeros(0, np.int64)]).astype(int)
    thumbnails, larges = encode.for_page(page_data.shown_images(archive)[order])
    axes = [cells.axis(archive, i, edges) for i, edges in enumerate(shown.grid)]
    data = {
        "title": title(archive),
        "tally": f"{'; '.join([tally(shown), *legend(archive)])}.",
        "neurons": [text.neuron(target) for target in archive.targets],
        "axes": axes,
        "rows": shown.grid.shape[0],
        "columns": shown.grid.shape[1],
        "counts": [len(members) for members in shown.members],
        "words": shown.words,
        "samples": order.tolist(),
        "captions": text.captions(archive.activations[:][order], archive.targets),
        "images": larges or thumbnails,
        "thumbnails": thumbnails if larges else None,
    }
    return html.filled("plane.html", ("plane.css",), ("plane",), data["title"], data)
