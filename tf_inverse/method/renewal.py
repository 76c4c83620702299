"""Renewal, the default method: docs/algorithm.md states it in ten numbered lines, R1 to R10.

Section 3.4's walk stays near its seeds. Here K rows run side by side, each with its own
multipliers, penalty weight and age, and each aims at a point of its own in the band. A row that
reached its aim gives a sample and starts again from a fresh code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import tensorflow as tf

from tf_inverse.compute.device import compiled
from tf_inverse.method import step_size
from tf_inverse.method.buffer import Buffer, empty, put
from tf_inverse.method.company import ALONE, Company
from tf_inverse.method.lagrangian import margins, next_multipliers, walk_lagrangian
from tf_inverse.method.pool import Fresh, PoolState, unsized
from tf_inverse.method.problem import Problem, Target
from tf_inverse.method.rule import Rule
from tf_inverse.networks.networks import View
from tf_inverse.tensors import Tensor

if TYPE_CHECKING:
    from tf_inverse.method.problem import Lagrangian


class PoolInfo(NamedTuple):
    """What a caller wants of one step.

    Attributes:
        view: Look at the codes before they moved.
        done: Rows whose code came in as a sample, [K].
        report: Figures of the step; `report.used` counts the fresh rows taken.
    """

    view: View
    done: Any
    report: Report


class Report(NamedTuple):
    """Figures of some steps.

    Attributes:
        best: Activation of each target that is nearest to its range, [p].
        finite: Rows with a finite gradient, summed over the steps; of a group, [G] for each neuron.
        alive: Rows with a gradient that is not zero, likewise.
        restarts: Rows that were given up.
        mu: Mean penalty weight at the end.
        used: Fresh rows used up.
    """

    best: Any
    finite: Any
    alive: Any
    restarts: Any
    mu: Any
    used: Any


class Aim(NamedTuple):
    """Where the rows are with respect to their aims.

    Attributes:
        g: Margins to within w of each row's own aim, [K, m].
        short: How far short of its aims a row is, in bands as the search measures it, [K, p].
        shown: The same in activations, [K, p].
    """

    g: Any
    short: Any
    shown: Any


def aim(problem: Problem, rule: Rule, view: View, pool: PoolState, target: Target) -> Aim:
    """Lines R2 and R3: margins and distances to each row's own aim."""
    whole = target.z2 - target.z1
    w, at = rule.width * whole, target.z1 + pool.t * whole
    low, high = target.along(at - w), target.along(at + w)
    g = margins(view.s, low, high, target.sd, bound=problem.bound)
    along = short = (at - view.z) / whole
    if target.likely is not None:
        along = tf.where(target.likely, rule.width * target.short(view.s, at, w), short)
    if problem.bound == "paper":
        short, along = tf.nn.relu(short), tf.nn.relu(along)
    return Aim(g, along, short)


def lagrangian(
    problem: Problem, rule: Rule, pool: PoolState, target: Target, company: Company = ALONE
) -> Lagrangian:
    """Line R4: the function (e, view) -> scalar that a step goes down."""
    scale, e0, weights, own = company.apart(rule, pool)

    def cost(e: Tensor, view: View) -> Tensor:
        g = aim(problem, rule, view, pool, target).g
        return walk_lagrangian(scale * e, g, pool.lam, pool.mu, e0, weights, own)

    return cost


