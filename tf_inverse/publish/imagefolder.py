"""Pictures in folders with metadata.jsonl beside, as the `datasets` library's imagefolder reads."""

from __future__ import annotations

import contextlib
import pathlib

import numpy as np

from tf_inverse import npy
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
    with contextlib.ExitStack() as stack:
        lines = stack.enter_context(open(folder / index.METADATA, "w", encoding="utf-8"))
        arrays = {}
        for column in table.vectors:
            path, shape = folder / f"{column.name}s.npy", (len(table), column.width or 0)
            arrays[column.name] = stack.enter_context(
                contextlib.closing(npy.Rows(path, np.float32, shape))
            )
        for start in range(0, len(table), ROWS):
            rows = range(start, min(start + ROWS, len(table)))
            for name, block in table.arrays(rows).items():
                arrays[name].put(rows.start, block)
            places = [place(table, row) for row in rows]
            index.lines(table, rows, places, lines)
            for row, name in zip(rows, places, strict=True):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(table.png(row))


def place(table: Table, row: int) -> str:
    """Where a row's picture lies in the folder."""
    return f"data/{row // FOLDER:03d}/{table.key(row)}.png"


def described(table: Table) -> tuple[list[dict], dict[str, dict]]:
    """Croissant's sets of files, and where each field of a sample comes from."""
    sets = [index.pictures("the images, PNG without loss", "data/*.png")]
    return sets, index.fields(table)
