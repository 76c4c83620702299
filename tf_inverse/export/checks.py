"""What an endpoint refuses, in the graph itself: a server passes on whatever it is sent."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import tensorflow as tf

from tf_inverse.method.pool import FIELDS, ROWS, PoolState
from tf_inverse.tensors import Tensor

if TYPE_CHECKING:
    from tf_inverse.export.addressed import Exported


Endpoint: TypeAlias = Callable[..., dict[str, Tensor]]
"""A function of an export before it is traced: tensors in, tensors by name out."""


def shapes(function: Endpoint, wanted: Sequence[tf.TensorSpec]) -> Endpoint:
    """The function, refusing other shapes than the specifications `wanted` when it runs."""

    @functools.wraps(function)
    def run(*values: Tensor) -> dict[str, Tensor]:
        pairs = zip(values, wanted, strict=True)
        return function(*(tf.ensure_shape(value, one.shape) for value, one in pairs))

    return run


def neurons(exported: Exported, given: Tensor) -> tf.Operation:
    """Refuses neurons that do not exist; a GPU would quietly give zero for them.

    Args:
        exported: What is fixed at export.
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


def question(
    exported: Exported,
    which: Tensor,
    ranges: Tensor,
    sd: Tensor,
    codes: Tensor,
    aims: Tensor,
    rows: Tensor,
) -> list[tf.Operation]:
    """Refuses a search whose inputs do not belong together; arguments as `endpoints.INPUTS`."""
    p, R = tf.shape(which)[0], tf.shape(codes)[0]
    columns = [tf.shape(ranges)[0], tf.shape(sd)[0], tf.shape(aims)[1]]
    # A pool without rows, or without codes to start from, would go on for ever.
    some = (p > 0) & (rows > 0) & (rows <= R)
    return [
        neurons(exported, which),
        _ordered(ranges),
        _equal(columns, p, "a row of ranges, an sd and a column of aims for each neuron"),
        _equal([tf.shape(aims)[0]], R, "a row of aims for each row of codes"),
        _all((aims >= 0) & (aims <= 1), "aims from 0 to 1", aims),
        tf.debugging.Assert(
            some, ["expected neurons, rows, and at least as many codes, got", p, rows, R]
        ),
    ]


def asked(
    exported: Exported, which: Tensor, ranges: Tensor, rows: Tensor, count: Tensor
) -> list[tf.Operation]:
    """Refuses what codes cannot be dealt for; arguments as `near.INPUTS`."""
    p, most = tf.shape(which)[0], 1 << 28
    some = (p > 0) & (rows > 0) & (rows < most) & (count >= 0) & (count < most)
    return [
        neurons(exported, which),
        _ordered(ranges),
        _equal([tf.shape(ranges)[0]], p, "a row of ranges for each neuron"),
        tf.debugging.Assert(
            some, [f"expected neurons, rows > 0 and count >= 0 below {most}, got", p, rows, count]
        ),
    ]


def codes(given: Tensor) -> tf.Operation:
    """Refuses codes that are no numbers: their image would be black, and look like one."""
    return _all(tf.math.is_finite(given), "finite codes", given)


def count(given: Tensor) -> tf.Operation:
    """Refuses a number of samples below zero."""
    return _all(given >= 0, "count >= 0", given)


def state(pool: PoolState, which: Tensor, sides: int) -> list[tf.Operation]:
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


def _ordered(ranges: Tensor) -> tf.Operation:
    good = tf.reduce_all(tf.math.is_finite(ranges), axis=1) & (ranges[:, 0] < ranges[:, 1])
    return _all(good, "finite ranges with z1 < z2", ranges)


def _all(good: Tensor, words: str, given: Tensor) -> tf.Operation:
    return tf.debugging.Assert(tf.reduce_all(good), [f"expected {words}, got", given])


def _equal(counts: list[Tensor], wanted: Tensor, words: str) -> tf.Operation:
    counts = tf.stack(counts)
    return tf.debugging.Assert(
        tf.reduce_all(counts == wanted), [f"expected {words}, got", counts, "for", wanted]
    )
