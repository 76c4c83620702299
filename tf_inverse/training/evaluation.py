"""Does a pair show what excites a neuron, or what fools it? Independent judges tell.

A sampler can please its own classifier with images that mean nothing. A judge, another classifier,
knows nothing of the first one's weaknesses: the share of a class neuron's samples that it gives to
the class is the share that a stranger would recognise. A judge that was trained beside the pair, on
the same images, may be blind to the same things as the pair; strangers' figures are less kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tf_inverse import metrics
from tf_inverse.archive import Samples
from tf_inverse.band import Band, Bands, Neuron
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
        judges, by name: accuracy on images, and on_generated, on G(E(x)).
    """
    drawn = quality.drawn(networks, networks.encode(images))
    own = Judge(networks.name, networks.classifier)
    seen, again = own.classes(images), own.classes(drawn)
    return {
        "accuracy": float(np.mean(seen == labels)),
        "agreement": float(np.mean(seen == again)),
        "judges": {
            judge.name: {
                "accuracy": float(np.mean(judge.classes(images) == labels)),
                "on_generated": float(np.mean(judge.classes(drawn) == labels)),
            }
            for judge in panel
        },
    }


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
        those, and of random codes; n, steps, and the Vendi profiles of samples and of natural
        images in the range, at the same count.
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
            batches = list(sample(networks, bands, Settings(n=n, seed=seed), scale=scale))
            drawn = Samples.joined(batch.samples for batch in batches)
            within = np.flatnonzero(metrics.in_range(z[:, [unit]], [z1], [z2]))
            beside = agreement.others(networks, bands, images[within])
            verdicts = [agreement.verdict(one, drawn.images, (unit,), beside) for one in panel]
            row = {"label": name, "range": "p{:g}:p{:g}".format(*levels), "z1": z1, "z2": z2}
            row |= {"n": len(drawn.images), "steps": batches[-1].info.steps}
            row["judges"] = {one.judge.name: _shares(one) for one in verdicts}
            rows.append(row | _diversity(drawn.encodings, e[within], scale.bandwidth))
    return rows


def _shares(verdict):
    return {kind: share for kind, (share, _) in verdict.shares.items()}


def _diversity(encodings, natural, bandwidth):
    count = min(len(natural), len(encodings))
    figures = metrics.scores("vendi", encodings, bandwidth, count)
    return {"count": count} | figures | metrics.scores("vendi_natural", natural, bandwidth, count)
