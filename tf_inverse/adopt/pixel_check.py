"""Whether a classifier learned from pixels of another range than was said: nothing fails then.

A classifier that had its pictures divided by 255 outside of the model takes pictures of 0..255 as
well, and gives numbers that mean nothing. Two things in a trained classifier tell: how many images
it gives to their own class, and the means and variances that its first normalisation, by batches or
as of `Normalization`, has kept of the training images. Both are looked at under each usual range.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from tf_inverse.adopt import defaults, pixels
from tf_inverse.layers import taps
from tf_inverse.tensors import Array, Model, Tensor

if TYPE_CHECKING:
    from tf_inverse.adopt.facts import Classifier
    from tf_inverse.adopt.nature import Images
    from tf_inverse.networks.networks import Networks

USUAL = (pixels.PIXELS, (0.0, 1.0), (-1.0, 1.0), "caffe", "torch")
LABELLED, BATCH = 100, 50
"""Images that are looked at, and how many at a time."""

NATURAL, DRAWN = (0.3, 0.25), (3.0, 0.1)
"""Divergence from which on the range that was said is doubted, and the share of it that another
range has to stay below. Images that a generator draws may have a contrast of their own."""

MORE, LEAST_MORE = 1.5, 0.1
"""A range that is named gives so many times as many images to their class, and this share of all
more."""

Change = Callable[[Array], Array]
"""Of images [N, H, W, C] in 0..255."""


def doubts(
    networks: Networks, f: Classifier, photos: Images | None, generated: Array | None = None
) -> list[str]:
    """A sentence that names the range that fits better; none where what was said fits.

    Args:
        networks: A pair whose classifier takes images in 0..255 and makes them what was said.
        f: Facts of its classifier.
        photos: Natural images in 0..255, where there are some. Their classes tell something where
            their names are those of the units.
        generated: [N, H, W, C], images of the generator in 0..255, to look at instead.
    """
    images = photos.pixels if photos else generated
    if images is None:
        return []
    ways, said = dict(_ways(f.pixels, f.picture.channels, images.shape[-1])), pixels.words(f.pixels)
    if not ways:
        return []
    if photos and photos.classes is not None and _are_labels(networks, photos.names):
        some = _spread(len(images), LABELLED)
        given, classes = _given(networks, ways, images[some]), photos.classes[some]
        shares = {name: float(np.mean(units == classes)) for name, units in given.items()}
        best = max(shares, key=lambda name: shares[name])
        if line := _of_order(photos.names, given[said], classes, MORE * shares[best]):
            return [line]
        if shares[best] > max(MORE * shares[said], shares[said] + LEAST_MORE):
            return [
                f"--pixels={best} may be meant: {shares[best]:.0%} of the images are then given to "
                f"their class, and {shares[said]:.0%} with pixels {said}"
            ]
        if shares[said] > MORE / len(photos.names):
            return []
    return _of_normalisation(networks, said, ways, images, NATURAL if photos else DRAWN)


def _of_normalisation(
    networks: Networks,
    said: str,
    ways: dict[str, Change],
    images: Array,
    limits: tuple[float, float],
) -> list[str]:
    norm = first_normalisation(networks.classifier, networks.shapes)
    if norm is None:
        return []
    path, layer = norm
    x, read = images[_spread(len(images), BATCH)], _reader(networks, path)
    apart = {name: divergence(layer, read(way, x)) for name, way in ways.items()}
    best, (least, share) = min(apart, key=lambda name: apart[name]), limits
    if apart[said] <= least or apart[best] >= share * apart[said]:
        return []
    hint = "; photographs (--images) tell better than what a generator draws" * (limits == DRAWN)
    return [
        f"--pixels={best} may be meant: the means and variances that {path} kept of its training "
        f"are those of images with such pixels, and not with {said}" + hint
    ]


def _are_labels(networks: Networks, names: tuple[str, ...]) -> bool:
    """Whether classes of images are the classifier's own, in the order of its units."""
    known = networks.labels is not None and networks.labels.names == names
    return known and len(networks.layer_shape(defaults.output(networks))) == 1


def _given(networks: Networks, ways: dict[str, Change], images: Array) -> dict[str, Array]:
    """The strongest unit of each image [N], by the words of the pixels."""
    read = _reader(networks, defaults.output(networks))
    return {name: read(way, images).argmax(axis=-1) for name, way in ways.items()}


