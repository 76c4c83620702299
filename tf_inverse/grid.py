"""The cells of a plane: which one activations lie in, and where a cell begins and ends."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tf_inverse.errors import UsageError
from tf_inverse.tensors import Array

MOST = 40
"""Most cells along a side: more could not be told apart in a picture."""

SLACK = 1e-5
"""Of the largest edge: as far as the scores of one image differ between batch sizes and machines,
a sample has to be inside its cell."""


class Grid(NamedTuple):
    """Cells between rising edges; cell `row * columns + column`.

    Attributes:
        across: Edges of the first neuron's ranges, [columns + 1] float32.
        up: Edges of the second neuron's, [rows + 1] float32.
    """

    across: Array
    up: Array

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.up) - 1, len(self.across) - 1

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return self.shape[0] * self.shape[1]

    def cell_of(self, z: Array, inside: bool = False) -> Array:
        """The cell of each pair of activations, [n] int64, -1 outside of the plane.

        The lower ends belong to a cell; the upper ones only to the last of a row or column.

        Args:
            z: Activations, [n, 2].
            inside: Whether to give -1, too, for what lies within `SLACK` of the edge of its cell.
        """
        cell, valid = np.zeros(len(z), np.int64), np.ones(len(z), bool)
        for edges, values, stride in ((self.up, z[:, 1], self.shape[1]), (self.across, z[:, 0], 1)):
            at = np.searchsorted(edges, values, "right") - 1
            at = np.where(values == edges[-1], len(edges) - 2, at)
            valid &= (at >= 0) & (at < len(edges) - 1) & np.isfinite(values)
            at = np.clip(at, 0, len(edges) - 2)
            if inside:
                slack = min(SLACK * np.abs(edges).max(), np.diff(edges).min() / 4)
                valid &= (values >= edges[at] + slack) & (values <= edges[at + 1] - slack)
            cell += at * stride
        return np.where(valid, cell, -1)

    def ends(self, cells: Array) -> tuple[Array, Array]:
        """Lower and upper ends [n, 2] float32 of the two ranges of cells [n]."""
        row, column = np.divmod(cells, self.shape[1])
        low = np.stack([self.across[column], self.up[row]], axis=1)
        return low, np.stack([self.across[column + 1], self.up[row + 1]], axis=1)


def between(across: tuple[float, float], up: tuple[float, float], rows: int, columns: int) -> Grid:
    """Cells of equal size between the ends of two ranges.

    Raises:
        UsageError: Too few or too many rows or columns, or a range that is too narrow for them.
    """
    edges = []
    for ends, many, name in ((across, columns, "columns"), (up, rows, "rows")):
        if not 1 <= many <= MOST:
            raise UsageError(f"expected --{name} from 1 to {MOST}, got {many}")
        edges.append(np.linspace(*ends, many + 1).astype(np.float32))
        if not (np.diff(edges[-1]) > 0).all():
            raise UsageError(
                f"expected a range wide enough for {many} {name}, got {ends[0]:g} to {ends[1]:g}"
            )
    return Grid(*edges)


def unit_distances(grid: Grid) -> Array:
    """Distance between any two cells in steps of a cell, Euclidean, [cells, cells]."""
    place = np.stack(np.divmod(np.arange(grid.cells), grid.shape[1]), axis=1).astype(float)
    return np.linalg.norm(place[:, None] - place[None], axis=2)
