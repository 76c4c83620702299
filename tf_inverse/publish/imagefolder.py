"""Pictures in folders with metadata.jsonl beside, as the `datasets` library's imagefolder reads."""

from __future__ import annotations

import pathlib

import numpy as np

from tf_inverse.publish import index
from tf_inverse.publish.table import Table

FOLDER = 1000
"""Pictures in one folder; the hub takes at most 10,000."""

ROWS = 256

# The files of the one split have to be named: the library takes a word such as train, test or val
# anywhere in a path for a split, and leaves out the rest.
DATA_FILES: tuple[str, ...] = (index.METADATA, "data/**")
FILES = (
    "`data/`: the images, PNG without loss; `metadata.jsonl`: a line an image.",
    "`codes.npy`, `encodings.npy`: float32, a row a line of `metadata.jsonl`.",
)
READ = """\
from datasets import load_dataset

rows = load_dataset("FOLDER", split="train")  # rows[0]["image"] is a picture
"""


def write(table: Table, folder: pathlib.Path) -> None:
    """Writes data/000/000000.png and on, metadata.jsonl, codes.npy and encodings.npy.

    A row of the two arrays is the row of that number in metadata.jsonl.
    """
    arrays = {
        column.name: np.lib.format.open_memmap(
            folder / f"{column.name}s.npy", "w+", np.float32, (len(table), column.width or 0)
        )
        for column in table.vectors
    }
    with open(folder / index.METADATA, "w", encoding="utf-8") as lines:
        for start in range(0, len(table), ROWS):
            rows = range(start, min(start + ROWS, len(table)))
            for name, block in table.arrays(rows).items():
                arrays[name][rows.start : rows.stop] = block
            places = [place(table, row) for row in rows]
            index.lines(table, rows, places, lines)
            for row, path in zip(rows, places, strict=True):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(table.png(row))
    for array in arrays.values():
        array.flush()


def place(table: Table, row: int) -> str:
    """Where a row's picture lies in the folder."""
    return f"data/{row // FOLDER:03d}/{table.key(row)}.png"


def described(table: Table) -> tuple[list[dict], dict[str, dict]]:
    """Croissant's sets of files, and where each field of a sample comes from."""
    sets = [index.pictures("the images, PNG without loss", "data/*.png")]
    return sets, index.fields(table)
