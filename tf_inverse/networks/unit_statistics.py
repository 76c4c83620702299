"""What there is to look at: layers, their units, and how active each is by nature."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from tf_inverse.errors import UsageError
from tf_inverse.layers import taps
from tf_inverse.networks import codes
from tf_inverse.networks.natural import LEVELS, counted
from tf_inverse.tensors import Array, Tensor

if TYPE_CHECKING:
    import keras

    from tf_inverse.networks.networks import Networks


RANDOM = 100
"""Random codes that a unit is looked at with."""

BATCH = 50
SEED = 0

AT_A_TIME = 1 << 22
"""Activations that are in memory in float64 at a time."""


class Layer(NamedTuple):
    """A layer of the classifier: name, kind, output shape, number of units."""

    name: str
    kind: str
    shape: tuple[int, ...]
    units: int


class Statistics(NamedTuple):
    """Activations of a layer's units over images; of a map, at its centre.

    Attributes:
        images: What was measured on, in words.
        mean: [U].
        sd: [U].
        percentiles: [U, P], at natural.LEVELS.
    """

    images: str
    mean: np.ndarray
    sd: np.ndarray
    percentiles: np.ndarray

    @property
    def dead(self) -> Array:
        """Units that never change, [U]."""
        return self.percentiles[:, 0] == self.percentiles[:, -1]


def layers(networks: Networks) -> list[Layer]:
    """Every layer of the classifier that has units: those with a fixed output shape."""
    kinds = {path: kind(layer) for path, layer in taps.walk(networks.classifier)}
    fixed = {
        path: tuple(side for side in shape if side is not None)
        for path, shape in networks.shapes.items()
        if shape and None not in shape and kinds.get(path) != "InputLayer"
    }
    return [
        Layer(path, kinds.get(path, "output"), shape, shape[-1]) for path, shape in fixed.items()
    ]


def kind(layer: keras.layers.Layer) -> str:
    """A layer's class, and the activation inside it: what is looked at comes after both."""
    name = type(layer).__name__
    inside = getattr(getattr(layer, "activation", None), "__name__", "linear")
    return name if inside == "linear" or name == "Activation" else f"{name}+{inside}"


def stored(networks: Networks, layer: str) -> Statistics | None:
    """The statistics over natural images that came with the pair, or None.

    They are kept by the layer's path, for which its name may stand.

    Raises:
        UsageError: The classifier has no such layer.
    """
    natural = networks.natural
    path = networks.layer_path(layer)
    if natural is None or path not in natural.layers:
        return None
    mean, sd, percentiles = natural.layers[path]
    at = [list(natural.levels).index(level) for level in LEVELS if level in natural.levels]
    if len(at) != len(LEVELS):
        return None
    words = counted(natural.images, natural.description)
    return Statistics(words, mean, sd, percentiles[:, at])


def measure(networks: Networks, layer: str, images: np.ndarray, words: str) -> Statistics:
    """Measures a layer's units on images.

    Args:
        networks: `networks.Networks`.
        layer: Name of a layer of the classifier.
        images: RGB 0..255 [N, H, W, C], of the generator's size.
        words: What the images are.

    Raises:
        UsageError: The classifier has no such layer.
    """
    z = activations(networks, layer, images).astype(np.float64)
    percentiles = np.percentile(z, LEVELS, axis=0).T
    return Statistics(words, z.mean(axis=0), z.std(axis=0), percentiles)


def spread(z: Array) -> tuple[Array, Array]:
    """Mean and standard deviation [U] of activations z [N, U], float32, summed in float64.

    Sums of many numbers in float32 drift, so that a unit which never changes would seem to. A few
    units are looked at a time, for the numbers in float64 take twice the memory.
    """
    step = max(1, AT_A_TIME // len(z))
    parts = [z[:, i : i + step] for i in range(0, z.shape[1], step)]
    mean = z.mean(axis=0, dtype=np.float64)
    sd = np.concatenate([part.std(axis=0, dtype=np.float64) for part in parts])
    return mean.astype(np.float32), sd.astype(np.float32)


def activations(networks: Networks, layer: str, images: np.ndarray) -> np.ndarray:
    """Activations [N, U] of all units of a layer; of a map, at its centre."""
    shape = tuple(networks.layer_shape(layer))
    return responses(networks, [Layer(layer, "", shape, shape[-1])], images)[layer]


def responses(
    networks: Networks, layers: list[Layer], images: np.ndarray, batch: int = BATCH
) -> dict:
    """Activations of all units of several layers; of maps, at their centre.

    Args:
        networks: `networks.Networks`.
        layers: Of the classifier.
        images: RGB 0..255 [N, H, W, C], of the generator's size.
        batch: Images at a time.

    Returns:
        Layer's name -> [N, U] float32.
    """
    names = tuple(layer.name for layer in layers)
    centres = [tuple(size // 2 for size in layer.shape[:-1]) for layer in layers]

    def middle(x: Tensor) -> list[Tensor]:
        h = networks.outputs(x, names)[1]
        return [h[name][(slice(None), *at)] for name, at in zip(names, centres, strict=True)]

    read = tf.function(middle, reduce_retracing=True, autograph=False)
    parts = [
        [z.numpy() for z in read(tf.constant(images[i : i + batch], tf.float32))]
        for i in range(0, len(images), batch)
    ]
    columns = zip(*parts, strict=True)
    return {name: np.concatenate(z) for name, z in zip(names, columns, strict=True)}


def random_images(networks: Networks, count: int = RANDOM) -> np.ndarray:
    """Images of random codes, as they would be stored, [count, H, W, C]."""
    c = codes.draw(networks, count, codes.generator(SEED, 0))
    parts = []
    for i in range(0, count, BATCH):
        x = networks.images(tf.constant(c[i : i + BATCH]))
        parts.append(np.asarray(x))
    images = np.concatenate(parts)
    return images.astype(np.uint8) if networks.stored == "uint8" else images


def labels(networks: Networks, layer: str) -> tuple[str, ...]:
    """Labels of a layer's units; empty texts where it has none."""
    return networks.names(layer) or ("",) * networks.layer_shape(layer)[-1]


def asked_layer(networks: Networks, layer: str | None, search: str | None) -> str | None:
    """The layer to list: the one named, the labelled one for a search, or None.

    Raises:
        UsageError: A search where no layer has labels, or an unknown layer.
    """
    if layer is not None:
        networks.layer_shape(layer)
        return layer
    if search is None:
        return None
    if networks.labels is None:
        raise UsageError(f"expected a network with labels for --search, {networks.name} has none")
    return networks.labels.layer


def natural(networks: Networks, layer: str, images: str | None) -> Statistics | None:
    """Natural statistics: measured on the images at a path, or those that came with the pair."""
    if images is None:
        return stored(networks, layer)
    from tf_inverse.networks.image_files import load

    height, width, channels = networks.image_shape
    x, _ = load(images, (height, width), "test", channels)
    return measure(networks, layer, x, f"{len(x)} images of {images}")


def found(networks: Networks, layer: str, text: str | None) -> list[int]:
    """Units whose label contains a text, in any case; every unit where the text is None."""
    names = labels(networks, layer)
    chosen = [i for i, name in enumerate(names) if text is None or text.lower() in name.lower()]
    if not chosen:
        raise UsageError(f"expected a label of {layer} with {text!r} in it, there is none")
    return chosen
