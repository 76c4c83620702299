"""Whether a search in half precision sees what float32 sees: looked at before it is used."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tf_inverse import diversity
from tf_inverse.band import Bands
from tf_inverse.compute import arithmetic
from tf_inverse.compute.device import traced
from tf_inverse.compute.precision import resolve
from tf_inverse.errors import reason
from tf_inverse.networks import codes, repeats
from tf_inverse.networks.networks import index

if TYPE_CHECKING:
    from tf_inverse.band import Band
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks.networks import Networks
    from tf_inverse.neuron import Neuron


COUNT = 10
"""Random codes that both precisions look at."""

BAND = 1 / 8
"""Largest error of an activation, as a share of the range's width.

A row is stored where float32 finds its activation in the range. With errors of an eighth of the
width about a tenth of the rows that the search believes to be inside lie outside.
"""

SPREAD = 1 / 4
"""Largest error of images and encodings, as a share of how they differ between codes.

Both only steer a search, since what is stored comes from float32. A copy that has lost a part of
itself is wrong by the whole of it.
"""


class Errors(NamedTuple):
    """Root mean square differences between a half precision and float32 on the same codes.

    Attributes:
        images: As a share of how images of different codes differ.
        encodings: Likewise.
        activations: Of each neuron, [p], in its own units.
        size: Root mean square of each neuron's activation in float32, [p].
        trouble: Why nothing can be said: the layers fail in this precision; else None.
    """

    images: float
    encodings: float
    activations: np.ndarray
    size: np.ndarray
    trouble: str | None = None


def settled(
    networks: Networks, bands: Iterable[Band], settings: Settings
) -> tuple[Settings, str | None]:
    """Settings whose precision serves the run, and why it is not the one that was asked for.

    Args:
        networks: `networks.Networks`.
        bands: Neurons with their ranges.
        settings: `settings.Settings`; "auto" is what suits the machine.

    Returns:
        (settings, None), or (settings in float32, a line that says why).

    Raises:
        UsageError: The networks give others each time, so that no sample would stay true.
    """
    bands, wanted = Bands(bands), resolve(settings.precision)
    repeats.expect_neurons(networks, bands.neurons, settings.K)
    why = wanted != "float32" and _against(networks, bands, wanted)
    kept = dataclasses.replace(settings, precision="float32" if why else wanted)
    return kept, f"searching in float32: {why}" if why else None


def measure(networks: Networks, neurons: tuple[Neuron, ...], precision: str) -> Errors:
    """Look at the same random codes in a half precision and in float32.

    Args:
        networks: `networks.Networks`, in float32.
        neurons: p neurons.
        precision: "bfloat16" or "float16".
    """
    layers, where = tuple(n.layer for n in neurons), index(neurons)
    c = tf.constant(codes.draw(networks, COUNT, codes.generator(0, 0)))
    # The graph of a run's first look; layer by layer, all that they put out would be kept.
    x = networks.looking(layers)(c, where).x
    try:
        lower = networks.at(precision)
        x_lower = lower.images(c)
        read = lower.read
        if any(networks.probabilities(layers)):
            # Only in a graph does half precision compute them as the search does: from logits.
            read = traced(read)
        e_lower, z_lower = read(x_lower, layers, where)
        _differentiated(lower, c[:1], layers, where)
    except Exception as error:  # a layer of the user's own may raise anything
        nothing = np.full(len(neurons), np.nan)
        return Errors(np.nan, np.nan, nothing, nothing, reason(error))
    e, z = networks.read(x_lower, layers, where)
    # What is no number in float32 either says nothing of the half precision.
    sound = diversity.finite(np.concatenate([e, z], axis=1))
    x, x_lower, e, e_lower, z, z_lower = (
        np.asarray(rows)[sound] for rows in (x, x_lower, e, e_lower, z, z_lower)
    )
    size = np.sqrt(np.mean(np.square(z), axis=0))
    apart = np.sqrt(np.mean(np.square(z_lower - z), axis=0))
    return Errors(_share(x_lower, x), _share(e_lower, e), apart, size)


def _differentiated(
    networks: Networks, c: tf.Tensor, layers: tuple[str, ...], where: tf.Tensor
) -> None:
    """Goes back from activations and encodings to a code: some layers fail on that way alone."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(c)
        read = networks.read(networks.images(c), layers, where)
    tape.gradient(read, c)


def _share(found: ArrayLike, expected: ArrayLike) -> float:
    """Root mean square error over how rows of what is expected differ, entry by entry."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    spread = np.sqrt(expected.var(axis=0).mean())
    return float(np.sqrt(np.mean(np.square(found - expected))) / max(spread, 1e-12))


def _against(networks: Networks, bands: Bands, precision: str) -> str | None:
    """What speaks against searching in a precision, or None."""
    for model in (networks.classifier, networks.generator):
        if mode := arithmetic.quantization(model):
            return f"the weights of {model.name} are quantised ({mode})"
    neurons = bands.neurons
    # What was seen holds for these weights alone: a callback samples while they are trained.
    weights = tuple(map(arithmetic.digest, (networks.classifier, networks.generator)))
    known: dict[tuple[str, ...], Errors] = networks.compiled(("fidelity", precision, neurons), dict)
    if weights not in known:
        known.clear()
        known[weights] = measure(networks, neurons, precision)
    seen = known[weights]
    if seen.trouble:
        return f"{networks.name} does not compute in {precision} ({seen.trouble})"
    for what, share in (("images", seen.images), ("encodings", seen.encodings)):
        if not share <= SPREAD:
            return (
                f"in {precision} the {what} of {networks.name} are off by {share:.0%} of how they "
                f"differ between codes, more than {SPREAD:.0%}"
            )
    for band, apart, size in zip(bands, seen.activations, seen.size, strict=True):
        if why := _too_narrow(band, apart, size, precision):
            return why
    return None


def _too_narrow(band: Band, apart: float, size: float, precision: str) -> str | None:
    # Rounding errors grow with the activation: those of the range, not of random codes, count.
    apart *= max(1.0, max(abs(band.z1), abs(band.z2)) / max(size, 1e-12))
    if apart <= BAND * (band.z2 - band.z1):
        return None
    return (
        f"in {precision} activations of {band.neuron} are off by {apart:.3g}, more than "
        f"{BAND:.3g} of the width of {band}"
    )
