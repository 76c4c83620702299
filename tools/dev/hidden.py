"""Whether samples of hidden units are like natural images in the range, by a stranger's features.

    python tools/dev/strangers.py ../shared/data/judges_cifar10 JUDGES
    python tools/dev/hidden.py JUDGES/resnet44.keras ../shared/data/cifar10.h5 [PAIR [SEED]]

For each neuron the squared maximum mean discrepancy (Gretton et al. 2012, equation 3, Gaussian
kernel of the median distance) of 60 samples from the natural images in the range, in standardised
features of a judge that was trained elsewhere: 0 for images of nature's own law. Beside it, that of
as many natural images drawn at random, and the steps.
"""

from __future__ import annotations

import sys

import keras
import numpy as np

import tf_inverse
from tf_inverse.archive import Samples
from tf_inverse.networks import image_files

TARGETS = (
    "relu3_2:5@p99:p99.8",
    "relu3_2:40@p99:p99.8",
    "fc6:10@p99:p99.8",
    "relu2_2:9@p99:p99.8",
    "relu3_2:77@p90:p98",
    "relu3_1:30@p90:p98",
)
N, SOME = 60, 500
WAYS = {
    "near starts": {"starts": "near"},
    "... and two candidates": {"starts": "near", "candidates": 2},
    "random starts": {"starts": "random"},
}
"""Way of the table -> what differs from the default settings."""


def squares(a, b):
    """Squared distances of rows, [n, m]."""
    return np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2.0 * a @ b.T


def kernel(a, b, width):
    """Gaussian kernel of rows, [n, m]."""
    return np.exp(-squares(a, b) / (2.0 * width**2))


def discrepancy(a, b, width):
    """The unbiased squared maximum mean discrepancy of rows a and b."""

    def within(x):
        return (kernel(x, x, width).sum() - len(x)) / (len(x) * (len(x) - 1))

    return within(a) + within(b) - 2.0 * kernel(a, b, width).mean()


def main(judge: str, data: str, pair: str = "cifar10", seed: str = "1") -> None:
    """Prints a row for every neuron."""
    networks = tf_inverse.load(pair)
    nature, _ = image_files.load(data, networks.image_shape[:2], "test", 3)
    found = keras.models.load_model(judge)
    features = keras.Model(found.inputs[0], found.layers[-2].output)

    def look(images):
        return features.predict(images.astype(np.float32), batch_size=100, verbose=0)

    seen = look(nature).astype(np.float64)
    mean, sd = seen.mean(axis=0), seen.std(axis=0)
    seen = (seen - mean) / sd
    some = seen[np.random.default_rng(0).choice(len(seen), SOME, False)]
    width = float(np.median(np.sqrt(np.maximum(squares(some, some), 0.0))))
    print("| neuron and range | " + " | ".join(WAYS) + " | random natural images |")
    print("|---|" + "---|" * (len(WAYS) + 1))
    for target in TARGETS:
        bands = tf_inverse.parse(target, networks)
        z = networks.activations(nature, bands.neurons)[:, 0]
        inside = seen[(z >= bands[0].z1) & (z <= bands[0].z2)]
        cells = []
        for options in WAYS.values():
            settings = tf_inverse.Settings(n=N, precision="auto", seed=int(seed), **options)
            batches = list(tf_inverse.sample(networks, bands, settings))
            samples = Samples.joined([batch.samples for batch in batches])
            e = (look(samples.images) - mean) / sd
            cells.append(f"{discrepancy(e, inside, width):.3f}, {batches[-1].info.steps} steps")
        cells.append(f"{discrepancy(some[:N], inside, width):.3f}")
        print(f"| `{target}` | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
