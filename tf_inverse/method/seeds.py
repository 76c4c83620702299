"""Section 3.4, first half: K seeds by the augmented Lagrangian of eqs. 7-8."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf

from tf_inverse.compute.device import compiled
from tf_inverse.method import step_size
from tf_inverse.method.lagrangian import margins, next_multipliers, seeds_lagrangian
from tf_inverse.method.problem import Problem, Target
from tf_inverse.tensors import Array, Tensor

if TYPE_CHECKING:
    from tf_inverse.networks.networks import View


# Share of beta that a step has at least, but for the secant.
SHORTEST = 0.15
# How far beyond the middle of its range a step may take a row, in ranges: half way to its end.
ROOM = 0.25


class SeedState(NamedTuple):
    """What the next round needs.

    Attributes:
        c: Codes, [K, d].
        lam: Multipliers, [K, m].
        mu: Penalty weight, scalar.
        step: Gradient steps taken, int64.
        short: How far short of the middle a row was at its last look, in bands, [K, p].
        stride: Its last step as a share of beta, [K]; negative where it has begun anew.
        slots: Variables of an optimizer, where there is one.
    """

    c: Any
    lam: Any
    mu: Any
    step: Any
    short: Any
    stride: Any
    slots: tuple = ()


class SeedInfo(NamedTuple):
    """Of a round's last look: z and s [K, p], and which rows are feasible, and finite, [K]."""

    z: Any
    s: Any
    feasible: Any
    finite: Any


def init(c: Array, p: int, m: int, mu0: float, slots: tuple = ()) -> SeedState:
    """The first state, Line P1: lambda_0 = 0 for m margins a row of p neurons, mu_0 given."""
    K = len(c)
    return SeedState(
        tf.constant(c, tf.float32),
        tf.zeros((K, m)),
        tf.constant(mu0, tf.float32),
        tf.constant(0, tf.int64),
        tf.zeros((K, p)),
        tf.ones((K,)),
        slots,
    )


def anew(state: SeedState, rows: Array, c: Array) -> SeedState:
    """The state with fresh codes for some rows, as `init` has them; mu is the round's.

    A row whose gradient is no number would never move again, and all K have to be feasible. Where
    a seed begins the paper leaves open.

    Args:
        state: After a round.
        rows: Mask, [K].
        c: Codes, [K, d], of which those of the rows are taken.
    """
    column = rows[:, tf.newaxis]
    return state._replace(
        c=tf.where(column, c, state.c),
        lam=tf.where(column, 0.0, state.lam),
        stride=tf.where(rows, -1.0, state.stride),
    )


def to_middle(s: Tensor, target: Target, bound: str) -> Tensor:
    """Margins with epsilon_0 = (z2 - z1) / 2: both sides ask for the middle of the range."""
    epsilon0 = (target.z2 - target.z1) / 2.0
    if target.likely is None:
        return margins(s, target.z1, target.z2, target.sd, epsilon0, bound)
    middle = target.along(target.z1 + epsilon0)
    return margins(s, middle, middle, target.sd, bound=bound)


def paced(
    s: Tensor, target: Target, bound: str, before: Tensor, stride: Tensor, first: Tensor
) -> tuple[Tensor, Tensor]:
    """How far short of the middle rows are, and the lengths of their steps as shares of beta.

    The paper leaves the step open. A row that one length throws from one side of its range to the
    other takes a shorter step. Where the lower end alone bounds an activation there is no other
    side, and steps keep the one length.
    """
    if target.likely is None and bound == "paper":
        return before, stride
    epsilon0 = (target.z2 - target.z1) / 2.0
    short = target.short(s, target.z1 + epsilon0, epsilon0) / 2.0
    if target.likely is None:
        return short, step_size.landing(short, before, stride, first, ROOM)
    off = tf.reduce_max(tf.abs(short), axis=1)
    return short, step_size.strides(short, off, before, stride, first, SHORTEST)


def make_step(
    problem: Problem, beta: float, diversity: float
) -> Callable[[SeedState, Target], tuple[SeedState, SeedInfo]]:
    """One gradient step of eq. 8, Line P2.

    Args:
        problem: The networks.
        beta: Step, in standard deviations of codes.
        diversity: Weight of the diversity term; 0 for eq. 14.

    Returns:
        step(state, target) -> (state, SeedInfo): where all rows are feasible, the codes stay.
        lambda and mu are the round's, which `make_round` changes.
    """

    def step(state: SeedState, target: Target) -> tuple[SeedState, SeedInfo]:
        c, lam, mu, i, before, stride, slots = state

        def lagrangian(e: Tensor, view: View) -> Tensor:
            g = to_middle(view.s, target, problem.bound)
            return seeds_lagrangian(diversity**0.5 * e, g, lam, mu)

        view, g, finite = problem.descend(c, target, lagrangian)
        feasible = problem.feasible(view.z, target)
        first = (i == 0) | (stride < 0.0)
        short, stride = paced(view.s, target, problem.bound, before, tf.abs(stride), first)
        moved, slots = problem.move(c, g, beta * stride[:, tf.newaxis], slots)
        # A row without numbers has no length of a step either: its code would be none.
        c = tf.where(tf.reduce_all(feasible) | ~finite[:, tf.newaxis], c, moved)
        info = SeedInfo(view.z, view.s, feasible, finite)
        return SeedState(c, lam, mu, i + 1, short, stride, slots), info

    return step


def make_round(
    problem: Problem, beta: float, diversity: float, a: float, steps: int
) -> Callable[[SeedState, Target], tuple[SeedState, SeedInfo]]:
    """A round: `steps` steps of eq. 8, or fewer when all are feasible; then lambda and mu, Line P3.

    Returns:
        Compiled round(state, target) -> (state, info).
    """
    step = make_step(problem, beta, diversity)

    @compiled
    def round_(state: SeedState, target: Target) -> tuple[SeedState, SeedInfo]:
        K, p = state.c.shape[0], target.z1.shape[0]
        end = state.step + steps
        none = tf.zeros((K,), tf.bool)
        info = SeedInfo(tf.zeros((K, p)), tf.zeros((K, p)), none, none)
        while state.step < end and not tf.reduce_all(info.feasible):
            state, info = step(state, target)
        if not tf.reduce_all(info.feasible):
            g = to_middle(info.s, target, problem.bound)
            lam = next_multipliers(g, state.lam, state.mu)
            state = state._replace(lam=lam, mu=a * state.mu)
        return state, info

    return round_
