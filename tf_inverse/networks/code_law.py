"""The law of codes: the distribution that starting codes have, as a function of normal numbers.

A sampler with a stated law has to know the law of the codes, and to move codes without leaving it.
Both are easy for standard normal numbers u, so every kind of `codes.Codes` is written as c = T(u):

- `normal`: c = u.
- `uniform`: every entry is Phi(u) within the bounds, Phi the normal distribution function.
- `gaussian`: c = mean + u F, the fitted Gaussian with its low-rank factor F.
- `noise`: c = E(noise image), the noise being 127.5 + 64 u clipped to 0..255.
- `bank`: c = b_i + `KERNEL` sd u, where the member i of the bank is drawn uniformly and sd is the
  standard deviation of each entry over the bank: a kernel density estimate (Silverman 1986,
  section 6.4). Without a kernel the law would be a list of codes, and a range of small probability
  would hold a handful of them.

Where codes have bounds, c is then clipped to them, as `codes.draw` clips: entries beyond a bound
lie exactly on it, with the probability that they would have been beyond.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_inverse.networks.codes import stored

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks
    from tf_inverse.tensors import Tensor

KERNEL = 0.25
"""Width of the kernel around a bank's members, in standard deviations of each entry."""


class CodeLaw(NamedTuple):
    """A distribution of codes, c = T(u, i).

    Attributes:
        size: Entries of u, which are independent standard normal numbers.
        members: How many values i has, all equally likely; 1 for every kind but a bank.
        code: T, differentiable in u: (u [K, size], i [K] int32) -> c [K, d].
        text: What the law is, for people.
    """

    size: int
    members: int
    code: Callable[[Any, Any], Any]
    text: str


def law(networks: Networks) -> CodeLaw:
    """The law of a pair's codes.

    Args:
        networks: With a bank or a Gaussian in its natural statistics, where its codes are of those.
    """
    codes = networks.codes
    made, (low, high) = KINDS[codes.kind](networks), codes.limits

    def code(u: Tensor, i: Tensor) -> Tensor:
        return tf.clip_by_value(made.code(u, i), low, high)

    text = made.text
    if (low, high) != (-np.inf, np.inf) and codes.kind != "uniform":
        text += f", clipped to {low:g} to {high:g}"
    return made._replace(code=code, text=text)


def _normal(networks: Networks) -> CodeLaw:
    return CodeLaw(networks.codes.size, 1, lambda u, i: u, "independent standard normal entries")


def _uniform(networks: Networks) -> CodeLaw:
    low, high = networks.codes.limits if networks.codes.bounds else (-1.0, 1.0)

    def code(u: Tensor, i: Tensor) -> Tensor:
        return low + (high - low) * 0.5 * tf.math.erfc(-u / math.sqrt(2.0))

    text = f"independent entries, uniform from {low:g} to {high:g}"
    return CodeLaw(networks.codes.size, 1, code, text)


def _gaussian(networks: Networks) -> CodeLaw:
    mean, factor = stored(networks, "gaussian")

    def code(u: Tensor, i: Tensor) -> Tensor:
        return tf.constant(mean) + tf.matmul(u, tf.constant(factor))

    text = f"the Gaussian of rank {len(factor)} fitted to natural codes"
    return CodeLaw(len(factor), 1, code, text)


def _noise(networks: Networks) -> CodeLaw:
    def code(u: Tensor, i: Tensor) -> Tensor:
        x = tf.reshape(127.5 + 64.0 * u, (-1, *networks.image_shape))
        return networks.outputs(tf.clip_by_value(x, 0.0, 255.0), ())[0]

    size = math.prod(networks.image_shape)
    return CodeLaw(size, 1, code, "encodings of images of normal noise")


def _bank(networks: Networks) -> CodeLaw:
    bank = stored(networks, "bank").astype(np.float32)
    width = KERNEL * bank.std(axis=0)

    def code(u: Tensor, i: Tensor) -> Tensor:
        return tf.gather(tf.constant(bank), i) + tf.constant(width) * u

    text = f"{len(bank)} natural codes with normal kernels of {KERNEL:g} s.d. of each entry"
    return CodeLaw(networks.codes.size, len(bank), code, text)


KINDS = {
    "normal": _normal,
    "uniform": _uniform,
    "gaussian": _gaussian,
    "noise": _noise,
    "bank": _bank,
}
