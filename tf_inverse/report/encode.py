"""Images of an archive as PNG and JPEG bytes and as data addresses."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tf_inverse.tensors import Array

EXACT = 64
"""Images up to this side are shown as they are; larger ones as JPEG with a thumbnail beside."""

THUMBNAIL = 96

Pictures: TypeAlias = "Callable[[Array], tuple[list[str] | list[int], list[str] | None]]"
"""What makes of images [n, H, W, C] how a page shows each: see `for_page` and `Sprite`."""

LARGEST, QUALITY = 128, 75
"""Longest side of an image on a site, and WebP's quality: a loss that is hard to see."""


def picture(image: ArrayLike) -> Image.Image:
    """One archived image, uint8 [H, W, 1 or 3], as a PIL image in RGB."""
    image = np.asarray(image)
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert("RGB")


def png(image: ArrayLike, texts: Iterable[tuple[str, str]] = ()) -> bytes:
    """PNG file contents of one archived image.

    Args:
        image: uint8 [H, W, 1 or 3].
        texts: (key, text) pairs stored in the file's metadata.

    Returns:
        bytes.
    """
    metadata = PngInfo()
    for key, text in texts:
        metadata.add_itxt(key, text)
    return _bytes(picture(image), "PNG", optimize=True, pnginfo=metadata)


def data_address(contents: bytes) -> str:
    """The contents of a PNG, JPEG or WebP file as a data: address for a page."""
    kind = "png" if contents.startswith(b"\x89PNG") else "jpeg"
    kind = "webp" if contents.startswith(b"RIFF") else kind
    return f"data:image/{kind};base64,{base64.b64encode(contents).decode('ascii')}"


def for_page(images: Array) -> tuple[list[str], list[str] | None]:
    """What a page shows of each image.

    Args:
        images: uint8 [n, H, W, C].

    Returns:
        (thumbnails, larges): two lists of data addresses; larges is None where the thumbnails are
        the images themselves, as PNG without loss.
    """
    if max(images.shape[1:3]) <= EXACT:
        return [data_address(png(image)) for image in images], None
    pictures = [picture(image) for image in images]
    thumbnails = [data_address(_bytes(_thumbnail(p), "JPEG", quality=80)) for p in pictures]
    return thumbnails, [data_address(_bytes(p, "JPEG", quality=88)) for p in pictures]


def mosaic(images: Array) -> bytes:
    """WebP file contents of up to four images side by side, two by two.

    Args:
        images: uint8 [n, H, W, C], n at least 1; two and three are shown as the first one alone.
    """
    tiles = [_thumbnail(picture(image), LARGEST // 2) for image in images[:4]]
    if len(tiles) < 4:
        return _webp(_thumbnail(picture(images[0]), LARGEST))
    width, height = tiles[0].size
    whole = Image.new("RGB", (2 * width, 2 * height))
    for i, tile in enumerate(tiles):
        whole.paste(tile, (i % 2 * width, i // 2 * height))
    return _webp(whole)


class Sprite:
    """All images of a page in one picture, which takes half the bytes of so many small ones.

    It is called as `for_page` is, and tells the places of the images in that picture, numbered from
    left to right and from top to bottom.
    """

    def __init__(self) -> None:
        self._tiles: list[Image.Image] = []

    def __call__(self, images: Array) -> tuple[list[int], None]:
        """The places of some more images, uint8 [n, H, W, C], and None."""
        first = len(self._tiles)
        for image in images:
            tile = _thumbnail(picture(image), LARGEST)
            size = self._tiles[0].size if self._tiles else tile.size
            self._tiles.append(tile if tile.size == size else tile.resize(size))
        return list(range(first, len(self._tiles))), None

    @property
    def layout(self) -> dict[str, int]:
        """How many columns and rows, and the width and height of an image."""
        columns = math.ceil(math.sqrt(len(self._tiles)))
        width, height = self._tiles[0].size
        rows = -(-len(self._tiles) // columns)
        return {"columns": columns, "rows": rows, "width": width, "height": height}

    def contents(self) -> bytes:
        """The WebP file's contents."""
        columns, rows, width, height = self.layout.values()
        whole = Image.new("RGB", (columns * width, rows * height))
        for i, tile in enumerate(self._tiles):
            whole.paste(tile, (i % columns * width, i // columns * height))
        return _webp(whole)


def _thumbnail(large: Image.Image, side: int = THUMBNAIL) -> Image.Image:
    small = large.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def _webp(image: Image.Image) -> bytes:
    return _bytes(image, "WEBP", quality=QUALITY, method=6)


def _bytes(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
