"""metadata.jsonl: a line a sample, beside files that hold a picture each."""

from __future__ import annotations

import json
from typing import IO

from tf_inverse.publish import croissant
from tf_inverse.publish.table import Table

METADATA = "metadata.jsonl"
PICTURES = "pictures"  # @id of their set


def lines(table: Table, rows: range, names: list[str], out: IO[str]) -> None:
    """Writes the scalars of some rows, each with the name of its picture's file first."""
    for name, record in zip(names, table.records(rows), strict=True):
        out.write(json.dumps({"file_name": name} | record) + "\n")


def fields(table: Table, inside: bool = False) -> dict[str, dict]:
    """Where Croissant finds each field of a sample: in the lines, and the image by its name.

    mlcroissant 1.1.1 joins by names without folders alone, for it gives paths as objects, which
    equal no text; and it opens a picture that lies in a tar file by the left side of the join.

    Args:
        table: The table.
        inside: Whether the pictures lie in tar files.
    """
    metadata, files = {"@id": METADATA}, {"@id": PICTURES}
    found: dict[str, dict] = {
        column.name: {"source": {"fileObject": metadata, "extract": {"column": column.name}}}
        for column in table.scalars
    }
    name = {"fileSet": files, "extract": {"fileProperty": "filename"}}
    line = {"fileObject": metadata, "extract": {"column": "file_name"}}
    if inside:
        found["file_name"] = {"source": name, "references": line}
    else:
        last = {"transform": {"regex": r"^(?:.*/)?([^/]*)$"}}
        found["file_name"] = {"source": line | last, "references": name}
    content = {"fileSet": files, "extract": {"fileProperty": "content"}}
    return found | {"image": {"source": content}}


def pictures(meaning: str, includes: str, inside: list[dict] | None = None) -> dict:
    """Croissant's set of the pictures' files."""
    return croissant.file_set(PICTURES, meaning, "image/png", includes, inside)