def _of_order(names: tuple[str, ...], units: Array, classes: Array, least: float) -> str | None:
    """A sentence where units know the classes of images, but in another order than their names.

    Args:
        names: Of the classes, in their order.
        units: Strongest unit of each image.
        classes: Class of each image.
        least: Share of the images which another order is to have right.
    """
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (classes, units), 1)
    own = counts.argmax(axis=1)
    if len(set(own)) < len(names) or (own == np.arange(len(names))).all():
        return None
    if counts.max(axis=1).sum() <= least * len(units):
        return None
    first = int(np.flatnonzero(own != np.arange(len(names)))[0])
    return (
        f"labels may be in another order than units: images of {names[first]} excite unit "
        f"{own[first]} most, which is labelled {names[own[first]]}; --labels tells the names of "
        f"units in their order"
    )


def _ways(said: pixels.Pixels, channels: int, given: int) -> Iterator[tuple[str, Change]]:
    """Changes of images that have the classifier see what it would if another range had been said.

    Args:
        said: What was said.
        channels: Of the pictures that the classifier takes itself.
        given: Channels of the images. Where they are others than the classifier's, ranges alone
            are looked at, which treat all channels alike.
    """
    A, b = pixels.transform(said, channels)
    if given != channels and len({*np.diag(A)} | {*b}) > 2:
        return
    for one in dict.fromkeys((said, *USUAL)):
        if isinstance(one, str) and not given == channels == 3:
            continue
        A_one, b_one = pixels.transform(one, channels)
        matrix, shift = A_one @ np.linalg.inv(A), (b_one - b) @ np.linalg.inv(A)
        if given != channels:
            matrix, shift = matrix[:1, :1] * np.eye(given), np.full(given, shift[0])
        yield pixels.words(one), functools.partial(_changed, matrix=matrix, shift=shift)


def _changed(images: Array, matrix: Array, shift: Array) -> Array:
    return (images @ matrix + shift).astype(np.float32)


def _spread(count: int, most: int) -> Array:
    """Numbers of at most so many images, spread over all of them: they may lie in classes."""
    return np.unique(np.linspace(0, count - 1, most).round().astype(int))


def _reader(networks: Networks, layer: str) -> Callable[[Change, Array], Array]:
    """A function of a change and images: what a layer gives for them when they are changed so."""

    @functools.partial(tf.function, reduce_retracing=True, autograph=False)
    def read(x: Tensor) -> Tensor:
        return networks.outputs(x, (layer,))[1][layer]

    def outputs(way: Change, images: Array) -> Array:
        starts = range(0, len(images), BATCH)
        return np.concatenate(
            [read(tf.constant(way(images[i : i + BATCH]))).numpy() for i in starts]
        )

    return outputs


Normalising: TypeAlias = keras.layers.BatchNormalization | keras.layers.Normalization


def first_normalisation(model: Model, paths: Collection[str]) -> tuple[str, Normalising] | None:
    """The first normalisation that has learned, with its path; None for none.

    Args:
        model: Classifier or generator.
        paths: Of the layers whose outputs can be had.
    """
    for path, layer in taps.walk(model):
        if isinstance(layer, Normalising) and path in paths:
            kept = ("moving_mean", "moving_variance")
            names = kept if hasattr(layer, kept[0]) else ("mean", "variance")
            mean, variance = (np.asarray(getattr(layer, name)) for name in names)
            return (path, layer) if mean.any() or (variance != 1.0).any() else None
    return None


def divergence(layer: Normalising, y: Array) -> float:
    """Kullback-Leibler divergence of N(0, 1) from what a layer normalises, mean of channels.

    Args:
        layer: The normalisation.
        y: What it gives, with its channels last.
    """
    y = np.asarray(y, np.float64).reshape(-1, y.shape[-1])
    gamma, beta = (
        start if v is None else np.asarray(v, np.float64)
        for v, start in (
            (getattr(layer, "gamma", None), np.ones(y.shape[-1])),
            (getattr(layer, "beta", None), np.zeros(y.shape[-1])),
        )
    )
    live = np.abs(gamma) > 1e-3
    if not live.any():
        return 0.0
    mean, sd = (y.mean(axis=0) - beta)[live] / gamma[live], y.std(axis=0)[live] / abs(gamma[live])
    variance = np.maximum(sd, 1e-6) ** 2
    return float(np.mean(0.5 * (variance + mean**2 - 1.0 - np.log(variance))))
