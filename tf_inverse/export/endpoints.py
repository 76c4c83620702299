"""The networks and the sampler as functions of tensors alone: what a SavedModel offers.

Neurons and ranges are inputs. A neuron is a row [layer, unit, row, column], where `layer` counts
within the layers chosen at export, and `row` is -1 (-2) for the mean (maximum) over a map. Random
numbers come in as tensors, so that a run is a function of what it is given.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_inverse import methods, renewal
from tf_inverse.networks import View, activations
from tf_inverse.problem import Problem, Target
from tf_inverse.sampler import TOLERANCE


class Exported(NamedTuple):
    """What is fixed when a model is written.

    Attributes:
        networks: `networks.Networks`.
        layers: Layers whose units can be asked for.
        settings: `settings.Settings` of method renewal.
        scale: `scale.Scale`; its deviations of codes and encodings.
        sd: Deviations of the units of each layer, arrays [U].
    """

    networks: Any
    layers: tuple[str, ...]
    settings: Any
    scale: Any
    sd: tuple[np.ndarray, ...]


class Kept(NamedTuple):
    """True samples of a run: x [k, H, W, C] uint8, c, z, step and row of each, and a digest."""

    x: Any
    c: Any
    z: Any
    steps: Any
    chain: Any
    digest: Any


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
        "c": ((None, d), tf.float32),
        "lam": ((None, None), tf.float32),
        "mu": ((None, 1), tf.float32),
        "t": ((None, None), tf.float32),
        "age": ((None,), tf.int32),
        "given": ((None,), tf.int32),
        "total": ((d_E,), tf.float32),
        "found": ((), tf.int64),
        "step": ((), tf.int64),
    }
    return {name: tf.TensorSpec(shape, dtype, name) for name, (shape, dtype) in shapes.items()}


STATE = renewal.Pool._fields[:-1]
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
    given = specs(exported)
    return {
        name: tf.function(function, input_signature=[given[one] for one in INPUTS[name]])
        for name, function in (views(exported) | runs(exported)).items()
    }


def views(exported: Exported) -> dict[str, Any]:
    """Endpoints that look at codes or images, not yet traced."""
    networks = exported.networks

    def generate(codes):
        return {"images": tf.cast(networks.images(codes), tf.uint8)}

    def encode(images):
        return {"encodings": networks.read(tf.cast(images, tf.float32), (), None)[0]}

    def activations(images, neurons):
        with tf.control_dependencies([_checked(exported, neurons)]):
            return {"activations": _read(exported, tf.cast(images, tf.float32), neurons)[1]}

    def look(codes, neurons):
        with tf.control_dependencies([_checked(exported, neurons)]):
            x, e, z = _look(exported, codes, neurons)
        return {"images": tf.cast(x, tf.uint8), "encodings": e, "activations": z}

    return {"generate": generate, "encode": encode, "activations": activations, "look": look}


def runs(exported: Exported) -> dict[str, Any]:
    """Endpoints that search, not yet traced."""
    networks, settings = exported.networks, exported.settings
    posed = Problem(
        lambda c, neurons: _look(exported, c, neurons),
        networks.image_shape,
        exported.scale.c_sd,
        exported.scale.e_sd,
        *networks.codes.limits,
        settings.bound,
    )
    rule = methods.rule(settings)
    one = renewal.make_step(posed, rule)
    advance = renewal.make_advance(posed, rule, methods.STEPS)
    d_E = int(np.prod(networks.layer_shape(networks.encoder)))
    sides = 1 if settings.bound == "paper" else 2

    def step(c, lam, mu, t, age, given, total, found, step, neurons, ranges, sd, codes, aims):
        target = _target(exported, neurons, ranges, sd)
        pool = renewal.Pool(c, lam, mu, t, age, given, total, found, step)
        pool, view, done, report = one(pool, target, renewal.Fresh(codes, aims), 0)
        state = {name: getattr(pool, name) for name in STATE}
        images = tf.cast(view.x, tf.uint8)
        more = {"activations": view.z, "done": done, "used": report.used}
        return state | {"images": images} | more

    def sample(neurons, ranges, sd, codes, aims, rows, count, limit):
        target = _target(exported, neurons, ranges, sd)
        pool = renewal.init(
            codes[:rows], aims[:rows], sides * tf.shape(neurons)[0], d_E, settings.mu0
        )
        kept, used, best = _nothing(exported, ranges), rows, ranges[:, 0] * 0.0 - np.inf
        while (
            tf.shape(kept.chain)[0] < count
            and pool.step < limit
            and used + rows <= tf.shape(codes)[0]
        ):
            tf.autograph.experimental.set_loop_options(shape_invariants=[(kept, _any_rows(kept))])
            fresh = renewal.Fresh(codes[used : used + 2 * rows], aims[used : used + 2 * rows])
            pool, buffer, report = advance(pool, target, fresh)
            used, best = used + report.used, tf.maximum(best, report.best)
            kept = _keep(exported, kept, buffer, target, rows)
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

    return {"step": step, "sample": sample}


def _read(exported, x, neurons):
    """Encodings and activations of images; a neuron's layer is looked up, not compiled in."""
    e, outputs = exported.networks.outputs(x, exported.layers)
    z = []
    for i, layer in enumerate(exported.layers):
        mine = neurons[:, 0] == i
        places = tf.where(mine[:, tf.newaxis], neurons[:, 1:], 0)
        z.append(tf.where(mine, activations(outputs[layer], places), 0.0))
    return e, tf.add_n(z)


