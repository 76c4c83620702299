"""What to ask an export, so that it answers as the library would."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from tf_inverse.band import Band, Bands
from tf_inverse.errors import UsageError
from tf_inverse.method import normalization
from tf_inverse.method.settings import Settings
from tf_inverse.networks import codes
from tf_inverse.networks import starts as begin
from tf_inverse.networks.networks import index
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks
    from tf_inverse.neuron import Neuron

STARTS = 500
SEED = 0


def question(
    networks: Networks,
    layers: tuple[str, ...],
    bands: Iterable[Band],
    settings: Settings | None = None,
    *,
    rows: int | None = None,
    limit: int = 10_000,
    directions: Iterable[Neuron] = (),
) -> dict[str, Array | np.generic]:
    """Inputs of endpoint `sample` with which it gives what `sampler.sample` gives.

    One candidate a sample, as an export has.

    Args:
        networks: `networks.Networks` that the export was made from.
        layers: Those of the export, in its order.
        bands: From `band.parse`.
        settings: n, K and seed; the others were fixed at export.
        rows: Codes to draw; enough for four times n if left out.
        limit: Gradient steps.
        directions: Those of the export, in its order.

    Raises:
        UsageError: A band is of a direction that the export has not.
    """
    settings, bands = begin.alone(networks, settings or Settings()), Bands(bands)
    count = rows or 4 * (settings.n + settings.K)
    fresh = begin.stream(networks, bands, settings.seed, settings.K, settings.starts)
    c, t = fresh.rows(0, count)
    which = np.array([[layers.index(layer)] for layer in bands.layers], np.int32)
    units = tuple(_unit(networks, one, tuple(directions)) for one in bands.neurons)
    return {
        "neurons": np.concatenate([which, index(units)], axis=1),
        "ranges": np.stack([bands.z1, bands.z2], axis=1).astype(np.float32),
        "sd": np.asarray(normalization.measure(networks, bands.neurons).s_sd, np.float32),
        "codes": c,
        "aims": t,
        "rows": np.int32(settings.K),
        "count": np.int32(settings.n),
        "limit": np.int64(limit),
    }


def further(directions: Iterable[Neuron], layer: str) -> tuple[Neuron, ...]:
    """The directions of a layer, each once: units of an export after the layer's own, in order."""
    mine = {one.direction: one for one in directions if one.layer == layer}
    mine.pop(None, None)
    return tuple(mine.values())


def _unit(networks: Networks, neuron: Neuron, directions: tuple[Neuron, ...]) -> Neuron:
    """A neuron as the export addresses it: a direction by its number among the units."""
    if neuron.direction is None:
        return neuron
    there = [one.direction for one in further(directions, neuron.layer)]
    if neuron.direction not in there:
        raise UsageError(
            f"expected a direction of the export, it has {', '.join(map(str, there)) or 'none'} of "
            f"{neuron.layer}; got {neuron.direction}"
        )
    unit = networks.layer_shape(neuron.layer)[-1] + there.index(neuron.direction)
    return neuron._replace(unit=unit)


def starts(networks: Networks) -> Array | None:
    """Codes [N, d] to start from, where nobody could draw them without the pair's files.

    The bank itself, or draws of the Gaussian; None for codes that need no file.
    """
    if networks.codes.kind == "bank":
        return np.asarray(codes.stored(networks, "bank"), np.float32)
    if networks.codes.kind == "gaussian":
        return codes.draw(networks, STARTS, codes.generator(SEED, 0))
    return None
