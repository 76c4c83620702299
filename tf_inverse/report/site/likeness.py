"""Which units of a site are like each other, by the encodings of their samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tf_inverse import diversity
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.archive import Archive

ROWS, TOTAL, NUMBERS = 20, 10_000, 1 << 25
"""Samples of a unit that are compared, at most; of all units; and numbers of their encodings."""

MOST = 24
"""Units that are told as the nearest of each."""


class Compared(NamedTuple):
    """What a unit is compared by.

    Attributes:
        network: What its encodings are encodings by; only those of one network are compared.
        encodings: Of some of its samples, [rows, d] float32.
    """

    network: tuple
    encodings: Array


def of(archive: Archive, units: int) -> Compared:
    """What a unit is compared by, one of so many.

    Args:
        archive: Of its main range.
        units: How many there are: of more units, fewer samples each are compared.
    """
    e = archive.encodings[:]
    rows = min(ROWS, TOTAL // max(units, 1), NUMBERS // max(units * e.shape[1], 1))
    few = diversity.evenly(e, max(rows, 1)).astype(np.float32)
    return Compared((e.shape[1], *sorted(archive.checksums.items())), few)


def nearest(compared: dict[int, Compared]) -> dict[int, list[tuple[int, float]]]:
    """The units nearest to each, the nearest first.

    Args:
        compared: Number of a unit -> what it is compared by.

    Returns:
        Number of a unit -> (number of another, how unlike the two are from 0 to 1), at most `MOST`
        of them: see `diversity.unlike`.
    """
    networks: dict[Any, list[int]] = {}
    for i, one in compared.items():
        networks.setdefault(one.network, []).append(i)
    found = {}
    for members in networks.values():
        unlike = diversity.unlike([compared[i].encodings for i in members])
        np.fill_diagonal(unlike, np.inf)
        order = np.argsort(unlike, axis=1, kind="stable")[:, : min(MOST, len(members) - 1)]
        for row, i in enumerate(members):
            found[i] = [(members[j], float(unlike[row, j])) for j in order[row]]
    return found
