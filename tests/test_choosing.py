"""The greedy choice against determinants that NumPy computes of every candidate set."""

import numpy as np
import pytest

from tf_inverse import choosing
from tf_inverse.errors import UsageError


def naive(e, h, count, q, early=0):
    """The same greedy choice, with a whole kernel and a determinant for each candidate.

    The first `early` rows were chosen before.
    """
    squares = ((e[:, None] - e[None]) ** 2).sum(axis=-1)
    kernel = q[:, None] * np.exp(-squares / (2 * h * h)) * q[None]
    chosen = list(range(early))
    for _ in range(count):
        rest = [i for i in range(len(e)) if i not in chosen]
        sets = [np.ix_([*chosen, i], [*chosen, i]) for i in rest]
        chosen.append(rest[int(np.argmax([np.linalg.det(kernel[one]) for one in sets]))])
    return chosen[early:]


@pytest.mark.parametrize("even", [True, False])
def test_each_row_chosen_has_the_largest_determinant(even):
    rng = np.random.default_rng(3)
    e, q = rng.normal(4.0, 1.0, (20, 3)), rng.uniform(0.5, 2.0, 20)
    found = choosing.varied(e, 1.5, 7, None if even else q)
    assert found.tolist() == naive(e, 1.5, 7, np.ones(20) if even else q)


def test_new_rows_differ_from_those_chosen_before():
    rng = np.random.default_rng(4)
    e, q = rng.normal(4.0, 1.0, (20, 3)), np.append(np.ones(5), rng.uniform(0.5, 2.0, 15))
    found = choosing.varied(e[5:], 1.5, 6, q[5:], e[:5])
    assert (found + 5).tolist() == naive(e, 1.5, 6, q, 5)
    assert found.tolist() != choosing.varied(e[5:], 1.5, 6, q[5:]).tolist()
    # A row that was chosen twice before explains no more than once.
    twice = np.concatenate([e[:5], e[:1]])
    np.testing.assert_array_equal(choosing.varied(e[5:], 1.5, 6, q[5:], twice), found)


def test_copies_come_last_and_each_row_once():
    e = np.repeat([[0.0], [3.0], [7.0]], 3, axis=0)
    found = choosing.varied(e, 1.0, 9, np.array([1, 2, 1, 1, 1, 1, 1, 1, 3.0]))
    assert sorted(found) == list(range(9))
    assert {e[i, 0] for i in found[:3]} == {0.0, 3.0, 7.0} and found[:2].tolist() == [8, 1]


def test_no_more_than_there_are():
    assert choosing.varied(np.zeros((0, 2)), 1.0, 5).tolist() == []
    assert choosing.varied(np.eye(2), 1.0, 5).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("h", "q", "said"),
    [(0.0, None, "positive bandwidth"), (1.0, [1.0, 0.0], "quality"), (1.0, [1.0], "2 rows")],
)
def test_what_cannot_be_is_refused(h, q, said):
    with pytest.raises(UsageError, match=said):
        choosing.varied(np.eye(2), h, 1, q)
