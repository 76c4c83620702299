"""Convolutions of ONNX in groups against plain loops: here TensorFlow has several ways, not one."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inverse.adopt.onnx import spatial

rng = np.random.default_rng(0)


def looped(x, W, groups, stride, dilation):
    """The sum over a window, a group of channels at a time, without padding."""
    each, own = W.shape[0] // groups, W.shape[1]
    far = (W.shape[2] - 1) * dilation
    rows, columns = ((n - 1 - far) // stride + 1 for n in x.shape[2:])
    y = np.zeros((len(x), len(W), rows, columns))
    for out, i, j in np.ndindex(*y.shape[1:]):
        first = out // each * own
        top, left = i * stride, j * stride
        area = x[:, first : first + own, top : top + far + 1 : dilation]
        area = area[:, :, :, left : left + far + 1 : dilation]
        y[:, out, i, j] = (area * W[out]).sum(axis=(1, 2, 3))
    return y


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2), (2, 2), (3, 2)])
def test_groups_strides_and_dilations(groups, stride, dilation):
    x = rng.standard_normal((2, 4, 9, 11)).astype("f4")
    W = rng.standard_normal((8, 4 // groups, 3, 3)).astype("f4")
    attributes = {"group": groups, "strides": [stride] * 2, "dilations": [dilation] * 2}
    y = spatial.OPERATORS["Conv"](attributes, tf.constant(x), tf.constant(W))
    np.testing.assert_allclose(y, looped(x, W, groups, stride, dilation), rtol=1e-4, atol=1e-4)
