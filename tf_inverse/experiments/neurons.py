"""Which neurons, and between which activations: the paper's for CaffeNet, natural ones elsewhere.

For a pair with labels and natural statistics the ranges are percentiles of natural images: 99 to
99.8, which for ten equally frequent classes are about the percentiles 90 to 98 of a class's own
images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tf_inverse import band
from tf_inverse.band import Band, Neuron
from tf_inverse.errors import UsageError
from tf_inverse.experiments import paper

if TYPE_CHECKING:
    from tf_inverse.networks.natural import Natural
    from tf_inverse.networks.networks import Networks


HIGH = ("p99", "p99.8")
MODERATE = ("p90", "p98")
BEYOND = ("p99.5", "p100")


def is_caffenet(networks: Networks) -> bool:
    """Whether the classifier has CaffeNet's layers, with ImageNet's classes."""
    names = {layer.name for layer in networks.classifier.layers}
    if not {"conv5", "fc6", "fc8"} <= names:
        return False
    shapes = (networks.layer_shape("conv5"), networks.layer_shape("fc8"))
    return shapes == ((13, 13, 256), (1000,))


def is_places(networks: Networks) -> bool:
    """Whether the classifier has CaffeNet's layers, with the 205 classes of Places205-CNN."""
    names = {layer.name for layer in networks.classifier.layers}
    return {"conv5", "fc6", "fc8"} <= names and networks.layer_shape("fc8") == (205,)


def given(networks: Networks, targets: str | None) -> list[Band]:
    """The bands that a user names, one a target; none where they name none.

    Raises:
        UsageError: A target cannot be read, or is a direction.
    """
    found = [band.parse(text, networks)[0] for text in band.split(targets or "")]
    for one in found:
        if one.neuron.direction is not None:
            raise UsageError(
                f"expected units in the targets of an experiment, whose rivals know no directions, "
                f"got {one.neuron}"
            )
    return found


def classes(
    networks: Networks, targets: str | None, most: int | None, usual: int = 1
) -> list[Band]:
    """Class neurons, each with a high range.

    Args:
        networks: The pair.
        targets: Those that a user names, or None.
        most: How many to take at most, or None for all that are named.
        usual: How many to take where neither is said.

    Raises:
        UsageError: The pair has no labels or no natural statistics, and no targets were named.
    """
    named = given(networks, targets)
    if named:
        return named[:most]
    most = most or usual
    if is_caffenet(networks):
        return [Band(Neuron("fc8", unit), *paper.RANGE) for unit in paper.CLASSES[:most]]
    if is_places(networks):
        return [Band(Neuron("fc8", unit), *paper.RANGE) for unit in paper.PLACES[:most]]
    layer, names = _labels(networks)
    units = range(min(most, len(names)))
    return [natural(networks, Neuron(layer, unit), HIGH) for unit in units]


def single(networks: Networks, targets: str | None) -> Band:
    """The one class neuron of a recipe that has no use for more.

    Raises:
        UsageError: As of `classes`; or several targets were named.
    """
    found = classes(networks, targets, None)
    if len(found) > 1:
        raise UsageError(f"expected one target for this recipe, got {len(found)}: {targets}")
    return found[0]


def natural(networks: Networks, neuron: Neuron, levels: tuple[str, str]) -> Band:
    """A neuron between two percentiles of natural images."""
    return band.parse(f"{neuron}@{levels[0]}:{levels[1]}", networks)[0]


def hidden(networks: Networks, targets: str | None) -> list[Band]:
    """A unit of the last convolution, at two ranges: high, and at the very end of nature.

    The unit is the one whose 99.8th percentile is the most deviations above its mean.
    """
    named = given(networks, targets)
    if named:
        return named
    if is_caffenet(networks):
        return [Band(Neuron(*paper.HIDDEN), *ends) for ends in paper.HIDDEN_RANGES]
    nature = _statistics(networks)
    layers = nature.layers
    maps = [name for name in layers if len(networks.layer_shape(name)) == 3 and "relu" not in name]
    if not maps:
        raise UsageError(f"expected --targets: {networks.name} has no statistics of a convolution")
    layer = maps[-1]
    mean, sd, percentiles = layers[layer]
    high = [np.interp(99.8, nature.levels, row) for row in percentiles]
    unit = int(np.argmax((np.array(high) - mean) / np.maximum(sd, 1e-6 * (1 + np.abs(mean)))))
    neuron = band.placed(Neuron(layer, unit), networks.layer_shape(layer))
    return [natural(networks, neuron, levels) for levels in (HIGH, BEYOND)]


def together(networks: Networks, targets: str | None) -> list[Band]:
    """Two class neurons that nature excites together most often, each at a moderate range."""
    named = given(networks, targets)
    if named:
        return named
    if is_caffenet(networks):
        return [Band(Neuron("fc8", unit), 20.0, 30.0) for unit in paper.CLASSES[:2]]
    layer, names = _labels(networks)
    nature = _statistics(networks)
    # The bank is drawn at random; what follows it was chosen for its activations.
    z = nature.activations[layer][: nature.typical].astype(np.float64)
    z = z[:, : len(names)]
    # A class that no image moves is correlated with none.
    moved = np.flatnonzero(np.ptp(z, axis=0))
    if len(moved) < 2:
        raise UsageError(
            f"expected --targets: natural images move {len(moved)} of the classes of "
            f"{networks.name}, and an intersection takes two"
        )
    alike = np.asarray(np.corrcoef(z[:, moved].T))
    np.fill_diagonal(alike, -2)
    pair = moved[list(np.unravel_index(np.argmax(alike), alike.shape))]
    return [natural(networks, Neuron(layer, int(unit)), MODERATE) for unit in sorted(pair)]


def across(networks: Networks, targets: str | None) -> list[Band]:
    """A class neuron and a hidden unit, in different layers, each at a moderate range."""
    named = given(networks, targets)
    if named:
        return named
    if is_caffenet(networks):
        return [single(networks, None), hidden(networks, None)[0]]
    chosen = (single(networks, None), hidden(networks, None)[0])
    return [natural(networks, one.neuron, MODERATE) for one in chosen]


def _labels(networks: Networks) -> tuple[str, tuple[str, ...]]:
    if networks.labels is None or not networks.natural:
        raise UsageError(
            f"expected --targets: {networks.name} has no labels or no natural statistics to choose "
            f"neurons and ranges by"
        )
    return networks.labels


def _statistics(networks: Networks) -> Natural:
    if not networks.natural:
        raise UsageError(f"expected --targets: {networks.name} has no natural statistics")
    return networks.natural
