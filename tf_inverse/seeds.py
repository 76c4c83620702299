"""Section 3.4, first half: K seeds by the augmented Lagrangian of eqs. 7-8."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from tf_inverse.device import compiled
from tf_inverse.lagrangian import margins, next_multipliers, seeds_lagrangian
from tf_inverse.problem import Problem, Target


class SeedState(NamedTuple):
    """What the next round needs.

    Attributes:
        c: Codes, [K, d].
        lam: Multipliers, [K, m].
        mu: Penalty weight, scalar.
        step: Gradient steps taken, int64.
        slots: Variables of an optimizer, where there is one.
    """

    c: Any
    lam: Any
    mu: Any
    step: Any
    slots: tuple = ()


class SeedInfo(NamedTuple):
    """What a reader wants of a round: z [K, p], feasible [K], and how many rows were finite."""

    z: Any
    feasible: Any
    finite: Any


def init(c, m: int, mu0: float, slots: tuple = ()) -> SeedState:
    """lambda_0 = 0 for m margins a row, mu_0 given."""
    K = len(c)
    return SeedState(
        tf.constant(c, tf.float32),
        tf.zeros((K, m)),
        tf.constant(mu0, tf.float32),
        tf.constant(0, tf.int64),
        slots,
    )


def make_step(problem: Problem, beta: float, diversity: float):
    """One gradient step of eq. 8.

    Args:
        problem: The networks.
        beta: Step, in standard deviations of codes.
        diversity: Weight of the diversity term; 0 for eq. 14.

    Returns:
        step(state, target) -> (state, SeedInfo): where all rows are feasible, the codes stay.
        lambda and mu are the round's, which `make_round` changes.
    """

    def step(state: SeedState, target: Target):
        c, lam, mu, i, slots = state
        epsilon0 = (target.z2 - target.z1) / 2.0

        def lagrangian(e, z):
            g = margins(z, target.z1, target.z2, target.sd, epsilon0, problem.bound)
            return seeds_lagrangian(diversity**0.5 * e, g, lam, mu)

        view, g, finite = problem.descend(c, target, lagrangian)
        feasible = problem.feasible(view.z, target)
        moved, slots = problem.move(c, g, beta, slots)
        c = tf.where(tf.reduce_all(feasible), c, moved)
        info = SeedInfo(view.z, feasible, tf.reduce_sum(tf.cast(finite, tf.int32)))
        return SeedState(c, lam, mu, i + 1, slots), info

    return step


def make_round(problem: Problem, beta: float, diversity: float, a: float, steps: int):
    """A round: `steps` steps of eq. 8, or fewer when all are feasible; then lambda and mu.

    Returns:
        Compiled round(state, target) -> (state, info).
    """
    step = make_step(problem, beta, diversity)

    @compiled
    def round_(state: SeedState, target: Target):
        K, p = state.c.shape[0], target.z1.shape[0]
        end = state.step + steps
        info = SeedInfo(tf.zeros((K, p)), tf.zeros((K,), tf.bool), tf.constant(0))
        while state.step < end and not tf.reduce_all(info.feasible):
            state, info = step(state, target)
        epsilon0 = (target.z2 - target.z1) / 2.0
        g = margins(info.z, target.z1, target.z2, target.sd, epsilon0, problem.bound)
        if not tf.reduce_all(info.feasible):
            lam = next_multipliers(g, state.lam, state.mu)
            state = state._replace(lam=lam, mu=a * state.mu)
        return state, info

    return round_
