"""The natural units of a pair, measured on random codes: with them one setting serves all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_inverse import diversity
from tf_inverse.networks import codes, yardstick
from tf_inverse.networks.networks import View, index
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks
    from tf_inverse.neuron import Neuron


COUNT = 60
BATCH = 10
SEED = 0


class Scale(NamedTuple):
    """Units of codes, encodings and activations.

    Attributes:
        c_sd: Standard deviation of codes, over all entries, about each entry's mean.
        e_sd: Standard deviation of encodings, likewise.
        bandwidth: Of the network's yardstick: the kernel's width of the Vendi score.
        z_mean: Mean activation of each target, [p]: natural where the pair stores it, else of
            random codes.
        z_sd: Standard deviation of each target, [p], likewise.
        natural: Whether they are natural.
        x_sd: Standard deviation of images, over all pixels, about each pixel's mean.
        flat: Whether each target is the same for all random codes, p of them.
        still: Whether each target hardly moves, so that its `z_sd` is 1 for want of one, p of them.
        likely: Whether each target is a probability, p of them.
        s_sd: Standard deviation of what the search goes by, [p]: that of the log-odds over random
            codes for a probability, else `z_sd`.
        e_distance: Mean distance of two random codes' encodings.
    """

    c_sd: float
    e_sd: float
    bandwidth: float
    z_mean: np.ndarray
    z_sd: np.ndarray
    natural: bool
    x_sd: float = 1.0
    flat: tuple[bool, ...] = ()
    still: tuple[bool, ...] = ()
    likely: tuple[bool, ...] = ()
    s_sd: np.ndarray | None = None
    e_distance: float = 1.0


def measure(networks: Networks, neurons: tuple[Neuron, ...]) -> Scale:
    """Look at `COUNT` random codes, always the same ones, and take their statistics.

    Args:
        networks: `networks.Networks`.
        neurons: p neurons.
    """
    return _scale(networks, neurons, *_looked(networks, neurons))


def measure_each(networks: Networks, neurons: tuple[Neuron, ...]) -> list[Scale]:
    """For each of several neurons what `measure` finds of it alone, from one look at all.

    Args:
        networks: `networks.Networks`.
        neurons: p neurons.
    """
    c, view = _looked(networks, neurons)
    common = _scale(networks, neurons, c, view)
    columns = ((slice(i, i + 1), neurons[i : i + 1]) for i in range(len(neurons)))
    return [
        common._replace(**_of_neurons(networks, one, view.z[:, at], view.s[:, at]))
        for at, one in columns
    ]


def _looked(networks: Networks, neurons: tuple[Neuron, ...]) -> tuple[Array, View]:
    """Random codes, and a View in float64 of those whose encodings are finite."""
    layers = tuple(n.layer for n in neurons)
    look = networks.looking(layers)
    c = codes.draw(networks, COUNT, codes.generator(SEED, 0))
    views = [look(tf.constant(c[i : i + BATCH]), index(neurons)) for i in range(0, COUNT, BATCH)]
    x = np.concatenate([v.x for v in views])
    e, z, s = (np.concatenate([v[i] for v in views]).astype(np.float64) for i in (1, 2, 3))
    sound = diversity.finite(e)
    return c, View(x[sound], e[sound], z[sound], s[sound])


def _scale(networks: Networks, neurons: tuple[Neuron, ...], c: Array, view: View) -> Scale:
    return Scale(
        c_sd=_spread(c),
        e_sd=_spread(view.e),
        bandwidth=yardstick.of(networks).bandwidth,
        x_sd=_spread(view.x),
        e_distance=diversity.pair_distance(view.e),
        **_of_neurons(networks, neurons, view.z, view.s),
    )


def _of_neurons(
    networks: Networks, neurons: tuple[Neuron, ...], z: Array, s: Array
) -> dict[str, Any]:
    """The fields of a Scale that are of the neurons, from what random codes give, [n, p]."""
    sound = diversity.finite(np.concatenate([z, s], axis=1))
    z, s = z[sound], s[sound]
    mean, sd = z.mean(axis=0), z.std(axis=0)
    known = [networks.nature(neuron) for neuron in neurons]
    units = [unit for unit in known if unit is not None and unit.sd > 0]
    natural = 0 < len(units) == len(known)
    if natural:
        mean, sd = np.array([u.mean for u in units]), np.array([u.sd for u in units])
    likely = networks.probabilities(tuple(n.layer for n in neurons))
    still = tuple((~moves(sd, mean)).tolist())
    sd = moving(sd, mean)
    s_sd = np.where(likely, moving(s.std(axis=0), s.mean(axis=0)), sd)
    return {
        "z_mean": mean,
        "z_sd": sd.astype(np.float32),
        "natural": natural,
        "flat": tuple((s == s[0]).all(axis=0).tolist()),
        "still": still,
        "likely": likely,
        "s_sd": s_sd.astype(np.float32),
    }


def moving(sd: Array, mean: Array) -> Array:
    """The deviations, with 1 for a unit that hardly moves: it still needs a unit of measure."""
    return np.where(moves(sd, mean), sd, 1.0)


def moves(by: Array | float, about: Array | float) -> Array:
    """Whether activations that differ by so much about a value differ by more than rounding."""
    return np.asarray(by > 1e-6 * np.abs(about))


def _spread(rows: Array) -> float:
    return float(max(np.sqrt(rows.var(axis=0).mean()), 1e-12))
