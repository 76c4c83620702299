"""Which samples to show, and in which order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from tf_inverse.metrics import square_blocks
from tf_inverse.tensors import Array

_MATRIX = 4000


def by_activation(activations: ArrayLike) -> Array:
    """Order from the lowest to the highest activation of the first neuron.

    Args:
        activations: Activations z, [n, p].

    Returns:
        Row numbers, [n].

    >>> by_activation(np.array([[3.0], [1.0], [2.0]])).tolist()
    [1, 2, 0]
    """
    return np.argsort(np.asarray(activations)[:, 0], kind="stable")


def most_different(encodings: ArrayLike, count: int) -> Array:
    """Farthest-point choice: each one is the farthest from all chosen before it.

    Starts with the sample farthest from the mean; a 2-approximation of the choice whose closest
    pair is as far apart as can be (Gonzalez 1985).

    Args:
        encodings: Encodings e, [n, d].
        count: How many to choose; all where there are fewer.

    Returns:
        Row numbers in the order of choice, [min(count, n)].

    >>> most_different(np.array([[0.0], [1.0], [10.0], [5.0]]), 3).tolist()
    [2, 0, 3]
    """
    e = _centred(encodings)
    if not len(e) or count < 1:
        return np.zeros(0, np.int64)
    squares = _squares_to(e)
    chosen = [int(np.argmax(np.einsum("ij,ij->i", e, e)))]
    closest = np.full(len(e), np.inf)
    while len(chosen) < min(count, len(e)):
        closest = np.minimum(closest, squares(chosen[-1]))
        closest[chosen] = -1.0  # a twin of a chosen one is at 0, which still beats the chosen
        chosen.append(int(np.argmax(closest)))
    return np.asarray(chosen)


def by_similarity(encodings: ArrayLike) -> Array:
    """Order in which each sample is followed by the nearest one not yet shown.

    Args:
        encodings: Encodings e, [n, d].

    Returns:
        Row numbers, [n]; starts with the sample farthest from the mean.

    >>> by_similarity(np.array([[0.0], [9.1], [1.0], [8.0]])).tolist()
    [1, 3, 2, 0]
    """
    e, order = _centred(encodings), list(most_different(encodings, 1))
    if not order:
        return np.zeros(0, np.int64)
    squares = _squares_to(e)
    shown = np.zeros(len(e), bool)
    while len(order) < len(e):
        shown[order[-1]] = True
        order.append(int(np.argmin(np.where(shown, np.inf, squares(order[-1])))))
    return np.asarray(order, np.int64)


def nearest(encodings: ArrayLike, count: int) -> Array:
    """The nearest other samples of each sample, closest first.

    Args:
        encodings: Encodings e, [n, d].
        count: Neighbours a sample; n - 1 where there are fewer.

    Returns:
        Row numbers, [n, min(count, n - 1)].
    """
    e = _centred(encodings)
    count = min(count, max(len(e) - 1, 0))
    rows = [np.zeros((0, count), np.int64)]
    for start, squares in square_blocks(e) if len(e) else ():
        own = np.arange(len(squares))
        squares[own, start + own] = np.inf
        rows.append(np.argsort(squares, axis=1, kind="stable")[:, :count])
    return np.concatenate(rows)


def principal_map(encodings: ArrayLike) -> tuple[Array, Array]:
    """Places the samples in the plane of the two main directions of their encodings (PCA).

    Args:
        encodings: Encodings e, [n, d].

    Returns:
        (places [n, 2] in units of the encoding, explained [2] shares of the variance).
    """
    e = _centred(encodings)
    places, explained = np.zeros((len(e), 2)), np.zeros(2)
    if len(e) < 2:
        return places, explained
    gram = e @ e.T if len(e) < e.shape[1] else e.T @ e
    values, vectors = np.linalg.eigh(gram)
    rank = min(2, len(values))
    values, vectors = np.maximum(values[::-1][:rank], 0.0), vectors[:, ::-1][:, :rank]
    scores = vectors * np.sqrt(values) if len(e) < e.shape[1] else e @ vectors
    places[:, :rank] = scores
    explained[:rank] = values / max(np.trace(gram), np.finfo(float).tiny)
    return places, explained


def _centred(encodings: ArrayLike) -> Array:
    e = np.asarray(encodings, np.float64)
    return e - e.mean(axis=0) if len(e) else e


def _squares_to(e: Array) -> Callable[[int], Array]:
    """A function from a row to its squared distances, [n]; a matrix while that is small."""
    if len(e) <= _MATRIX:
        return np.concatenate([squares for _, squares in square_blocks(e)]).__getitem__
    norms = np.einsum("ij,ij->i", e, e)
    return lambda row: np.maximum(norms + norms[row] - 2.0 * (e @ e[row]), 0.0)
