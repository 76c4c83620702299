"""The driver of `langevin`: a start in the bands by splitting, a pilot, then rows far apart.

Chains start from codes that a splitting carried into the bands, one each. A pilot adapts the
lengths of the moves, then measures, with all of them fixed, over how many rounds the chains forget
where they were. After that nothing is adapted: every `apart` rounds each chain gives a row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tf_inverse.errors import RefusedInput, Unreachable
from tf_inverse.method import diagnostics, langevin, loops
from tf_inverse.method.checkpoint import count, entry
from tf_inverse.method.kernel import BLOCK, LONGEST, STREAMS, Kernel, adapted
from tf_inverse.method.volume import Splitting, unreached
from tf_inverse.networks.codes import generator

if TYPE_CHECKING:
    from tf_inverse.band import Bands
    from tf_inverse.method import splitting
    from tf_inverse.method.normalization import Scale
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks.networks import Networks, View
    from tf_inverse.tensors import Array

START, START_OF_BANK = 200, 1000
"""Codes of the splitting that chains start from; of a bank they also tell where to hop to."""

ADAPT, MEASURE = 30, 60
"""Rounds of the pilot: with lengths that adapt, and with fixed ones."""

TELL = 10
"""Rounds of the pilot after which a run may be stopped."""

FIRST_ANGLE = {"move": 0.5, "turn": 0.5, "hop": 0.0}
APART = 1.5
"""Rounds between rows, in autocorrelation times: neighbours then have a correlation of 0.05."""

MOST_APART = 200
PROJECTIONS = 4
"""Random directions of codes whose autocorrelation is measured, beside the activations'."""


class Chains(NamedTuple):
    """What the next rows need, and nothing else does.

    Attributes:
        u: Normal numbers, [K, size].
        i: Members of the bank, [K] int32.
        angles: Lengths of the moves, [moves] float64.
        q: Chances to be hopped to, [members] float64.
        rounds: Rounds taken since the pilot, int64.
        apart: Rounds between rows, int64.
        spent: Steps taken until the pilot's end, int64.
    """

    u: Any
    i: Any
    angles: Any
    q: Any
    rounds: Any
    apart: Any
    spent: Any


def langevin_chains(
    networks: Networks,
    bands: Bands,
    settings: Settings,
    scale: Scale,
    state: dict[str, Array] | None = None,
) -> Iterator[loops.Chunk]:
    """K chains whose rows have a law; see the module.

    Until the first rows the state is the start's, since the way there is the same every time.

    Raises:
        Unreachable: The splitting does not reach the bands.
    """
    kernel = Kernel(networks, bands, settings, scale)
    cycle, nothing = kernel.cycles["chains"], loops.nothing(networks)
    if state is None or "u" not in state:
        started: Chains | None = None
        for started, step, best in _started(kernel, settings.K):
            before = {} if started is None else started._asdict()
            yield loops.Chunk(*nothing, before, before, step, 0, best)
        assert started is not None, "a splitting that does not end in chains raises"
        here = started
    else:
        here = _restored(state, kernel, settings.K)
    before = here._asdict()
    while True:
        view, c, here = _row(kernel, here)
        step = int(here.spent + here.rounds * len(cycle))
        taken = int(here.apart) * len(cycle)
        after = here._asdict()
        yield loops.Chunk(
            view.x.astype(networks.stored),
            c,
            np.full(settings.K, step - 1, np.int64),
            np.arange(settings.K, dtype=np.int32),
            before,
            after,
            step,
            taken,
            kernel.nearest(view.z),
        )
        before = after


def _row(kernel: Kernel, here: Chains) -> tuple[View, Array, Chains]:
    """`apart` rounds further: the View and codes of the chains there, and the chains."""
    walkers, left = langevin.Walkers(here.u, here.i), int(here.apart)
    kernel.q, rounds = here.q, int(here.rounds)
    while left:
        some = min(BLOCK, left)
        rng = generator(kernel.seed, STREAMS["chains"], rounds)
        walkers, _, _, view, c = kernel.take("chains", walkers, 0.0, rng, some, here.angles)
        rounds, left = rounds + some, left - some
    return view, c, here._replace(u=walkers.u, i=walkers.i, rounds=np.int64(rounds))


