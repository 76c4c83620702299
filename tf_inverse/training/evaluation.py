"""Does a pair show what excites a neuron, or what fools it? Independent judges tell.

A sampler can please its own classifier with images that mean nothing. A judge, another classifier,
knows nothing of the first one's weaknesses: the share of a class neuron's samples that it gives to
the class is the share that a stranger would recognise. A judge that was trained beside the pair, on
the same images, may be blind to the same things as the pair; strangers' figures are less kind.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_inverse import diversity, metrics
from tf_inverse.archive import Samples
from tf_inverse.band import Band, Bands
from tf_inverse.compute import progress
from tf_inverse.errors import Unreachable
from tf_inverse.judging.judges import Judge
from tf_inverse.method.normalization import measure
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.tensors import Array
from tf_inverse.training import answers

if TYPE_CHECKING:
    from tf_inverse.method.keeper import Batch
    from tf_inverse.method.normalization import Scale
    from tf_inverse.networks.networks import Networks

RANGES = ((99.0, 99.8), (90.0, 98.0))
"""Percentiles of all test images between which samples are drawn."""

COUNT = 30
"""Samples a neuron and range."""


def reconstructions(found: answers.Shared, labels: Array) -> dict:
    """How honest G(E(x)) is, as shares of test images.

    Args:
        found: From `answers.asked`.
        labels: Class of each test image, [N].

    Returns:
        accuracy of the classifier on images; agreement of its class on G(E(x)) with that on x; and
        judges, by name: accuracy on images, and on_generated, on G(E(x)), each also of the first
        `answers.FIRST` choices, where there are more classes than that.
    """
    own, again = (one.z.argmax(axis=1) for one in (found.natural, found.drawn))
    told: dict[str, dict[str, float]] = {}
    for name in found.natural.told:
        figures = {"accuracy": found.natural, "on_generated": found.drawn}
        told[name] = {}
        for kind, one in figures.items():
            told[name] |= answers.shares(kind, one.told[name], labels)
    return {
        "accuracy": float(np.mean(own == labels)),
        "agreement": float(np.mean(own == again)),
        "judges": told,
    }


def samples(
    networks: Networks,
    panel: Sequence[Judge],
    found: answers.Shared,
    n: int = COUNT,
    neurons: int | None = None,
    seed: int = 0,
) -> list[dict]:
    """For every class neuron and each of `RANGES`, what judges say of its samples.

    Args:
        networks: As of `answers.asked`.
        panel: As of `answers.asked`.
        found: From `answers.asked`.
        n: Samples a neuron and range.
        neurons: How many neurons, spread evenly over the classes; all if None.
        seed: Of the runs.

    Returns:
        A dict a neuron and range: label, range (in percentiles), z1 and z2; judges, by name: the
        shares given to the class of samples, of natural images in the range, of what G makes of
        those, and of random codes; n, steps, and, where there are samples, the Vendi profiles of
        samples and of natural images in the range, at the same count.
    """
    every = answers.class_neurons(networks)
    labels = networks.labels
    assert labels is not None, "labels name the class neurons"
    chosen = diversity.evenly(np.arange(len(every)), neurons or len(every))
    rows = []
    with progress.Counted("neurons sampled") as watch:
        for count, unit in enumerate(chosen.tolist(), start=1):
            scale = measure(networks, (every[unit],))
            for levels in RANGES:
                z1, z2 = (float(one) for one in np.percentile(found.natural.z[:, unit], levels))
                row = {"label": labels.names[unit], "z1": z1, "z2": z2}
                row["range"] = "p{:g}:p{:g}".format(*levels)
                if z1 == z2:
                    # The neuron is the same on all of these images: it has no such range.
                    rows.append(row | {"n": 0, "steps": None, "judges": {}})
                    continue
                bands = Bands(Band(every[unit], z1, z2))
                settings = Settings(n=n, seed=seed, precision="auto")
                run = sample(networks, bands, settings, scale=scale)
                rows.append(row | _row(found, panel, unit, bands, _until_stuck(run), scale))
            watch.show(count, len(chosen))
    return rows


def _row(
    found: answers.Shared,
    panel: Sequence[Judge],
    unit: int,
    bands: Bands,
    batches: list[Batch],
    scale: Scale,
) -> dict[str, Any]:
    """What there is to say of a neuron's run in one range."""
    row: dict[str, Any] = {"n": 0, "steps": batches[-1].info.steps if batches else None}
    drawn = Samples.joined(batch.samples for batch in batches) if batches else None
    within, inside = (
        metrics.in_range(one.z[:, [unit]], bands.z1, bands.z2)
        for one in (found.natural, found.random)
    )
    images = drawn.images if drawn is not None else np.zeros(0)
    if drawn is not None and len(images):
        row["n"] = len(images)
        row |= _diversity(drawn.encodings, found.e[within], scale.bandwidth)
    kinds = {
        "natural images in range": (found.natural, within),
        "... as G draws them": (found.drawn, within),
        "random codes out of it": (found.random, ~inside),
    }
    row["judges"] = {}
    for one in panel:
        outputs = {"samples": one.finite(images)} if len(images) else {}
        outputs |= {name: kind.told[one.name][rows] for name, (kind, rows) in kinds.items()}
        row["judges"][one.name] = {}
        for name, y in outputs.items():
            row["judges"][one.name] |= answers.shares(name, y, np.full(len(y), unit))
    return row


def _until_stuck(batches: Iterable[Batch]) -> list[Batch]:
    """Batches of a run up to where it finds no more: of many neurons some are out of reach."""
    found = []
    with contextlib.suppress(Unreachable):
        for batch in batches:
            found.append(batch)
    return found


def _diversity(encodings: Array, natural: Array, bandwidth: float) -> dict[str, Any]:
    count = min(len(natural), len(encodings))
    figures = metrics.scores("vendi", encodings, bandwidth, count)
    return {"count": count} | figures | metrics.scores("vendi_natural", natural, bandwidth, count)
