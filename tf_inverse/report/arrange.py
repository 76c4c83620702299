"""Which samples to show, and in which order."""

from __future__ import annotations

import numpy as np

from tf_inverse.metrics import square_blocks


def by_activation(activations):
    """Order from the lowest to the highest activation of the first neuron.

    Args:
        activations: Activations z, [n, p].

    Returns:
        Row numbers, [n].

    >>> by_activation(np.array([[3.0], [1.0], [2.0]])).tolist()
    [1, 2, 0]
    """
    return np.argsort(np.asarray(activations)[:, 0], kind="stable")


def most_different(encodings, count):
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
    e = np.asarray(encodings, np.float64)
    if not len(e) or count < 1:
        return np.zeros(0, np.int64)
    chosen = [int(np.argmax(_squares(e, e.mean(axis=0))))]
    closest = _squares(e, e[chosen[0]])
    while len(chosen) < min(count, len(e)):
        closest[chosen] = -1.0  # a twin of a chosen one is at 0, which still beats the chosen
        chosen.append(int(np.argmax(closest)))
        closest = np.minimum(closest, _squares(e, e[chosen[-1]]))
    return np.asarray(chosen)


def by_similarity(encodings):
    """Order in which each sample is followed by the nearest one not yet shown.

    Args:
        encodings: Encodings e, [n, d].

    Returns:
        Row numbers, [n]; starts with the sample farthest from the mean.

    >>> by_similarity(np.array([[0.0], [9.1], [1.0], [8.0]])).tolist()
    [1, 3, 2, 0]
    """
    order = list(most_different(encodings, 1))
    squares = _all_squares(encodings)
    for _ in range(len(squares) - 1):
        squares[:, order[-1]] = np.inf
        order.append(int(np.argmin(squares[order[-1]])))
    return np.asarray(order, np.int64)


def nearest(encodings, count):
    """The nearest other samples of each sample, closest first.

    Args:
        encodings: Encodings e, [n, d].
        count: Neighbours a sample; n - 1 where there are fewer.

    Returns:
        Row numbers, [n, min(count, n - 1)].
    """
    squares = _all_squares(encodings)
    np.fill_diagonal(squares, np.inf)
    count = min(count, max(len(squares) - 1, 0))
    return np.argsort(squares, axis=1, kind="stable")[:, :count]


def principal_map(encodings):
    """Places the samples in the plane of the two main directions of their encodings (PCA).

    Args:
        encodings: Encodings e, [n, d].

    Returns:
        (places [n, 2] in units of the encoding, explained [2] shares of the variance).
    """
    e = np.asarray(encodings, np.float64)
    places, explained = np.zeros((len(e), 2)), np.zeros(2)
    if len(e) < 2:
        return places, explained
    e = e - e.mean(axis=0)
    gram = e @ e.T if len(e) < e.shape[1] else e.T @ e
    values, vectors = np.linalg.eigh(gram)
    rank = min(2, len(values))
    values, vectors = np.maximum(values[::-1][:rank], 0.0), vectors[:, ::-1][:, :rank]
    scores = vectors * np.sqrt(values) if len(e) < e.shape[1] else e @ vectors
    places[:, :rank] = scores
    explained[:rank] = values / max(np.trace(gram), np.finfo(float).tiny)
    return places, explained


def _all_squares(encodings):
    """Squared distances of all pairs, [n, n]; fine for the few thousand a person looks at."""
    e = np.asarray(encodings, np.float64)
    if not len(e):
        return np.zeros((0, 0))
    return np.concatenate([squares for _, squares in square_blocks(e - e.mean(axis=0))])


def _squares(e, one):
    """Squared distance of every row to one encoding, [n]."""
    difference = e - one
    return np.einsum("ij,ij->i", difference, difference)
