"""The folder of an adopted pair: written, read again and compared before it gets its name."""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING

import numpy as np

from tf_inverse.adopt import defaults
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.networks import codes, storage
from tf_inverse.networks.networks import Networks
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.adopt import Adopted


def write(
    adopted: Adopted,
    out: str | os.PathLike,
    *,
    licence: str = "",
    half: bool = False,
    overwrite: bool = False,
) -> pathlib.Path:
    """Write a pair's folder, read it again and compare, and only then put it in its place.

    Args:
        adopted: The pair.
        out: Folder to be made.
        licence: What the weights may be used for; that of the models' folders if left out.
        half: Store weights in half precision: see `storage.save`.
        overwrite: Replace a network's folder that is there.

    Raises:
        FileExistsError: The folder exists and overwrite is False, or it is no network's.
        RefusedInput: What was written cannot be read without code of the user's own.
        UsageError: What was read does not give what was written.
    """
    networks = adopted.networks
    return storage.save_pair(
        out,
        networks,
        licence=licence or adopted.measured["licence"],
        source={"measured": adopted.measured},
        half=half,
        overwrite=overwrite,
        check=lambda made: _same(networks, _read_again(made)),
    )


def _read_again(made: pathlib.Path) -> Networks:
    try:
        return storage.load(made, trust=True)
    except RefusedInput as error:
        rule = str(error).partition(": ")[2].partition("; ")[0]
        raise RefusedInput(
            f"expected models of layers that Keras has, so that a folder of them holds no program; "
            f"{rule}. The pair samples as it is in this program; and a SavedModel (model.export) "
            f"of your own class can be adopted with --trust"
        ) from error


def _same(networks: Networks, again: Networks) -> None:
    c = codes.draw(networks, 2, codes.generator(0, 2))
    last = defaults.output(networks)
    views = (one.outputs(one.images(c), (last,)) for one in (networks, again))
    pairs = zip(*((e, outputs[last]) for e, outputs in views), strict=True)
    if not all(_close(np.asarray(before), np.asarray(after)) for before, after in pairs):
        raise UsageError(
            "expected the folder to give what the models give, it does not: a layer does not save "
            "all that it needs (get_config, save_own_variables)"
        )


def _close(before: Array, after: Array) -> bool:
    far = 1e-3 * float(np.abs(before).max())
    return np.allclose(before, after, rtol=1e-3, atol=far, equal_nan=True)
