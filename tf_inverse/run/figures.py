"""The figures of a run: its samples measured, and the natural images that they are set beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_inverse import metrics
from tf_inverse.band import Bands
from tf_inverse.method import diagnostics
from tf_inverse.method.checkpoint import count
from tf_inverse.networks import unit_nature
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.archive import Archive, Samples
    from tf_inverse.method.normalization import Scale
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks.networks import Networks


LAWFUL = "langevin"
"""The method whose rows are chains with a law."""


def natural(networks: Networks, bands: Bands) -> dict[str, Array] | None:
    """Natural images beside the samples, or None where the networks have no statistics of them.

    Args:
        networks: The pair that is sampled.
        bands: Neurons with their ranges, p of them.

    Returns:
        name -> array: activations [N, p] of natural images, encodings [N', dE] of those that lie in
        the bands, mean [p] and sd [p] of each neuron.
    """
    stored, within = networks.natural, unit_nature.within(networks, bands)
    if stored is None or within is None:
        return None
    known = [(networks.nature(one), unit_nature.kept(networks, one)) for one in bands.neurons]
    units = [unit for unit, _ in known if unit is not None]
    # The bank is drawn at random; what follows it was chosen for its activations.
    columns = [z[: stored.typical] for _, z in known if z is not None]
    if stored.encodings is None or not len(units) == len(columns) == len(known):
        return None
    return {
        "activations": np.stack(columns, axis=1).astype(np.float32),
        "encodings": stored.encodings[within].astype(np.float32),
        "mean": np.array([u.mean for u in units], np.float32),
        "sd": np.array([u.sd for u in units], np.float32),
    }


def summary(
    samples: Samples | Archive,
    bands: Bands,
    settings: Settings,
    scale: Scale,
    nature: dict[str, Array] | None,
) -> dict[str, Any]:
    """The figures of `metrics.summary`; of chains with a law also what they are worth.

    Args:
        samples: A run's samples, in memory or in its archive.
        bands: Neurons with their ranges.
        settings: What was asked for.
        scale: From `normalization.measure`.
        nature: From `natural`.
    """
    ways = metrics.ways(samples.from_start, samples.from_bank)
    measured = ways | metrics.summary(
        samples.encodings[:],
        samples.activations[:],
        bands.z1,
        bands.z2,
        asked=settings.n,
        bandwidth=scale.bandwidth,
        natural_encodings=None if nature is None else nature["encodings"],
    )
    if settings.method != LAWFUL:
        return measured
    columns = samples.activations[:], samples.encodings[:], samples.chain[:]
    return measured | diagnostics.of_sample(*columns)


def of_chains(settings: Settings, state: Mapping[str, Array] | None) -> dict[str, int]:
    """How the rows of chains with a law lie along them; nothing of other methods.

    Args:
        settings: What was asked for.
        state: That the run ended with, as of `chains.Chains`.

    Returns:
        `burn_in`, the steps that were taken before any row was: those of the splitting and of the
        pilot; and `apart`, the rounds between two rows of a chain.
    """
    if settings.method != LAWFUL or state is None:
        return {}
    return {"burn_in": count(state, "spent"), "apart": count(state, "apart")}
