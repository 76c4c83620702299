"""Transposed convolutions with few output channels, as dense convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_inverse.tensors import Tensor

# oneDNN computes output channels in whole vectors of this many.
LANES = 16


def interleaves(filters: int, kernel: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether a transposed convolution is quicker as `interleaved`.

    On a processor three output channels cost as much as `LANES`.
    """
    s = strides[0]
    whole = s == strides[1] > 1 and all(k % s == 0 for k in kernel)
    return whole and -(-filters * s * s // LANES) < s * s / 2


def interleaved(
    x: Tensor, kernel: Tensor, bias: Tensor | None = None, *, s: int, padding: str
) -> Tensor:
    """Transposed convolution of x [B, H, W, I] with stride s, as a dense convolution.

    Output pixel s q + a is the sum over u of x[q - u] kernel[s u + a]: its place a within a block
    of s pixels is a channel of one convolution with kernels [kh / s, kw / s], and the blocks are
    then laid out. The gradients are those of the transposed convolution, plain convolutions.

    Args:
        x: Images; H and W known.
        kernel: [kh, kw, O, I], kh and kw multiples of s.
        bias: [O].
        s: Stride, down and right.
        padding: "same" for s H x s W pixels, "valid" for all s (H - 1) + kh.
    """
    kh, kw, outputs, _ = kernel.shape
    if bias is None:
        bias = tf.zeros(outputs, x.dtype)

    @tf.custom_gradient
    def transposed(x: Tensor, kernel: Tensor, bias: Tensor) -> tuple[Tensor, Any]:
        def gradient(d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            options = {"strides": [1, s, s, 1], "padding": padding.upper()}
            to_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=d, filter_sizes=tf.shape(kernel), out_backprop=x, **options
            )
            return tf.nn.conv2d(d, kernel, **options), to_kernel, tf.reduce_sum(d, (0, 1, 2))

        tall, wide = kh // s, kw // s
        blocks = tf.reshape(kernel, (tall, s, wide, s, outputs, -1))
        blocks = tf.transpose(tf.reverse(blocks, [0, 2]), (0, 2, 5, 1, 3, 4))
        blocks = tf.reshape(blocks, (tall, wide, -1, s * s * outputs))
        margins = [[0, 0], [tall - 1, tall - 1], [wide - 1, wide - 1], [0, 0]]
        y = tf.nn.bias_add(tf.nn.conv2d(x, blocks, 1, margins), tf.tile(bias, [s * s]))
        return _laid_out(y, s, padding, (kh, kw)), gradient

    return transposed(x, kernel, bias)


def _laid_out(y: Tensor, s: int, padding: str, kernel: tuple[int, int]) -> Tensor:
    """Blocks of pixels out of the channels of y [B, h, w, s * s * O], less the border of `same`."""
    _, h, w, channels = y.shape
    y = tf.reshape(y, (-1, h, w, s, s, channels // (s * s)))
    y = tf.reshape(tf.transpose(y, (0, 1, 3, 2, 4, 5)), (-1, s * h, s * w, channels // (s * s)))
    if padding == "valid":
        return y
    top, left = ((k - s) // 2 for k in kernel)
    size = (-1, s * h - kernel[0] + s, s * w - kernel[1] + s, -1)
    return tf.slice(y, (0, top, left, 0), size)
