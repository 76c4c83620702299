"""Samples of several neurons of one layer from one pool, each neuron with a range of its own.

Every row of the pool serves one neuron at a time. Where it ends, it goes on for one that lacks
rows, so no row waits while the samples of a hard neuron are found. What comes out
depends on networks, neurons, ranges and settings alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_inverse.archive import Samples
from tf_inverse.band import Band, Bands
from tf_inverse.errors import Stalled, Unreachable, UsageError
from tf_inverse.method import fidelity, loops, renewal
from tf_inverse.method import pool as pools
from tf_inverse.method.company import GROUP, GroupFresh, GroupState
from tf_inverse.method.group_rows import GroupRows
from tf_inverse.method.keeper import Keeper
from tf_inverse.method.normalization import Scale, measure_each
from tf_inverse.method.problem import Problem, Target
from tf_inverse.method.rule import RULE, Rule
from tf_inverse.method.sampler import explained
from tf_inverse.method.settings import Settings
from tf_inverse.networks import starts
from tf_inverse.networks.networks import index
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.method.buffer import Buffer
    from tf_inverse.networks.networks import Networks


CODES = RULE.company
"""Starting codes that are tried of a neuron which none of them moves, before it is called dead."""

EACH = 3
"""Samples that a neuron wants for each of its rows, while others want rows as well."""

DEAD = CODES * (RULE.stall + 1)
"""Steps of rows that those codes take: a row that comes no nearer starts again."""


class Ended(NamedTuple):
    """What became of one neuron.

    Attributes:
        at: Its place among the bands.
        samples: Its samples in the order in which they were found, or None where there is none.
        settings: Of the search, with everything settled that was left open.
        scale: Natural units of this neuron.
        steps: Gradient steps of K codes that it took, rounded up.
        trouble: Why there are fewer samples than asked for, or None.
        dead: Whether no starting code moves the neuron.
    """

    at: int
    samples: Samples | None
    settings: Settings
    scale: Scale
    steps: int
    trouble: Unreachable | None
    dead: bool = False


def limit(settings: Settings) -> int:
    """Steps of a row, one after another, without any sample that a neuron is tried for.

    They are as many as those after which a run of ten rows gives up.
    """
    return loops.enough(settings) * RULE.company


def apportioned(wants: Array, rows: Array, count: int) -> Array:
    """The neurons that the next rows go to, [count] int32.

    The first neuron that lacks some gets them: as many as a run of its own has, but towards its end
    one for each three samples that it wants, since rows that are on their way when it has its last
    sample went in vain. What is left is shared by D'Hondt's rule: each row goes to the neuron with
    the largest share of wants to rows, its own next row counted, and of equal ones to the first.

    Args:
        wants: Samples that each neuron still wants, [G]; 0 for one that gets no row.
        rows: Rows that it has, [G].
        count: How many rows there are to give.
    """
    rows, given = rows.copy(), np.zeros(count, np.int32)
    enough = np.minimum(-(-wants // EACH), RULE.company)
    for i in range(count):
        lacking = rows < enough
        given[i] = np.argmax(lacking) if lacking.any() else np.argmax(wants / (rows + 1))
        rows[given[i]] += 1
    return given


def sample(
    networks: Networks,
    bands: Sequence[Band],
    settings: Settings,
    size: int | None = None,
    watch: Callable[[int], object] = lambda found: None,
) -> Iterator[Ended]:
    """Draws from the inverse set of each of several neurons of one layer.

    Args:
        networks: The pair to sample.
        bands: A neuron of that layer with its range, for each of the inverse sets.
        settings: n samples of each. Where half precision does not serve one of the neurons, all of
            them are searched in float32.
        size: Neurons that the graph has room for; one graph serves all groups of the same size.
        watch: Called after some steps with the samples found so far, of all neurons.

    Yields:
        What became of each neuron, as soon as it has its samples or is given up.

    Raises:
        UsageError: Neurons of several layers, none at all, or settings that a group does not have.
    """
    pool = Pool(networks, bands, settings, size or len(bands))
    while pool.open.any():
        pool.compute()
        yield from pool.settle()
        watch(pool.found)


class Pool:
    """The pool of a group with what each neuron of it has and wants, [G] with room for more.

    As long as some of `open` are, `compute` and `settle` take turns.

    Args:
        networks: As of `sample`.
        bands: Likewise.
        settings: Likewise.
        size: Likewise.

    Raises:
        UsageError: As of `sample`.
    """

    def __init__(
        self, networks: Networks, bands: Sequence[Band], settings: Settings, size: int
    ) -> None:
        if len({band.neuron.layer for band in bands}) != 1:
            raise UsageError("expected neurons of one layer for a group")
        settings = starts.alone(networks, settings)
        if (settings.method, settings.candidates) != ("renewal", 1):
            raise UsageError("expected method renewal and one candidate for a group")
        bands = tuple(bands)
        filled = Bands(bands + bands[-1:] * (size - len(bands)))
        settings, _ = fidelity.settled(networks, filled, settings.sized(networks.codes.size))
        scales = measure_each(networks, filled.neurons)
        self.networks, self.bands, self.settings, self.scales = networks, filled, settings, scales
        singles = [Bands([one]) for one in filled]
        self.keepers = [
            Keeper(networks, one, settings, None, scale)
            for one, scale in zip(singles, scales, strict=True)
        ]
        self.parts: list[list[Samples]] = [[] for _ in filled]
        self.asked = len(bands)
        self.open = np.arange(size) < self.asked
        self.quiet, self.mute, self.broken = (np.zeros(size, np.int64) for _ in range(3))
        self.best = np.full(size, -np.inf, np.float32)
        targets = [loops.target(*pair) for pair in zip(singles, scales, strict=True)]
        z1, z2, sd = (tf.concat(column, axis=0) for column in list(zip(*targets, strict=True))[1:4])
        self.target = Target(index(filled.neurons), z1, z2, sd, targets[0].likely)
        self.run, slots = loops.compiled(
            networks, singles[0], settings, scales[0], "group", _advance, loops.rule(settings)
        )
        self.rows = GroupRows(networks, filled, settings)
        owner = self._next(np.zeros(size, np.int64), settings.K)
        fresh = self.rows.next(owner)
        self.rows.took(owner)
        d_E = loops.distance_size(networks, settings)
        self.state = pools.init(
            *fresh, settings.sides, d_E, settings.mu0, slots, True, GroupState, size
        )._replace(owner=tf.constant(owner))
        self.given = self._inputs()
        self.came: tuple[Any, Buffer, renewal.Report] | None = None
        # Now, since only one thread at a time can make a graph of the networks.
        self.run.get_concrete_function(*self.given)

    @property
    def found(self) -> int:
        """Samples so far, of all neurons."""
        return sum(keeper.found for keeper in self.keepers)

    @property
    def served(self) -> float:
        """Neurons that are served by now, and the shares of their samples that others have."""
        return sum(
            self.keepers[g].found / self.settings.n if self.open[g] else 1.0
            for g in range(self.asked)
        )

    def compute(self) -> None:
        """Takes some steps. It runs a graph and nothing else, so any thread may call it."""
        self.came = self.run(*self.given)

    def settle(self) -> Iterator[Ended]:
        """Keeps what the last steps found; what became of each neuron that is served by now."""
        spent = self.given[0].spent.numpy()
        assert self.came is not None, "steps are taken before they are settled"
        self.state, buffer, report = self.came
        self.rows.took(self.given[2].owner.numpy()[: int(report.used)])
        taken = self.state.spent.numpy() - spent
        got = self._keep(buffer)
        self.best = self.target.nearest(np.stack([self.best, report.best])).numpy()
        self.quiet = np.where(got, 0, self.quiet + taken)
        self.mute = np.where(report.alive.numpy() > 0, 0, self.mute + taken)
        self.broken = np.where(report.finite.numpy() > 0, 0, self.broken + taken)
        for g in map(int, np.flatnonzero(self.open)):
            trouble = self._trouble(g)
            if trouble or self.keepers[g].found == self.settings.n:
                self.open[g] = False
                yield self._ended(g, trouble)
        if self.open.any():
            self.given = self._inputs()

    def _inputs(self) -> tuple[Any, Target, GroupFresh]:
        """What the next steps start from: state, target and fresh rows."""
        count = 2 * self.settings.K
        rows = np.bincount(self.state.owner.numpy(), minlength=len(self.open))
        owner = self._next(rows, count)
        fresh = GroupFresh(*map(tf.constant, (*self.rows.next(owner), owner)))
        # The steps count candidates. Where one of them does not prove true, its neuron has rows
        # again from the next call on.
        state = self.state._replace(quota=self.state.found + self._wants())
        return state, self.target, fresh

    def _wants(self) -> Array:
        found = np.array([keeper.found for keeper in self.keepers])
        return np.where(self.open, self.settings.n - found, 0)

    def _next(self, rows: Array, count: int) -> Array:
        return apportioned(self._wants(), rows, count)

    def _keep(self, buffer: Buffer) -> Array:
        """Which neurons have got samples of what some steps found, [G]."""
        x, c, steps, chain = loops.emitted(buffer)
        begun, owner = (column[: len(x)].numpy() for column in buffer.start)
        e, z = self.networks.score(x, self.bands.neurons, batch=self.settings.K)
        got = np.zeros(len(self.open), bool)
        for g in np.unique(owner):
            own = owner == g
            scored = Samples(x, c, e, z[:, [g]], steps, chain).rows(own)
            samples = self.keepers[g].take(scored, begun[own])
            if len(samples.images):
                self.parts[g].append(samples)
                got[g] = True
        return got

    def _trouble(self, g: int) -> str | None:
        if self.keepers[g].found == self.settings.n:
            return None
        if self.broken[g] >= DEAD:
            return loops.trouble(0, 1, CODES)
        if self._dead(g):
            return loops.trouble(1, 0, CODES)
        if self.quiet[g] >= limit(self.settings):
            return f"no sample in {self.quiet[g]} steps of a row"
        return None

    def _dead(self, g: int) -> bool:
        flat = all(self.scales[g].flat) and self.quiet[g] >= DEAD
        return bool(self.mute[g] >= DEAD or flat)

    def _ended(self, g: int, trouble: str | None) -> Ended:
        keeper, settings, scale = self.keepers[g], self.settings, self.scales[g]
        steps = -(-int(self.state.spent[g]) // settings.K)
        error = None
        if trouble:
            kind = Stalled if keeper.found else Unreachable
            error, best = kind(trouble, self.best[[g]], steps), self.best[[g]]
            error = explained(error, Bands([self.bands[g]]), scale, best, keeper.found)
        parts, self.parts[g] = self.parts[g], []
        samples = Samples.joined(parts) if parts else None
        return Ended(g, samples, settings, scale, steps, error, bool(trouble) and self._dead(g))


def _advance(problem: Problem, rule: Rule) -> Callable[..., Any]:
    return renewal.make_advance(problem, rule, loops.STEPS, company=GROUP)
