"""Croissant 1.1 metadata, croissant.json: which files there are and what their fields mean.

Format: MLCommons Croissant 1.1, JSON-LD over schema.org; the context is the specification's.
"""

from __future__ import annotations

import pathlib
from typing import Any

from tf_inverse.archive import atomic
from tf_inverse.publish.about import About
from tf_inverse.publish.table import Column, Table

CONFORMS = "http://mlcommons.org/croissant/1.1"
_TERMS = (
    "arrayShape citeAs column containedIn equivalentProperty extract field fileProperty fileObject "
    "fileSet format includes isArray isLiveDataset jsonPath key md5 parentField path recordSet "
    "references regex repeated replace samplingRate separator source subField transform"
)
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{term: f"cr:{term}" for term in _TERMS.split()},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "sc": "https://schema.org/",
}
TYPES = {
    "float32": "cr:Float32",
    "int32": "cr:Int32",
    "int64": "cr:Int64",
    "text": "sc:Text",
    "image": "sc:ImageObject",
}
ENCODINGS = {
    ".jsonl": "application/jsonlines",
    ".json": "application/json",
    ".parquet": "application/x-parquet",
    ".tar": "application/x-tar",
}
IMAGE = Column("image", "image", None, "the image, as it was scored")
FILE_NAME = Column("file_name", "text", None, "name of the picture's file")


def file_set(
    name: str, meaning: str, encoding: str, includes: str, inside: list[dict] | None = None
) -> dict:
    """Files of one kind, by the pattern of their paths, in the folder or inside of other files."""
    contained = {"containedIn": inside} if inside else {}
    return {
        "@type": "cr:FileSet",
        "@id": name,
        "name": name,
        "description": meaning,
        "encodingFormat": encoding,
        "includes": includes,
        **contained,
    }


def metadata(
    table: Table,
    about: About,
    folder: pathlib.Path,
    described: tuple[list[dict], dict[str, dict]],
) -> dict:
    """The metadata of a folder whose other files are written.

    Args:
        table: What was written.
        about: What is said of it.
        folder: Where; all files right in it are listed with their checksums.
        described: As of a form's module: sets of files, and sources of fields by column.
    """
    sets, sources = described
    files = [_file(path) for path in sorted(folder.iterdir()) if path.is_file()]
    samples = [_samples(table, sources)] if sources else []
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": about.name,
        "description": about.description,
        "license": about.licence,
        "version": "1.0.0",
        "datePublished": about.date,
        "citeAs": about.cite,
        **({"url": about.url} if about.url else {}),
        **({"creator": {"@type": "Person", "name": about.creator}} if about.creator else {}),
        "distribution": [*files, *sets],
        "recordSet": [*samples, _targets(table)],
    }


def _file(path: pathlib.Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": ENCODINGS.get(path.suffix, "application/octet-stream"),
        "sha256": atomic.checksum(path),
    }


def _samples(table: Table, sources: dict[str, dict]) -> dict[str, Any]:
    columns = (FILE_NAME, IMAGE, *table.scalars, *table.vectors)
    return {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "description": "One record a sample.",
        "field": [_field("samples", c) | sources[c.name] for c in columns if c.name in sources],
    }


def _field(records: str, column: Column) -> dict[str, Any]:
    array = {"isArray": True, "arrayShape": str(column.width)} if column.width else {}
    return {
        "@type": "cr:Field",
        "@id": f"{records}/{column.name}",
        "name": column.name,
        "description": column.meaning,
        "dataType": TYPES[column.dtype],
        **array,
    }


_TARGET = (
    ("column", "text", "field of the samples that holds its activation"),
    ("text", "text", "neuron and range, LAYER:UNIT@Z1:Z2"),
    ("layer", "text", "layer of the network"),
    ("unit", "int64", "number of the neuron in its layer, from zero"),
    ("label", "text", "what the network calls it, where it has a name"),
    ("z1", "float", "least activation"),
    ("z2", "float", "largest activation"),
)


def _targets(table: Table) -> dict[str, Any]:
    """The neurons and their ranges, as data in the metadata themselves."""
    fields = [_field("targets", Column(n, "text", None, m)) for n, _, m in _TARGET]
    for field, (_, kind, _m) in zip(fields, _TARGET, strict=True):
        field["dataType"] = {"float": "sc:Float"}.get(kind) or TYPES[kind]
    data = [
        {
            f"targets/{name}": column if name == "column" else target.get(name)
            for name, _, _ in _TARGET
        }
        for column, target in zip(table.activations, table.archive.targets, strict=True)
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "targets",
        "name": "targets",
        "description": "The neurons that every sample excites, and the range of each.",
        "field": fields,
        "data": data,
    }
