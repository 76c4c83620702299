"""Does a pair show what excites a neuron, or what fools it? An independent judge tells.

A sampler can please its own classifier with images that mean nothing. A judge, another classifier
trained apart, knows nothing of the first one's weaknesses: the share of a class neuron's samples
that it gives to the class is the share that a stranger would recognise.
"""

from __future__ import annotations

import keras
import numpy as np

from tf_inverse import metrics
from tf_inverse.band import Band, Bands, Neuron
from tf_inverse.method.normalization import measure
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.training import quality

RANGE = (90, 98)


def reconstructions(networks, judge, images, labels) -> dict:
    """How honest G(E(x)) is, as shares of test images.

    Args:
        networks: `networks.Networks`; its label layer holds the classes.
        judge: Another classifier of the same classes.
        images: [N, H, W, C] uint8.
        labels: [N].

    Returns:
        accuracy of the classifier and of the judge on images, agreement of the classifier's class
        on G(E(x)) with that on x, and judge_on_generated, the judge's accuracy on G(E(x)).
    """
    drawn = quality.drawn(networks, networks.encode(images))
    seen, again = classes(networks.classifier, images), classes(networks.classifier, drawn)
    return {
        "accuracy": float(np.mean(seen == labels)),
        "agreement": float(np.mean(seen == again)),
        "judge_accuracy": float(np.mean(classes(judge, images) == labels)),
        "judge_on_generated": float(np.mean(classes(judge, drawn) == labels)),
    }


def samples(networks, judge, images, labels, n: int = 100, seed: int = 0) -> list[dict]:
    """For every class neuron, what the judge says of its samples at a high natural range.

    Args:
        networks: With labels.
        judge: As above.
        images: Test images, [N, H, W, C] uint8.
        labels: [N].
        n: Samples a neuron.
        seed: Of the runs.

    Returns:
        A dict a class: label, z1 and z2 (percentiles `RANGE` of the class's test images), judge
        (share of the samples that the judge gives to the class), judge_natural (the same of natural
        images of any class in the range), vendi and vendi_natural at equal counts, steps.
    """
    layer, names = networks.labels
    neurons = tuple(Neuron(layer, unit) for unit in range(len(names)))
    e, z = networks.score(images, neurons, batch=250)
    rows = []
    for neuron, name in zip(neurons, names, strict=True):
        own = z[:, neuron.unit]
        z1, z2 = np.percentile(own[labels == neuron.unit], RANGE)
        bands, scale = Bands([Band(neuron, float(z1), float(z2))]), measure(networks, (neuron,))
        batches = list(sample(networks, bands, Settings(n=n, seed=seed), scale=scale))
        drawn, encodings = (np.concatenate([b.samples[i] for b in batches]) for i in (0, 2))
        within = np.flatnonzero((own >= z1) & (own <= z2))
        count = min(len(within), len(drawn))
        rows.append(
            {
                "label": name,
                "z1": float(z1),
                "z2": float(z2),
                "judge": float(np.mean(classes(judge, drawn) == neuron.unit)),
                "judge_natural": float(np.mean(classes(judge, images[within]) == neuron.unit)),
                "vendi": metrics.vendi(encodings[:count], scale.bandwidth),
                "vendi_natural": metrics.vendi(e[within[:count]], scale.bandwidth),
                "count": count,
                "steps": batches[-1].info.steps,
            }
        )
    return rows


def classes(model: keras.Model, images: np.ndarray, batch: int = 250) -> np.ndarray:
    """The class with the largest output, [N], for images [N, H, W, C]."""
    parts = [
        model(images[i : i + batch].astype(np.float32), training=False).numpy().argmax(axis=1)
        for i in range(0, len(images), batch)
    ]
    return np.concatenate(parts)
