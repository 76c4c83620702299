"""What an endpoint refuses, in the graph itself: a server passes on whatever it is sent."""

from __future__ import annotations

import functools

import tensorflow as tf

from tf_inverse.method.pool import FIELDS, ROWS


def shapes(function, wanted):
    """The function, refusing other shapes than the specifications `wanted` when it runs."""

    @functools.wraps(function)
    def run(*values):
        pairs = zip(values, wanted, strict=True)
        return function(*(tf.ensure_shape(value, one.shape) for value, one in pairs))

    return run


def neurons(exported, given):
    """Refuses neurons that do not exist; a GPU would quietly give zero for them.

    Args:
        exported: `endpoints.Exported`.
        given: Rows [layer, unit, row, column], [p, 4].
    """
    extents = exported.shapes
    maps = [one if len(one) == 3 else (1, *one[:-1], 1)[:2] + one[-1:] for one in extents]
    known = (given[:, 0] >= 0) & (given[:, 0] < len(maps))
    rows, columns, units = tf.unstack(
        tf.gather(tf.constant(maps, tf.int32), tf.where(known, given[:, 0], 0)), axis=1
    )
    _, unit, row, column = tf.unstack(given, axis=1)
    good = known & (unit >= 0) & (unit < units)
    good &= (row >= -2) & (row < rows) & (column >= 0) & (column < columns)
    text = (
        f"expected neurons [layer, unit, row, column] of {', '.join(exported.layers)}, which have "
        f"{maps} rows, columns and units, got"
    )
    return tf.debugging.Assert(tf.reduce_all(good), [text, given], summarize=12)


def question(exported, which, ranges, sd, codes, aims, rows) -> list:
    """Refuses a search whose inputs do not belong together; arguments as `endpoints.INPUTS`."""
    p, R = tf.shape(which)[0], tf.shape(codes)[0]
    columns = [tf.shape(ranges)[0], tf.shape(sd)[0], tf.shape(aims)[1]]
    ordered = tf.reduce_all(tf.math.is_finite(ranges)) & tf.reduce_all(ranges[:, 0] < ranges[:, 1])
    # A pool without rows, or without codes to start from, would go on for ever.
    some = (p > 0) & (rows > 0) & (rows <= R)
    return [
        neurons(exported, which),
        tf.debugging.Assert(ordered, ["expected finite ranges with z1 < z2, got", ranges]),
        _equal(columns, p, "a row of ranges, an sd and a column of aims for each neuron"),
        _equal([tf.shape(aims)[0]], R, "a row of aims for each row of codes"),
        tf.debugging.Assert(
            some, ["expected neurons, rows, and at least as many codes, got", p, rows, R]
        ),
    ]


def state(pool, which, sides: int) -> list:
    """Refuses a state of `step` whose parts do not belong together.

    Args:
        pool: `pool.PoolState`.
        which: Neurons, [p, 4].
        sides: Margins a neuron.
    """
    named = {name: getattr(pool, name) for name in ROWS if name != "c"}
    p = tf.shape(which)[0]
    columns = [name for name, field in FIELDS.items() if "p" in field.axes]
    return [
        _equal(
            [tf.shape(one)[0] for one in named.values()],
            tf.shape(pool.c)[0],
            f"as many rows in {', '.join(named)} as in c",
        ),
        _equal(
            [tf.shape(getattr(pool, name))[1] for name in columns],
            p,
            f"a column of {' and '.join(columns)} for each neuron",
        ),
        _equal([tf.shape(pool.lam)[1]], sides * p, "a column of lam for each neuron and side"),
    ]


def _equal(counts, wanted, words):
    counts = tf.stack(counts)
    return tf.debugging.Assert(
        tf.reduce_all(counts == wanted), [f"expected {words}, got", counts, "for", wanted]
    )
