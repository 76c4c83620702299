#!/usr/bin/env bash
# mlcroissant joins no table to a local FileSet by `fileProperty: fullpath`: every row comes, with None
# in place of the file, and without a warning. The very paths that the set gives for `fullpath` are
# the ones in the table. The same data set joined by `filename` is read in full.
#
# Why: the join is a merge of pandas by equality, and the files' side holds pathlib paths where the
# files are read for their content (operations/read.py), the table's side text. A path equals no
# text. `filename` is text on both sides. `filepath` is a path as well.
# What helps: join by `filename`, and take the folders off the table's names by a transform, as
# {"transform": {"regex": "^(?:.*/)?([^/]*)$"}}. File names must then differ between folders.
#
# Seen with mlcroissant 1.1.1, pandas 3.1.1, Pillow 13.0.0 on Python 3.11:
#   the set's own fullpath: ['data/a.png', 'data/b.png']
#   joined by fullpath: ['data/a.png', 'data/b.png'] with images: 0 of 2
#   joined by filename: ['a.png', 'b.png'] with images: 2 of 2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q mlcroissant==1.1.1 pandas==3.1.1 pillow==13.0.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import datetime
import hashlib
import importlib.metadata
import json
import pathlib

import mlcroissant as mlc
from PIL import Image

pathlib.Path("data").mkdir()
for name in "ab":
    Image.new("RGB", (2, 2)).save(f"data/{name}.png")


def field(name, kind, source, **others):
    return mlc.Field(id=f"r/{name}", name=name, data_types=[kind], source=source, **others)


def of_files(what):
    return mlc.Source(file_set="images", extract=mlc.Extract(file_property=what))


def read(names, fields):
    """The rows, where table.csv has a column `file` of these names."""
    table = pathlib.Path("table.csv")
    table.write_text("\n".join(["file,x", *(f"{name},0" for name in names)]) + "\n")
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    metadata = mlc.Metadata(
        name="pictures",
        description="Two pictures.",
        url="https://example.org",
        version="1.0.0",
        license=["https://spdx.org/licenses/MIT"],
        cite_as="Pictures",
        date_published=datetime.datetime(2026, 1, 1),
        distribution=[
            mlc.FileObject(
                id="table", content_url="table.csv", encoding_formats=["text/csv"], sha256=digest
            ),
            mlc.FileSet(id="images", includes=["data/*.png"], encoding_formats=["image/png"]),
        ],
        record_sets=[mlc.RecordSet(id="r", name="r", fields=fields)],
    )
    pathlib.Path("croissant.json").write_text(json.dumps(metadata.to_json(), default=str))
    return list(mlc.Dataset("croissant.json").records("r"))


def joined(by, names):
    """The names and the number of images of the table joined to the files."""
    column = mlc.Source(file_object="table", extract=mlc.Extract(column="file"))
    rows = read(names, [
        field("file", mlc.DataType.TEXT, column, references=of_files(by)),
        field("image", mlc.DataType.IMAGE_OBJECT, of_files("content")),
    ])
    found = [row["r/file"].decode() for row in rows]
    images = sum(row["r/image"] is not None for row in rows)
    print(f"joined by {by}: {found} with images: {images} of {len(rows)}")
    return found, images


print("mlcroissant", importlib.metadata.version("mlcroissant"))
paths = ["data/a.png", "data/b.png"]
rows = read(paths, [field("path", mlc.DataType.TEXT, of_files("fullpath"))])
own = [row["r/path"].decode() for row in rows]
print("the set's own fullpath:", own)
assert own == paths, "the set's paths have changed"
assert joined("fullpath", paths) == (paths, 0), "the join by fullpath has changed"
assert joined("filename", ["a.png", "b.png"]) == (["a.png", "b.png"], 2), "filename has changed"
PYTHON
