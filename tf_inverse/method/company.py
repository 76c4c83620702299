"""Whom the rows of a pool serve: all of them the same neurons, or each a neuron of its own.

Renewal is the same for both. What differs is which rows are to be kept apart, whose samples they
are kept apart from, and what is counted: once for the pool, or once for each neuron.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_type_hints

import tensorflow as tf

from tf_inverse.method.pool import Field, Fresh, PoolState
from tf_inverse.method.problem import Target, nearest
from tf_inverse.networks.neuron_index import of_rows
from tf_inverse.tensors import Tensor

if TYPE_CHECKING:
    from tf_inverse.method.rule import Rule


class Apart(NamedTuple):
    """What line R4 keeps the encodings of a pool apart from: arguments of `walk_lagrangian`.

    Attributes:
        scale: Factor of the encodings, a scalar or [K, 1].
        e0: Means of the samples so far, scaled likewise, [G, d_E] with one mean a neuron.
        weights: What each mean weighs, [G], or [K, G] where each row has its own.
        own: Which neuron each row serves, [K, G] of zeros and ones; None where all serve the same.
    """

    scale: Any
    e0: Any
    weights: Any
    own: Any = None


class Company:
    """Rows that all serve the same neurons: the pool of a run."""

    def of_rows(self, target: Target, pool: PoolState) -> Target:
        """The target as the rows of the pool see it."""
        return target

    def apart(self, rule: Rule, pool: PoolState) -> Apart:
        """What line R4 keeps the rows apart from."""
        K = tf.cast(tf.shape(pool.c)[0], tf.float32)
        found = tf.cast(pool.found, tf.float32)
        mean = pool.total / tf.maximum(found, 1.0)
        # Every sample weighs as a row of the pool would, were there K of them.
        weight = K * tf.minimum(found, 1.0)
        # Eq. 5's sum over pairs pushes a row harder the more rows there are; how many run side
        # by side is a matter of speed here, and is not to change what comes out.
        scale = tf.sqrt(rule.diversity * rule.company / K)
        return Apart(scale, scale * mean[tf.newaxis], weight[tf.newaxis])

    def idle(self, pool: PoolState) -> Tensor | None:
        """Rows that nobody needs any more, [K]; None where there are none by nature."""
        return None

    def tally(self, pool: PoolState, done: Tensor, encodings: Tensor) -> dict[str, Any]:
        """The fields that count samples, after a step that gave those of `done` [K].

        Args:
            pool: Before the step.
            done: Rows that gave a sample, [K].
            encodings: Scaled, [K, d_E]; zero in rows that gave none.
        """
        return {
            "total": pool.total + tf.reduce_sum(encodings, 0),
            "found": pool.found + tf.reduce_sum(tf.cast(done, tf.int64)),
        }

    def passed(self, pool: PoolState, fresh: Fresh, at: Tensor, ended: Tensor) -> dict[str, Any]:
        """What else changes where rows end: nothing.

        Args:
            pool: After the move.
            fresh: Random numbers of restarts.
            at: The fresh row that each row takes, [K].
            ended: Rows that take a fresh code, [K].
        """
        return {}

    def count(self, pool: PoolState, rows: Tensor) -> Tensor:
        """How many of the rows of a mask [K] there are."""
        return tf.reduce_sum(tf.cast(rows, tf.int32))

    def nearest(self, pool: PoolState, target: Target, z: Tensor) -> Tensor:
        """The activation nearest to its range of each neuron, [p], out of z [K, p]."""
        return target.nearest(z)

    def columns(self, pool: PoolState) -> tuple[Tensor, ...]:
        """What a buffer keeps of each sample's row."""
        return pool.start


