"""How good a generator is, by what comes back when images go through E and G: figures and words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tf_inverse.adopt import defaults
from tf_inverse.networks import rendering, unit_statistics
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

AGREEMENT, ERROR = 0.5, 0.5
"""A generator is poor whose agreement covers less than the first of the way from chance to 1, or
whose feature error is above the second."""

CLASS = "the classifier's class"

FEW = 100
"""Fewer images than these tell little."""


def figures(
    networks: Networks, images: np.ndarray, labels: Array | None = None
) -> dict[str, float]:
    """What remains of images x in G(E(x)); best on images that G was not trained on.

    Args:
        networks: The pair.
        images: [N, H, W, C] uint8 of the generator's size.
        labels: Class of each, [N], where it is known.

    Returns:
        images: N.
        agreement: Share for which the classifier's class is the same on G(E(x)) as on x; where it
            has one unit, its being above or below the median on x.
        by chance: The share that one class for all would reach.
        pixel error: Root mean square over pixels, of 255; of an image or its mirror image,
            whichever is nearer, since a classifier forgets which way things face.
        pixel error of the mean image: The same where the mean of all images is shown for each.
        feature error: Mean square of E(G(E(x))) - E(x), as a share of the variance of E(x).
        accuracy: Share of images that the classifier gives to their class; where labels are given.
    """
    output = defaults.output(networks)
    e = networks.encode(images)
    again = rendering.drawn(networks, e)
    z, z_again = (unit_statistics.activations(networks, output, a) for a in (images, again))
    middle = np.median(z, axis=0)
    seen, seen_again = (_classes(a, middle) for a in (z, z_again))
    nearer, mean = _nearer(images, again), images.mean(axis=0, dtype=np.float64)
    far = [np.mean((one - mean) ** 2) for one in images]
    variance = np.var(e, axis=0).mean()
    told = {
        "images": len(images),
        "agreement": np.mean(seen == seen_again),
        "by chance": np.bincount(seen).max() / len(seen),
        "pixel error": np.sqrt(nearer.mean()),
        "pixel error of the mean image": np.sqrt(np.mean(far)),
        "feature error": np.mean((networks.encode(again) - e) ** 2) / max(variance, 1e-12),
    }
    if labels is not None:
        told["accuracy"] = np.mean(seen == labels)
    return {name: float(value) for name, value in told.items()}


def _nearer(images: Array, again: Array) -> Array:
    """Mean square difference of each image or its mirror image, whichever is nearer: [N]."""
    return np.array(
        [
            min(np.mean((v - y.astype(np.float32)) ** 2) for v in (x, x[:, ::-1]))
            for x, y in zip(images, again, strict=True)
        ]
    )


def _classes(z: Array, middle: Array) -> Array:
    return z.argmax(axis=1) if z.shape[1] > 1 else (z[:, 0] > middle[0]).astype(int)


def answer(networks: Networks) -> str:
    """What the classifier answers with, in words: a class, where its units are known to be some."""
    layer = defaults.output(networks)
    if networks.labels is not None or len(defaults.ends(networks)) > 1:
        return CLASS
    if networks.layer_shape(layer)[-1] == 1:
        return f"the side of its median on which {layer}:0 is"
    return f"the strongest unit of {layer}"


def words(told: dict[str, float], answer: str = CLASS) -> list[str]:
    """The figures in sentences, the last of which says where they are poor and what helps.

    Args:
        told: From `figures`.
        answer: From `answer`.
    """
    mean, chance = told["pixel error of the mean image"], told["by chance"]
    one = "class" if answer == CLASS else "answer"
    said = [
        f"of {told['images']:.0f} images x that it was not trained on: {answer} on "
        f"G(E(x)) is that on x for {told['agreement']:.1%} (one {one} for all: {chance:.1%})",
        f"pixel error {told['pixel error']:.1f} of 255 (the mean image: {mean:.1f}), feature error "
        f"{told['feature error']:.1%} of the encoding's variance",
    ]
    if "accuracy" in told:
        said.append(f"the classifier gives {told['accuracy']:.1%} of them to their class")
    if told["images"] < FEW:
        said.append(f"{told['images']:.0f} images tell little: the figures are rough")
    poor = [
        name
        for name, bad in (
            ("agreement", told["agreement"] - chance <= AGREEMENT * (1.0 - chance)),
            ("feature error", told["feature error"] > ERROR),
            ("pixel error", told["pixel error"] > mean),
        )
        if bad
    ]
    if poor:
        said.append(
            f"poor: {', '.join(poor)}; samples show what this generator can draw more than what "
            f"the neuron looks for: train longer (--epochs), on more images, or from an earlier "
            f"layer (--encoder)"
        )
    return said
