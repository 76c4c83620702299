"""The plane of two neurons: a grid of cells, each a range of one and a range of the other.

The rows of one pool run side by side as in renewal, but every row aims at a cell of its own. Codes
that reached a cell are where the search for the cells beside it begins. Any other search begins
near natural codes, where the network has such (`starts`). Every image that passes through a cell
with room is taken there, whatever cell its row aims at: the archive of MAP-Elites (Mouret and Clune
2015) with renewal's steps in place of its mutations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_inverse.archive import Samples
from tf_inverse.band import Bands
from tf_inverse.compute.device import compiled
from tf_inverse.grid import Grid, unit_distances
from tf_inverse.method import loops, renewal, stored_state
from tf_inverse.method import pool as pools
from tf_inverse.method.checkpoint import count, entry
from tf_inverse.method.keeper import digest
from tf_inverse.method.normalization import Scale
from tf_inverse.method.problem import Target
from tf_inverse.method.settings import Settings
from tf_inverse.networks import repeats, starts
from tf_inverse.networks.codes import draw as draw_codes
from tf_inverse.networks.codes import generator
from tf_inverse.tensors import Array, Tensor

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks


STEPS = 10
"""Gradient steps between two looks at what was found."""

SPREAD = 0.25
"""How far from a sample's code its neighbours' search begins, in standard deviations of codes."""

DRAWS, CHOICES = 2, 3  # blocks of random numbers that are nobody else's
CELLS = ("kept", "tried", "idle", "near")


class Batch(NamedTuple):
    """What some steps found.

    Attributes:
        samples: Samples, perhaps none.
        state: From which the search goes on bit for bit.
        step: Gradient steps so far, of K codes each.
    """

    samples: Samples
    state: dict[str, Array]
    step: int


class Search:
    """Fills the cells of a plane.

    Args:
        networks: `networks.Networks`.
        grid: The cells.
        bands: The two neurons with their whole ranges.
        settings: K, seed and the numbers of renewal; `n` is not asked.
        scale: From `normalization.measure`.
        each: Samples of each cell.
        patience: Steps of a row that a cell is tried without a sample, counted anew whenever one
            is found in it, or in a cell nearer to it than all before.

    Raises:
        UsageError: The networks give others each time: see `repeats.expect_neurons`.

    Attributes:
        kept: Samples of each cell, [cells].
        tried: Row-steps that were spent on each cell, [cells].
        idle: Row-steps spent on each cell since it last came on, [cells].
        near: Distance in cells from each cell to the nearest one with a sample, [cells]; -1 where
            there is none yet.
    """

    def __init__(
        self,
        networks: Networks,
        grid: Grid,
        bands: Bands,
        settings: Settings,
        scale: Scale,
        each: int,
        patience: int,
    ) -> None:
        repeats.expect_neurons(networks, bands.neurons, settings.K)
        self.networks, self.grid, self.settings, self.scale = networks, grid, settings, scale
        self.each, self.patience, self.neurons = each, patience, bands.neurons
        self.apart = unit_distances(grid)
        self.whole = loops.target(bands, scale)
        self.kept, self.tried, self.idle = (np.zeros(grid.cells, np.int64) for _ in range(3))
        self.near = np.full(grid.cells, -1.0)
        self.aims = np.zeros(settings.K, np.int64)
        self.gave = np.zeros((settings.K, grid.cells), np.uint8)
        self.codes = np.zeros((0, networks.codes.size), np.float32)
        self.cells = np.zeros(0, np.int64)
        self.seen: set[int] = set()
        near = settings.starts == "near"
        self.deal = starts.near(networks, bands, settings.seed) if near else None
        self.bands = bands
        self.step_of, slots = self._compiled(bands)
        like = np.zeros((settings.K, networks.codes.size), np.float32)
        d_E, m = loops.distance_size(networks, settings), settings.sides * len(bands)
        t = np.full((settings.K, len(bands)), 0.5, np.float32)
        self.pool = pools.init(like, t, m, d_E, settings.mu0, slots)

    def _compiled(self, bands: Bands) -> tuple[Any, tuple]:
        problem = loops.problem(self.networks, bands.neurons, self.settings, self.scale)
        step = renewal.make_step(problem, loops.rule(self.settings))

        def advance(
            pool: pools.PoolState, target: Target, fresh: pools.Fresh
        ) -> tuple[pools.PoolState, Tensor, Tensor]:
            pool, info = step(pool, target, fresh)
            return pool, tf.cast(info.view.x, problem.stored), info.view.z

        return compiled(advance), problem.slots()

    @property
    def open(self) -> Array:
        """Which cells have room and are still tried, [cells]."""
        return (self.kept < self.each) & (self.idle < self.patience)

    def run(self, state: dict[str, Array] | None, codes: Array, z: Array) -> Iterator[Batch]:
        """Batches until every cell is full or was tried in vain.

        Args:
            state: Of an earlier batch, or None.
            codes: Codes of the samples so far, [n, d].
            z: Their activations, [n, 2].

        Raises:
            RefusedInput: The state is damaged, or of other settings.
        """
        if state is None:
            self._aim(np.ones(self.settings.K, bool))
        else:
            self._restore(state, codes, z)
        while self.open.any():
            found = [self._step() for _ in range(STEPS)]
            samples = self._true([np.concatenate(columns) for columns in zip(*found, strict=True)])
            yield Batch(samples, self._state(), int(self.pool.step))

    def _step(self) -> tuple[Array, ...]:
        """One step of all rows; images, codes, steps and rows of what may be new samples."""
        low, high = self.grid.ends(self.aims)
        target = Target(self.whole.index, low, high, self.whole.sd, self.whole.likely)
        before, number = self.pool.c, int(self.pool.step)
        # Rows that ended get their next start below: what the step puts there is not used.
        self.pool, x, z = self.step_of(self.pool, target, pools.Fresh(before, self.pool.t))
        for counter in (self.tried, self.idle):
            np.add.at(counter, self.aims, 1)
        at = self.grid.cell_of(z.numpy())
        rows = np.flatnonzero((at >= 0) & (self.kept[at] < self.each))
        # Steps of one walk look alike: it gives each cell one image.
        rows = rows[self.gave[rows, at[rows]] == 0]
        self.gave[rows, at[rows]] = 1
        ended = (self.pool.age.numpy() == 0) | ~self.open[self.aims]
        if ended.any() and self.open.any():
            self._aim(ended)
        return (
            tf.gather(x, rows).numpy(),
            tf.gather(before, rows).numpy(),
            np.full(len(rows), number, np.int64),
            rows.astype(np.int32),
        )

    def _aim(self, ended: Array) -> None:
        """New cells and codes for the rows of a mask [K].

        A cell gets rows the sooner, the fewer aim at it, the nearer it is to one that was reached
        and the less it was tried. Every other start is beside a sample, the rest are `_fresh`.
        """
        K, step = self.settings.K, int(self.pool.step)
        rng = generator(self.settings.seed, CHOICES, step)
        noise = rng.standard_normal(self.pool.c.shape, np.float32) * (SPREAD * self.scale.c_sd)
        # Away from the ends of the cell, where a rounding would put an image into the next one.
        t = rng.uniform(0.2, 0.8, (K, len(self.neurons))).astype(np.float32)
        choice, open_ = rng.uniform(size=K), np.flatnonzero(self.open)
        busy = np.bincount(self.aims[~ended], minlength=self.grid.cells)
        c, others = self.pool.c.numpy(), []
        for row in np.flatnonzero(ended):
            keys = (open_, self.tried[open_], self.near[open_], busy[open_])
            cell = open_[np.lexsort(keys)[0]]
            self.aims[row] = cell
            busy[cell] += 1
            if len(self.cells) and (row + step + busy[cell]) % 2:
                c[row] = self._beside(cell, choice[row]) + noise[row]
            else:
                others.append(row)
        if others:
            c[others] = self._fresh(np.array(others), t)
        self._restart(ended, np.clip(c, *self.networks.codes.limits).astype(np.float32), t)

    def _fresh(self, rows: Array, t: Array) -> Array:
        """Codes for rows [k] from nowhere: near their aims where starts are near, else random ones.

        Args:
            rows: Numbers of the rows, whose cells are known.
            t: Aims of all rows as shares of their cells, [K, 2].
        """
        settings, step = self.settings, int(self.pool.step)
        if self.deal is None:
            rng = generator(settings.seed, DRAWS, step)
            return draw_codes(self.networks, settings.K, rng)[rows]
        low, high = self.grid.ends(self.aims[rows])
        z, bands = low + t[rows] * (high - low), self.bands
        return self.deal(step, (z - bands.z1) / (bands.z2 - bands.z1))

    def _beside(self, cell: int, choice: float) -> Array:
        """The code of one of the samples nearest to a cell."""
        apart = self.apart[cell][self.cells]
        nearest = np.flatnonzero(apart == apart.min())
        return self.codes[nearest[int(choice * len(nearest))]]

    def _restart(self, ended: Array, c: Array, t: Array) -> None:
        column, pool = ended[:, None], self.pool
        self.gave[ended] = 0
        self.pool = pool._replace(
            c=tf.constant(c),
            t=tf.where(column, t, pool.t),
            lam=tf.where(column, 0.0, pool.lam),
            mu=tf.where(column, np.float32(self.settings.mu0), pool.mu),
            age=tf.where(ended, 0, pool.age),
            given=tf.zeros_like(pool.given),
        )

    def _true(self, found: list[Array]) -> Samples:
        """The new samples among candidates, scored as they are stored, each in a cell with room."""
        x, c, steps, chain = found
        e, z = self.networks.score(x, self.neurons, batch=self.settings.K)
        at, rows = self.grid.cell_of(z, inside=True), []
        # An encoding that overflowed is in no archive.
        at = np.where(np.isfinite(e).all(axis=1), at, -1)
        for i in np.flatnonzero(at >= 0):
            mark = digest(x[i])
            if self.kept[at[i]] < self.each and mark not in self.seen:
                self.seen.add(mark)
                self._keep(at[i])
                rows.append(i)
        self.codes = np.concatenate([self.codes, c[rows]])
        self.cells = np.concatenate([self.cells, at[rows]])
        return Samples(x, c, e, z, steps, chain).rows(rows)

    def _keep(self, cell: int) -> None:
        self.kept[cell] += 1
        self.idle[cell] = 0
        nearer = (self.near < 0) | (self.apart[cell] < self.near)
        self.near = np.where(nearer, self.apart[cell], self.near)
        self.idle[nearer] = 0

    def _state(self) -> dict[str, Array]:
        cells = {f"cell.{name}": getattr(self, name) for name in CELLS}
        state = stored_state.arrays(self.pool) | cells
        copied = {name: np.array(array) for name, array in state.items()}
        more: dict[str, Any] = {
            "aims": self.aims.copy(),
            "gave": self.gave.copy(),
            "seen": np.array(sorted(self.seen), np.uint64),
            "samples": np.int64(len(self.cells)),
        }
        return copied | more

    def _restore(self, state: dict[str, Array], codes: Array, z: Array) -> None:
        self.pool = stored_state.restored(state, self.pool)
        for name in CELLS:
            like = getattr(self, name)
            setattr(self, name, entry(state, f"cell.{name}", like.dtype, like.shape).copy())
        self.aims = entry(state, "aims", np.int64, self.aims.shape).copy()
        self.gave = entry(state, "gave", np.uint8, self.gave.shape).copy()
        self.seen = set(entry(state, "seen", np.uint64, (None,)).tolist())
        rows = count(state, "samples")
        self.codes, self.cells = codes[:rows], self.grid.cell_of(z[:rows])
