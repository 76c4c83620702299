"""PPGN: plug and play generative networks, the sampler that the paper compares itself with.

Nguyen, Clune, Bengio, Dosovitskiy and Yosinski, Plug & Play Generative Networks (CVPR 2017): a
Langevin-like chain in the code space with a denoising prior E(G(h)) - h. As its authors' programs
run it, defaults and script values included (sampler.py, sampling_class.py of their repository), but
for the order of colours and the source of random numbers; K chains run side by side.
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
from tf_inverse.errors import UsageError
from tf_inverse.method.buffer import Buffer, empty, put
from tf_inverse.method.problem import STEP_FLOOR
from tf_inverse.networks import codes
from tf_inverse.networks.stored_image import eight_bits
from tf_inverse.tensors import Tensor

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks


STEPS = 20


class Rule(NamedTuple):
    """The script's flags, with the values of its class-conditional chains.

    Attributes:
        n_iters: Steps of a chain.
        lr: Mean change of an entry of the code, in `unit`, at the first step.
        lr_end: At the last one; it goes linearly.
        eps1: Weight of the prior, E(G(h)) - h.
        eps2: Weight of the condition.
        eps3: Standard deviation of the noise.
        threshold: Smallest probability of the unit with which an image is kept.
        save_every: Steps between images that may be kept.
        reset_every: Steps after which a chain starts afresh with a random eps1; 0 for never.
        low: Smallest value of an entry, in `unit`.
        high: Largest value of an entry, in `unit`.
        unit: What 1 in CaffeNet's fc6 code is in this pair's: see `scoring.unit`.
    """

    n_iters: int = 200
    lr: float = 1.0
    lr_end: float = 1.0
    eps1: float = 1e-5
    eps2: float = 1.0
    eps3: float = 1e-17
    threshold: float = 0.0
    save_every: int = 5
    reset_every: int = 0
    low: float = 0.0
    high: float = 30.0
    unit: float = 1.0


CLASS = Rule()
HIDDEN = Rule(n_iters=1000, reset_every=100, save_every=10, threshold=0.98)
RESET_EPS1 = (1e-6, 1e-2)


class State(NamedTuple):
    """What the next step needs: codes h [K, d], weights of the prior eps1 [K, 1], step i."""

    h: Any
    eps1: Any
    i: Any


class Info(NamedTuple):
    """Of the codes that came in: images x as stored [K, H, W, C], probability p of the unit [K]."""

    x: Any
    p: Any


def make_step(networks: Networks, layer: str, at: Tensor, rule: Rule) -> Callable[..., Any]:
    """One step of K chains.

    Args:
        networks: `networks.Networks`.
        layer: Of the unit.
        at: Its position, as of `band.Neuron`.
        rule: The flags.

    Returns:
        step(state, unit, noise [K, d] of N(0, 1), fresh [K, d] of N(0, 1), fresh_eps1 [K, 1]) ->
        (state, Info); the last two are for chains that start afresh.
    """

    def step(
        state: State, unit: Tensor, noise: Tensor, fresh: Tensor, fresh_eps1: Tensor
    ) -> tuple[State, Info]:
        h, eps1, i = state
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(h)
            x = networks.decode(h)
            e, outputs = networks.outputs(x, (layer,))
            acts = scoring.place(outputs[layer], at)
            logit = tf.gather(acts, unit, axis=1)
        p = tf.gather(tf.nn.softmax(acts), unit, axis=1)
        # 1 - p goes back from this one logit: the other terms of d log p are left out.
        d_cond = tape.gradient(logit, h, output_gradients=1.0 - p)
        # Gradients are per entry, and entries are in `unit`.
        d_h = rule.eps2 * rule.unit * d_cond + rule.eps3 * noise
        if rule.eps1:
            d_h += eps1 * (e - h) / rule.unit
        share = tf.cast(i % rule.n_iters, tf.float32) / rule.n_iters
        lr = rule.unit * (rule.lr + (rule.lr_end - rule.lr) * share)
        size = tf.maximum(tf.reduce_mean(tf.abs(d_h), axis=1, keepdims=True), STEP_FLOOR)
        h = tf.clip_by_value(h + lr / size * d_h, rule.low * rule.unit, rule.high * rule.unit)
        if rule.reset_every:
            again = (i > 0) & (i % rule.reset_every == 0)
            h = tf.where(again, rule.unit * fresh, h)
            eps1 = tf.where(again, fresh_eps1, eps1)
        return State(h, eps1, i + 1), Info(eight_bits(x) if networks.stored == "uint8" else x, p)

    return step


def make_advance(networks: Networks, layer: str, at: Tensor, rule: Rule) -> Callable[..., Any]:
    """Several steps, of any unit of the layer; arguments as of `make_step`.

    Returns:
        Compiled advance(state, unit, noise [S, K, d], fresh [S, K, d], fresh_eps1 [S, K, 1]) ->
        (state, Buffer): what was kept on the way.
    """
    step = make_step(networks, layer, at, rule)

    def advance(
        state: State, unit: Tensor, noise: Tensor, fresh: Tensor, fresh_eps1: Tensor
    ) -> tuple[State, Buffer]:
        steps, K = tf.shape(noise)[0], tf.shape(state.h)[0]
        buffer = empty(K * steps, networks.image_shape, state.h, tf.as_dtype(networks.stored))
        for s in tf.range(steps):
            h, i = state.h, state.i
            state, info = step(state, unit, noise[s], fresh[s], fresh_eps1[s])
            keep = (i % rule.save_every == 0) & (info.p > rule.threshold)
            buffer = put(buffer, info.x, h, i, keep)
        return state, buffer

    return traced(looping(advance), reduce_retracing=True)


def sample(
    networks: Networks,
    neuron: Neuron,
    rule: Rule = CLASS,
    *,
    chains: int = 10,
    seed: int = 0,
    K: int = 10,
) -> Iterator[tuple[Samples, int]]:
    """Run chains, K at a time.

    The published program gives the first unit n_iters + 1 steps; here every chain has n_iters.

    Args:
        networks: `networks.Networks`.
        neuron: The unit; softmax is taken over all units of its layer at its position.
        rule: The flags.
        chains: How many chains.
        seed: Of all random numbers.
        K: Chains side by side.

    Yields:
        Samples kept, and gradient steps of a single code that they took; the samples' steps count
        within their chain, and `chain` over all chains.

    Raises:
        UsageError: The prior needs an encoder of the code's size, and this pair has another.
    """
    d = networks.codes.size
    if rule.eps1 and np.prod(networks.layer_shape(networks.encoder)) != d:
        raise UsageError(
            f"PPGN's prior E(G(h)) - h needs encodings of the code's size {d}; layer "
            f"{networks.encoder} has another: set eps1 = 0"
        )
    place = (neuron.layer, neuron.at, rule)
    advance = networks.compiled(("ppgn", *place), lambda: make_advance(networks, *place))
    unit = tf.constant(neuron.unit)
    for first in range(0, chains, K):
        count = min(K, chains - first)
        rng = codes.generator(seed, 3, first)
        state = State(
            tf.constant(rule.unit * rng.standard_normal((count, d), np.float32), tf.float32),
            tf.fill((count, 1), tf.constant(rule.eps1, tf.float32)),
            tf.constant(0, tf.int64),
        )
        for start in range(0, rule.n_iters, STEPS):
            steps = min(STEPS, rule.n_iters - start)
            state, buffer = advance(state, unit, *_random(rng, steps, count, d))
            k = int(buffer.count)
            x, c, i, chain = (a[:k].numpy() for a in buffer[:4])
            yield scoring.samples(networks, (neuron,), x, c, i, first + chain), steps * count


def _random(rng: np.random.Generator, steps: int, K: int, d: int) -> tuple[Tensor, ...]:
    noise, fresh = (rng.standard_normal((steps, K, d), np.float32) for _ in range(2))
    eps1 = rng.uniform(*RESET_EPS1, (steps, K, 1)).astype(np.float32)
    return tuple(map(tf.constant, (noise, fresh, eps1)))
