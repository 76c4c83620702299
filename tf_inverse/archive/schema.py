"""What an archive holds: the columns, the header and the limits, schema version 1.

A finished archive is one HDF5 file. Axis 0 of every column is the sample. A run in progress is a
folder of shards, small files with the same columns (run_folder.py). Nothing here opens a file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

FORMAT = "tf_inverse samples"
SHARD_FORMAT = "tf_inverse shard"
VERSION = 1

MAX_CHUNK = 16 << 20  # bytes of one chunk, unpacked: bounds what a reader allocates at a time
MAX_TEXT = (
    60_000  # bytes of one JSON attribute: HDF5 keeps attributes below 64 KiB in the object's header
)
MAX_ROWS = 10**8
MAX_SIDE, MAX_WIDTH = 2048, 1 << 22  # pixels of an image's side; numbers in a row of other columns
CHANNELS = (1, 3)
MAX_STATE = 256  # arrays in the state
STATE_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
THUMBNAIL = 32  # pixels, the longer side


class Samples(NamedTuple):
    """A batch of samples, NumPy arrays with the sample on axis 0.

    Attributes:
        images: uint8 [n, H, W, C], RGB, the images whose activations count.
        codes: float32 [n, d].
        encodings: float32 [n, dE].
        activations: float32 [n, p], one column a target.
        steps: int64 [n], gradient step of the run at which the sample was emitted.
        chain: int32 [n], row of the pool, or seed, that it came from.
        from_start: float32 [n], how far each code is from the one that its search began at; None
            where that is unknown. Root mean square over entries, in standard deviations of codes.
        from_bank: float32 [n], likewise from the nearest encoding of the network's bank.
    """

    images: np.ndarray
    codes: np.ndarray
    encodings: np.ndarray
    activations: np.ndarray
    steps: np.ndarray
    chain: np.ndarray
    from_start: np.ndarray | None = None
    from_bank: np.ndarray | None = None

    def rows(self, which: Any) -> Samples:
        """Those samples that an index, a slice, a list or a mask of rows chooses."""
        chosen = (None if array is None else array[which] for array in self)
        return Samples._make(chosen)

    @classmethod
    def joined(cls, parts: Iterable[Samples]) -> Samples:
        """Batches after each other; what one of them does not know is unknown."""
        columns = zip(*parts, strict=True)
        return cls._make(None if any(a is None for a in c) else np.concatenate(c) for c in columns)


class Column(NamedTuple):
    """One dataset: its name, symbol in the paper, type, number of axes, units and meaning."""

    name: str
    symbol: str
    dtype: str
    rank: int
    units: str
    description: str


COLUMNS = {
    column.name: column
    for column in (
        Column("images", "x", "|u1", 4, "RGB level, 0..255", "the images, as they were scored"),
        Column(
            "codes", "c", "<f4", 2, "units of the generator's code", "codes: images are G(codes)"
        ),
        Column(
            "encodings",
            "e",
            "<f4",
            2,
            "activation",
            "encodings E(images), whose distances are the diversity",
        ),
        Column(
            "activations", "z", "<f4", 2, "activation", "activations f(images), a column a target"
        ),
        Column(
            "steps",
            "r",
            "<i8",
            1,
            "gradient steps",
            "step of the run at which the sample was emitted",
        ),
        Column(
            "chain", "k", "<i4", 1, "row", "row of the pool, or seed, that the sample came from"
        ),
        Column(
            "from_start",
            "|c - c_0|",
            "<f4",
            1,
            "standard deviations of codes",
            "distance of the code from the one its search began at, root mean square over entries",
        ),
        Column(
            "from_bank",
            "|c - b|",
            "<f4",
            1,
            "standard deviations of codes",
            "distance of the code from the nearest of the bank, root mean square over entries",
        ),
        Column(
            "thumbnails",
            "x",
            "|u1",
            4,
            "RGB level, 0..255",
            "small images, where images are not stored",
        ),
    )
}
# What an archive may lack: it was written by an earlier version, or nobody knew.
OPTIONAL = ("from_start", "from_bank")
NATURAL = {
    column.name: column
    for column in (
        Column(
            "activations",
            "z",
            "<f4",
            2,
            "activation",
            "activations of natural images, a column a target",
        ),
        Column(
            "encodings", "e", "<f4", 2, "activation", "encodings of natural images in the range"
        ),
    )
}
DIRECTION = Column(
    "directions", "d", "<f4", 1, "weight", "weights of a layer's numbers, whose sum is z"
)
# The unit of a target that is a direction: readers that know no directions refuse it.
DIRECTED = -1
PLACE = re.compile(r"0|[1-9]\d{0,2}")
MAX_TARGETS = 512
MAX_DIRECTIONS = 1 << 24  # numbers of all directions of an archive

# Attributes of the HDF5 Image and Palette Specification 1.2, by which viewers such as H5Web know
# colour: pixels are [H, W, RGB] from the upper left corner. The columns below have an axis more
# than the specification has, the sample's, for which viewers offer a slider.
IMAGE_CONVENTION = {
    "CLASS": "IMAGE",
    "IMAGE_VERSION": "1.2",
    "IMAGE_SUBCLASS": "IMAGE_TRUECOLOR",
    "INTERLACE_MODE": "INTERLACE_PIXEL",
    "DISPLAY_ORIGIN": "UL",
}
IMAGES = ("images", "thumbnails")


def size_of(shape: Iterable[int], dtype: Any) -> int:
    """Bytes of an array; exact also for the sides that a forged file may declare."""
    return math.prod(int(side) for side in shape) * np.dtype(dtype).itemsize


def fits(column: Column, shape: tuple[int, ...]) -> bool:
    """Whether an array of a column has sides that an archive may have: to be written, and read."""
    image = column.rank == 4
    bounded = all(0 < side <= (MAX_SIDE if image else MAX_WIDTH) for side in shape[1:])
    return bounded and shape[0] <= MAX_ROWS and (not image or shape[3] in CHANNELS)


def rows_per_chunk(name: str, row_bytes: int, n: int) -> int:
    """Rows in one chunk: one image, or about 64 KiB of anything else."""
    if name == "images":
        return 1
    return max(1, min(n, (1 << 16) // max(row_bytes, 1)))
