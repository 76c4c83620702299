"""One picture file -> one uint8 array: what a viewer would show, or a refusal that says why.

Pictures come from anywhere, so that only plain formats are opened (Pillow would run Ghostscript for
others), and none before its size is known to be bearable.
"""

from __future__ import annotations

import os
import stat
import warnings
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from tf_inverse.errors import RefusedInput, reason
from tf_inverse.tensors import StrPath

FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}
SUFFIXES = tuple(suffix for endings in FORMATS.values() for suffix in endings)
MAX_PIXELS = 64 * 1024 * 1024
SIXTEEN = 65535 / 255
"""Levels of 16 bits for one of 8."""


def read(
    file: StrPath | BinaryIO, size: tuple[int, int] | None, channels: int = 3, name: object = None
) -> np.ndarray:
    """A picture as it is seen: upright as its EXIF says, on white where it is transparent.

    Of an animation the first frame is taken. Pictures of 16 bits are scaled from 0..65535, those of
    fractions from 0..1; whole numbers of 32 bits tell nobody their range, and are refused.

    Args:
        file: Path or open file.
        size: Height and width to resize to (antialiased), in pixels; None for its own.
        channels: 3 for RGB, 1 for grey.
        name: What to call it in a refusal, where the file has no name.

    Returns:
        [H, W, channels] uint8.

    Raises:
        RefusedInput: It is damaged, of another format, too large, or of an unknown scale.
    """
    name = name or file
    try:
        if isinstance(file, str | os.PathLike) and not stat.S_ISREG(os.stat(file).st_mode):
            raise ValueError("not a file")  # a pipe would wait for somebody who writes into it
        with warnings.catch_warnings():
            # Pillow warns of large pictures; here they are refused, in words of our own.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file, formats=tuple(FORMATS)) as image:
                _expect_bearable(image, name)
                return fitted(_eight_bits(ImageOps.exif_transpose(image), name), size, channels)
    except RefusedInput:
        raise
    except Image.DecompressionBombError as error:
        raise RefusedInput(f"{name}: too large a picture ({reason(error)})") from error
    except Exception as error:  # Pillow raises almost anything for a damaged file
        raise RefusedInput(
            f"{name}: no picture that can be read ({reason(error)}); mend it or take it away"
        ) from error


def fitted(image: Image.Image, size: tuple[int, int] | None, channels: int) -> np.ndarray:
    """A picture of 8 bits as [H, W, channels] uint8; size and channels as of `read`."""
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    image = image.convert("RGB" if channels == 3 else "L")
    if size is not None and image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return np.asarray(image).reshape(image.height, image.width, channels)


def _expect_bearable(image: Image.Image, name: object) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise RefusedInput(
            f"{name}: expected a picture of at most {MAX_PIXELS} pixels, "
            f"got {image.width}x{image.height}"
        )


def _eight_bits(image: Image.Image, name: object) -> Image.Image:
    """The picture with 8 bits a channel."""
    if image.mode.startswith("I;16"):
        levels = np.asarray(image, np.float64) / SIXTEEN
    elif image.mode == "F":
        levels = np.asarray(image, np.float64)
        if not (levels.min() >= 0.0 and levels.max() <= 1.0):
            raise RefusedInput(
                f"{name}: expected fractions from 0 to 1 in a picture of floating-point numbers, "
                f"got {levels.min():g} to {levels.max():g}; save it with 8 bits a channel"
            )
        levels = 255.0 * levels
    elif image.mode == "I":
        raise RefusedInput(
            f"{name}: holds whole numbers of 32 bits, which tell no scale; save it with 8 or 16 "
            f"bits a channel"
        )
    else:
        return image
    return Image.fromarray(np.rint(levels).astype(np.uint8))
