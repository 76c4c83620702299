"""The only loop that users call: batches of samples until n are found.

What leaves this module is true: every image is scored again as it will be stored, in 8 bits and in
float32, and kept only if its activations lie in every band.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from tf_inverse.archive import Samples
from tf_inverse.band import Band, Bands
from tf_inverse.errors import Stalled, Unreachable, UsageError
from tf_inverse.method import chains, fidelity, loops, paper
from tf_inverse.method.choice import Chooser
from tf_inverse.method.keeper import Batch, Info, Keeper
from tf_inverse.method.normalization import Scale, measure
from tf_inverse.method.settings import Settings
from tf_inverse.networks import starts
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks


__all__ = ["METHODS", "Batch", "Info", "Samples", "explained", "sample"]

# Method -> what makes its chunks; its defaults are in `settings.PRESETS`.
METHODS = {"renewal": loops.renew, "paper": paper.paper, "langevin": chains.langevin_chains}


def sample(
    networks: Networks,
    bands: Iterable[Band],
    settings: Settings | None = None,
    state: dict[str, np.ndarray] | None = None,
    scale: Scale | None = None,
) -> Iterator[Batch]:
    """Draw from the inverse set of one or several neurons.

    Args:
        networks: `networks.Networks`.
        bands: Neurons with their ranges; several mean their intersection.
        settings: What is asked for. Where half precision is not near enough to float32 for these
            neurons and ranges, float32 takes its place, with a warning that says why.
        state: Of an earlier batch, to go on from there.
        scale: From `normalization.measure`, where it was measured already.

    Yields:
        Batches; together they hold exactly `settings.n` samples, all different.

    Raises:
        SeedsNotFound: Paper: no K feasible codes in `patience` rounds.
        Unreachable: No code reaches the band: dead unit, values that are not finite, or too far.
        Stalled: Samples were found, but no more come.
        RefusedInput: The state is damaged, or of other settings or another version.
        UsageError: There are no bands.
    """
    bands, settings = Bands(bands), (settings or Settings()).sized(networks.codes.size)
    if not bands:
        raise UsageError("expected at least one neuron with its range to sample, got none")
    settings = starts.settled(networks, settings)
    scale = scale or measure(networks, bands.neurons)
    settings, why = fidelity.settled(networks, bands, settings)
    if why:
        warnings.warn(why, stacklevel=2)
    kind = Chooser if (settings.candidates or 1) > 1 else Keeper
    keeper = kind(networks, bands, settings, state, scale)
    chunks = METHODS[settings.method](networks, bands, settings, scale, state)
    aim, best, quiet = loops.target(bands, scale), np.full(len(bands), -np.inf, np.float32), 0
    while keeper.found < settings.n:
        try:
            chunk = next(chunks)
        except Unreachable as error:
            best = aim.nearest(np.stack([best, error.best])).numpy()
            raise explained(error, bands, scale, best, keeper.found) from None
        best = aim.nearest(np.stack([best, chunk.best])).numpy()
        known = keeper.known
        batch = keeper.keep(chunk)
        yield batch
        quiet = 0 if keeper.known > known else quiet + chunk.taken
        trouble = chunk.trouble or (
            quiet >= loops.enough(settings) and f"no sample in {quiet} gradient steps"
        )
        if trouble and keeper.found < settings.n:
            if rest := keeper.rest(chunk):
                yield rest
            if keeper.found == settings.n:
                return
            error_kind = Stalled if keeper.found else Unreachable
            ended = error_kind(trouble, best, chunk.step)
            raise explained(ended, bands, scale, best, keeper.found)


def explained(
    error: Unreachable, bands: Bands, scale: Scale, best: Array, found: int
) -> Unreachable:
    """The error with what was reached, what is natural, and what to change."""
    parts, source = [], "natural" if scale.natural else "random codes'"
    columns = (bands, best, scale.z_mean, scale.z_sd, scale.flat)
    for band, reached, mean, sd, flat in zip(*columns, strict=True):
        parts.append(f"{band}: nearest activation reached {reached:.4g}, {source} mean {mean:.4g}")
        if not flat or scale.natural:
            parts[-1] += f", s.d. {sd:.4g}"
        if flat:
            parts[-1] += ", the same for all random codes: a dead unit, or one they do not reach"
    if len(bands) > 1 and not found:
        parts.append(_missed(bands, best))
    advice = (
        "Choose a range nearer to those values, other starting codes (--seed) or more --patience"
    )
    if len(bands) == 1 and not found and bands[0].z1 <= best[0] <= bands[0].z2:
        # As the 0 of a ReLU in a range from 0: `Keeper` leaves a last digit's width to both ends.
        advice = (
            "This is an end of the range, where rounding decides: let the range go a bit beyond"
        )
    text = f"{error}; found {found}. {'; '.join(parts)}. {advice}"
    return type(error)(text, best, error.steps, found)


def _missed(bands: Bands, best: np.ndarray) -> str:
    """Which bands of an intersection no code was in."""
    pairs = zip(bands, best, strict=True)
    missed = [str(band) for band, reached in pairs if not band.z1 <= reached <= band.z2]
    if missed:
        return f"never reached: {', '.join(missed)}"
    return "each range was reached, but never all at once"
