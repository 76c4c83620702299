"""Parquet files whose images the `datasets` library and the hub's viewer show as images."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from tf_inverse.errors import UsageError
from tf_inverse.publish import croissant
from tf_inverse.publish.table import Table

try:
    import pyarrow as pa
    from pyarrow import parquet
except ImportError:
    raise UsageError(
        "expected pyarrow to write Parquet: pip install 'tf_inverse[publish]'"
    ) from None

ROWS = 100
"""Rows in a group, which a reader takes at a time: what the hub asks of sets of images."""

DATA_FILES: tuple[str, ...] = ("samples-*.parquet",)
FILES = ("`samples-*.parquet`: the table; `image` holds PNG without loss.",)
READ = """\
import glob

import pandas

rows = pandas.read_parquet(sorted(glob.glob("FOLDER/samples-*.parquet")))
# rows.image[0]["bytes"] is a PNG file's contents
"""


def write(table: Table, folder: pathlib.Path) -> None:
    """Writes samples-00000-of-00001.parquet and on, with all columns and the image."""
    schema = _schema(table)
    for name, rows in zip(table.names("parquet"), table.parts(), strict=True):
        with parquet.ParquetWriter(folder / name, schema) as out:
            for start in range(rows.start, rows.stop, ROWS):
                out.write_table(_group(table, range(start, min(start + ROWS, rows.stop)), schema))


def _schema(table: Table) -> pa.Schema:
    """Types of the columns, and the same in the words of `datasets`, which only these tell images.

    A vector is a list of fixed length; `Sequence` is its name that old versions know as well.
    """
    words = {"text": "string"}
    fields = [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))]
    features: dict[str, dict] = {"image": {"_type": "Image"}}
    for column in (*table.scalars, *table.vectors):
        word = words.get(column.dtype, column.dtype)
        kind = pa.type_for_alias(word)
        feature: dict[str, Any] = {"dtype": word, "_type": "Value"}
        if column.width is not None:
            kind = pa.list_(kind, column.width)
            feature = {"feature": feature, "length": column.width, "_type": "Sequence"}
        fields.append((column.name, kind))
        features[column.name] = feature
    told = json.dumps({"info": {"features": features}})
    return pa.schema(fields, metadata={"huggingface": told})


def _group(table: Table, rows: range, schema: pa.Schema) -> pa.Table:
    images = [{"bytes": table.png(i), "path": f"{table.key(i)}.png"} for i in rows]
    columns = {"image": images} | table.values(rows)
    for column in table.vectors:
        flat = pa.array(table.arrays(rows)[column.name].ravel())
        columns[column.name] = pa.FixedSizeListArray.from_arrays(flat, column.width)
    return pa.table(columns, schema=schema)


def described(table: Table) -> tuple[list[dict], dict[str, dict]]:
    """Croissant's sets of files, and where each field of a sample comes from."""
    sets = [
        croissant.file_set(
            "parts", "the table in parts", "application/x-parquet", "samples-*.parquet"
        )
    ]
    parts = {"@id": "parts"}
    fields: dict[str, dict] = {
        column.name: {"source": {"fileSet": parts, "extract": {"column": column.name}}}
        for column in (*table.scalars, *table.vectors)
    }
    picture = {
        "fileSet": parts,
        "extract": {"column": "image"},
        "transform": {"jsonPath": "bytes"},
    }
    return sets, fields | {"image": {"source": picture}}
