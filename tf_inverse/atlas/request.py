"""From the flags of an atlas to its plan: the one that is there, or a new one."""

from __future__ import annotations

import hashlib
import pathlib
from typing import TYPE_CHECKING

from tf_inverse.atlas import plan, targets
from tf_inverse.compute import capacity, precision
from tf_inverse.compute import device as devices
from tf_inverse.errors import UsageError
from tf_inverse.method.settings import Settings
from tf_inverse.networks import starts
from tf_inverse.report import site

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

ON_CPU, ON_GPU = 20, 10 * plan.SIZE
"""Codes at a time: more of them pay on a GPU alone, and cost steps at the end of a group."""


def digest(path: str) -> str:
    """The sha256 of a file of targets."""
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def prepared(folder: pathlib.Path, asked: dict, overwrite: bool) -> plan.Plan | None:
    """The plan of the atlas that is there, which the request fits; None where there is none.

    Args:
        folder: Of the atlas.
        asked: As of `plan.Plan`.
        overwrite: Remove the atlas that is there.

    Raises:
        UsageError: The folder holds an atlas of another request, or something else.
        RefusedInput: Its plan is damaged.
    """
    if folder.is_file() or folder.suffix == ".h5":
        raise UsageError(f"expected a folder for the atlas, got the name of a file: {folder}")
    there = plan.read(folder)
    if there is not None and overwrite:
        plan.clear(folder, there)
        site.remove(folder)
        there = None
    elif there is not None:
        plan.expect_same(folder, there, asked)
    elif folder.is_dir() and any(folder.iterdir()) and not plan.is_ours(folder):
        raise UsageError(f"{folder} is no atlas and not empty: give the name of a new folder")
    return there


def made(networks: Networks, asked: dict, options: dict, targets_file: str | None) -> plan.Plan:
    """A new plan.

    Args:
        networks: The pair to sample.
        asked: As of `plan.Plan`.
        options: Fields of `Settings`; K and precision may be "auto".
        targets_file: As of `targets.of_file`, or None.

    Raises:
        UsageError: As of `targets.of_layers` and `targets.of_file`.
    """
    of: dict[str, str] = {}
    if targets_file is None:
        found, of = targets.of_layers(networks, asked["layers"], asked["at"], asked["ladder"])
    else:
        found = targets.of_file(networks, targets_file)
    layers = [target.told["layer"] for target in found]
    K = _codes(networks, layers) if options["K"] == "auto" else options["K"]
    # A half precision draws other pixels of a code than float32, which draws them again.
    codes = asked["store"] == "codes"
    wanted = "float32" if codes else precision.resolve(options["precision"])
    settings = starts.alone(networks, Settings(**options | {"precision": wanted, "K": K}))
    return plan.make(networks, asked, settings, asked["store"], found, of)


def _codes(networks: Networks, layers: list[str]) -> int:
    """Codes at a time of `--K=auto`."""
    if not devices.on_gpu():
        return ON_CPU
    rows = [capacity.row_bytes(networks, (layer,)) for layer in dict.fromkeys(layers)]
    fit = int(capacity.SHARE * devices.memory() / max(rows))
    return max(capacity.LEAST, min(ON_GPU, fit))
