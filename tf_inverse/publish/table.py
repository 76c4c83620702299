"""An archive as a table, a sample a row: what every form of publishing writes in its own way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tf_inverse.archive import schema
from tf_inverse.archive.reader import Archive
from tf_inverse.report import encode, text
from tf_inverse.tensors import Array

PART = 256 << 20
"""Bytes of images and numbers, unpacked, that one file of a form holds at most."""


class Column(NamedTuple):
    """One column of the table.

    Attributes:
        name: As it is published.
        dtype: float32, int64, int32 or text.
        width: Numbers in a row's vector; None for one number or text.
        meaning: For people.
    """

    name: str
    dtype: str
    width: int | None
    meaning: str


class Table:
    """The rows of an archive that has its images.

    Names are those of one sample: `activation` of a single target, `activation_1`, `activation_2`
    and so on of an intersection. Every name is a word that file formats and query languages take.

    Attributes:
        archive: The archive.
        scalars: Columns of one number or text.
        vectors: Columns of a vector.
        shape: [H, W, C] of an image.
    """

    def __init__(self, archive: Archive) -> None:
        self.archive, self.shape = archive, tuple(archive.images.shape[1:])
        self.scalars = (
            Column("row", "int64", None, "row of the archive, from zero"),
            *(
                Column(name, "float32", None, f"activation of {text.asked(target)}")
                for name, target in zip(self.activations, archive.targets, strict=True)
            ),
            Column("step", "int64", None, "gradient step of the run that found it"),
            Column("chain", "int32", None, "row of the pool, or seed, that it came from"),
            *(
                Column(name, "float32", None, schema.COLUMNS[name].description)
                for name in self.optional
            ),
            Column("seed", "int64", None, "seed of the run's random numbers"),
            Column("network", "text", None, "network whose neurons it excites"),
            Column("targets", "text", None, "neurons and ranges, LAYER:UNIT@Z1:Z2"),
        )
        self.vectors = tuple(
            Column(name, "float32", archive.columns[column].shape[1], meaning)
            for name, column, meaning in (
                ("code", "codes", "the generator's code: the image is G(code)"),
                ("encoding", "encodings", "features whose distances are the diversity"),
            )
        )

    def __len__(self) -> int:
        return len(self.archive)

    @property
    def activations(self) -> tuple[str, ...]:
        """Names of the columns of activations, one a target."""
        p = len(self.archive.targets)
        return ("activation",) if p == 1 else tuple(f"activation_{i + 1}" for i in range(p))

    @property
    def optional(self) -> list[str]:
        """Names of the archive's columns that others may lack."""
        return [name for name in schema.OPTIONAL if name in self.archive.columns]

    def parts(self) -> list[range]:
        """The rows of each file of a form: as many as PART holds, at least one."""
        numbers = sum(column.width or 0 for column in self.vectors)
        row = int(np.prod(self.shape)) + 4 * numbers
        most, n = max(1, PART // row), len(self)
        return [range(start, min(start + most, n)) for start in range(0, n, most)]

    def names(self, suffix: str) -> list[str]:
        """Names of the files of `parts`, as other data sets on the hub have them."""
        count = len(self.parts())
        return [f"samples-{i:05d}-of-{count:05d}.{suffix}" for i in range(count)]

    def values(self, rows: range) -> dict[str, Array | list[str]]:
        """The scalar columns of some rows: arrays of the column's type, lists of texts."""
        archive, part = self.archive, slice(rows.start, rows.stop)
        z, n = archive.activations[part], len(rows)
        return {
            "row": np.arange(rows.start, rows.stop, dtype=np.int64),
            **{name: z[:, i] for i, name in enumerate(self.activations)},
            "step": archive.steps[part],
            "chain": archive.chain[part],
            **{name: archive.columns[name][part] for name in self.optional},
            "seed": np.full(n, archive.seed, np.int64),
            "network": [archive.network] * n,
            "targets": [", ".join(map(text.asked, archive.targets))] * n,
        }

    def arrays(self, rows: range) -> dict[str, Array]:
        """The vector columns of some rows, float32 [n, width] each."""
        part = slice(rows.start, rows.stop)
        return {"code": self.archive.codes[part], "encoding": self.archive.encodings[part]}

    def records(self, rows: range) -> Iterator[dict]:
        """The scalars of each row as JSON says them: float32 as the same number in float64."""
        columns = self.values(rows)
        plain = [c.tolist() if isinstance(c, np.ndarray) else c for c in columns.values()]
        for row in zip(*plain, strict=True):
            yield dict(zip(columns, row, strict=True))

    def png(self, row: int) -> bytes:
        """One image as a PNG file's contents: without loss, RGB."""
        return encode.png(self.archive.images[row])

    def key(self, row: int) -> str:
        """The name of a row's files: digits alone.

        A dot would end the key of a WebDataset, and a word such as train, test or val in a name
        would make the `datasets` library put the picture into that split.
        """
        return f"{row:0{max(6, len(str(len(self))))}d}"
