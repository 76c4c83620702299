"""Tar files as WebDataset and its like stream them: a sample is the files of one name."""

from __future__ import annotations

import io
import json
import pathlib
import tarfile
from collections.abc import Iterator

import numpy as np

from tf_inverse.publish import index
from tf_inverse.publish.table import Table

DATA_FILES: tuple[str, ...] = ("samples-*.tar",)
FILES = (
    "`samples-*.tar`: of each sample a `.png` without loss, a `.json` with its numbers, and "
    "`.code.npy` and `.encoding.npy`, float32; `metadata.jsonl`: the same, "
    "a line a sample.",
)
READ = """\
import glob

import webdataset

files = sorted(glob.glob("FOLDER/samples-*.tar"))
rows = webdataset.WebDataset(files, shardshuffle=False).decode("rgb8")  # "png", "json", "code.npy"
"""


def write(table: Table, folder: pathlib.Path) -> None:
    """Writes samples-00000-of-00001.tar and on; of row 7, 000007.png, .json and two .npy.

    metadata.jsonl holds the lines of all samples again, to choose among them.
    """
    with open(folder / index.METADATA, "w", encoding="utf-8") as lines:
        for name, rows in zip(table.names("tar"), table.parts(), strict=True):
            index.lines(table, rows, [f"{table.key(row)}.png" for row in rows], lines)
            _tar(table, rows, folder / name)


def _tar(table: Table, rows: range, path: pathlib.Path) -> None:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as out:
        for row, record in zip(rows, table.records(rows), strict=True):
            for suffix, data in _files(table, row, record):
                # Every TarInfo is of the year 1970 and of nobody: the same bytes each time.
                entry = tarfile.TarInfo(f"{table.key(row)}.{suffix}")
                entry.size = len(data)
                out.addfile(entry, io.BytesIO(data))


def _files(table: Table, row: int, record: dict) -> Iterator[tuple[str, bytes]]:
    yield "png", table.png(row)
    yield "json", json.dumps(record).encode()
    for name, vectors in table.arrays(range(row, row + 1)).items():
        buffer = io.BytesIO()
        np.save(buffer, vectors[0])
        yield f"{name}.npy", buffer.getvalue()


def described(table: Table) -> tuple[list[dict], dict[str, dict]]:
    """Croissant's sets of files, and where each field of a sample comes from.

    Croissant has no words for the JSON of a sample in a tar file: metadata.jsonl is for it.
    """
    tars = [{"@id": name} for name in table.names("tar")]
    sets = [index.pictures("the images in the tar files, PNG without loss", "*.png", tars)]
    return sets, index.fields(table, inside=True)
