"""A sample as a data set that other people's tools read, with its card and its metadata.

A folder holds the data in one of four forms, README.md (card.py), croissant.json (croissant.py) and
run.json, the archive's header. It is written whole or not at all. No TensorFlow.
"""

from __future__ import annotations

import importlib
import json
import os
import pathlib
from typing import Any

from tf_inverse.archive import atomic_folder, json_file
from tf_inverse.archive.reader import Archive
from tf_inverse.errors import UsageError
from tf_inverse.publish import card, croissant
from tf_inverse.publish.about import About
from tf_inverse.publish.about import about as about
from tf_inverse.publish.about import lacking as lacking
from tf_inverse.publish.table import Table

FORMS = ("imagefolder", "parquet", "webdataset", "safetensors")
FORMAT, RUN, MAX_RUN = "tf_inverse published", "run.json", 4 << 20


def write(
    archive: Archive, to: str | os.PathLike, form: str, told: About, overwrite: bool = False
) -> pathlib.Path:
    """Writes an archive's samples as a data set.

    Args:
        archive: With its images (`Archive.rendered` makes them of codes).
        to: Folder to be.
        form: One of FORMS.
        told: What is said of it; see `about`.
        overwrite: Replace an earlier one.

    Returns:
        The folder.

    Raises:
        UsageError: An unknown form, one whose library is missing, or an archive without samples.
        FileExistsError: The folder exists and overwrite is False, or it holds anything else.
        RefusedInput: The archive is damaged.
        archive.writer.StorageError: The disk is full or read-only.
    """
    if form not in FORMS:
        raise UsageError(f"expected --as to be one of {', '.join(FORMS)}, got {form!r}")
    if not len(archive):
        raise UsageError(f"{archive.path} holds no samples yet")
    # Only the form that is asked for needs its library.
    module, table = importlib.import_module(f"tf_inverse.publish.{form}"), Table(archive)
    to = pathlib.Path(to)
    with atomic_folder.folder(to, _written, overwrite) as made:
        module.write(table, made)
        names = sorted([*os.listdir(made), "README.md", "croissant.json", RUN])
        _put(made / RUN, _run(archive, form, names))
        metadata = croissant.metadata(table, told, made, module.described(table))
        _put(made / "croissant.json", metadata)
        (made / "README.md").write_text(card.card(table, told, module), encoding="utf-8")
    return to


def _put(path: pathlib.Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _run(archive: Archive, form: str, names: list[str]) -> dict[str, Any]:
    """The header, without the network's folder, which is a matter of the machine it was on."""
    header = {name: value for name, value in archive.header.items() if name != "folder"}
    about_file = {"format": FORMAT, "form": form, "files": names}
    return about_file | header | {"found": len(archive), "summary": archive.summary}


def _written(folder: pathlib.Path) -> list[str] | None:
    """Names of the files that make a folder a data set of ours; None where it is none."""
    entries = json_file.mine(folder / RUN, MAX_RUN)
    if entries is None or entries.get("format") != FORMAT:
        return None
    files = entries.get("files")
    return [str(name) for name in files] if isinstance(files, list) else None
