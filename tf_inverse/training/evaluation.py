"""Does a pair show what excites a neuron, or what fools it? Independent judges tell.

A sampler can please its own classifier with images that mean nothing. A judge, another classifier,
knows nothing of the first one's weaknesses: the share of a class neuron's samples that it gives to
the class is the share that a stranger would recognise. A judge that was trained beside the pair, on
the same images, may be blind to the same things as the pair; strangers' figures are less kind.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tf_inverse import metrics
from tf_inverse.archive import Samples
from tf_inverse.band import Band, Bands, Neuron
from tf_inverse.errors import Unreachable
from tf_inverse.judging import agreement
from tf_inverse.judging.judges import Judge
from tf_inverse.method.normalization import measure
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.tensors import Array
from tf_inverse.training import quality

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

RANGES = ((99.0, 99.8), (90.0, 98.0))
"""Percentiles of all test images between which samples are drawn."""

COUNT = 30
"""Samples a neuron and range."""

FIRST = 5
"""Choices of a judge, the first ones, among which a class may be."""


def reconstructions(
    networks: Networks, panel: Sequence[Judge], images: Array, labels: Array
) -> dict:
    """How honest G(E(x)) is, as shares of test images.

    Args:
        networks: `networks.Networks`; its label layer holds the classes.
        panel: Other classifiers of the same classes in the same order.
        images: [N, H, W, C] uint8.
        labels: [N].

    Returns:
        accuracy of the classifier on images; agreement of its class on G(E(x)) with that on x; and
        judges, by name: accuracy on images, and on_generated, on G(E(x)), each also of the first
        `FIRST` choices, where the judge has more classes than that.
    """
    drawn = quality.drawn(networks, networks.encode(images))
    own = Judge(networks.name, networks.classifier)
    seen, again = own.classes(images), own.classes(drawn)
    told = {}
    for judge in panel:
        figures = {"accuracy": judge.ranks(images, labels)}
        figures["on_generated"] = judge.ranks(drawn, labels)
        told[judge.name] = {
            name + kind: float(np.mean(rank < first))
            for name, rank in figures.items()
            for kind, first in _choices(judge)
        }
    return {
        "accuracy": float(np.mean(seen == labels)),
        "agreement": float(np.mean(seen == again)),
        "judges": told,
    }


def _choices(judge):
    """Endings of names, and how many of a judge's first choices count."""
    return [("", 1)] + ([(f"_top{FIRST}", FIRST)] if judge.count > FIRST else [])


def samples(
    networks: Networks, panel: Sequence[Judge], images: Array, n: int = COUNT, seed: int = 0
) -> list[dict]:
    """For every class neuron and each of `RANGES`, what judges say of its samples.

    Args:
        networks: With labels.
        panel: As above.
        images: Test images, [N, H, W, C] uint8.
        n: Samples a neuron and range.
        seed: Of the runs.

    Returns:
        A dict a neuron and range: label, range (in percentiles), z1 and z2; judges, by name: the
        shares given to the class of samples, of natural images in the range, of what G makes of
        those, and of random codes; n, steps, and, where there are samples, the Vendi profiles of
        samples and of natural images in the range, at the same count.
    """
    layer, names = networks.labels
    neurons = tuple(Neuron(layer, unit) for unit in range(len(names)))
    e, z = networks.score(images, neurons, batch=250)
    rows = []
    for unit, (neuron, name) in enumerate(zip(neurons, names, strict=True)):
        scale = measure(networks, (neuron,))
        for levels in RANGES:
            z1, z2 = (float(one) for one in np.percentile(z[:, unit], levels))
            bands = Bands(Band(neuron, z1, z2))
            batches = _until_stuck(sample(networks, bands, Settings(n=n, seed=seed), scale=scale))
            within = np.flatnonzero(metrics.in_range(z[:, [unit]], [z1], [z2]))
            beside = agreement.others(networks, bands, images[within])
            row = {"label": name, "range": "p{:g}:p{:g}".format(*levels), "z1": z1, "z2": z2}
            row |= {"n": 0, "steps": batches[-1].info.steps if batches else None}
            drawn = Samples.joined(batch.samples for batch in batches) if batches else None
            if drawn is not None and len(drawn.images):
                row["n"] = len(drawn.images)
                row |= _diversity(drawn.encodings, e[within], scale.bandwidth)
                beside = [agreement.Others("samples", drawn.images), *beside]
            row["judges"] = {one.name: _shares(one, unit, beside) for one in panel}
            rows.append(row)
    return rows


def _until_stuck(batches):
    """Batches of a run up to where it finds no more: of many neurons some are out of reach."""
    found = []
    with contextlib.suppress(Unreachable):
        for batch in batches:
            found.append(batch)
    return found


def _shares(judge, unit, kinds):
    """Shares of images of some kinds for which a class is among a judge's first choices."""
    found = {}
    for kind in kinds:
        ranks = judge.ranks(kind.images, np.full(len(kind.images), unit))
        found |= {kind.name + end: float(np.mean(ranks < first)) for end, first in _choices(judge)}
    return found


def means(rows: list[dict]) -> dict:
    """The figures of all neurons together, for each range and judge.

    Args:
        rows: From `samples`.

    Returns:
        By range: neurons; reached, how many of them have samples; "vendi of nature or more", how
        many have samples as diverse as nature by the Vendi score of order 1; and judges, by name:
        the mean of each share, over the neurons that have it.
    """
    found = {}
    for range_ in dict.fromkeys(row["range"] for row in rows):
        here = [row for row in rows if row["range"] == range_]
        reached = [row for row in here if row["n"]]
        diverse = sum(row["vendi"] >= row["vendi_natural"] for row in reached)
        told: dict = {}
        for row in here:
            for judge, shares in row["judges"].items():
                for kind, share in shares.items():
                    told.setdefault(judge, {}).setdefault(kind, []).append(share)
        found[range_] = {"neurons": len(here), "reached": len(reached)} | {
            "vendi of nature or more": diverse,
            "judges": {
                judge: {kind: float(np.mean(one)) for kind, one in shares.items()}
                for judge, shares in told.items()
            },
        }
    return found


def _diversity(encodings, natural, bandwidth):
    count = min(len(natural), len(encodings))
    figures = metrics.scores("vendi", encodings, bandwidth, count)
    return {"count": count} | figures | metrics.scores("vendi_natural", natural, bandwidth, count)
