"""The driver of the paper's own method, section 3.4: seeds by rounds, then the walk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tf_inverse.errors import SeedsNotFound
from tf_inverse.method import loops, seeds, stored_state, walk
from tf_inverse.method.checkpoint import entry
from tf_inverse.method.problem import Target
from tf_inverse.networks.codes import Stream
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.band import Bands
    from tf_inverse.method.normalization import Scale
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks.networks import Networks


def paper(
    networks: Networks,
    bands: Bands,
    settings: Settings,
    scale: Scale,
    state: Mapping[str, Array] | None = None,
) -> Iterator[loops.Chunk]:
    """Section 3.4: seeds in rounds of 100 steps, then the walk, ten steps at a time.

    Raises:
        SeedsNotFound: After `patience` rounds not all K codes are feasible.
    """
    aim = loops.target(bands, scale)
    # The walk goes on from the seeds, and those began here.
    fresh = Stream(networks, settings.seed, len(bands), settings.K)
    start = fresh.rows(0, settings.K)[0]
    # Where seeds began, of a state whose seeds did not all begin at their first codes.
    begun: dict[str, Array] = {}
    advance, slots = loops.compiled(
        networks, bands, settings, scale, "walk", walk.make_advance, settings.diversity, loops.STEPS
    )
    if state is None:
        found, info, start, restarts = _seeds(networks, bands, settings, scale, aim, fresh)
        begun = {"begun": start} if restarts else {}
        beta = tf.constant(settings.beta, tf.float32)
        here = walk.WalkState(found.c, found.lam, found.mu, beta, found.step, slots)
        before = stored_state.arrays(here) | begun
        steps, best = int(found.step), info.z.numpy().max(axis=0)
        mu, none = float(found.mu), loops.nothing(networks)
        first = loops.Chunk(*none, before, before, steps, steps, best, restarts, mu=mu)
        yield first._replace(start=start[:0])
    else:
        columns = (networks.codes.size, settings.sides * len(bands))
        c, lam = (tf.zeros((settings.K, many)) for many in columns)
        number, step = tf.constant(0.0), tf.constant(0, tf.int64)
        here = stored_state.restored(state, walk.WalkState(c, lam, number, number, step, slots))
        if "begun" in state:
            start = entry(state, "begun", np.float32, start.shape)
            begun = {"begun": start}
        before = stored_state.arrays(here) | begun
    while True:
        here, buffer, best, finite = advance(here, aim)
        after = stored_state.arrays(here) | begun
        step, mu = int(here.step), float(here.mu)
        rows = loops.emitted(buffer)
        yield loops.Chunk(
            *rows,
            before=before,
            after=after,
            step=step,
            taken=loops.STEPS,
            best=best.numpy(),
            mu=mu,
            trouble=loops.trouble(int(finite), 1, loops.STEPS * settings.K),
            start=start[rows[3]],
        )
        before = after


def _seeds(
    networks: Networks, bands: Bands, settings: Settings, scale: Scale, aim: Target, fresh: Stream
) -> tuple[seeds.SeedState, seeds.SeedInfo, Array, int]:
    """The seeds, their last look, the codes [K, d] that they began at, and how many began anew."""
    options = (settings.beta, settings.diversity, settings.a, loops.ROUND)
    round_, slots = loops.compiled(
        networks, bands, settings, scale, "seeds", seeds.make_round, *options
    )
    p, K, restarts = len(bands), settings.K, 0
    start = fresh.rows(0, K)[0]
    state = seeds.init(start, p, settings.sides * p, settings.mu0, slots)
    best = np.full(len(bands), -np.inf, np.float32)
    for i in range(1, loops.rule(settings).patience + 1):
        state, info = round_(state, aim)
        best = aim.nearest(tf.concat([[best], info.z], axis=0)).numpy()
        feasible = int(np.sum(info.feasible))
        if feasible == K:
            return state, info, start, restarts
        lost = ~(info.finite | info.feasible).numpy()
        if lost.all():
            break
        if lost.any():
            c = fresh.rows(i * K, K)[0]
            state, start = seeds.anew(state, lost, c), np.where(lost[:, np.newaxis], c, start)
            restarts += int(lost.sum())
    stuck = int(np.sum(~info.finite))
    which = "none is" if stuck == K else f"{stuck} are not"
    raise SeedsNotFound(
        f"{feasible} of {K} seeds feasible after {int(state.step)} steps"
        + (f", and {which} finite" if stuck else ""),
        best,
        int(state.step),
    )