def _look(exported, c, neurons):
    x = exported.networks.images(c)
    return View(x, *_read(exported, x, neurons))


def _checked(exported, neurons):
    """Refuses neurons that do not exist; a GPU would quietly give zero for them."""
    shapes = [exported.networks.layer_shape(layer) for layer in exported.layers]
    maps = [shape if len(shape) == 3 else (1, *shape[:-1], 1)[:2] + shape[-1:] for shape in shapes]
    known = (neurons[:, 0] >= 0) & (neurons[:, 0] < len(shapes))
    rows, columns, units = tf.unstack(
        tf.gather(tf.constant(maps, tf.int32), tf.where(known, neurons[:, 0], 0)), axis=1
    )
    _, unit, row, column = tf.unstack(neurons, axis=1)
    good = known & (unit >= 0) & (unit < units)
    good &= (row >= -2) & (row < rows) & (column >= 0) & (column < columns)
    text = (
        f"expected neurons [layer, unit, row, column] of {', '.join(exported.layers)}, which have "
        f"{maps} rows, columns and units, got"
    )
    return tf.debugging.Assert(tf.reduce_all(good), [text, neurons], summarize=12)


def _target(exported, neurons, ranges, sd):
    order = tf.debugging.Assert(
        tf.reduce_all(ranges[:, 0] < ranges[:, 1]), ["expected ranges with z1 < z2, got", ranges]
    )
    with tf.control_dependencies([_checked(exported, neurons), order]):
        neurons = tf.identity(neurons)
    stored = []
    for i, table in enumerate(exported.sd):
        mine = neurons[:, 0] == i
        units = tf.where(mine, neurons[:, 1], 0)
        stored.append(tf.where(mine, tf.gather(tf.constant(table, tf.float32), units), 0.0))
    sd = tf.where(sd > 0.0, sd, tf.add_n(stored))
    return Target(neurons, ranges[:, 0], ranges[:, 1], sd)


def _nothing(exported, ranges):
    networks = exported.networks
    return Kept(
        tf.zeros((0, *networks.image_shape), tf.uint8),
        tf.zeros((0, networks.codes.size)),
        tf.zeros((0, tf.shape(ranges)[0])),
        tf.zeros((0,), tf.int64),
        tf.zeros((0,), tf.int32),
        tf.zeros((0,), tf.int64),
    )


def _any_rows(kept):
    return Kept(*(tf.TensorShape([None, *a.shape[1:]]) for a in kept))


def _keep(exported, kept, buffer, target, rows):
    """Adds what `sampler` would keep: images scored as they are stored, in the range, and new."""
    z = tf.zeros((0, tf.shape(target.z1)[0]))
    for i in tf.range(0, buffer.count, rows):
        tf.autograph.experimental.set_loop_options(
            shape_invariants=[(z, tf.TensorShape([None, None]))]
        )
        x = tf.cast(buffer.x[i : i + rows], tf.float32)
        z = tf.concat([z, _read(exported, x, target.index)[1]], axis=0)
    found = Kept(
        buffer.x[: buffer.count],
        buffer.c[: buffer.count],
        z[: buffer.count],
        buffer.steps[: buffer.count],
        buffer.chain[: buffer.count],
        digest(buffer.x[: buffer.count]),
    )
    inside = _inside(found.z, target, exported.settings.bound)
    twins = (found.digest[:, tf.newaxis] == found.digest) & inside
    earlier = tf.linalg.band_part(tf.cast(twins, tf.int32), -1, 0)
    twin = tf.reduce_sum(tf.linalg.set_diag(earlier, tf.zeros_like(found.chain)), axis=1) > 0
    seen = tf.reduce_any(found.digest[:, tf.newaxis] == kept.digest, axis=1)
    new = inside & ~twin & ~seen
    return Kept(
        *(tf.concat([a, tf.boolean_mask(b, new)], axis=0) for a, b in zip(kept, found, strict=True))
    )


def _inside(z, target, bound):
    # As sampler has it: the ends drawn in by what scores may differ between batch sizes.
    z, z1, z2 = (tf.cast(a, tf.float64) for a in (z, target.z1, target.z2))
    slack = tf.minimum(TOLERANCE * tf.maximum(tf.abs(z1), tf.abs(z2)), (z2 - z1) / 4)
    inside = z >= z1 + slack
    if bound == "both":
        inside &= z <= z2 - slack
    return tf.reduce_all(inside, axis=1)


def digest(x):
    """64 bits of each image [k, H, W, C] uint8 that tell it from others: [k] int64.

    A sum with odd weights of which no two are alike, modulo 2^64; the weights are splitmix64's
    first outputs (Steele, Lea and Flood 2014), made here rather than stored with the model.
    """
    size = int(np.prod(x.shape[1:]))
    w = tf.range(1, size + 1, dtype=tf.int64) * np.int64(-7046029254386353131)
    for shift, factor in ((30, -4658895280553007687), (27, -7723592293110705685)):
        w = tf.bitwise.bitwise_xor(w, tf.bitwise.right_shift(w, np.int64(shift))) * np.int64(factor)
    w = tf.bitwise.bitwise_or(w, np.int64(1))
    return tf.reduce_sum(tf.cast(tf.reshape(x, (-1, size)), tf.int64) * w, axis=1)
