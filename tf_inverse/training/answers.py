"""What a pair and its judges say of the images that all neurons share: each is looked at once.

These are the test images, what G makes of them, and images of random codes. A judge of large images
takes most of the time of a check; the same image lies in the ranges of many neurons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tf_inverse.band import Neuron
from tf_inverse.compute import progress
from tf_inverse.judging import judges
from tf_inverse.judging.judges import Judge
from tf_inverse.networks import codes, rendering
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

RANDOM = 200
"""Random codes that are drawn."""

AT_A_TIME = 250
"""Images that are drawn, scored and judged together."""

FIRST = 5
"""Choices of a judge, the first ones, among which a class may be."""


class Kind(NamedTuple):
    """Images of one kind, each looked at once: what is kept of them.

    Attributes:
        z: Activations of the class neurons, [N, classes].
        told: Judges' outputs by their names, [N, classes] each.
    """

    z: Array
    told: dict[str, Array]


class Shared(NamedTuple):
    """What the pair and its judges say of all but samples.

    Attributes:
        e: Encodings of the test images, [N, d_E].
        natural: The test images.
        drawn: G(E(x)) of each of them.
        random: What G makes of random codes.
    """

    e: Array
    natural: Kind
    drawn: Kind
    random: Kind


def asked(networks: Networks, panel: Sequence[Judge], images: Array, seed: int = 0) -> Shared:
    """The pair and its judges, asked about test images, G(E(x)), and images of random codes.

    Args:
        networks: With labels: its label layer holds the classes.
        panel: Other classifiers of the same classes in the same order.
        images: Test images, [N, H, W, C] uint8.
        seed: Of the random codes.
    """
    neurons = class_neurons(networks)
    c = codes.draw(networks, RANDOM, codes.generator(seed, 8))
    e = np.concatenate([networks.encode(part) for part in _parts(images)])
    total, done, kinds = 2 * len(images) + len(c), 0, []
    with progress.Counted("images judged") as watch:
        for parts in (_parts(images), _drawn(networks, e), _drawn(networks, c)):
            z: list[Array] = []
            told: dict[str, list[Array]] = {one.name: [] for one in panel}
            for x in parts:
                z.append(networks.activations(x, neurons, batch=AT_A_TIME))
                for one in panel:
                    told[one.name].append(one.finite(x))
                done += len(x)
                watch.show(done, total)
            joined = {name: np.concatenate(one) for name, one in told.items()}
            kinds.append(Kind(np.concatenate(z), joined))
    return Shared(e, *kinds)


def class_neurons(networks: Networks) -> tuple[Neuron, ...]:
    """The neurons of a network's classes: the units of its label layer."""
    assert networks.labels is not None, "networks without labels are refused"
    layer, names = networks.labels
    return tuple(Neuron(layer, unit) for unit in range(len(names)))


def _parts(array: Array) -> Iterator[Array]:
    return (array[i : i + AT_A_TIME] for i in range(0, len(array), AT_A_TIME))


def _drawn(networks: Networks, c: Array) -> Iterator[Array]:
    return (rendering.drawn(networks, part) for part in _parts(c))


def shares(kind: str, outputs: Array, labels: Array) -> dict[str, float]:
    """Shares of images whose class is a judge's first choice, and one of its first `FIRST`.

    Args:
        kind: Name of the first share; that of the second ends in _top5. There is none of the second
            where there are no more classes than that, and none of either without images.
        outputs: Of a judge, [N, classes].
        labels: Class of each image, [N].
    """
    if not len(outputs):
        return {}
    ranks = judges.ranks(outputs, labels)
    found = {kind: float(np.mean(ranks < 1))}
    if outputs.shape[1] > FIRST:
        found[f"{kind}_top{FIRST}"] = float(np.mean(ranks < FIRST))
    return found
