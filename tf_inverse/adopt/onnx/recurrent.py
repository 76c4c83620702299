"""RNN, GRU and LSTM of ONNX: a step after another over sequences [T, B, I] of a known length.

Networks that read text in pictures run them along the columns of their maps. Symbols and order of
the gates are those of https://onnx.ai/onnx/operators.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_inverse.adopt.onnx import operators
from tf_inverse.adopt.onnx.operators import Attributes, Operator
from tf_inverse.tensors import Tensor

ACTIVATIONS = ("elu", "hardsigmoid", "leakyrelu", "relu", "sigmoid", "softplus", "softsign", "tanh")
LEFT_OUT = ("clip", "activation_alpha", "activation_beta")


class Weights(NamedTuple):
    """Of one direction.

    Attributes:
        W: To be multiplied with the input, [gates H, I].
        R: To be multiplied with the state, [gates H, H].
        Wb: Bias of the former, [gates H].
        Rb: Bias of the latter, [gates H].
        P: Peepholes of an LSTM, [3 H], or None.
    """

    W: Tensor
    R: Tensor
    Wb: Tensor
    Rb: Tensor
    P: Tensor | None


Cell = Callable[[Attributes, Sequence[Any], Tensor, tuple[Tensor, ...], Weights], Any]


def _rnn(
    attributes: Attributes, act: Sequence[Any], x: Tensor, state: tuple[Tensor, ...], own: Weights
) -> tuple[Tensor, ...]:
    (h,) = state
    return (act[0](x + tf.matmul(h, own.R, transpose_b=True) + own.Rb),)


def _gru(
    attributes: Attributes, act: Sequence[Any], x: Tensor, state: tuple[Tensor, ...], own: Weights
) -> tuple[Tensor, ...]:
    (h,), size = state, state[0].shape[-1]
    xz, xr, xh = tf.split(x, 3, -1)
    gates = tf.matmul(h, own.R[: 2 * size], transpose_b=True) + own.Rb[: 2 * size]
    hz, hr = tf.split(gates, 2, -1)
    z, r, last = act[0](xz + hz), act[0](xr + hr), own.R[2 * size :]
    if attributes.get("linear_before_reset", 0):
        new = r * (tf.matmul(h, last, transpose_b=True) + own.Rb[2 * size :])
    else:
        new = tf.matmul(r * h, last, transpose_b=True) + own.Rb[2 * size :]
    return ((1.0 - z) * act[1](xh + new) + z * h,)


def _lstm(
    attributes: Attributes, act: Sequence[Any], x: Tensor, state: tuple[Tensor, ...], own: Weights
) -> tuple[Tensor, ...]:
    h, c = state
    i, o, f, new = tf.split(x + tf.matmul(h, own.R, transpose_b=True) + own.Rb, 4, -1)
    pi, po, pf = (0.0, 0.0, 0.0) if own.P is None else tf.split(own.P, 3)
    i, f = act[0](i + pi * c), act[0](f + pf * c)
    c = (1.0 - i if attributes.get("input_forget", 0) else f) * c + i * act[1](new)
    return act[0](o + po * c) * act[2](c), c


def _layer(cell: Cell, gates: int, usual: Sequence[str], states: int) -> Operator:
    """The operator of a cell: over all steps, in one direction or in both."""

    def run(
        attributes: Attributes,
        X: Tensor,
        W: Tensor,
        R: Tensor,
        B: Tensor | None = None,
        lengths: Any = None,
        h: Tensor | None = None,
        c: Tensor | None = None,
        P: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        by_image = bool(attributes.get("layout", 0))
        X = tf.transpose(X, (1, 0, 2)) if by_image else tf.convert_to_tensor(X)
        _expect_plain(attributes, X, lengths)
        kind = attributes.get("direction", b"forward").decode()
        turned = {"forward": [False], "reverse": [True]}.get(kind, [False, True])
        names = [one.decode() for one in attributes.get("activations", ())]
        act = [_activation(name) for name in names or [*usual] * len(turned)]
        none = tf.zeros((tf.shape(X)[1], R.shape[2]), X.dtype)
        every, ends = [], []
        for at, back in enumerate(turned):
            bias = tf.zeros(2 * gates * R.shape[2], X.dtype) if B is None else B[at]
            Wb, Rb = tf.split(bias, 2)
            own = Weights(W[at], R[at], Wb, Rb, None if P is None else P[at])
            first = [none if s is None else (s[:, at] if by_image else s[at]) for s in (h, c)]
            steps = tf.unstack(tf.matmul(X, own.W, transpose_b=True) + own.Wb)
            state, given = tuple(first[:states]), []
            for x in reversed(steps) if back else steps:
                state = cell(attributes, act[at * len(usual) :], x, state, own)
                given.append(state[0])
            every.append(tf.stack(given[::-1] if back else given))
            ends.append(state)
        axis = 1 if by_image else 0
        last = [tf.stack([state[i] for state in ends], axis) for i in range(states)]
        Y = tf.stack(every, 1)
        return (tf.transpose(Y, (2, 0, 1, 3)) if by_image else Y, *last)

    return run


def _expect_plain(attributes: Attributes, X: Tensor, lengths: Any) -> None:
    if told := [name for name in LEFT_OUT if name in attributes]:
        raise NotImplementedError(f"a recurrent layer with {', '.join(told)}")
    if X.shape[0] is None:
        raise NotImplementedError("a recurrent layer over a sequence of an open length")
    if lengths is not None and not (
        isinstance(lengths, np.ndarray) and (lengths == X.shape[0]).all()
    ):
        raise NotImplementedError("a recurrent layer with sequence_lens")


def _activation(name: str) -> Callable[[Tensor], Tensor]:
    if name.lower() not in ACTIVATIONS:
        raise NotImplementedError(f"a recurrent layer with the activation {name:.60}")
    function = next(one for key, one in operators.OPERATORS.items() if key.lower() == name.lower())
    return lambda x: function({}, x)


OPERATORS: dict[str, Operator] = {
    "GRU": _layer(_gru, 3, ["Sigmoid", "Tanh"], 1),
    "LSTM": _layer(_lstm, 4, ["Sigmoid", "Tanh", "Tanh"], 2),
    "RNN": _layer(_rnn, 1, ["Tanh"], 1),
}
