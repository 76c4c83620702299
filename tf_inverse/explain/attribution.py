"""Attributions: a number for each pixel of an image that tells how it moves a neuron's activation.

Three are here, because they fail in different ways, and an image region that all three mark is
believed sooner than one that a single method marks:

- smoothgrad: gradient times input, averaged over noisy copies of the image
  (Smilkov et al. 2017, arXiv 1706.03825).
- integrated_gradients: the gradient averaged along the straight line from a baseline to the image,
  times the way between them (Sundararajan et al. 2017, arXiv 1703.01365, eq. 1). Its pixels sum to
  f(image) - f(baseline), which is measured and returned.
- occlusion: how much the activation falls when a square is replaced by the baseline
  (Zeiler and Fergus 2014, arXiv 1311.2901, section 4.2).

Activations are those of the classifier in float32, as they are stored. Positive numbers mark pixels
that raise the activation above what the baseline gives there, negative ones those that lower it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from tf_inverse.compute.device import traced
from tf_inverse.compute.precision import exact
from tf_inverse.networks.neuron_index import index

if TYPE_CHECKING:
    from tf_inverse.band import Neuron
    from tf_inverse.networks.networks import Networks
    from tf_inverse.tensors import Array, Tensor

# Copies of an image in one pass of the network. All passes have this many rows, so that one graph
# serves every method, and memory does not grow with the number of samples.
ROWS = 32
# The noise of SmoothGrad as a share of the pixels' range; its authors recommend 0.1 to 0.2.
NOISE = 0.15
# The path of integrated gradients is cut into panels of ROWS Gauss-Legendre points. Their number is
# doubled until the sum is right within TOLERANCE of f(image) - f(baseline), up to this many.
PANELS = 16
TOLERANCE = 0.01
# Side of the occluding square and of its step, as shares of the shorter side of the image.
SQUARE, STRIDE = 6, 16


class Attribution(NamedTuple):
    """How the pixels of one image drive p neurons.

    Attributes:
        maps: A number for each pixel, summed over its channels, [p, H, W] float32.
        residual: Integrated gradients alone: what the sum of a map lacks to
            f(image) - f(baseline), as a share of that difference, [p]; zeros for the other methods.
    """

    maps: Array
    residual: Array


class Reader:
    """Activations of some neurons and their gradients with respect to the pixels.

    Args:
        networks: The classifier is used, the generator is not.
        neurons: p neurons.
    """

    def __init__(self, networks: Networks, neurons: tuple[Neuron, ...]) -> None:
        layers = tuple(neuron.layer for neuron in neurons)
        self._networks, self._neurons = networks, neurons
        self.shape, self.p = tuple(networks.image_shape), len(neurons)
        self._index = index(neurons)
        self._slopes: Callable[[Tensor, Tensor], Tensor] = networks.compiled(
            ("attribution", layers),
            lambda: traced(_differentiated(networks, layers)),
        )

    def activations(self, x: Array) -> Array:
        """Activations z [N, p] of images x [N, H, W, C] in 0..255."""
        return self._networks.activations(x, self._neurons, batch=ROWS)

    def slopes(self, x: Array) -> Array:
        """Gradients dz/dx, [N, p, H, W, C], at images x [N, H, W, C] with N at most `ROWS`."""
        filled = np.zeros((ROWS, *self.shape), np.float32)
        filled[: len(x)] = x
        with exact():
            return self._slopes(tf.constant(filled), self._index).numpy()[: len(x)]


def _differentiated(
    networks: Networks, layers: tuple[str, ...]
) -> Callable[[Tensor, Tensor], Tensor]:
    """The function (images, places of the neurons in their layers) -> gradients dz/dx."""

    def slopes(x: Tensor, places: Tensor) -> Tensor:
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            columns = tf.unstack(networks.read(x, layers, places)[1], len(layers), axis=1)
        zero = tf.UnconnectedGradients.ZERO
        return tf.stack([tape.gradient(z, x, unconnected_gradients=zero) for z in columns], axis=1)

    return slopes


def smoothgrad(
    reader: Reader, image: Array, baseline: Array, rng: np.random.Generator
) -> Attribution:
    """Gradient times input, the gradient averaged over `ROWS` noisy copies of the image.

    Args:
        reader: Of the neurons.
        image: [H, W, C] in 0..255.
        baseline: [H, W, C]; inputs are measured from it, so a pixel that equals it counts nothing.
        rng: Where the noise comes from.
    """
    way = image - baseline
    spread = float(np.ptp(image)) * NOISE
    noisy = image + spread * rng.standard_normal((ROWS, *image.shape), np.float32)
    return _summed(way * reader.slopes(noisy).mean(axis=0, dtype=np.float64))


def integrated_gradients(reader: Reader, image: Array, baseline: Array) -> Attribution:
    """The mean gradient on the straight line from the baseline to the image, times the way.

    The mean is an integral by composite Gauss-Legendre quadrature, on panels of `ROWS` points whose
    number is doubled while the sum is not right, up to `PANELS`.

    Args:
        reader: Of the neurons.
        image: [H, W, C] in 0..255.
        baseline: [H, W, C].
    """
    way = image - baseline
    ends = reader.activations(np.stack([baseline, image]))
    rise = (ends[1] - ends[0]).astype(np.float64)
    panels = 1
    while True:
        mean = np.zeros((reader.p, *image.shape), np.float64)
        for points, weights in _panels(panels):
            slopes = reader.slopes(baseline + points[:, None, None, None] * way)
            mean += np.tensordot(weights, slopes.astype(np.float64), axes=(0, 0))
        found = _summed(way * mean)
        lacking = rise - found.maps.sum(axis=(1, 2), dtype=np.float64)
        small = np.finfo(np.float32).tiny
        residual = np.abs(lacking) / np.maximum(np.abs(rise), small)
        if panels == PANELS or (residual <= TOLERANCE).all():
            return found._replace(residual=residual.astype(np.float32))
        panels *= 2


def _panels(count: int) -> Iterator[tuple[Array, Array]]:
    """Points in [0, 1] and weights, which sum to 1, of Gauss-Legendre quadrature by panels."""
    nodes, weights = np.polynomial.legendre.leggauss(ROWS)
    for panel in range(count):
        points = (panel + (nodes + 1) / 2) / count
        yield points.astype(np.float32), weights / (2 * count)


def occlusion(reader: Reader, image: Array, baseline: Array) -> Attribution:
    """How much activations fall when a square of the image is replaced by the baseline.

    The square moves over the image; the number of a pixel is the mean fall over the squares that
    cover it.

    Args:
        reader: Of the neurons.
        image: [H, W, C] in 0..255.
        baseline: [H, W, C].
    """
    squares = list(_squares(*image.shape[:2]))
    whole = reader.activations(image[np.newaxis])
    falls = np.zeros((reader.p, *image.shape[:2]))
    covers = np.zeros(image.shape[:2])
    for start in range(0, len(squares), ROWS):
        part = squares[start : start + ROWS]
        occluded = np.repeat(image[np.newaxis], len(part), axis=0)
        for row, (rows, columns) in zip(occluded, part, strict=True):
            row[rows, columns] = baseline[rows, columns]
        fallen = whole - reader.activations(occluded)
        for fall, (rows, columns) in zip(fallen, part, strict=True):
            falls[:, rows, columns] += fall[:, np.newaxis, np.newaxis]
            covers[rows, columns] += 1
    return Attribution((falls / covers).astype(np.float32), np.zeros(reader.p, np.float32))


def _squares(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Where the square stands: rows and columns; every pixel is covered at least once."""
    shorter = min(height, width)
    side, stride = max(1, round(shorter / SQUARE)), max(1, shorter // STRIDE)

    def starts(length: int) -> list[int]:
        # The last square ends with the image, whatever the stride leaves over.
        return [*range(0, length - side, stride), length - side]

    for top in starts(height):
        for left in starts(width):
            yield slice(top, top + side), slice(left, left + side)


def _summed(contributions: Array) -> Attribution:
    """The attribution of contributions [p, H, W, C] of every channel."""
    maps = contributions.sum(axis=-1)
    return Attribution(maps.astype(np.float32), np.zeros(len(maps), np.float32))