GroupState: Any = NamedTuple(  # type: ignore[misc]  # made of the one table of a pool's fields
    "GroupState",
    list(
        (
            get_type_hints(PoolState, include_extras=True)
            | {
                "total": Annotated[
                    Any,
                    Field("float32", ("G", "d_E"), "sum of the scaled encodings of its samples"),
                ],
                "found": Annotated[Any, Field("int64", ("G",), "samples of each neuron so far")],
                "owner": Annotated[Any, Field("int32", ("K",), "neuron that a row serves")],
                "spent": Annotated[Any, Field("int64", ("G",), "steps of rows for each neuron")],
                "quota": Annotated[Any, Field("int64", ("G",), "samples that each neuron wants")],
            }
        ).items()
    ),
)
"""The state of a pool whose rows serve G neurons: a `PoolState` that counts for each of them."""


class GroupFresh(NamedTuple):
    """Random numbers for restarts as of `pool.Fresh`, and the neuron each of them is for, [R]."""

    c: Any
    t: Any
    owner: Any


class Group(Company):
    """Rows that each serve one of G neurons: `pool.owner` tells which, a row of the target's."""

    def of_rows(self, target: Target, pool: Any) -> Target:
        """Each row's own neuron and band: an index [K, 1, 3], ends and deviations [K, 1]."""
        z1, z2, sd = (tf.gather(each, pool.owner)[:, tf.newaxis] for each in target[1:4])
        return Target(of_rows(target.index, pool.owner), z1, z2, sd, target.likely)

    def apart(self, rule: Rule, pool: Any) -> Apart:
        """As of the pool of a run, among the rows and the samples of a neuron alone."""
        own = self._own(pool)
        rows, found = tf.reduce_sum(own, axis=0), tf.cast(pool.found, tf.float32)
        scale = tf.sqrt(rule.diversity * rule.company / tf.maximum(rows, 1.0))
        mean = pool.total / tf.maximum(found, 1.0)[:, tf.newaxis]
        weights = own * (rows * tf.minimum(found, 1.0))
        e0 = scale[:, tf.newaxis] * mean
        return Apart(tf.gather(scale, pool.owner)[:, tf.newaxis], e0, weights, own)

    def idle(self, pool: Any) -> Tensor:
        """Rows whose neuron wants no more, [K]."""
        return tf.gather(pool.found >= pool.quota, pool.owner)

    def tally(self, pool: Any, done: Tensor, encodings: Tensor) -> dict[str, Any]:
        """As of the pool of a run, for each neuron; and the steps that its rows took."""
        own = self._own(pool)
        # A product of matrices, since sums by segments come in any order on a GPU.
        return {
            "total": pool.total + tf.matmul(own, encodings, transpose_a=True),
            "found": pool.found + tf.cast(self.count(pool, done), tf.int64),
            "spent": pool.spent + tf.cast(tf.reduce_sum(own, axis=0), tf.int64),
        }

    def passed(self, pool: Any, fresh: Any, at: Tensor, ended: Tensor) -> dict[str, Any]:
        """Rows that take a fresh code serve the neuron that it is for."""
        return {"owner": tf.where(ended, tf.gather(fresh.owner, at), pool.owner)}

    def count(self, pool: Any, rows: Tensor) -> Tensor:
        """How many of the rows of a mask [K] serve each neuron, [G]."""
        counted = self._own(pool) * tf.cast(rows, tf.float32)[:, tf.newaxis]
        return tf.cast(tf.reduce_sum(counted, axis=0), tf.int32)

    def nearest(self, pool: Any, target: Target, z: Tensor) -> Tensor:
        """The same of each neuron, [G]; minus infinity where it has no row."""
        return nearest(tf.where(self._own(pool) > 0.0, z, -float("inf")), target.beyond(z))

    def columns(self, pool: Any) -> tuple[Tensor, ...]:
        """Where a sample's row began, and the neuron it serves."""
        return (*pool.start, pool.owner)

    def _own(self, pool: Any) -> Tensor:
        return tf.one_hot(pool.owner, tf.shape(pool.found)[0])


ALONE, GROUP = Company(), Group()
