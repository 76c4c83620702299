"""Images that are read from arrays in parts: a batch is in memory, never the whole set."""

from __future__ import annotations

import contextlib
import io
import pathlib
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib import format
from PIL import Image

from tf_inverse.errors import InverseSetError, RefusedInput, UsageError, reason
from tf_inverse.networks import picture
from tf_inverse.tensors import Array


class Pictures:
    """Images that are read from their files when they are asked for, by their numbers.

    Args:
        read: Numbers -> images of those numbers, [n, H, W, C] uint8.
        shape: N, H, W and C.
        labels: [N] int64, or None.

    Attributes:
        shape: As given.
        labels: As given.
    """

    def __init__(
        self,
        read: Callable[[Array], Array],
        shape: tuple[int, int, int, int],
        labels: Array | None = None,
    ) -> None:
        self.shape, self.labels, self._read = shape, labels, read

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, numbers: slice | Sequence[int] | Array) -> Array:
        """Images of numbers, or of a slice: [n, H, W, C] uint8."""
        chosen = np.arange(len(self))[numbers]
        return self._read(chosen) if len(chosen) else np.zeros((0, *self.shape[1:]), np.uint8)


@contextlib.contextmanager
def readable(path: pathlib.Path) -> Iterator[None]:
    """Inside, whatever goes wrong with a file is refused in one line."""
    try:
        yield
    except (InverseSetError, FileNotFoundError):
        raise
    except Exception as error:  # readers raise almost anything for a damaged file
        raise RefusedInput(f"cannot read images from {path} ({reason(error)})") from error


def named(arrays: Mapping[str, Any], prefix: str, name: str) -> Any:
    """The array of a name, that of the split before one of the whole file; None without both."""
    key = prefix + name if prefix + name in arrays else name
    return arrays[key] if key in arrays else None


def of_arrays(
    arrays: Mapping[str, Any],
    prefix: str,
    size: tuple[int, int],
    channels: int,
    path: pathlib.Path,
) -> Pictures:
    """The images of an open .npz or .h5 file, as `image_files.opened` gives them.

    Args:
        arrays: The file, or a group of it; open for as long as images are read.
        prefix: What stands before the names of arrays.
        size: Height and width to resize to, in pixels.
        channels: 3 for RGB, 1 for grey.
        path: Of the file.

    Raises:
        UsageError: Arrays of another form.
        RefusedInput: The file cannot be read, or its images are too large.
    """
    labels = named(arrays, prefix, "labels")
    labels = None if labels is None else np.asarray(labels, np.int64)
    images = _images(arrays, prefix, path)
    if images is not None:
        count = len(images)

        def read(numbers: Array) -> Array:
            # HDF5 reads rows in rising order alone, each of them once.
            order, back = np.unique(numbers, return_inverse=True)
            with readable(path):
                found = images[slice(None) if len(order) == count else order]
            found = _of_one_size(found, size, channels)
            return found if np.array_equal(back, np.arange(len(back))) else found[back]

    else:
        data, offsets = (named(arrays, prefix, name) for name in ("jpeg_bytes", "offsets"))
        if data is None or offsets is None:
            raise UsageError(f"expected images, or jpeg_bytes and offsets, in {path.name}")
        offsets = offsets[()]
        count = len(offsets) - 1

        def read(numbers: Array) -> Array:
            found = np.empty((len(numbers), *size, channels), np.uint8)
            for image, i in zip(found, numbers, strict=True):
                with readable(path):
                    part = io.BytesIO(data[offsets[i] : offsets[i + 1]].tobytes())
                image[:] = picture.read(part, size, channels, f"picture {i} of {path}")
            return found

    if labels is not None and labels.shape != (count,):
        raise UsageError(
            f"expected a label for each of {count} images in {path.name}, got labels of "
            f"shape {list(labels.shape)}"
        )
    return Pictures(read, (count, *size, channels), labels)


def _images(arrays: Mapping[str, Any], prefix: str, path: pathlib.Path) -> Any:
    """The images of a file, of which a slice reads no more than it has; None where it has none."""
    if not isinstance(arrays, np.lib.npyio.NpzFile):
        images = named(arrays, prefix, "images")
        if images is not None:
            _expect_images(getattr(images, "shape", ()), getattr(images, "dtype", "a group"), path)
        return images
    name = next((n for n in (prefix + "images", "images") if n in arrays), None)
    return None if name is None else _unpacked(name, path)


def _unpacked(name: str, path: pathlib.Path) -> Array:
    """An array of an .npz file, unpacked to a file without a name, which is gone once unused."""
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as packed:
        header = {(1, 0): format.read_array_header_1_0, (2, 0): format.read_array_header_2_0}
        shape, fortran, dtype = header[format.read_magic(packed)](packed)
        _expect_images(shape, dtype, path)
        if not shape[0]:
            return np.zeros(shape, np.uint8)
        with tempfile.TemporaryFile() as file:
            shutil.copyfileobj(packed, file)
            file.flush()
            return np.memmap(file, np.uint8, "r", shape=shape, order="F" if fortran else "C")


def _expect_images(shape: tuple[int, ...], dtype: Any, path: pathlib.Path) -> None:
    """Refuses arrays of another form, before any of a file's numbers are read into memory."""
    if len(shape) != 4 or dtype != np.uint8 or shape[-1] not in (1, 3, 4) or 0 in shape[1:]:
        raise UsageError(
            f"expected images [N, H, W, 1, 3 or 4] uint8 in {path.name}, got {dtype} {list(shape)}"
        )
    if shape[1] * shape[2] > picture.MAX_PIXELS:
        raise RefusedInput(
            f"expected images of at most {picture.MAX_PIXELS} pixels in {path.name}, got "
            f"{shape[1]} x {shape[2]}"
        )


def _of_one_size(images: Array, size: tuple[int, int], channels: int) -> Array:
    if images.shape[1:] == (*size, channels):
        return images
    grey = images.shape[-1] == 1
    pictures = (Image.fromarray(x[..., 0] if grey else x) for x in images)
    return np.stack([picture.fitted(one, size, channels) for one in pictures])
