"""Statistics of a pair over natural images, and what there is to say of these images."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tf_inverse import band
from tf_inverse.adopt import defaults
from tf_inverse.adopt.facts import STORED
from tf_inverse.errors import UsageError
from tf_inverse.networks import codes, image_files, unit_statistics, yardstick
from tf_inverse.networks.natural import LEVELS, Natural
from tf_inverse.networks.stored_image import stored
from tf_inverse.networks.unit_labels import Labels
from tf_inverse.networks.yardstick import Yardstick
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.adopt.check import Seen
    from tf_inverse.networks.networks import Networks

BANK = 500
UNITS, NEAR, MOST = 100, 50, 2000
"""Of so many units of the output images of high activations are kept: so many a unit, and of all
units together no more than the last number."""
HIGH = (99.0, 99.8)
PASSIVE = ("InputLayer", "Rescaling", "Flatten", "Reshape", "Dropout", "Cropping2D", "Permute")
"""Kinds of layers that have no units of their own: they hand on what comes."""

RANGES = ((99.0, 99.8), (90.0, 98.0), (75.0, 90.0), (50.0, 75.0))
"""Percentiles of a default target, the highest first."""

MOST_UNITS, WIDEST = 1 << 20, 1 << 16
"""Units of all layers, and of one, that statistics are kept of."""

AT_A_TIME = 1 << 26
"""Numbers that are in memory at a time."""


class Images(NamedTuple):
    """Natural images, and the words of their source.

    Attributes:
        pixels: [N, H, W, C] in 0..255, of the generator's size.
        classes: [N] number of each image's class, or None.
        names: Of the classes, or ().
        words: What they are.
        source: Absolute path that they were read from, or None.
    """

    pixels: Array
    classes: Array | None = None
    names: tuple[str, ...] = ()
    words: str = "images given at adoption"
    source: str | None = None


def load(images: Array | str | os.PathLike | None, image: tuple[int, int, int]) -> Images | None:
    """Natural images of a pair's size, or None where none are given.

    Args:
        images: An array, or a path that `image_files.load` reads.
        image: Rows, columns and channels of the pair's images.

    Raises:
        UsageError: An array of another shape, without images, or of pixels from 0 to 1; or as of
            `image_files.load`.
    """
    if images is None:
        return None
    if not isinstance(images, str | os.PathLike) and hasattr(images, "__array__"):
        images = np.asarray(images)
    if isinstance(images, np.ndarray):
        _expect_images(images, image)
        return Images(images)
    if not isinstance(images, str | os.PathLike):
        raise UsageError(
            f"expected images as an array [N, {', '.join(map(str, image))}], a folder or a file, "
            f"got {type(images).__name__}: np.stack makes an array of its images"
        )
    rows, columns, channels = image
    pixels, classes = image_files.load(images, (rows, columns), "test", channels)
    names = image_files.names(images) if classes is not None else ()
    words = f"images of {pathlib.Path(images).name}"
    return Images(pixels, classes, names, words, os.path.abspath(images))


def _expect_images(images: Array, image: tuple[int, int, int]) -> None:
    if images.shape[1:] != image or not len(images) or images.dtype.kind not in "uif":
        raise UsageError(
            f"expected images [N, {', '.join(map(str, image))}] of numbers, of the generator's "
            f"size, got {images.dtype} {list(images.shape)}"
        )
    low, high = float(images.min()), float(images.max())
    if not (low >= 0.0 and high <= 255.0) or images.dtype.kind == "f" and 0.0 < high <= 1.0:
        raise UsageError(f"expected images in 0..255, got values from {low:g} to {high:g}")


def known(networks: Networks, images: Images | None) -> Natural | None:
    """All natural statistics of a pair: those measured on images, and those that came with it.

    Args:
        networks: From `join.join`.
        images: From `load`.

    Raises:
        UsageError: Codes come from a file, but statistics of the classifier from nowhere.
    """
    if images is not None:
        return statistics(networks, images)
    if networks.natural is None or networks.natural.layers:
        return networks.natural
    if networks.codes.kind in STORED:
        raise UsageError(
            f"expected --images: codes are a {networks.codes.kind} of the generator's folder, "
            f"which has no statistics of {networks.name}; or give --codes=normal"
        )
    return None


def measure(networks: Networks, natural: Natural | None, images: Images | None) -> Yardstick | None:
    """The yardstick of a pair whose statistics keep encodings of another network, by its images.

    Args:
        networks: From `join.join`.
        natural: From `known`.
        images: From `load`.

    Returns:
        The yardstick; None where `yardstick.of` finds it without them.
    """
    if images is None or natural is None or natural.activations:
        return None
    shown = _shuffled(len(images.pixels), 0)[:BANK]
    return yardstick.of_encodings(networks.encode(images.pixels[shown]))


def statistics(networks: Networks, images: Images, seed: int = 0) -> Natural:
    """Statistics of every layer's units over images, and the images to show beside samples.

    What came with the models' folders stays where it is not measured anew; encodings stay in any
    case, as codes may be among them.

    Args:
        networks: With its labels, if it has any.
        images: From `load`.
        seed: Chooses the images to show.

    Raises:
        UsageError: The folder's statistics have other percentiles.
    """
    levels, before = np.array(LEVELS), networks.natural
    if before is not None and not np.array_equal(before.levels, levels):
        raise UsageError("expected the folder's statistics at this version's percentiles")
    ends = tuple(map(networks.layer_path, defaults.ends(networks)))
    first = (*ends, networks.layer_path(networks.encoder))
    layers, z = {}, {}
    for group in _groups(networks, first, len(images.pixels)):
        for layer, a in unit_statistics.responses(
            networks, group, images.pixels, _batch(group)
        ).items():
            if layer in ends:
                z[layer] = a
            spread = unit_statistics.spread(a)
            layers[layer] = (*spread, np.percentile(a, levels, axis=0).T)
    made = Natural(len(images.pixels), images.words, levels, layers)
    if before is not None:
        made = dataclasses.replace(made, layers=before.layers | layers, gaussian=before.gaussian)
    if before is not None and before.encodings is not None:
        kept = ("encodings", "activations", "bank", "random", "indices")
        return dataclasses.replace(made, **{name: getattr(before, name) for name in kept})
    shown = chosen(z[ends[0]], seed)
    return dataclasses.replace(
        made,
        encodings=networks.encode(images.pixels[shown]),
        activations={layer: a[shown] for layer, a in z.items()},
        random=min(BANK, len(images.pixels)),
        indices=np.asarray(shown, np.int64),
        source=images.source,
    )


def chosen(z: Array, seed: int) -> list[int]:
    """Images to keep for showing beside samples, by their activations [N, units] of one layer.

    Returns:
        `BANK` of them at random; then of `UNITS` units at most some whose activation lies between
        the percentiles `HIGH`: up to `NEAR` of each, and `MOST` of all.
    """
    order = _shuffled(len(z), seed)
    kept = list(order[:BANK])
    columns = z.T[:UNITS]
    each = min(NEAR, MOST // len(columns))
    for column in columns:
        low, high = np.percentile(column, HIGH)
        inside = order[(column[order] >= low) & (column[order] <= high)]
        kept += [i for i in inside[:each] if i not in set(kept)]
    return kept


def _shuffled(count: int, seed: int) -> Array:
    """Numbers of images in an order by chance, of which the first `BANK` are kept as typical."""
    return codes.generator(seed, 2).permutation(count)


def _groups(
    networks: Networks, first: tuple[str, ...], count: int
) -> Iterator[list[unit_statistics.Layer]]:
    """Layers to measure in one pass each, whose activations fit in memory together."""
    there = {one.name: one for one in unit_statistics.layers(networks)}
    wanted = [there.get(name) or _layer(networks, name) for name in dict.fromkeys(first)]
    wanted += [
        one
        for one in there.values()
        if one.name not in first
        and one.kind not in PASSIVE
        and len(one.shape) <= 3
        and one.units <= WIDEST
    ]
    group: list[unit_statistics.Layer] = []
    total = own = 0
    for one in wanted:
        total += one.units
        if total > MOST_UNITS and one.name not in first:
            break
        if group and (own + one.units) * count > AT_A_TIME:
            yield group
            group, own = [], 0
        group.append(one)
        own += one.units
    yield group


def _layer(networks: Networks, name: str) -> unit_statistics.Layer:
    shape = networks.layer_shape(name)
    return unit_statistics.Layer(name, "output", shape, shape[-1])


def _batch(group: list[unit_statistics.Layer]) -> int:
    whole = sum(int(np.prod(one.shape)) for one in group)
    return int(np.clip(AT_A_TIME // max(whole, 1), 1, unit_statistics.BATCH))


def in_percentiles(
    networks: Networks, natural: Natural | None, target: str | None, seen: Seen
) -> str | None:
    """A target's neuron at the highest natural range that random codes come up to.

    Args:
        networks: The pair.
        natural: From `known`.
        target: From `defaults.target`.
        seen: From `check.images`.

    Returns:
        The target in percentiles; the same target where none of its ranges is natural.
    """
    if target is None or natural is None:
        return target
    (one,) = band.parse(target, networks)
    unit = natural.unit(one.neuron)
    if unit is None:
        return target
    images = stored(seen.images)
    most = networks.activations(images, (one.neuron,)).max()
    for low, high in RANGES:
        z1, z2 = unit.percentile(low), unit.percentile(high)
        some = (high - low) / 100 * natural.images >= 1
        if some and z1 < z2 and z1 <= most:
            return f"{one.neuron}@p{low:g}:p{high:g}"
    return target


def findings(networks: Networks, natural: Natural | None, images: Images | None) -> dict[str, Any]:
    """Figures of natural images that the user is told, by name; empty where there are no images.

    Args:
        networks: The pair, with its labels.
        natural: From `known`.
        images: From `load`.
    """
    if images is None or natural is None:
        return {}
    facts: dict[str, Any] = {"images": len(images.pixels), "layers": len(natural.layers)}
    if not images.names:
        return {"natural": facts}
    labels = networks.labels
    count = networks.layer_shape(defaults.output(networks))[-1]
    if len(images.names) != count:
        facts["labels"] = f"{count} outputs, but classes of the images: {len(images.names)}"
    elif labels is not None and labels.names == images.names:
        facts |= _agreement(networks, labels, images)
    return {"natural": facts}


def _agreement(networks: Networks, labels: Labels, images: Images) -> dict[str, Any]:
    """How often the classifier gives an image to its own class: the order may be another."""
    layer, names = labels
    z = unit_statistics.responses(networks, [_layer(networks, layer)], images.pixels)[layer]
    share = float(np.mean(z.argmax(axis=1) == images.classes))
    words = "classes of the images"
    if share < 1.5 / len(names):
        words += (
            ", no better than by chance: are the units in this order? --labels=FILE gives another"
        )
    return {"labels": words, "classified as labelled": round(share, 4)}
