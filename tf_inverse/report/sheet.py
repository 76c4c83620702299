"""Contact sheets: many images with their captions as one picture."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tf_inverse.tensors import Array

Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

MOST_LINES = 12
"""Of one heading: what is longer ends in three dots."""

PIXELS, SMALLEST = 5_120_000, 48
"""Of all images of a sheet together, about, and of the width of one: of more than 533 images
each is less than 96 wide. A sheet of 1,000 would be of 13 MB, and no screen shows as much at once.
"""

PAPER, INK, FAINT = (255, 255, 255), (24, 26, 31), (104, 109, 120)


class Row(NamedTuple):
    """One labelled group of a sheet."""

    heading: str
    images: np.ndarray
    captions: Sequence[str]


class _Layout(NamedTuple):
    """Every measure of a sheet in pixels."""

    columns: int
    tile: tuple[int, int]
    gap: int
    caption: int
    margin: int
    width: int


def contact_sheet(
    images: Array,
    captions: Sequence[str],
    title: Sequence[str] = (),
    columns: int | None = None,
    tile: int | None = None,
) -> Image.Image:
    """Draws images in a grid, each with a caption under it.

    Args:
        images: uint8 [n, H, W, C], C 1 or 3.
        captions: n texts, for instance activations.
        title: Lines over the grid; the first is the heading.
        columns: Images a row; chosen for a landscape sheet by default.
        tile: Width of an image on the sheet in pixels; by default small images are enlarged to 96,
            large ones reduced to 160, and very many to less: see `PIXELS`.

    Returns:
        PIL.Image.Image in RGB.
    """
    return row_sheet([Row("", images, captions)], title, columns, tile)


def row_sheet(
    rows: Iterable[Row],
    title: Sequence[str] = (),
    columns: int | None = None,
    tile: int | None = None,
) -> Image.Image:
    """Draws groups of images under each other, each with its heading.

    Args:
        rows: Row tuples with at least one image each.
        title: Lines over the groups; the first is the heading.
        columns: Images a line.
        tile: Width of an image on the sheet in pixels.

    Returns:
        PIL.Image.Image in RGB.

    Raises:
        ValueError: No images, or not as many captions as images.
    """
    rows = [Row(row.heading, np.asarray(row.images), list(row.captions)) for row in rows]
    for row in rows:
        _check(row)
    if not rows:
        raise ValueError("expected at least one row of images, got none")
    layout = _lay_out(rows, columns, tile)
    lines = _wrap_title(title, layout)
    height = layout.margin * 2 + sum(size * 14 // 10 for _, size in lines)
    height += sum(_height(row, layout) for row in rows) - layout.gap
    sheet = Image.new("RGB", (layout.width, height + (layout.gap if lines else 0)), PAPER)
    draw = ImageDraw.Draw(sheet)
    top = _draw_title(draw, lines, layout)
    for row in rows:
        top = _draw_row(sheet, draw, row, top, layout)
    return sheet


def _check(row: Row) -> None:
    if row.images.dtype != np.uint8 or row.images.ndim != 4 or row.images.shape[3] not in (1, 3):
        raise ValueError(
            "expected images as uint8 [n, H, W, 1 or 3], "
            f"got {row.images.dtype} {list(row.images.shape)}"
        )
    if not len(row.images) or len(row.captions) != len(row.images):
        raise ValueError(
            f"expected one caption for each image and at least one image, "
            f"got {len(row.captions)} captions for {len(row.images)} images"
        )


def _lay_out(rows: Sequence[Row], columns: int | None, tile: int | None) -> _Layout:
    """Chooses the measures from the largest image and the longest group."""
    high = max(row.images.shape[1] for row in rows)
    wide = max(row.images.shape[2] for row in rows)
    if tile is None:
        tile = 96 if wide <= 96 else min(wide, 160)
        count = sum(len(row.images) for row in rows)
        tile = max(SMALLEST, min(tile, int((PIXELS * wide / high / count) ** 0.5)))
    most = max(len(row.images) for row in rows)
    # Columns that no row fills would be white paper, as wide as anybody asks.
    columns = min(int(columns or _landscape(most)), most)
    gap, margin = max(6, tile // 12), max(16, tile // 4)
    width = max(2 * margin + columns * (tile + gap) - gap, 420)
    size = (tile, max(1, round(tile * high / wide)))
    return _Layout(columns, size, gap, max(11, min(15, tile // 7)), margin, width)


def _landscape(n: int) -> int:
    """Columns of a grid about 1.5 times as wide as high, with few empty places in its last line.

    >>> _landscape(200)
    20
    """
    if n <= 8:
        return n
    ideal = (1.5 * n) ** 0.5
    candidates = range(max(1, round(ideal * 0.85)), round(ideal * 1.2) + 1)
    return min(candidates, key=lambda columns: (-n % columns, abs(columns - ideal)))


def _height(row: Row, layout: _Layout) -> int:
    lines = -(-len(row.images) // layout.columns)
    return _heading(row, layout)[1] + lines * _pitch(layout)


def _heading(row: Row, layout: _Layout) -> tuple[list[str], int]:
    """The lines of a group's heading, and how high it stands."""
    if not row.heading:
        return [], 0
    lines = _wrap(row.heading, typeface(layout.caption * 5 // 4), layout)
    return lines, 3 * layout.caption + (len(lines) - 1) * _line(layout)


def _line(layout: _Layout) -> int:
    """From one line of a heading to the next."""
    return layout.caption * 7 // 4


def _pitch(layout: _Layout) -> int:
    """From the top of one line of images to the next."""
    return layout.tile[1] + layout.caption * 14 // 10 + layout.gap


def _wrap_title(title: Sequence[str], layout: _Layout) -> list[tuple[str, int]]:
    """(line, font size) pairs that fit the sheet's width."""
    lines = []
    for number, text in enumerate(title):
        size = 24 if number == 0 else 15
        lines += [(line, size) for line in _wrap(text, typeface(size), layout)]
    return lines


def _wrap(text: str, font: Font, layout: _Layout) -> list[str]:
    room, lines = layout.width - 2 * layout.margin, [""]
    for word in str(text).split():
        longer = f"{lines[-1]} {word}".strip()
        # No letter is narrower than a pixel: what has more letters than the room has pixels is not
        # measured, for labels out of files may be of any length.
        if lines[-1] and (len(longer) > room or font.getlength(longer) > room):
            if len(lines) == MOST_LINES:
                lines[-1] += " ..."
                break
            lines.append(word)
        else:
            lines[-1] = longer
    return [fitted(line, font, room) for line in lines]


def fitted(text: str, font: Font, room: float) -> str:
    """The text, cut with three dots where it is wider than the room."""
    if len(text) <= room and font.getlength(text) <= room:
        return text
    fits = bisect.bisect_right(
        range(int(room)), room, key=lambda letters: font.getlength(text[: letters + 1] + "...")
    )
    return text[:fits] + "..."


def _draw_title(
    draw: ImageDraw.ImageDraw, title: Sequence[tuple[str, int]], layout: _Layout
) -> int:
    top = layout.margin
    for text, size in title:
        draw.text((layout.margin, top), text, INK if size > 15 else FAINT, typeface(size))
        top += size * 14 // 10
    return top + (layout.gap if title else 0)


def _draw_row(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, row: Row, top: int, layout: _Layout
) -> int:
    """Draws one group from `top` down and returns where the next begins."""
    bottom = top + _height(row, layout)
    lines, high = _heading(row, layout)
    for i, text in enumerate(lines):
        place = (layout.margin, top + layout.caption + i * _line(layout))
        draw.text(place, text, INK, typeface(layout.caption * 5 // 4))
    top += high
    font = typeface(layout.caption)
    for i, (image, caption) in enumerate(zip(row.images, row.captions, strict=True)):
        line, column = divmod(i, layout.columns)
        x = layout.margin + column * (layout.tile[0] + layout.gap)
        y = top + line * _pitch(layout)
        sheet.paste(resized(image, layout.tile), (x, y))
        text = fitted(caption, font, layout.tile[0])
        centre, below = x + layout.tile[0] / 2, y + layout.tile[1] + layout.caption * 3 // 10
        draw.text((centre, below), text, FAINT, font, anchor="ma")
    return bottom


def resized(image: Array, size: tuple[int, int]) -> Image.Image:
    """One image, uint8 [H, W, 1 or 3], as a picture in RGB of this width and height."""
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    return picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def typeface(size: float) -> Font:
    """Pillow's own font, so that a sheet looks the same on every machine."""
    return ImageFont.load_default(size)
