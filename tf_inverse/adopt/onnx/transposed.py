"""ConvTranspose of ONNX: kernels spread over maps [B, C, rows, columns], in groups and dilated."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from tf_inverse.adopt.onnx import spatial
from tf_inverse.adopt.onnx.operators import Attributes, Operator
from tf_inverse.tensors import Tensor


def _conv_transpose(
    attributes: Attributes, x: Tensor, W: Tensor, b: Tensor | None = None
) -> Tensor:
    """The whole of it, of which the border that the pads name is cut off."""
    spatial.expect_maps(x)
    strides, extra = attributes.get("strides", [1, 1]), attributes.get("output_padding", [0, 0])
    kernel = _dilated(tf.transpose(W, (2, 3, 1, 0)), attributes.get("dilations", [1, 1]))
    sides = [(n - 1) * s + k for n, s, k in zip(x.shape[2:], strides, kernel.shape, strict=False)]
    over = _over(attributes, x, [n + more for n, more in zip(sides, extra, strict=True)], strides)
    h = _spread(spatial.last(x), kernel, strides, sides, attributes.get("group", 1))
    # Rows that output_padding adds are reached by no input: they are zeros before the bias.
    # So are those by which a shape that is told goes beyond.
    more = [one + max(-sum(ends), 0) for one, ends in zip(extra, over, strict=True)]
    h = spatial.padded(h, [(0, more[0]), (0, more[1])])
    (top, bottom), (left, right) = [(max(a, 0), max(b, 0)) for a, b in over]
    h = h[:, top : h.shape[1] - bottom, left : h.shape[2] - right]
    return spatial.first(h if b is None else tf.nn.bias_add(h, b))


def _dilated(kernel: Tensor, dilations: Sequence[int]) -> Tensor:
    """A kernel [rows, columns, ...] with zeros between its rows and between its columns."""
    for axis, d in enumerate(dilations):
        if d > 1:
            sides = kernel.shape.as_list()
            gaps = [[0, 0] for _ in range(5)]
            gaps[axis + 1] = [0, d - 1]
            apart = tf.pad(tf.expand_dims(kernel, axis + 1), gaps)
            sides[axis] *= d
            kernel = tf.reshape(apart, sides)
            kept = slice(sides[axis] - d + 1)
            kernel = kernel[(slice(None),) * axis + (kept,)]
    return kernel


def _over(
    attributes: Attributes, x: Tensor, sides: Sequence[int], strides: Sequence[int]
) -> spatial.Ends:
    """Rows and columns that are too many, at either end, on sides of so many."""
    kind = attributes.get("auto_pad", b"NOTSET")
    wanted = attributes.get("output_shape")
    if wanted is None and kind in (b"NOTSET", b"VALID"):
        top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
        return [(top, bottom), (left, right)]
    if wanted is None:
        wanted = [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
    over = [n - own for n, own in zip(sides, wanted[-2:], strict=True)]
    halves = [(n // 2, n - n // 2) for n in over]
    return halves if kind == b"SAME_UPPER" else [(b, a) for a, b in halves]


def _spread(
    h: Tensor, kernel: Tensor, strides: Sequence[int], sides: Sequence[int], groups: int
) -> Tensor:
    """Maps [B, *sides, O] of h [B, rows, columns, I] and a kernel [kh, kw, O / groups, I]."""
    batch, each = tf.shape(h)[0], kernel.shape[2]
    if groups == h.shape[3] > 1 and each == 1 and strides[0] == strides[1]:
        return tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
            input_sizes=(batch, *sides, groups),
            filter=tf.transpose(kernel, (0, 1, 3, 2)),
            out_backprop=h,
            strides=[1, *strides, 1],
            padding="VALID",
        )
    parts = zip(tf.split(h, groups, 3), tf.split(kernel, groups, 3), strict=True)
    shape = (batch, *sides, each)
    done = [tf.nn.conv2d_transpose(h, k, shape, strides, "VALID") for h, k in parts]
    return done[0] if groups == 1 else tf.concat(done, axis=3)


OPERATORS: dict[str, Operator] = {"ConvTranspose": spatial.in_plane(_conv_transpose)}
