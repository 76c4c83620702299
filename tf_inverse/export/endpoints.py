"""The networks and the sampler as functions of tensors alone: what a SavedModel offers.

Neurons and ranges are inputs; `addressed` tells how a neuron is written. Random numbers come in as
tensors, so that a run is a function of what it is given.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_inverse.compute.device import looping, traced
from tf_inverse.export import acceptance, addressed, checks, near
from tf_inverse.export.addressed import Exported
from tf_inverse.export.checks import Endpoint
from tf_inverse.method import loops, renewal
from tf_inverse.method.pool import FIELDS, Fresh, PoolState, init
from tf_inverse.method.problem import Problem
from tf_inverse.networks.networks import View
from tf_inverse.tensors import Tensor


class Shared(NamedTuple):
    """Compiled parts that several endpoints call, so that each is in the file once.

    Attributes:
        images: Codes [K, d] -> images, whole numbers.
        read: (images [K, H, W, C] float32, neurons) -> e, z.
        step: From `renewal.make_step`.
        advance: From `renewal.make_advance`.
    """

    images: Any
    read: Any
    step: Any
    advance: Any


def specs(exported: Exported) -> dict[str, tf.TensorSpec]:
    """Every input that an endpoint can have, by name."""
    networks = exported.networks
    d = networks.codes.size
    d_E = int(np.prod(networks.layer_shape(networks.encoder)))
    shapes = {
        "codes": ((None, d), tf.float32),
        "images": ((None, *networks.image_shape), tf.uint8),
        "neurons": ((None, 4), tf.int32),
        "ranges": ((None, 2), tf.float32),
        "sd": ((None,), tf.float32),
        "aims": ((None, None), tf.float32),
        "rows": ((), tf.int32),
        "count": ((), tf.int32),
        "limit": ((), tf.int64),
        "seed": ((), tf.int64),
    }
    for name, field in FIELDS.items():
        shapes[name] = (field.shape(d=d, d_E=d_E), tf.as_dtype(field.dtype))
    return {name: tf.TensorSpec(shape, dtype, name) for name, (shape, dtype) in shapes.items()}


STATE = tuple(FIELDS)
INPUTS = {
    "generate": ("codes",),
    "encode": ("images",),
    "activations": ("images", "neurons"),
    "look": ("codes", "neurons"),
    "step": (*STATE, "neurons", "ranges", "sd", "codes", "aims"),
    "sample": ("neurons", "ranges", "sd", "codes", "aims", "rows", "count", "limit"),
}


def make(exported: Exported) -> dict[str, Any]:
    """The endpoints: name -> `tf.function` of fixed types and ranks, of any number of rows.

    Names and meanings of what goes in and out: `card.MEANING`.
    """
    given, shared = specs(exported), share(exported)
    made: dict[str, Any] = {}

    def put(functions: dict[str, Endpoint]) -> None:
        for name, function in functions.items():
            wanted = [given[one] for one in (INPUTS | near.INPUTS)[name]]
            made[name] = traced(checks.shapes(function, wanted), input_signature=wanted)

    put(views(exported, shared) | runs(exported, shared))
    put(near.runs(exported, shared, made["sample"], given))
    return made


def share(exported: Exported) -> Shared:
    """The parts of the endpoints."""
    networks, settings = exported.networks, exported.settings

    def look(c: Tensor, neurons: Tensor) -> View:
        x = networks.images(c)
        return View(x, *addressed.read(exported, x, neurons))

    def read(x: Tensor, neurons: Tensor) -> tuple[Tensor, Tensor]:
        return addressed.read(exported, x, neurons)[:2]

    low, high = networks.codes.limits
    posed = Problem(
        look,
        networks.image_shape,
        exported.scale.c_sd,
        exported.scale.e_sd,
        low,
        high,
        settings.bound,
    )
    rule = loops.rule(settings)
    step = traced(renewal.make_step(posed, rule))
    return Shared(
        traced(networks.images),
        traced(read),
        step,
        renewal.make_advance(posed, rule, loops.STEPS, step),
    )


def views(exported: Exported, shared: Shared) -> dict[str, Endpoint]:
    """Endpoints that look at codes or images, not yet traced."""
    networks = exported.networks

    def generate(codes: Tensor) -> dict[str, Tensor]:
        with tf.control_dependencies([checks.codes(codes)]):
            return {"images": tf.cast(shared.images(codes), tf.uint8)}

    def encode(images: Tensor) -> dict[str, Tensor]:
        return {"encodings": networks.read(tf.cast(images, tf.float32), (), None)[0]}

    def activations(images: Tensor, neurons: Tensor) -> dict[str, Tensor]:
        with tf.control_dependencies([checks.neurons(exported, neurons)]):
            return {"activations": shared.read(tf.cast(images, tf.float32), neurons)[1]}

    def look(codes: Tensor, neurons: Tensor) -> dict[str, Tensor]:
        with tf.control_dependencies([checks.codes(codes), checks.neurons(exported, neurons)]):
            x = shared.images(codes)
            e, z = shared.read(x, neurons)
        return {"images": tf.cast(x, tf.uint8), "encodings": e, "activations": z}

    return {"generate": generate, "encode": encode, "activations": activations, "look": look}


def runs(exported: Exported, shared: Shared) -> dict[str, Endpoint]:
    """Endpoints that search, not yet traced."""
    networks, settings = exported.networks, exported.settings
    d_E = int(np.prod(networks.layer_shape(networks.encoder)))
    sides, add = settings.sides, looping(acceptance.add)

    def step(*inputs: Tensor) -> dict[str, Tensor]:
        given = dict(zip(INPUTS["step"], inputs, strict=True))
        pool = PoolState(*(given.pop(name) for name in STATE))
        neurons, ranges, sd, codes, aims = given.values()
        with tf.control_dependencies(checks.state(pool, neurons, sides)):
            target = addressed.target(
                exported, neurons, ranges, sd, codes, aims, tf.shape(pool.c)[0]
            )
        fresh = Fresh(codes, aims)
        pool, info = shared.step(pool, target, fresh)
        state = {name: getattr(pool, name) for name in STATE}
        images = tf.cast(info.view.x, tf.uint8)
        more = {"activations": info.view.z, "done": info.done, "used": info.report.used}
        return state | {"images": images} | more

    def sample(
        neurons: Tensor,
        ranges: Tensor,
        sd: Tensor,
        codes: Tensor,
        aims: Tensor,
        rows: Tensor,
        count: Tensor,
        limit: Tensor,
    ) -> dict[str, Tensor]:
        with tf.control_dependencies([checks.count(count)]):
            target = addressed.target(exported, neurons, ranges, sd, codes, aims, rows)
        pool = init(codes[:rows], aims[:rows], sides * tf.shape(neurons)[0], d_E, settings.mu0)
        kept, used, best = acceptance.nothing(networks, ranges), rows, ranges[:, 0] * 0.0 - np.inf
        while (
            tf.shape(kept.chain)[0] < count
            and pool.step < limit
            and used + rows <= tf.shape(codes)[0]
        ):
            tf.autograph.experimental.set_loop_options(
                shape_invariants=[(kept, acceptance.any_rows(kept))]
            )
            fresh = Fresh(codes[used : used + 2 * rows], aims[used : used + 2 * rows])
            pool, buffer, report = shared.advance(pool, target, fresh)
            used, best = used + report.used, target.nearest(tf.stack([best, report.best]))
            kept = add(kept, buffer, target, rows, shared.read, settings.bound)
        found = tf.minimum(count, tf.shape(kept.chain)[0])
        return {
            "images": kept.x[:found],
            "codes": kept.c[:found],
            "activations": kept.z[:found],
            "steps": kept.steps[:found],
            "chain": kept.chain[:found],
            "found": found,
            "taken": pool.step,
            "used": used,
            "best": best,
        }

    return {"step": step, "sample": looping(sample)}
