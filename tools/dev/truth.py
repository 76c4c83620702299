"""How true and how varied samples of a pair are, beside nature and beside its bank.

    python tools/dev/strangers.py ../shared/data/judges_cifar10 JUDGES
    python tools/dev/truth.py JUDGES/resnet44.keras,JUDGES/resnet20.keras \
        ../shared/data/cifar10.h5 [SEED [FOLDER]]

For each class neuron, each of two ranges and each judge: the share of 30 samples that it gives to
the class, over nature's share in the range; Vendi scores of four orders, in E and in the judge's
last features, and how many of the eight are at least those of equally many natural images; gradient
steps times K. The bank's row is the baseline without any search, the row of nature that of other
natural images in the range, and the other rows are of the settings in `WAYS`. Nature is CIFAR-10's
test images; the pair is the shipped one, or the folder of another of the same classes.
"""

from __future__ import annotations

import pathlib
import sys

import keras
import numpy as np

import tf_inverse
from tf_inverse import diversity
from tf_inverse.archive import Samples
from tf_inverse.baselines import bank
from tf_inverse.networks import image_files, yardstick

RANGES, CLASSES = ("p99:p99.8", "p90:p98"), 10
N, DRAWS = 30, 5
WAYS = {
    "default": {},
    "candidates 3": {"candidates": 3},
    "random starts": {"starts": "random"},
}
"""Way of the table -> what differs from the default settings."""


class Yardsticks:
    """A judge, nature as it sees it, and the widths of the two kernels.

    Args:
        networks: The pair.
        judge: A Keras classifier of the pair's classes whose last layer but one are features.
        nature: [m, 32, 32, 3] uint8.
    """

    def __init__(self, networks, judge, nature):
        self.networks = networks
        outputs = [judge.layers[-2].output, judge.output]
        self.judge = keras.Model(judge.inputs[0], outputs)
        neurons = tuple(
            tf_inverse.parse(f"fc8:{unit}@p50:p99", networks).neurons[0] for unit in range(CLASSES)
        )
        self.e, self.z = networks.score(nature, neurons)
        self.features, self.classes = self.look(nature)
        typical = self.features[: networks.natural.typical]
        self.widths = yardstick.of(networks).bandwidth, diversity.bandwidth(typical)

    def look(self, images):
        """The judge's features [k, d] and classes [k] of images."""
        features, logits = self.judge.predict(images.astype(np.float32), batch_size=100, verbose=0)
        return features, logits.argmax(axis=1)

    def profiles(self, e, features):
        """Vendi scores, [2, orders]: in E, and in the judge's features."""
        pairs = zip((e, features), self.widths, strict=True)
        return np.array([diversity.profile(rows, width) for rows, width in pairs])

    def inside(self, band):
        """Natural images in a band."""
        z = self.z[:, band.neuron.unit]
        return np.flatnonzero((z >= band.z1) & (z <= band.z2))

    def drawn(self, band, count, draw):
        """Numbers of natural images in a band."""
        return np.random.default_rng(draw).choice(self.inside(band), count, False)

    def figures(self, band, samples):
        """What `compared` gives for samples."""
        return self.compared(band, samples.encodings, *self.look(samples.images))

    def nature(self, band):
        """The same for natural images that are not those of the comparison, means over `DRAWS`."""
        rows = [self.drawn(band, N, DRAWS + draw) for draw in range(DRAWS)]
        found = [self.compared(band, self.e[r], self.features[r], self.classes[r]) for r in rows]
        return tuple(np.mean(found, axis=0))

    def compared(self, band, e, features, classes):
        """Share believed over nature's, Vendi scores at least nature's, and order 1 in both."""
        natural = []
        for draw in range(DRAWS):
            some = self.drawn(band, len(classes), draw)
            natural.append(self.profiles(self.e[some], self.features[some]))
        scores = self.profiles(e, features)
        unit = band.neuron.unit
        share = np.mean(classes == unit) / np.mean(self.classes[self.inside(band)] == unit)
        return share, int((scores >= np.mean(natural, axis=0)).sum()), *scores[:, 1]


def searched(networks, bands, seed, options):
    """N samples by a search, and what they cost: gradient steps times K."""
    settings = tf_inverse.Settings(n=N, precision="auto", seed=seed, **options)
    batches = list(tf_inverse.sample(networks, bands, settings))
    return Samples.joined([b.samples for b in batches]), batches[-1].info.steps * settings.K


def main(judges: str, data: str, seed: str = "0", pair: str = "cifar10") -> None:
    """Prints a row for every neuron, range, way and judge, and the means."""
    networks = tf_inverse.load(pair)
    nature, _ = image_files.load(data, networks.image_shape[:2], "test", 3)
    sticks = {
        pathlib.Path(path).stem: Yardsticks(networks, keras.models.load_model(path), nature)
        for path in judges.split(",")
    }
    print("| range | judge | neuron | way | believed | Vendi >= nature | E | features | cost |")
    print("|---|---|---|---|---|---|---|---|---|")
    for text in RANGES:
        means: dict[tuple[str, str], list] = {}
        for unit in range(CLASSES):
            bands = tf_inverse.parse(f"fc8:{unit}@{text}", networks)
            ways = {
                way: searched(networks, bands, int(seed), options) for way, options in WAYS.items()
            }
            ways["bank"] = bank.sample(networks, bands, N), 0
            for judge, one in sticks.items():
                rows = {
                    way: (*one.figures(bands[0], samples), cost)
                    for way, (samples, cost) in ways.items()
                    if len(samples.images)
                }
                for way, row in (rows | {"nature": (*one.nature(bands[0]), 0)}).items():
                    means.setdefault((judge, way), []).append(row)
                    share, wins, e, seen, cost = row
                    print(
                        f"| {text} | {judge} | {unit} | {way} | {share:.2f} | {wins:.1f} of 8 "
                        f"| {e:.1f} | {seen:.1f} | {cost} |",
                        flush=True,
                    )
        for (judge, way), rows in means.items():
            share, wins, e, seen, cost = np.transpose(rows)
            print(
                f"| {text} | {judge} | all | {way} | {share.mean():.2f}, least {share.min():.2f} "
                f"| {wins.sum():.0f} of {8 * len(rows)} | {e.mean():.1f} | {seen.mean():.1f} "
                f"| {cost.mean():.0f} |"
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
