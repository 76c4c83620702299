"""DGN-AM: the one code that excites a neuron most, by gradient ascent through a generator.

Nguyen, Dosovitskiy, Yosinski, Brox and Clune, Synthesizing the preferred inputs for neurons in
neural networks via deep generator networks (NIPS 2016), as its program act_max.py runs it. Every
start gives one image: the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_inverse.archive import Samples
from tf_inverse.band import Neuron
from tf_inverse.baselines import scoring
from tf_inverse.compute.device import looping, traced
from tf_inverse.method.problem import STEP_FLOOR
from tf_inverse.networks import codes
from tf_inverse.tensors import Tensor

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks


DEVIATIONS = 3.0


class Rule(NamedTuple):
    """The program's flags.

    Attributes:
        n_iters: Steps from a start.
        lr: Mean change of a pixel, and of an entry of the code in `unit`, at the first step.
        lr_end: At the last step; it goes linearly.
        decay: Factor of the code after each step.
        unit: What 1 in CaffeNet's fc6 code is in this pair's: see `scoring.unit`.
    """

    n_iters: int = 200
    lr: float = 8.0
    lr_end: float = 1e-10
    decay: float = 0.99
    unit: float = 1.0


def make_step(networks: Networks, layer: str, at: Tensor, rule: Rule) -> Callable[..., Any]:
    """One step of K starts.

    Args:
        networks: `networks.Networks`.
        layer: Of the unit.
        at: Its position, as of `band.Neuron`.
        rule: The flags.

    Returns:
        step(c [K, d], unit, i, low [d], high [d]) -> (c, z [K]): the codes after the step, and the
        activations before it.
    """

    def step(
        c: Tensor, unit: Tensor, i: Tensor, low: Tensor, high: Tensor
    ) -> tuple[Tensor, Tensor]:
        lr = rule.lr + (rule.lr_end - rule.lr) * tf.cast(i, tf.float32) / rule.n_iters
        with tf.GradientTape(watch_accessed_variables=False) as to_code:
            to_code.watch(c)
            x = networks.decode(c)
        with tf.GradientTape(watch_accessed_variables=False) as to_image:
            to_image.watch(x)
            _, outputs = networks.outputs(x, (layer,))
            z = tf.gather(scoring.place(outputs[layer], at), unit, axis=1)
        moved = _of_size(to_image.gradient(z, x), lr, axes=(1, 2, 3))
        # What the image would gain is what goes back to the code.
        g = to_code.gradient(x, c, output_gradients=moved)
        c = c + _of_size(g, rule.unit * lr, axes=(1,))
        return rule.decay * tf.clip_by_value(c, low, high), z

    return step


def _of_size(g: Tensor, size: float, axes: Any) -> Tensor:
    """The direction of g with mean |entry| `size`, a row at a time."""
    mean = tf.reduce_mean(tf.abs(g), axis=axes, keepdims=True)
    return size / tf.maximum(mean, STEP_FLOOR) * g


def make_ascent(networks: Networks, layer: str, at: Tensor, rule: Rule) -> Callable[..., Any]:
    """All steps, of any unit of the layer; arguments as of `make_step`.

    Returns:
        Compiled ascent(c [K, d], unit, low [d], high [d]) -> (c, x [K, H, W, C]): the last codes
        and their images as stored.
    """
    step = make_step(networks, layer, at, rule)

    def ascent(c: Tensor, unit: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        for i in tf.range(rule.n_iters):
            c, _ = step(c, unit, i, low, high)
        return c, networks.images(c)

    return traced(looping(ascent), reduce_retracing=True)


def bounds(networks: Networks) -> tuple[np.ndarray, np.ndarray]:
    """The program's act_range 3x: mean plus three deviations of each entry of a natural code.

    Below it clips at 0; where codes may be negative, so does this at three deviations below.

    Returns:
        Smallest and largest value of each entry, [d] each.
    """
    c = codes.draw(networks, 500, codes.generator(0, 4))
    mean, sd = c.mean(axis=0), c.std(axis=0)
    low = np.zeros_like(mean) if c.min() >= 0 else mean - DEVIATIONS * sd
    return low, mean + DEVIATIONS * sd


def sample(
    networks: Networks,
    neuron: Neuron,
    rule: Rule | None = None,
    *,
    starts: int = 10,
    seed: int = 0,
    K: int = 10,
) -> Iterator[tuple[Samples, int]]:
    """Climb from N(0, 1) codes, K at a time.

    Args:
        networks: `networks.Networks`.
        neuron: The unit.
        rule: The flags.
        starts: How many codes.
        seed: Of the starts.
        K: Starts side by side.

    Yields:
        Samples, and gradient steps of a single code that they took.
    """
    rule = rule or Rule()
    place = (neuron.layer, neuron.at, rule)
    ascent = networks.compiled(("ascent", *place), lambda: make_ascent(networks, *place))
    unit = tf.constant(neuron.unit)
    low, high = map(tf.constant, bounds(networks))
    for first in range(0, starts, K):
        count = min(K, starts - first)
        rng = codes.generator(seed, 4, first + 1)
        c = rule.unit * rng.standard_normal((count, networks.codes.size), np.float32)
        c, x = ascent(tf.constant(c, tf.float32), unit, low, high)
        steps, chain = np.full(count, rule.n_iters), first + np.arange(count)
        found = (x.numpy(), c.numpy(), steps, chain)
        yield scoring.samples(networks, (neuron,), *found), rule.n_iters * count
