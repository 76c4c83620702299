"""Arrays in safetensors files, as every framework's loader of weights reads them."""

from __future__ import annotations

import pathlib

import numpy as np

from tf_inverse.archive import attributes
from tf_inverse.errors import UsageError
from tf_inverse.publish.table import Table

try:
    from safetensors import numpy as library
except ImportError:
    raise UsageError(
        "expected safetensors to write it: pip install 'tf_inverse[publish]'"
    ) from None

DATA_FILES: tuple[str, ...] = ()  # the `datasets` library does not read this form
FILES = (
    "`samples-*.safetensors`: `images` uint8 [n, H, W, C], `codes`, `encodings` and `activations` "
    "(a column a neuron) float32, `steps` int64 and `chain` int32, a row a sample; of newer "
    "archives also `from_start` and `from_bank`, float32: how far a code has come.",
)
READ = """\
import glob

from safetensors.numpy import load_file

rows = [load_file(path) for path in sorted(glob.glob("FOLDER/samples-*.safetensors"))]
"""
COLUMNS = ("images", "codes", "encodings", "activations", "steps", "chain")


def write(table: Table, folder: pathlib.Path) -> None:
    """Writes samples-00000-of-00001.safetensors and on: the archive's columns under their names.

    The metadata of each file, texts by name, hold the targets, the seed and the network.
    """
    archive = table.archive
    told = {
        "targets": attributes.to_json(archive.targets),
        "seed": str(archive.seed),
        "network": archive.network,
    }
    columns = (*COLUMNS, *table.optional)
    for name, rows in zip(table.names("safetensors"), table.parts(), strict=True):
        part = slice(rows.start, rows.stop)
        # The library writes an array's memory as it lies: it has to lie in order.
        arrays = {c: np.ascontiguousarray(getattr(archive, c)[part]) for c in columns}
        library.save_file(arrays, folder / name, told | {"first row": str(rows.start)})


def described(table: Table) -> tuple[list[dict], dict[str, dict]]:
    """Nothing: Croissant has no words for tensors in a file; the files themselves are listed."""
    return [], {}
