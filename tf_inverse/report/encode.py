"""Images of an archive as PNG and JPEG bytes and as data addresses."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

EXACT = 64
"""Images up to this side are shown as they are; larger ones as JPEG with a thumbnail beside."""

THUMBNAIL = 96


def picture(image):
    """One archived image, uint8 [H, W, 1 or 3], as a PIL image in RGB."""
    image = np.asarray(image)
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert("RGB")


def png(image, texts=()):
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


def data_address(contents):
    """The contents of a PNG or JPEG file as a data: address for a page."""
    kind = "png" if contents.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(contents).decode('ascii')}"


def for_page(images):
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


def _thumbnail(large):
    small = large.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    return small


def _bytes(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
