"""The pool: every row is a run of its own, and starts again when it has given its samples.

Section 3.4's walk stays near its seeds (design: 205 samples hold 16 to 75 different images). Here K
rows run side by side, each with its own multipliers, penalty weight and age, and each aims at a
point t of its own, drawn uniformly in the band. A row whose image lies in every band and within w
of its aim (or farther off, the older the row) is a sample; after `samples_per_seed` of them it
starts again from a fresh code. So does a row that comes no nearer. All rows are pushed away from
each other and from the running mean of everything found so far.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from tf_inverse import private
from tf_inverse.compute.device import compiled
from tf_inverse.method import step_size
from tf_inverse.method.lagrangian import margins, next_multipliers, walk_lagrangian
from tf_inverse.method.problem import Buffer, Problem, Target, empty, put

# Rows of which the weight of diversity speaks, the paper's K.
COMPANY = 10


class Rule(NamedTuple):
    """The numbers of the pool.

    Attributes:
        beta: Largest step, in standard deviations of codes.
        diversity: Weight of diversity and separation, as among ten rows.
        mu0: First penalty weight of a row.
        growth: Factor of the penalty weight a step.
        damping: Share of the way that multipliers go to their next value a step.
        width: w, as a share of the band.
        shortest: Smallest share of beta; a row steps shorter as it nears its aim.
        patience: Steps after which a row without a sample is restarted.
        stall: Steps without coming nearer after which it is, too.
        samples_per_seed: Samples a row gives before it starts again.
    """

    beta: float
    diversity: float
    mu0: float
    growth: float
    damping: float
    width: float
    shortest: float
    patience: int
    stall: int
    samples_per_seed: int


class Pool(NamedTuple):
    """What the next step needs, a row each but for the last five.

    Of a row of age 0 the four from `short` on say nothing.

    Attributes:
        c: Codes, [K, d].
        lam: Multipliers, [K, m].
        mu: Penalty weights, [K, 1].
        t: Aims as shares of the band, [K, p].
        age: Steps since the row started or gave its last sample, [K] int32.
        given: Samples since the row started, [K] int32.
        short: How far short of its aims a row was at its last look, in bands, [K, p].
        stride: Its last step as a share of beta, [K].
        nearest: How near to its aim it came, in bands, [K].
        since: Steps since it came that near, [K] int32.
        total: Sum of the scaled encodings of all samples, [d_E].
        found: How many they are, int64.
        step: Gradient steps taken, int64.
        slots: Variables of an optimizer, where there is one.
        start: (Codes that the rows began at, [K, d]), or () where nobody asks how far they went.
    """

    c: Any
    lam: Any
    mu: Any
    t: Any
    age: Any
    given: Any
    short: Any
    stride: Any
    nearest: Any
    since: Any
    total: Any
    found: Any
    step: Any
    slots: tuple = ()
    start: tuple = ()


# What has a row for each code.
ROWS = Pool._fields[:-5]


class Fresh(NamedTuple):
    """Random numbers for restarts, drawn outside the graph: codes c [R, d] and aims t [R, p]."""

    c: Any
    t: Any


class Report(NamedTuple):
    """What a reader wants of some steps.

    Attributes:
        best: Largest activation of each target, [p].
        finite: Rows with a finite gradient, summed over the steps.
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


def init(c, t, m, d_E: int, mu0: float, slots: tuple = (), tracked: bool = False) -> Pool:
    """A pool of fresh rows: codes c [K, d], aims t [K, p] in [0, 1]; m margins a row.

    Where it is tracked, it remembers the codes that its rows began at.
    """
    c, t = (tf.convert_to_tensor(rows, tf.float32) for rows in (c, t))
    K = tf.shape(c)[0]
    return Pool(
        c,
        tf.zeros((K, m)),
        tf.fill((K, 1), tf.constant(mu0, tf.float32)),
        t,
        tf.zeros((K,), tf.int32),
        tf.zeros((K,), tf.int32),
        tf.zeros_like(t),
        tf.zeros((K,)),
        tf.zeros((K,)),
        tf.zeros((K,), tf.int32),
        tf.zeros((d_E,)),
        tf.constant(0, tf.int64),
        tf.constant(0, tf.int64),
        slots,
        (c,) if tracked else (),
    )