def _started(kernel: Kernel, K: int) -> Iterator[tuple[Chains | None, int, Array]]:
    """Chains (None until they are there), steps taken and nearest activations, as they go on."""
    start = Splitting(kernel, max(START if kernel.law.members == 1 else START_OF_BANK, K))
    last: splitting.Stage | None = None
    for stage in start.stages():
        last = stage
        yield None, start.passes, start.best
    assert last is not None, "a splitting has a first stage at least"
    if last.lost:
        raise Unreachable(unreached(last), start.best, start.passes)
    rng = generator(kernel.seed, STREAMS["choice"])
    rows = rng.choice(len(last.population.u), K, replace=len(last.population.u) < K)
    if kernel.law.members > 1:
        kernel.hops_to(last.population.i)
    walkers = langevin.Walkers(last.population.u[rows], last.population.i[rows])
    cycle = kernel.cycles["chains"]
    angles, history = np.array([FIRST_ANGLE[name] for name in cycle]), []
    along = rng.standard_normal((kernel.code_size, PROJECTIONS))
    rng = generator(kernel.seed, STREAMS["pilot"])
    for t in range(ADAPT + MEASURE):
        walkers, accepted, _, view, c = kernel.take("chains", walkers, 0.0, rng, 1, angles)
        if t < ADAPT:
            # Robbins and Monro 1951: smaller and smaller corrections.
            angles = adapted(angles, cycle, accepted, 2.0 / math.sqrt(1 + t))
        else:
            history.append(np.concatenate([view.z, c @ along], axis=1))
        step = start.passes + (t + 1) * len(cycle)
        if t % TELL == TELL - 1 and t < ADAPT + MEASURE - 1:
            yield None, step, kernel.nearest(view.z)
    apart = spacing(np.stack(history, axis=1))
    numbers = (np.int64(number) for number in (0, apart, step))
    yield Chains(*walkers, angles, kernel.q.copy(), *numbers), step, kernel.nearest(view.z)


def spacing(history: Array) -> int:
    """Rounds between rows that make them all but independent.

    Args:
        history: Several statistics of chains after each round, [K, rounds, statistics].
    """
    K, rounds, _ = history.shape
    sizes = [diagnostics.effective_size(one) for one in np.moveaxis(history, 2, 0)]
    least = min((size for size in sizes if size == size), default=1.0)
    return int(np.clip(math.ceil(APART * K * rounds / least), 1, MOST_APART))


def _restored(state: Mapping[str, Array], kernel: Kernel, K: int) -> Chains:
    """Chains of a state.

    Raises:
        RefusedInput: It is damaged, or of other settings.
    """
    moves, members = len(kernel.cycles["chains"]), kernel.law.members
    here = Chains(
        entry(state, "u", np.float32, (K, kernel.law.size)),
        entry(state, "i", np.int32, (K,)),
        entry(state, "angles", np.float64, (moves,)),
        entry(state, "q", np.float64, (members,)),
        *(np.int64(count(state, name)) for name in ("rounds", "apart", "spent")),
    )
    limits = [LONGEST[name] for name in kernel.cycles["chains"]]
    sound = np.isfinite(here.u).all() and (here.q > 0).all() and 1 <= here.apart <= MOST_APART
    sound &= bool(((here.i >= 0) & (here.i < members)).all())
    sound &= bool(((here.angles >= 0) & (here.angles <= limits)).all())
    if not sound:
        raise RefusedInput(
            "expected chains in the state that the run goes on from, got numbers that no run "
            "writes: it is damaged; sample --overwrite starts again"
        )
    return here
