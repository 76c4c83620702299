"""The Markov kernel of networks and bands: compiled moves of `langevin` with random numbers."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tf_inverse.compute.precision import exact
from tf_inverse.method import langevin, loops
from tf_inverse.networks.code_law import law

if TYPE_CHECKING:
    from tf_inverse.band import Bands
    from tf_inverse.method.normalization import Scale
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks.networks import Networks, View
    from tf_inverse.tensors import Array

BLOCK = 5
"""Rounds whose random numbers are in memory at a time."""

ACCEPTANCE = {"move": 0.4, "turn": 0.65, "hop": None}
"""What the lengths of moves are adapted to."""

LONGEST = {"move": math.pi / 2, "turn": math.pi / 4, "hop": 0.0}
"""Angles at which nothing is left of the code: a turn that is reflected goes twice its angle."""

# First words of the random numbers' counters: `codes.Stream` has 1.
STREAMS = {"chains": 2, "splitting": 3, "pilot": 4, "choice": 5}


class Kernel:
    """Networks, bands and the law of codes, with the compiled moves for them.

    Attributes:
        seed: Of all random numbers.
        law: Of the codes.
        code_size: Entries of a code, d.
        target: The bands.
        first: Ends that typical codes have to climb to first, [2, p]: see `langevin.Aim`.
        q: Chances of the members of a bank to be hopped to, [members].
        cycles: Moves of a round, by name: "splitting" and "chains".
        advances: From `langevin.make_advance`, by the same names.

    Args:
        networks: In float32, since what a chain tests is what is stored.
        bands: Neurons with their ranges.
        settings: K, seed and bound count.
        scale: From `normalization.measure`.
    """

    def __init__(self, networks: Networks, bands: Bands, settings: Settings, scale: Scale):
        self.seed, self.law = settings.seed, law(networks)
        self.code_size = networks.codes.size
        self.target = loops.target(bands, scale)
        self.first = np.zeros((2, len(bands)), bool)
        self.q = np.full(self.law.members, 1.0 / self.law.members)
        plain = dataclasses.replace(
            settings, precision="float32", optimizer=None, chunk=None, distance="encodings"
        )
        neurons, layers = bands.neurons, bands.layers

        def advance(name: str, cycle: tuple[str, ...]) -> Any:
            def made() -> Any:
                posed = loops.problem(networks, neurons, plain, scale)
                return langevin.make_advance(posed, self.law, cycle)

            return networks.compiled((name, cycle, layers, settings.bound), made)

        hop = ("hop",) if self.law.members > 1 else ()
        self.cycles = {"splitting": ("move", *hop), "chains": ("move", "turn", *hop)}
        self.advances = {name: advance(name, cycle) for name, cycle in self.cycles.items()}

    def draw(self, rng: np.random.Generator, count: int) -> langevin.Walkers:
        """Codes from their law, `count` of them."""
        u = rng.standard_normal((count, self.law.size), np.float32)
        return langevin.Walkers(u, rng.integers(self.law.members, size=count, dtype=np.int32))

    def take(
        self,
        name: str,
        walkers: langevin.Walkers,
        level: float,
        rng: np.random.Generator,
        rounds: int,
        angles: Array,
    ) -> tuple[langevin.Walkers, Array, Array, View, Array]:
        """Rounds of moves within {score >= level}.

        Args:
            name: Whose cycle of moves: "splitting" or "chains".
            walkers: Codes in the set, K of them.
            level: Of the set; 0 for the bands, minus infinity for all codes.
            rng: Draws all that the moves need.
            rounds: From 0, which looks alone, to `BLOCK`.
            angles: Length of each move of the cycle.

        Returns:
            Walkers, accepted share of each move of the cycle, scores [K], View and codes [K, d].
        """
        cycle, K = self.cycles[name], len(walkers.u)
        steps, used = BLOCK * len(cycle), rounds * len(cycle)
        v = np.zeros((steps, K, self.law.size), np.float32)
        rng.standard_normal(dtype=np.float32, out=v[:used])
        chance, hops = rng.uniform(size=(2, steps, K)).astype(np.float32)
        j = np.searchsorted(np.cumsum(self.q), hops).clip(0, self.law.members - 1)
        aim = langevin.Aim(self.target, tf.constant(self.first), tf.constant(level, tf.float32))
        noise = langevin.Noise(*map(tf.constant, (v, j.astype(np.int32), chance)))
        numbers = (tf.constant(a, tf.float32) for a in (angles, self.q))
        walkers = langevin.Walkers(*map(tf.constant, walkers))
        with exact():
            found = self.advances[name](walkers, aim, noise, tf.constant(rounds), *numbers)
        walkers, counts, scores, view, c = tf.nest.map_structure(np.asarray, found)
        return walkers, counts / max(1, rounds * K), scores, view, c

    def nearest(self, z: Array) -> Array:
        """The activation of each target that is nearest to its range, [p], out of z [K, p]."""
        return self.target.nearest(z).numpy()

    def hops_to(self, members: Array) -> None:
        """Have hops go mostly to these members of the bank, [any] int32.

        A member that was met nowhere counts as half a one (Krichevsky and Trofimov 1981): a chain
        that came to a member which is hardly ever hopped to would stay there for long.
        """
        counts = np.bincount(members, minlength=self.law.members) + 0.5
        self.q = counts / counts.sum()


def adapted(angles: Array, cycle: tuple[str, ...], accepted: Array, gain: float) -> Array:
    """Longer moves where more than enough are accepted, shorter ones where fewer are.

    Args:
        angles: Length of each move of the cycle.
        cycle: Names of the moves.
        accepted: Share of each move that was accepted.
        gain: How far to go: the logarithm of a length changes by the gain times what is too many.
    """
    following = [
        angle if ACCEPTANCE[name] is None else angle * math.exp(gain * (rate - ACCEPTANCE[name]))
        for angle, name, rate in zip(angles, cycle, accepted, strict=True)
    ]
    return np.array([min(a, LONGEST[n]) for a, n in zip(following, cycle, strict=True)])