def keep(
    problem: Problem, rule: Rule, view: View, at: Aim, pool: PoolState, target: Target
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Lines R5 and R6: the rows that give a sample, and those that have come no nearer.

    Returns:
        done [K], stalled [K], and the fields `nearest` and `since` after this step.
    """
    off = tf.reduce_max(tf.abs(at.short), axis=1)
    missed = off if target.likely is None else tf.reduce_max(tf.abs(at.shown), axis=1)
    nearest, since = step_size.progress(off, pool.nearest, pool.since, pool.age == 0, rule.nearer)
    stalled = since >= rule.stall
    # An aim that proves out of reach is given up by and by: any place in the band will do.
    reach = rule.width + tf.cast(pool.age, tf.float32) / rule.patience
    done = ((missed <= reach) | stalled) & problem.feasible(view.z, target)
    return done, stalled, {"nearest": nearest, "since": since}


def stride(rule: Rule, at: Aim, pool: PoolState) -> Tensor:
    """Line R7: the length of each row's step as a share of beta, [K]."""
    off = tf.reduce_max(tf.abs(at.short), axis=1)
    return step_size.strides(at.short, off, pool.short, pool.stride, pool.age == 0, rule.shortest)


def restart(
    pool: PoolState, rule: Rule, done: Tensor, lost: Tensor, fresh: Fresh, company: Company = ALONE
) -> tuple[PoolState, Tensor]:
    """Lines R9 and R10: new aims for rows that gave a sample, fresh codes where they ended.

    Args:
        pool: After the move.
        rule: The numbers.
        done: Rows that gave a sample, [K].
        lost: Rows that are given up, [K].
        fresh: Random numbers, at least K rows; both kinds of row take one each.
        company: Whom the rows serve.

    Returns:
        The pool, and how many fresh rows were taken.
    """
    given = pool.given + tf.cast(done, tf.int32)
    ended = lost | (given >= rule.samples_per_seed)
    anew = done | lost
    at = tf.cumsum(tf.cast(anew, tf.int32)) - 1
    at = tf.clip_by_value(at, 0, tf.shape(fresh.t)[0] - 1)
    column = anew[:, tf.newaxis]
    pool = pool._replace(
        c=tf.where(ended[:, tf.newaxis], tf.gather(fresh.c, at), pool.c),
        lam=tf.where(column, 0.0, pool.lam),
        mu=tf.where(column, rule.mu0, pool.mu),
        t=tf.where(column, tf.gather(fresh.t, at), pool.t),
        age=tf.where(anew, 0, pool.age),
        given=tf.where(ended, 0, given),
        slots=tuple(_reset(slot, ended) for slot in pool.slots),
        start=tuple(tf.where(ended[:, None], tf.gather(fresh.c, at), c) for c in pool.start),
        **company.passed(pool, fresh, at, ended),
    )
    return pool, tf.reduce_sum(tf.cast(anew, tf.int32))


def _reset(slot: Tensor, ended: Tensor) -> Tensor:
    # What an optimizer remembers of a row goes with the row; counters belong to all of them.
    if slot.shape.rank < 2:
        return slot
    reset = tf.where(ended[:, tf.newaxis], tf.zeros_like(slot), slot)
    reset.set_shape(slot.shape)
    return reset


Step: TypeAlias = "Callable[[PoolState, Target, Fresh], tuple[PoolState, PoolInfo]]"
"""One step of a pool: (pool, target, fresh rows) -> (the pool after it, what a caller wants)."""


def make_step(problem: Problem, rule: Rule, company: Company = ALONE) -> Step:
    """One step of the pool: step(state, target, fresh) -> (state, PoolInfo)."""

    def step(pool: PoolState, target: Target, fresh: Fresh) -> tuple[PoolState, PoolInfo]:
        target = company.of_rows(target, pool)
        cost = lagrangian(problem, rule, pool, target, company)
        view, gradient, finite = problem.descend(pool.c, target, cost)
        at = aim(problem, rule, view, pool, target)
        done, stalled, progress = keep(problem, rule, view, at, pool, target)
        idle = company.idle(pool)
        if idle is not None:
            done, stalled = done & ~idle, stalled | idle
        length = stride(rule, at, pool)
        # Lines R1 and R8: every row moves, with multipliers and a penalty weight of its own.
        lam = pool.lam + rule.damping * (next_multipliers(at.g, pool.lam, pool.mu) - pool.lam)
        beta = rule.beta * length[:, tf.newaxis]
        c, slots = problem.move(pool.c, gradient, beta, pool.slots)
        encodings = tf.where(done[:, None], problem.scaled(view.e), 0.0)
        moved = pool._replace(
            c=c,
            slots=slots,
            lam=lam,
            mu=rule.growth * pool.mu,
            age=pool.age + 1,
            short=at.short,
            stride=length,
            step=pool.step + 1,
            **company.tally(pool, done, encodings),
            **progress,
        )
        lost = ~done & (stalled | (moved.age >= rule.patience) | ~finite)
        after, used = restart(moved, rule, done, lost, fresh, company)
        alive = tf.reduce_any(gradient != 0.0, axis=1) | done
        report = _report(company, pool, target, view, finite, alive, lost, used)
        return after, PoolInfo(view, done, report)

    return step


def _report(
    company: Company,
    pool: PoolState,
    target: Target,
    view: View,
    finite: Tensor,
    alive: Tensor,
    lost: Tensor,
    used: Tensor,
) -> Report:
    return Report(
        best=company.nearest(pool, target, view.z),
        finite=company.count(pool, finite),
        alive=company.count(pool, alive),
        restarts=tf.reduce_sum(tf.cast(lost, tf.int32)),
        mu=tf.reduce_mean(pool.mu),
        used=used,
    )


def _left(fresh: Fresh, used: Tensor) -> Fresh:
    """The fresh rows that are not used up."""
    return type(fresh)(*(rows[used:] for rows in fresh))


def make_advance(
    problem: Problem, rule: Rule, steps: int, step: Step | None = None, company: Company = ALONE
) -> Callable[..., tuple[PoolState, Buffer, Report]]:
    """Several steps.

    Args:
        problem: The networks.
        rule: The numbers.
        steps: How many.
        step: From `make_step`, compiled, where the caller has one to share.
        company: Whom the rows serve.

    Returns:
        Compiled advance(pool, target, fresh) -> (pool, Buffer, Report). It stops early where fewer
        than K fresh rows are left, so fresh must hold at least K.
    """
    step = step or make_step(problem, rule, company)

    @compiled
    def advance(pool: PoolState, target: Target, fresh: Fresh) -> tuple[PoolState, Buffer, Report]:
        pool, target, fresh = unsized(pool, target, fresh)
        K, R = tf.shape(pool.c)[0], tf.shape(fresh.t)[0]
        # Each sample takes a fresh row: there are never more samples than those.
        rows = tf.minimum(K * steps, R)
        buffer: Buffer = empty(rows, problem.image, pool.c, problem.stored, company.columns(pool))
        none = tf.zeros_like(pool.found, tf.int32)
        report = Report(target.z1 * 0.0 - float("inf"), none, none, 0, tf.constant(0.0), 0)
        end = pool.step + steps
        while pool.step < end and report.used + K <= R:
            c, i, start, used = pool.c, pool.step, company.columns(pool), report.used
            pool, info = step(pool, target, _left(fresh, used))
            now, buffer = info.report, put(buffer, info.view.x, c, i, info.done, start)
            report = Report(
                target.nearest(tf.stack([report.best, now.best])),
                report.finite + now.finite,
                report.alive + now.alive,
                report.restarts + now.restarts,
                now.mu,
                used + now.used,
            )
        return pool, buffer, report

    return advance
