"""How many samples judges give to the neuron's class, beside what they say of other images.

A share alone says little. Beside it stand what the judges say of natural images in the same range,
of what the generator makes of those, and of random codes. A sample that no judge names is no fault
of the sample: a neuron is no class, and a hidden unit has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tf_inverse import diversity, metrics
from tf_inverse.archive import Archive
from tf_inverse.band import Bands
from tf_inverse.judging import matching
from tf_inverse.judging.judges import Judge
from tf_inverse.networks import codes, repeats, unit_nature
from tf_inverse.report import judged
from tf_inverse.run import verify
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

RANDOM, MOST, BATCH = 200, 200, 100
"""Random codes drawn, images of each kind that are shown to judges at most, and at a time."""


class Others(NamedTuple):
    """Images of one kind that the samples are compared with: their name, and [m, H, W, C]."""

    name: str
    images: Array


class Verdict(NamedTuple):
    """What one judge says.

    Attributes:
        judge: The judge that says it.
        classes: Class of each sample, [n] int32.
        expected: Classes that stand for the neurons; none where the judge has no such class.
        shares: Kind of images -> (share of them given to an expected class, their number). Where
            there is none expected, the class that most samples are given to takes its place.
    """

    judge: Judge
    classes: Array
    expected: tuple[int, ...]
    shares: dict[str, tuple[float, int]]

    @property
    def agrees(self) -> Array | None:
        """Which samples are given to an expected class, [n]; None where there is none."""
        return np.isin(self.classes, self.expected) if self.expected else None

    @property
    def most(self) -> int:
        """The class that most samples are given to."""
        return int(np.bincount(self.classes).argmax())

    def named(self, number: int) -> str:
        """A class in words."""
        return self.judge.labels[number] if self.judge.labels else str(number)

    @property
    def said(self) -> judged.Said:
        """The same without the judge itself."""
        return judged.Said(
            judge=self.judge.name,
            classes=self.classes,
            agrees=self.agrees,
            names={i: self.named(i) for i in np.unique(self.classes).tolist()},
            expected=tuple(map(self.named, self.expected)),
            shares=self.shares,
            sha256=self.judge.sha256,
        )


def others(
    networks: Networks, bands: Bands, images: Array | None = None, seed: int = 0
) -> list[Others]:
    """What samples are compared with: nature in the bands, nature as G draws it, random codes.

    Args:
        networks: The pair that the samples are of.
        bands: Of the samples.
        images: Natural images [N, H, W, C] uint8 of the generator's size, where there are any.
        seed: Of the random codes.

    Returns:
        Those kinds of which there are images. Random codes whose image lies in the bands are left
        out.

    Raises:
        UsageError: The networks give others each time: see `repeats.expect_neurons`.
    """
    found, neurons = [], bands.neurons
    repeats.expect_neurons(networks, neurons, BATCH)
    if images is not None:
        inside = np.flatnonzero(_inside(networks.activations(images, neurons, batch=BATCH), bands))
        found.append(Others("natural images in range", images[diversity.evenly(inside, MOST)]))
    stored = networks.natural
    kept = stored.encodings if stored is not None and stored.bank is not None else None
    within = unit_nature.within(networks, bands)
    if kept is not None and within is not None:
        drawn = verify.render(networks, kept[diversity.evenly(within, MOST)])
        found.append(Others("... as G draws them", drawn))
    drawn = verify.render(networks, codes.draw(networks, RANDOM, codes.generator(seed, 8)))
    outside = ~_inside(networks.activations(drawn, neurons, batch=BATCH), bands)
    found.append(Others("random codes out of it", drawn[outside]))
    return [one for one in found if len(one.images)]


def _inside(z: Array, bands: Bands) -> Array:
    """Which rows of activations z [N, p] lie in every band, [N]."""
    return metrics.in_range(z, bands.z1, bands.z2)


def verdict(
    judge: Judge, images: Array, expected: tuple[int, ...], beside: list[Others]
) -> Verdict:
    """One judge's say on samples and on other images.

    Args:
        judge: The judge that is asked.
        images: The samples', [n, H, W, C]: an array, or a column of an archive, which is sliced
            like one.
        expected: From `matching.classes`, of all targets together.
        beside: From `others`.
    """
    parts = [judge.classes(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
    own = Verdict(judge, np.concatenate(parts), expected, {})
    counted = expected or (own.most,)
    shares = {"samples": (float(np.mean(np.isin(own.classes, counted))), len(own.classes))}
    for other in beside:
        said = np.isin(judge.classes(other.images), counted)
        shares[other.name] = (float(said.mean()), len(said))
    return own._replace(shares=shares)


def expected(archive: Archive, judge: Judge, given: matching.Map) -> tuple[int, ...]:
    """The classes of a judge that stand for an archive's targets, all of them together."""
    parts = [matching.classes(target, judge, given) for target in archive.targets]
    return tuple(dict.fromkeys(number for part in parts for number in part))


def store(archive: Archive, verdicts: list[Verdict]) -> None:
    """Writes what judges said beside the archive: see `judged`."""
    for one in verdicts:
        judged.store(archive, one.said)
