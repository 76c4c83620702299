"""Where a range stands among natural images, in words: always said of which set of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tf_inverse.networks.natural import counted
from tf_inverse.report.text import neuron, number, numbers, share_of_images
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.archive import Archive

_NONE = "No natural image excites"


def lines(archive: Archive) -> list[str]:
    """How large the inverse set is, and what each target's range means among natural images.

    Each where it is known; and which natural images samples are compared with.
    """
    found = [size(archive)]
    found += [line(archive, i) for i in range(len(archive.targets))]
    found.append(compared(archive))
    return [one for one in found if one is not None]


def size(archive: Archive) -> str | None:
    """How large the inverse set is, in a sentence; None where the run did not measure it."""
    told = numbers(archive.summary)
    names = ("probability_low", "probability", "probability_high")
    known = all(0 < told.get(name, 0) <= 1 for name in names)
    return share_of_images(told) if known else None


def line(archive: Archive, i: int) -> str | None:
    """What the range of the i-th target means among natural images; None where none are known.

    Percentiles are of all natural images that the network was measured on. An archive of before
    that was stored has those of the images that are kept with it alone.
    """
    target, told = archive.targets[i], archive.header.get("nature")
    if told is not None and told["targets"][i] is not None:
        return whole(target, told, told["targets"][i])
    kept = activations(archive, i)
    return None if kept is None else natural_band(target, kept)


def share(archive: Archive) -> str | None:
    """How many natural images lie in the range of an archive's one target, in a few words.

    None where none are known, and of an intersection, of which only each range's share is.
    """
    known = quantiles(archive, 0) if len(archive.targets) == 1 else None
    if known is None:
        return None
    percent = _between(archive.targets[0], *known)
    return f"about {percent:.3g} % of natural images" if percent > 0 else "no natural image"


def _between(target: dict, levels: Sequence[float], percentiles: ArrayLike) -> float:
    """Percent of natural images in a target's range, whose ends belong to it.

    Where many images give the same, as all at which a ReLU is 0, several levels have that
    activation: a range that begins there has all these images, and not those of the last level.
    """
    places = np.asarray(percentiles, np.float64)
    low, high = np.interp((target["z1"], target["z2"]), places, levels)
    first = int(np.searchsorted(places, target["z1"]))
    if first < len(places) and places[first] == target["z1"]:
        low = levels[first]
    return float(high - low)


def compared(archive: Archive) -> str | None:
    """Which natural images samples are compared with, in a sentence; None where none are known.

    Those of an intersection lie in all its ranges: their number says nothing of one range alone.
    """
    kept, natural = activations(archive, 0), archive.natural
    if archive.header.get("nature") is None or kept is None or natural is None:
        return None
    inside = 0 if natural.encodings is None else len(natural.encodings)
    where = "the range" if len(archive.targets) == 1 else "all the ranges"
    return (
        f"Of natural images the network keeps {len(kept)} chosen at random and {inside} that lie "
        f"in {where}: samples are compared with these."
    )


def activations(archive: Archive, i: int) -> Array | None:
    """Activations of the i-th target over the natural images kept at random, [N], or None."""
    natural = archive.natural
    if natural is None or natural.activations is None or not len(natural.activations):
        return None
    return np.asarray(natural.activations)[:, i]


def quantiles(archive: Archive, i: int) -> tuple[list[float], Array] | None:
    """Percentile levels, and the i-th target's activation at each, over natural images.

    None where no natural images are known.
    """
    told, kept = archive.header.get("nature"), activations(archive, i)
    if told is not None and told["targets"][i] is not None:
        return told["levels"], np.array(told["targets"][i]["percentiles"])
    if kept is None:
        return None
    return list(range(101)), np.quantile(kept, np.arange(101) / 100)


def whole(target: dict, told: dict, unit: dict) -> str:
    """A target's range among all natural images that a network was measured on.

    Args:
        target: Target dictionary.
        told: An archive's `nature`: how many images, what they are, and percentile levels.
        unit: Of the target, among those: mean, sd and percentiles; with images and of, where they
            are over others.
    """
    mean, sd, places = unit["mean"], unit["sd"], []
    ends = target["z1"], target["z2"]
    levels = np.interp(ends, unit["percentiles"], told["levels"])
    for z, level in zip(ends, levels, strict=True):
        beyond = "below all" if z < unit["percentiles"][0] else "above all"
        inside = unit["percentiles"][0] <= z <= unit["percentiles"][-1]
        place = f"p{level:.4g}" if inside else beyond
        places.append(
            f"{number(z)} is {place}" + (f", {(z - mean) / sd:+.1f} sd" if sd > 0 else "")
        )
    percent = _between(target, told["levels"], unit["percentiles"])
    return _sentence(percent, target, places, mean, sd, _over(told, unit))


def _sentence(
    share: float, target: dict, places: Sequence[str], mean: float, sd: float, over: str
) -> str:
    """How many natural images lie in a range, in percent, before what its ends are among them."""
    many = f"About {share:.3g} % of natural images excite" if share > 0 else _NONE
    return (
        f"{many} {neuron(target)} to this range: {'; '.join(places)} "
        f"(mean {number(mean, 3)}, s.d. {number(sd, 3)}, over {over})."
    )


def _over(told: dict, unit: dict) -> str:
    """The images that a unit was measured on: all that the network was, or others."""
    if "of" in unit:
        return counted(unit["images"], unit["of"])
    return counted(told["images"], told["of"])


def standing(z: float, natural: Array) -> str:
    """Where an activation stands among those of natural images.

    Args:
        z: Activation.
        natural: Activations of one unit over natural images, [N].

    Returns:
        Text such as "p93, +1.8 sd" or "above all, +4.1 sd".
    """
    natural = np.asarray(natural, np.float64)
    share = float(np.mean(natural <= z))
    place = "above all" if z > natural.max() else "below all" if z < natural.min() else None
    place = place or f"p{100 * share:.3g}"
    spread = float(natural.std())
    return f"{place}, {(z - natural.mean()) / spread:+.1f} sd" if spread > 0 else place


def natural_band(target: dict, natural: Array) -> str:
    """What a target's range means beside natural images, as one sentence.

    Args:
        target: Target dictionary.
        natural: Activations of its unit over natural images, [N].
    """
    natural = np.asarray(natural, np.float64)
    ends = [f"{number(z)} is {standing(z, natural)}" for z in (target["z1"], target["z2"])]
    share = 100 * float(np.mean((natural >= target["z1"]) & (natural <= target["z2"])))
    over = f"{len(natural)} natural images kept at random"
    return _sentence(share, target, ends, float(natural.mean()), float(natural.std()), over)
