"""The paper's networks at their size with random weights: what a step and a run cost here."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
import numpy as np

from tf_inverse.band import Band, Bands, Neuron
from tf_inverse.compute.device import traced
from tf_inverse.layers.convolution import Deconvolution
from tf_inverse.method import loops, seeds
from tf_inverse.method.normalization import Scale, measure
from tf_inverse.networks.codes import Codes, Stream
from tf_inverse.networks.networks import Networks
from tf_inverse.tensors import Array, Model

if TYPE_CHECKING:
    from tf_inverse.experiments.runner import Lab
    from tf_inverse.method.settings import Settings


VOLCANO = Neuron("fc8", 980)
STEPS = 5
PAPER_STEPS = 400 + 85
# The last layer's factor, without which all images would be nearly grey.
CONTRAST = 60.0


def networks(seed: int = 0) -> Networks:
    """CaffeNet and the fc6 generator, weights drawn so that activations keep their size."""
    from tf_inverse.zoo.caffenet import caffenet
    from tf_inverse.zoo.generator import generator

    rng = np.random.default_rng(seed)
    # One after the other: the largest kernel is there three times while it is assigned.
    pair = [_filled(make(), rng) for make in (caffenet, functools.partial(generator, "fc6"))]
    last = pair[1].get_layer("deconv0").kernel
    last.assign(CONTRAST * last)
    return Networks(
        name="caffenet, random weights",
        classifier=pair[0],
        generator=pair[1],
        encoder="relu6",
        codes=Codes("normal", 4096, (0.0, 30.0)),
        crop=227,
    )


def _filled(model: Model, rng: np.random.Generator) -> Model:
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            layer.kernel.assign(_drawn(layer, rng))
    return model


def _drawn(layer: keras.layers.Layer, rng: np.random.Generator) -> Array:
    # He's rule: the variance of the output is that of the inputs that each of its entries sums.
    shape = layer.kernel.shape
    inputs = np.prod(shape[:-1])
    if isinstance(layer, keras.layers.Conv2DTranspose | Deconvolution):
        inputs = np.prod(shape[:2]) * shape[3] / np.prod(layer.strides)
    # In place and in float32: a copy in float64 would be most of a run's memory.
    kernel = rng.standard_normal(shape, np.float32)
    kernel *= np.float32(np.sqrt(2 / inputs))
    return kernel


def bands(networks: Networks) -> tuple[Bands, Scale]:
    """A range of one unit, from its mean on random codes to a deviation above; and the scale."""
    scale = measure(networks, (VOLCANO,))
    mean, sd = float(scale.z_mean[0]), float(scale.z_sd[0])
    return Bands([Band(VOLCANO, mean, mean + sd)]), scale


def stepping(networks: Networks, settings: Settings) -> Callable[[], None]:
    """A function that takes one gradient step of section 3.4's search, from where the last ended.

    Args:
        networks: From `networks`.
        settings: `settings.Settings`.
    """
    chosen, scale = bands(networks)
    settings = settings.sized(networks.codes.size)
    posed = loops.problem(networks, (VOLCANO,), settings, scale)
    target = loops.target(chosen, scale)
    assert settings.beta is not None and settings.diversity is not None
    step = traced(seeds.make_step(posed, settings.beta, settings.diversity))
    start = Stream(networks, settings.seed, 1, settings.K).rows(0, settings.K)[0]
    state = seeds.init(start, 1, 2, settings.mu0, posed.slots())

    def go() -> None:
        nonlocal state
        state, info = step(state, target)
        info.z.numpy()  # waits for it

    return go


def run(lab: Lab) -> list[dict]:
    """Times single steps of section 3.4's search at K codes.

    Args:
        lab: `runner.Lab`; its K, seed and precision count.

    Returns:
        One row: seconds of a step after the first, and what 485 such steps would take, the paper's
        count for 500 images. A random network has no such neuron: no samples are drawn.
    """
    pair = networks(lab.seed)
    settings = lab.settings(method="paper")
    go = stepping(pair, settings)
    go()
    began = time.monotonic()
    for _ in range(STEPS):
        go()
    each = (time.monotonic() - began) / STEPS
    lab.say(f"{each:.2f} s a step at K = {lab.K}")
    return [
        {
            "neuron": "fc8:980 of random weights",
            "method": f"seeds, K = {lab.K}, {settings.precision}",
            "steps": STEPS,
            "passes": STEPS * lab.K,
            "seconds_per_step": each,
            "seconds_of_485_steps": PAPER_STEPS * each,
        }
    ]
