"""Renewal as a stream of chunks, a few compiled steps at a time; and what other drivers share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_inverse.method import pool as pools
from tf_inverse.method import renewal, stored_state
from tf_inverse.method.checkpoint import count
from tf_inverse.method.problem import Problem, Target, optimizer
from tf_inverse.method.rule import RULE, Rule
from tf_inverse.networks import starts
from tf_inverse.networks.networks import index
from tf_inverse.tensors import Array, Tensor

if TYPE_CHECKING:
    from tf_inverse.band import Bands
    from tf_inverse.method.buffer import Buffer
    from tf_inverse.method.normalization import Scale
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks.networks import Networks, View
    from tf_inverse.networks.neuron_index import Where
    from tf_inverse.neuron import Neuron


STEPS = RULE.steps
ROUND = 100
QUIET = 4


def enough(settings: Settings) -> int:
    """Gradient steps without any sample after which a run is hopeless."""
    steps = 1 if settings.method == "renewal" else ROUND
    return QUIET * rule(settings).patience * steps


class Chunk(NamedTuple):
    """What some steps found, not yet scored again.

    Attributes:
        x: Images, [k, H, W, C] uint8.
        c: Codes, [k, d].
        steps: Step of each, [k].
        chain: Row of each, [k].
        before: State of the method before these steps.
        after: State after them.
        step: Gradient steps of the run so far.
        taken: Gradient steps of this chunk.
        best: Activation of each target that is nearest to its range, [p].
        restarts: Rows given up.
        mu: Penalty weight.
        trouble: Why no sample will ever come, or None.
        start: Codes that the rows of the samples began at, [k, d]; None where nobody knows.
    """

    x: np.ndarray
    c: np.ndarray
    steps: np.ndarray
    chain: np.ndarray
    before: dict[str, np.ndarray]
    after: dict[str, np.ndarray]
    step: int
    taken: int
    best: np.ndarray
    restarts: int = 0
    mu: float = 0.0
    trouble: str | None = None
    start: np.ndarray | None = None


def problem(
    networks: Networks, neurons: tuple[Neuron, ...], settings: Settings, scale: Scale
) -> Problem:
    """The networks as the steps see them; neurons' units and ranges stay inputs of the graph."""
    layers = tuple(n.layer for n in neurons)
    low, high = networks.codes.limits
    likely, networks = networks.probabilities(layers), networks.at(settings.precision)

    def look(c: Tensor, where: Where) -> View:
        view = networks.look(c, layers, where, likely)
        if settings.distance == "images":
            return view._replace(e=tf.reshape(view.x, (-1, math.prod(networks.image_shape))))
        return view._replace(e=c) if settings.distance == "codes" else view

    return Problem(
        look=look,
        image=networks.image_shape,
        c_sd=scale.c_sd,
        e_sd={"images": scale.x_sd, "codes": scale.c_sd}.get(settings.distance, scale.e_sd),
        low=low,
        high=high,
        bound=settings.bound,
        optimizer=optimizer(settings.optimizer, scale.c_sd, (settings.K, networks.codes.size)),
        chunk=settings.chunk,
        stored=tf.as_dtype(networks.stored),
    )


def distance_size(networks: Networks, settings: Settings) -> int:
    """How many numbers a sample's distances are measured in: d_E of what `look` calls e."""
    shapes = {"images": networks.image_shape, "codes": (networks.codes.size,)}
    return math.prod(shapes.get(settings.distance) or networks.layer_shape(networks.encoder))


def rule(settings: Settings) -> Rule:
    """The numbers of renewal, with those that the settings of a run say."""
    names = ("beta", "diversity", "mu0", "patience", "samples_per_seed")
    numbers: dict[str, Any] = {name: getattr(settings, name) for name in names}
    return RULE._replace(**numbers)