def make_step(problem: Problem, rule: Rule):
    """One step of the pool.

    Returns:
        step(pool, target, fresh, used) -> (pool, view, done, report): `done` [K] are the rows whose
        code came in as a sample; `used` counts fresh rows taken so far.
    """

    def aimed(view, pool, target):
        """Margins to within w of each row's own aim, and how far short of it it is in bands.

        The latter twice: as the search measures it, and in activations.
        """
        whole = target.z2 - target.z1
        w, aim = rule.width * whole, target.z1 + pool.t * whole
        low, high = target.along(aim - w), target.along(aim + w)
        g = margins(view.s, low, high, target.sd, bound=problem.bound)
        along = short = (aim - view.z) / whole
        if target.likely is not None:
            along = tf.where(target.likely, rule.width * target.short(view.s, aim, w), short)
        if problem.bound == "paper":
            short, along = tf.nn.relu(short), tf.nn.relu(along)
        return g, along, short

    def step(pool: Pool, target: Target, fresh: Fresh, used):
        found = tf.cast(pool.found, tf.float32)
        mean = pool.total / tf.maximum(found, 1.0)

        def lagrangian(e, view):
            K = tf.cast(tf.shape(e)[0], tf.float32)
            # Every sample weighs as a row of the pool would, were there K of them.
            weight = K * tf.minimum(found, 1.0)
            # Eq. 5's sum over pairs pushes a row harder the more rows there are; how many run side
            # by side is a matter of speed here, and is not to change what comes out.
            scale = tf.sqrt(rule.diversity * COMPANY / K)
            g, _, _ = aimed(view, pool, target)
            e0 = scale * mean[tf.newaxis]
            return walk_lagrangian(scale * e, g, pool.lam, pool.mu, e0, weight[tf.newaxis])

        view, gradient, finite = problem.descend(pool.c, target, lagrangian)
        g, short, shown = aimed(view, pool, target)
        off = tf.reduce_max(tf.abs(short), axis=1)
        missed = off if target.likely is None else tf.reduce_max(tf.abs(shown), axis=1)
        new = pool.age == 0
        nearest, since = step_size.progress(off, pool.nearest, pool.since, new)
        stalled = since >= rule.stall
        # An aim that proves out of reach is given up by and by: any place in the band will do.
        reach = rule.width + tf.cast(pool.age, tf.float32) / rule.patience
        done = ((missed <= reach) | stalled) & problem.feasible(view.z, target)
        stride = step_size.strides(short, off, pool.short, pool.stride, new, rule.shortest)
        beta = rule.beta * stride[:, tf.newaxis]
        lam = pool.lam + rule.damping * (next_multipliers(g, pool.lam, pool.mu) - pool.lam)
        c, slots = problem.move(pool.c, gradient, beta, pool.slots)
        moved = pool._replace(
            c=c,
            slots=slots,
            lam=lam,
            mu=rule.growth * pool.mu,
            age=pool.age + 1,
            short=short,
            stride=stride,
            nearest=nearest,
            since=since,
            total=pool.total
            + tf.reduce_sum(tf.where(done[:, None], problem.scaled(view.e), 0.0), 0),
            found=pool.found + tf.reduce_sum(tf.cast(done, tf.int64)),
            step=pool.step + 1,
        )
        lost = ~done & (stalled | (moved.age >= rule.patience) | ~finite)
        pool, used = renewed(moved, rule, done, lost, fresh, used)
        report = Report(
            best=tf.reduce_max(tf.where(tf.math.is_finite(view.z), view.z, -float("inf")), axis=0),
            finite=tf.reduce_sum(tf.cast(finite, tf.int32)),
            alive=tf.reduce_sum(tf.cast(tf.reduce_any(gradient != 0.0, axis=1) | done, tf.int32)),
            restarts=tf.reduce_sum(tf.cast(lost, tf.int32)),
            mu=tf.reduce_mean(pool.mu),
            used=used,
        )
        return pool, view, done, report

    return step


