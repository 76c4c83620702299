"""Several inverse sets to be seen under each other, as in the paper's figures 1 and 4.

One neuron: adjacent ranges from natural to extreme. Several neurons: each alone, then all together.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tf_inverse import archive, band
from tf_inverse.archive import file_checks, side_file
from tf_inverse.errors import Unreachable, UsageError
from tf_inverse.report import html, png
from tf_inverse.run import job, natures
from tf_inverse.tensors import Array, StrPath

if TYPE_CHECKING:
    from tf_inverse.band import Bands, Neuron
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks.networks import Networks
    from tf_inverse.report.beside import Nature
    from tf_inverse.run.result import Result

BEYOND = 0.5
"""How far a ladder goes beyond the largest natural activation, as a share of median to largest."""

FILES = (".h5", ".png", ".html")
"""Endings of a ladder's files, which its folder is not to have."""

DEVIATIONS = 6.0
"""Its end without natural statistics: standard deviations above the mean of random codes."""


def rungs(networks: Networks, targets: str | None, ranges: int) -> list[Bands]:
    """The inverse sets of a ladder.

    Args:
        networks: `networks.Networks`.
        targets: One target, whose range, where it tells one, is divided; several; or None for the
            networks' default neuron, whatever its default range.
        ranges: Number of ranges for one target.

    Returns:
        Bands of each rung.

    Raises:
        UsageError: Fewer than two ranges, a target that cannot be read, or a neuron that is the
            same for all images.
    """
    parts = band.split((networks.default or "") if targets is None else targets)
    if len(parts) > 1:
        alone = [band.parse(part, networks) for part in parts]
        return [*alone, band.Bands(one for bands in alone for one in bands)]
    if ranges < 2:
        raise UsageError(f"expected at least 2 --ranges, got {ranges}")
    part = "".join(parts)
    neuron = band.neuron(part, networks)
    if targets and band.whole(part):
        (told,) = band.parse(part, networks)
        edges = _rounded(np.linspace(told.z1, told.z2, ranges + 1))
        edges[0], edges[-1] = told.z1, told.z2
    else:
        edges = _rounded(np.linspace(*extent(networks, neuron), ranges + 1))
    return [
        band.Bands([band.Band(neuron, z1, z2)])
        for z1, z2 in zip(edges[:-1], edges[1:], strict=True)
    ]


def _rounded(edges: Array) -> list[float]:
    """Rising edges to four digits, or to as many more as keep ranges far from zero apart."""
    width = float(np.diff(edges).min())
    for digits in range(4, 18):
        found = [float(f"{edge:.{digits}g}") for edge in edges]
        if np.abs(found - edges).max() < width / 4:
            break
    return found


def extent(networks: Networks, neuron: Neuron) -> tuple[float, float]:
    """From the natural median to well beyond the largest natural activation of a neuron.

    Without natural statistics, from the mean over random codes upward.

    Raises:
        UsageError: The neuron is the same for all images.
    """
    from tf_inverse.method.normalization import measure, moves

    unit = networks.nature(neuron)
    if unit:
        low, largest = unit.percentile(50), unit.percentile(100)
        high, of = largest + BEYOND * (largest - low), unit.of or "natural images"
    else:
        scale = measure(networks, (neuron,))
        low, of = float(scale.z_mean[0]), "random codes"
        high = low if scale.still[0] else float(scale.z_mean[0] + DEVIATIONS * scale.z_sd[0])
    if not moves(high - low, low):
        raise UsageError(
            f"expected a neuron whose activation differs from image to image, {neuron} is {low:g} "
            f"for all of {of}, as a dead unit is: choose another"
        )
    return low, high


class Climbed(NamedTuple):
    """What became of a ladder.

    Attributes:
        archives: Of the rungs that have samples.
        troubles: A line for each rung with fewer samples than asked for.
    """

    archives: tuple[pathlib.Path, ...]
    troubles: list[str]


def climb(
    out: StrPath,
    networks: Networks,
    steps: Iterable[Bands],
    settings: Settings,
    overwrite: bool = False,
    run: Callable[..., Result] = job.run,
    nature: str | None = None,
) -> Climbed:
    """Samples every rung into OUT/rung-1.h5 ... and draws OUT/ladder.png and OUT/ladder.html.

    A ladder that was stopped goes on: rungs that are whole stay, one that is not is carried on.

    Args:
        out: Folder, made where it is missing.
        networks: `networks.Networks`.
        steps: From `rungs`.
        settings: `settings.Settings`, n for each rung.
        overwrite: Replace archives and pictures that exist.
        nature: As of `natures.of_each`, for a row of natural images below each rung; or None.
        run: Samples one rung, as `job.run` does; the command's own tells of it, too.

    Raises:
        KeyboardInterrupt: Stopped within a rung; the same call goes on.
        FileExistsError: A ladder is there, and overwrite is False.
        UsageError: The folder has a file's name; or holds rungs of other ranges or settings.
    """
    out = pathlib.Path(out)
    if out.suffix in FILES:
        raise UsageError(f"expected a folder for the ladder's files, got the name of a file: {out}")
    out.mkdir(parents=True, exist_ok=True)
    if (out / "ladder.png").exists() and not overwrite:
        raise FileExistsError(f"{out / 'ladder.png'} exists; give --overwrite or another --out")
    sampled, troubles = {}, []
    for i, bands in enumerate(steps, 1):
        path = out / f"rung-{i}.h5"
        try:
            more = {"overwrite": overwrite, "resume": not overwrite}
            trouble = run(networks, bands, settings, path, **more).trouble
        except archive.Complete:
            # By a ladder that was stopped at a later rung, with the same settings.
            trouble, sampled[path] = None, band.Bands(bands)
        except Unreachable as error:
            # A file of this name is of an earlier ladder, whose ranges may be others.
            trouble = error
        else:
            sampled[path] = band.Bands(bands)
        if isinstance(trouble, KeyboardInterrupt):
            raise trouble
        if trouble is not None:
            troubles.append(f"{' & '.join(map(str, bands))}: {trouble}")
    if sampled:
        several = sampled.values()
        shown = [natures.of_bands(networks, one, nature) if nature else None for one in several]
        draw(out, [archive.open(path) for path in sampled], shown)
    if overwrite:
        _tidy(out, sampled)
    return Climbed(tuple(sampled), troubles)


def _tidy(out: pathlib.Path, sampled: Iterable[pathlib.Path]) -> None:
    """Removes what an earlier ladder has left in the folder and is no rung of this one."""
    if not sampled:
        for name in ("ladder.png", "ladder.html"):
            (out / name).unlink(missing_ok=True)
    for path in sorted({*out.glob("rung-*.h5")} - {*sampled}):
        if re.fullmatch(r"rung-\d+\.h5", path.name) and file_checks.is_archive(path):
            for old in (path, path.with_suffix(".png"), side_file.beside(path)):
                old.unlink(missing_ok=True)


def draw(
    out: pathlib.Path, found: Sequence[archive.Archive], shown: Sequence[Nature | None]
) -> None:
    """Puts the archives of a ladder into one picture and one page, natural images beside each."""
    png.save(out / "ladder.png", png.ladder(found, natures=shown), overwrite=True)
    page = html.render(found, [png.heading(one) for one in found], shown)
    png.save(out / "ladder.html", page.encode("utf-8"), overwrite=True)