def target(bands: Bands, scale: Scale) -> Target:
    """The bands as tensors."""
    return Target(
        index(bands.neurons),
        tf.constant(bands.z1, tf.float32),
        tf.constant(bands.z2, tf.float32),
        tf.constant(scale.z_sd if scale.s_sd is None else scale.s_sd, tf.float32),
        tf.constant(scale.likely) if any(scale.likely) else None,
    )


def compiled(
    networks: Networks,
    bands: Bands,
    settings: Settings,
    scale: Scale,
    kind: str,
    make: Callable[..., Any],
    *options: Any,
) -> tuple[Any, tuple[Tensor, ...]]:
    """A compiled function and the slots it starts with.

    One graph serves all neurons of the same layers: a long process traces no more than it must.
    """
    neurons, layers = bands.neurons, bands.layers
    how = (settings.K, settings.bound, settings.optimizer, settings.precision)
    shared = (*how, settings.distance, settings.chunk, scale.c_sd, scale.e_sd, scale.x_sd)

    def made() -> tuple[Any, tuple[Tensor, ...]]:
        posed = problem(networks, neurons, settings, scale)
        return make(posed, *options), posed.slots()

    # The graph stays; what it multiplies by follows a model that was trained since the last run.
    networks.at(settings.precision)
    return networks.compiled((kind, layers, *shared, *options), made)


def emitted(buffer: Buffer) -> tuple[Array, Array, Array, Array]:
    """Images, codes, steps and rows of what a buffer holds."""
    count = int(buffer.count)
    columns = (buffer.x, buffer.c, buffer.steps, buffer.chain)
    x, c, steps, chain = (column[:count].numpy() for column in columns)
    return x, c, steps, chain


def nothing(networks: Networks) -> tuple[Array, Array, Array, Array]:
    """What `emitted` gives of a buffer without samples."""
    return (
        np.zeros((0, *networks.image_shape), networks.stored),
        np.zeros((0, networks.codes.size), np.float32),
        np.zeros(0, np.int64),
        np.zeros(0, np.int32),
    )


def trouble(finite: int, alive: int, rows: int) -> str | None:
    """Why no sample will ever come, or None.

    Args:
        finite: Rows with a finite gradient.
        alive: Rows with a gradient that is not zero.
        rows: All rows.
    """
    if finite == 0:
        return "activations or their gradients are not finite numbers"
    if alive == 0:
        return (
            f"the gradient from the target to the code is zero in all {rows} rows: "
            f"a dead unit, or one that the code does not reach"
        )
    return None


def renew(
    networks: Networks,
    bands: Bands,
    settings: Settings,
    scale: Scale,
    state: Mapping[str, Array] | None = None,
) -> Iterator[Chunk]:
    """The pool of `renewal`, ten steps at a time."""
    K, p = settings.K, len(bands)
    advance, slots = compiled(
        networks, bands, settings, scale, "renewal", renewal.make_advance, rule(settings), STEPS
    )
    stream = starts.stream(networks, bands, settings.seed, K, settings.starts)
    aim = target(bands, scale)
    m, d_E = settings.sides * p, distance_size(networks, settings)
    pool = pools.init(*stream.rows(0, K), m, d_E, settings.mu0, slots, tracked=True)
    cursor = K
    if state is not None:
        pool, cursor = stored_state.restored(state, pool), count(state, "cursor")
    before = stored_state.arrays(pool, cursor=cursor)
    while True:
        start = int(pool.step)
        fresh = pools.Fresh(*map(tf.constant, stream.rows(cursor, 2 * K)))
        pool, buffer, report = advance(pool, aim, fresh)
        cursor += int(report.used)
        after = stored_state.arrays(pool, cursor=cursor)
        taken = int(pool.step) - start
        yield Chunk(
            *emitted(buffer),
            before=before,
            after=after,
            step=int(pool.step),
            taken=taken,
            best=report.best.numpy(),
            restarts=int(report.restarts),
            mu=float(report.mu),
            trouble=trouble(int(report.finite), int(report.alive), taken * K),
            start=buffer.start[0][: int(buffer.count)].numpy(),
        )
        before = after
