"""CMA-MEGA with Adam (Fontaine and Nikolaidis 2021) by pyribs, on the plane of two neurons.

The field's own way to fill a grid of measures whose gradients are known. Its measures are the two
activations; its objective is how typical a code is, the log-density of a normal one. The package
ribs is the extra `rivals`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from tf_inverse.archive import Samples
from tf_inverse.band import Neuron
from tf_inverse.baselines import scoring
from tf_inverse.compute.device import compiled
from tf_inverse.grid import Grid
from tf_inverse.networks import codes
from tf_inverse.networks.networks import index
from tf_inverse.tensors import Array, Tensor

if TYPE_CHECKING:
    from tf_inverse.method.normalization import Scale
    from tf_inverse.networks.networks import Networks

BATCH, EMITTERS = 36, 1  # of the paper's experiment with StyleGAN
GRADIENT = 1 + 2
"""Passes that a gradient step of an emitter costs: a look forward, and one back for each neuron."""


class Filled(NamedTuple):
    """What it found.

    Attributes:
        samples: One for each cell that it filled, scored as it is stored.
        passes: Passes of one code through the networks, forward or back.
    """

    samples: Samples
    passes: int


def fill(
    networks: Networks,
    neurons: tuple[Neuron, ...],
    grid: Grid,
    scale: Scale,
    *,
    passes: int,
    sigma: float = 0.5,
    rate: float = 0.2,
    seed: int = 0,
) -> Filled:
    """Fills the cells of a plane as far as a number of passes goes.

    Args:
        networks: `networks.Networks`.
        neurons: The two of the plane.
        grid: Its cells.
        scale: From `normalization.measure`.
        passes: At most so many passes of one code, forward or back.
        sigma: sigma_g, the first deviation of the coefficients of the gradients, in standard
            deviations of codes.
        rate: eta, Adam's rate, likewise.
        seed: Of all random numbers.

    Raises:
        ImportError: pyribs is not installed.
    """
    from ribs.archives import GridArchive
    from ribs.emitters import GradientArborescenceEmitter
    from ribs.schedulers import Scheduler

    rows, columns = grid.shape
    ranges = [(float(edges[0]), float(edges[-1])) for edges in grid]
    d = networks.codes.size
    archive = GridArchive(solution_dim=d, dims=(columns, rows), ranges=ranges, seed=seed)
    start = codes.draw(networks, EMITTERS, codes.generator(seed, 0))
    emitters = [
        GradientArborescenceEmitter(
            archive,
            x0=start[i],
            sigma0=sigma * scale.c_sd * d**0.5,  # a normalised gradient has length 1
            lr=rate * scale.c_sd,
            grad_opt="adam",
            batch_size=BATCH,
            seed=seed + i,
        )
        for i in range(EMITTERS)
    ]
    scheduler, spent = Scheduler(archive, emitters), 0
    look = _Look(networks, neurons, scale)
    reached: dict[int, tuple[Array, Array, int]] = {}
    cost = EMITTERS * (BATCH + GRADIENT)
    while spent + cost <= passes:
        scheduler.tell_dqd(*look.gradients(scheduler.ask_dqd()))
        c = np.clip(scheduler.ask(), *networks.codes.limits).astype(np.float32)
        f, z, x = look.values(c)
        # Its own archive counts what lies beyond the plane into the cells at the edge: here counts
        # every cell that any of its codes reached, whatever became of it there.
        for i, cell in enumerate(grid.cell_of(z, inside=True)):
            if cell >= 0:
                reached.setdefault(cell, (x[i], c[i], spent))
        scheduler.tell(f, z)
        spent += cost
    none = np.zeros((0, *networks.image_shape), networks.stored), np.zeros((0, d), np.float32)
    found = [*reached.values()]
    x, c, at = map(np.array, zip(*found, strict=True)) if found else (*none, np.zeros(0))
    made = scoring.samples(networks, neurons, x, c, at.astype(np.int64), np.zeros(len(c)))
    return Filled(made.rows(grid.cell_of(made.activations) >= 0), spent)


class _Look:
    """Objective, measures and their gradients of codes, as pyribs wants them."""

    def __init__(self, networks: Networks, neurons: tuple[Neuron, ...], scale: Scale) -> None:
        layers, where = tuple(n.layer for n in neurons), index(neurons)
        self.low, self.high = networks.codes.limits
        centre = codes.draw(networks, 100, codes.generator(0, 0)).mean(axis=0)

        def objective(c: Tensor) -> Tensor:
            return -tf.reduce_mean(((c - centre) / scale.c_sd) ** 2, axis=1)

        def values(c: Tensor) -> tuple[Tensor, ...]:
            view = networks.look(c, layers, where)
            return objective(c), view.z, tf.cast(view.x, networks.stored)

        def gradients(c: Tensor) -> tuple[Tensor, ...]:
            with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
                tape.watch(c)
                view = networks.look(c, layers, where)
                f, z = objective(c), view.z
                parts = (f, z[:, 0], z[:, 1])
            return f, z, tf.stack([tape.gradient(part, c) for part in parts], axis=1)

        self._values, self._gradients = compiled(values), compiled(gradients)

    def values(self, c: Array) -> tuple[Array, Array, Array]:
        """Objective [n], measures [n, 2], and images [n, H, W, C] as they are stored, of codes."""
        return tuple(part.numpy() for part in self._values(tf.constant(c)))

    def gradients(self, c: Array) -> tuple[Array, Array, Array]:
        """Objective [n], measures [n, 2] and gradients of both [n, 3, d] of codes [n, d]."""
        # pyribs knows nothing of the bounds that a generator's codes have.
        c = np.clip(c, self.low, self.high).astype(np.float32)
        return tuple(part.numpy() for part in self._gradients(tf.constant(c)))
