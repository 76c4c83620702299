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

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

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
    size, members, text = codes.size, 1, "independent standard normal entries"
    low, high = codes.limits

    def unclipped(u, i):
        return u

    if codes.kind == "uniform":
        bottom, top = codes.bounds or (-1.0, 1.0)
        text = f"independent entries, uniform from {bottom:g} to {top:g}"

        def unclipped(u, i):
            return bottom + (top - bottom) * 0.5 * tf.math.erfc(-u / math.sqrt(2.0))

    elif codes.kind == "gaussian":
        mean, factor = (tf.constant(a) for a in networks.natural.gaussian)
        size, text = len(factor), f"the Gaussian of rank {len(factor)} fitted to natural codes"

        def unclipped(u, i):
            return mean + tf.matmul(u, factor)

    elif codes.kind == "noise":
        size, text = math.prod(networks.image_shape), "encodings of images of normal noise"

        def unclipped(u, i):
            x = tf.reshape(127.5 + 64.0 * u, (-1, *networks.image_shape))
            return networks.outputs(tf.clip_by_value(x, 0.0, 255.0), ())[0]

    elif codes.kind == "bank":
        bank = networks.natural.bank.astype(np.float32)
        members, width = len(bank), tf.constant(KERNEL * bank.std(axis=0))
        text = f"{members} natural codes with normal kernels of {KERNEL:g} s.d. of each entry"

        def unclipped(u, i):
            return tf.gather(bank, i) + width * u

    if (low, high) != (-np.inf, np.inf) and codes.kind != "uniform":
        text += f", clipped to {low:g} to {high:g}"
    return CodeLaw(size, members, lambda u, i: tf.clip_by_value(unclipped(u, i), low, high), text)
