"""Section 3.4, second half: K candidates a step around the feasible region (eqs. 9-10).

Every step is one gradient step of eq. 10 with lambda* and mu* as the seeds left them; candidates
that are feasible are samples. C_0, the last feasible codes, is the feasible rows of the current C:
the walk needs nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf

from tf_inverse.compute.device import compiled
from tf_inverse.method.buffer import Buffer, empty, put
from tf_inverse.method.lagrangian import margins, walk_lagrangian
from tf_inverse.method.problem import Problem, Target
from tf_inverse.method.rule import RULE
from tf_inverse.tensors import Tensor

if TYPE_CHECKING:
    from tf_inverse.networks.networks import View


ACCEPTANCE = 0.6
ADAPTATION = 0.1


class WalkState(NamedTuple):
    """What the next step needs.

    Attributes:
        c: Codes, [K, d].
        lam: Multipliers lambda*, [K, m], never changed.
        mu: Penalty weight mu*, scalar, never changed.
        beta: Step, in standard deviations of codes.
        step: Gradient steps taken, the seeds' included, int64.
        slots: Variables of an optimizer, where there is one.
    """

    c: Any
    lam: Any
    mu: Any
    beta: Any
    step: Any
    slots: tuple = ()


class WalkInfo(NamedTuple):
    """What a reader wants of a step: z [K, p], feasible [K], x [K, H, W, C], finite rows."""

    z: Any
    feasible: Any
    x: Any
    finite: Any


def make_step(
    problem: Problem, diversity: float
) -> Callable[[WalkState, Target], tuple[WalkState, WalkInfo]]:
    """One step of eq. 10, Lines P4 and P5.

    Args:
        problem: The networks.
        diversity: Weight of diversity and separation.

    Returns:
        step(state, target) -> (state, info); info tells of the codes that came in.
    """

    def step(state: WalkState, target: Target) -> tuple[WalkState, WalkInfo]:
        c, lam, mu, beta, i, slots = state

        def lagrangian(e: Tensor, view: View) -> Tensor:
            ends = target.along(target.z1), target.along(target.z2)
            g = margins(view.s, *ends, target.sd, bound=problem.bound)
            weights = tf.cast(problem.feasible(view.z, target), e.dtype)
            e = diversity**0.5 * e
            return walk_lagrangian(e, g, lam, mu, e, weights)

        view, g, finite = problem.descend(c, target, lagrangian)
        # Line P6: the feasible candidates are samples.
        feasible = problem.feasible(view.z, target)
        info = WalkInfo(view.z, feasible, view.x, tf.reduce_sum(tf.cast(finite, tf.int32)))
        accepted = tf.reduce_mean(tf.cast(feasible, tf.float32))
        # Line P7: longer steps while most candidates are feasible, shorter ones while few are.
        following = beta * tf.exp(ADAPTATION * (accepted - ACCEPTANCE))
        # Where all candidates are feasible for long, the codes would grow without end.
        following = tf.minimum(following, tf.maximum(beta, RULE.length / c.shape[1] ** 0.5))
        c, slots = problem.move(c, g, beta, slots)
        return WalkState(c, lam, mu, following, i + 1, slots), info

    return step


def make_advance(
    problem: Problem, diversity: float, steps: int
) -> Callable[[WalkState, Target], tuple[WalkState, Buffer, Tensor, Tensor]]:
    """Several steps.

    Returns:
        Compiled advance(state, target) -> (state, Buffer, best [p], finite): the samples found, the
        activations nearest to the ranges, and how many rows had a finite gradient.
    """
    step = make_step(problem, diversity)

    @compiled
    def advance(state: WalkState, target: Target) -> tuple[WalkState, Buffer, Tensor, Tensor]:
        K = state.c.shape[0]
        buffer = empty(K * steps, problem.image, state.c, problem.stored)
        best, finite = target.z1 * 0.0 - float("inf"), tf.constant(0)
        for _ in tf.range(steps):
            c, i = state.c, state.step
            state, info = step(state, target)
            buffer = put(buffer, info.x, c, i, info.feasible)
            best = target.nearest(tf.concat([[best], info.z], axis=0))
            finite += info.finite
        return state, buffer, best, finite

    return advance