def renewed(pool: Pool, rule: Rule, done, lost, fresh: Fresh, used) -> tuple[Pool, Any]:
    """The pool with a new aim for rows that gave a sample, and a fresh code where they ended.

    Args:
        pool: After the move.
        rule: The numbers.
        done: Rows that gave a sample, [K].
        lost: Rows that are given up, [K].
        fresh: Random numbers; both kinds of row take one each.
        used: How many were taken before.

    Returns:
        The pool, and how many are taken now.
    """
    given = pool.given + tf.cast(done, tf.int32)
    ended = lost | (given >= rule.samples_per_seed)
    anew = done | lost
    at = used + tf.cumsum(tf.cast(anew, tf.int32)) - 1
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
    )
    return pool, used + tf.reduce_sum(tf.cast(anew, tf.int32))


def _reset(slot, ended):
    # What an optimizer remembers of a row goes with the row; counters belong to all of them.
    if slot.shape.rank < 2:
        return slot
    reset = tf.where(ended[:, tf.newaxis], tf.zeros_like(slot), slot)
    reset.set_shape(slot.shape)
    return reset


def _unsized(pool, target, fresh):
    # The graph is not to know how many rows and neurons there are: it would fold the numbers into
    # its constants, and round otherwise than an export does, which serves any number of both.
    def open_(tensor, *columns):
        return private.unsized(tensor, (None, *columns))

    d = pool.c.shape[1]
    pool = pool._replace(
        c=open_(pool.c, d),
        lam=open_(pool.lam, None),
        mu=open_(pool.mu, 1),
        t=open_(pool.t, None),
        age=open_(pool.age),
        given=open_(pool.given),
        short=open_(pool.short, None),
        stride=open_(pool.stride),
        nearest=open_(pool.nearest),
        since=open_(pool.since),
        start=tuple(open_(c, d) for c in pool.start),
    )
    likely = None if target.likely is None else open_(target.likely)
    target = Target(target.index, *map(open_, target[1:4]), likely)
    return pool, target, Fresh(open_(fresh.c, d), open_(fresh.t, None))


def make_advance(problem: Problem, rule: Rule, steps: int, step=None):
    """Several steps.

    Args:
        problem: The networks.
        rule: The numbers.
        steps: How many.
        step: From `make_step`, compiled, where the caller has one to share.

    Returns:
        Compiled advance(pool, target, fresh) -> (pool, Buffer, Report). It stops early where fewer
        than K fresh rows are left, so fresh must hold at least K.
    """
    step = step or make_step(problem, rule)

    @compiled
    def advance(pool: Pool, target: Target, fresh: Fresh):
        pool, target, fresh = _unsized(pool, target, fresh)
        K, R = tf.shape(pool.c)[0], tf.shape(fresh.t)[0]
        # Each sample takes a fresh row: there are never more samples than those.
        rows = tf.minimum(K * steps, R)
        buffer: Buffer = empty(rows, problem.image, pool.c, problem.stored, pool.start)
        low = target.z1 * 0.0 - float("inf")
        report = Report(low, 0, 0, 0, tf.constant(0.0), 0)
        end = pool.step + steps
        while pool.step < end and report.used + K <= R:
            c, i, start = pool.c, pool.step, pool.start
            pool, view, done, now = step(pool, target, fresh, report.used)
            buffer = put(buffer, view.x, c, i, done, start)
            report = Report(
                tf.maximum(report.best, now.best),
                report.finite + now.finite,
                report.alive + now.alive,
                report.restarts + now.restarts,
                now.mu,
                now.used,
            )
        return pool, buffer, report

    return advance
