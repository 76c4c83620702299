"""The data set's card, README.md: YAML that the hub and the `datasets` library read, then words."""

from __future__ import annotations

import hashlib
import json
import pathlib
import re
from typing import Any

import numpy as np

from tf_inverse.archive import atomic, attributes
from tf_inverse.publish.about import UNKNOWN, About
from tf_inverse.publish.croissant import FILE_NAME, IMAGE
from tf_inverse.publish.table import Table
from tf_inverse.report import text

# Sizes as the hub names them: up to so many samples.
SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))
LIMITS = """\
Each image, as it is stored, was scored by the classifier in float32 and lies in every range. The \
images are generated: they show what the classifier responds to among the images that the \
generator can draw, not what photographs look like, and say nothing of images that it cannot draw. \
How alike nature they are depends on the generator. Values of `activation` columns are float32: to \
filter at a bound of a range, cast the bound to float32 first."""


def card(table: Table, about: About, form: Any) -> str:
    """The card as Markdown.

    Args:
        table: What was written.
        about: What is said of it.
        form: The form's module.
    """
    return "\n".join(
        [
            *_header(table, about, form),
            f"# {_plain(about.name)}",
            "",
            _plain(about.description),
            "Drawn with [tf_inverse](https://arxiv.org/abs/1910.04857).",
            *_targets(table),
            *_columns(table, form),
            *_reading(form),
            *_origin(table, about),
            "## What it can tell",
            "",
            LIMITS,
            "",
            "## How to cite the method",
            "",
            "```bibtex",
            about.cite,
            "```",
            "",
        ]
    )


def _header(table: Table, about: About, form: Any) -> list[str]:
    """The YAML. Values are written as JSON, which YAML holds: no text from a file can break out."""
    size = next((name for most, name in SIZES if len(table) < most), "n>1M")
    fields: dict[str, Any] = {
        "pretty_name": about.name,
        **_licence(about.licence),
        "size_categories": [size],
        "tags": ["inverse-set", "interpretability", "synthetic", "tf_inverse"],
    }
    if form.DATA_FILES:
        files = [{"split": "train", "path": list(form.DATA_FILES)}]
        # The `datasets` library keys its cache by the folder's name and by these entries as they
        # are written: without the archive's own mark, another data set of that name would be given
        # the rows of the first.
        mark = f"archive {_mark(table.archive.path)}"
        fields["configs"] = [{"config_name": "default", "description": mark, "data_files": files}]
    else:
        fields["viewer"] = False
    return ["---", *(f"{key}: {_yaml(value)}" for key, value in fields.items()), "---", ""]


def _mark(path: pathlib.Path) -> str:
    """The sha256 of an archive; of a run in progress, that of the sums of its files of samples."""
    if path.is_file():
        return atomic.checksum(path)
    sums = [atomic.checksum(shard) for shard in sorted(path.glob("*.h5"))]
    return hashlib.sha256("".join(sums).encode()).hexdigest()


def _yaml(value: object) -> str:
    """A value as JSON, which YAML holds but for characters beyond 16 bits.

    JSON writes such a character as two halves, and YAML takes them for two characters.
    """
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("[^ -~]", lambda found: f"\\U{ord(found[0]):08x}", text)


def _licence(licence: str) -> dict[str, str]:
    """The hub takes identifiers alone; every other text is of a licence called other."""
    if re.fullmatch(r"[a-z0-9][a-z0-9.\-]*", licence):
        return {"license": licence}
    return {"license": "other", "license_name": "see-below"}


def _targets(table: Table) -> list[str]:
    lines = [
        "",
        "## Neurons and ranges",
        "",
        "| column | neuron | from | to |",
        "|---|---|---|---|",
    ]
    for name, target in zip(table.activations, table.archive.targets, strict=True):
        # In the precision that activations have: 13.2, and not 13.199999809.
        ends = " | ".join(str(np.float32(target[end])) for end in ("z1", "z2"))
        lines.append(f"| `{name}` | {_plain(text.neuron(target))} | {ends} |")
    return lines


def _columns(table: Table, form: Any) -> list[str]:
    _, fields = form.described(table)
    known = (FILE_NAME, IMAGE, *table.scalars, *table.vectors)
    columns = [column for column in known if column.name in fields]
    lines = ["", "## Files", "", f"- {len(table)} images, {' x '.join(map(str, table.shape))}."]
    lines += [f"- {line}" for line in form.FILES]
    lines.append("- `run.json` has all settings of the run, `croissant.json` Croissant metadata.")
    if columns:
        lines += ["", "| field | type | |", "|---|---|---|"]
    for column in columns:
        kind = column.dtype + (f" [{column.width}]" if column.width else "")
        lines.append(f"| `{column.name}` | {kind} | {_plain(column.meaning)} |")
    return lines


def _reading(form: Any) -> list[str]:
    return ["", "## Read it", "", "```python", form.READ.rstrip(), "```", ""]


def _origin(table: Table, about: About) -> list[str]:
    archive = table.archive
    known = about.licence != UNKNOWN
    licence = about.licence if known else "nobody said; ask before you pass it on"
    lines = ["## Licence and sources", "", f"- Licence: {_plain(licence.rstrip('.'))}."]
    lines.append(f"- Network: {_plain(archive.network)}, seed {archive.seed}.")
    if about.origin:
        lines.append(f"- Its weights: {_plain(attributes.to_json(about.origin))}.")
    lines += [f"- `{_code(n)}`: sha256 {_plain(v)}." for n, v in archive.checksums.items()]
    versions = ", ".join(f"{name} {value}" for name, value in archive.versions.items())
    return [*lines, f"- Made with {_plain(versions)}.", ""]


def _plain(words: object) -> str:
    """A text that Markdown and HTML show as it is, in one line."""
    line = " ".join(str(words).split())
    return re.sub(r"([\\`*_\[\]<>|#~$])", r"\\\1", line)


def _code(words: object) -> str:
    return " ".join(str(words).split()).replace("`", "'")
