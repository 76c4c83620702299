"""The starting codes of several neurons that share a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tf_inverse.networks import starts
from tf_inverse.networks.codes import Stream

if TYPE_CHECKING:
    from tf_inverse.band import Bands
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks.networks import Networks
    from tf_inverse.tensors import Array


class GroupRows:
    """The fresh rows of a group.

    Where starts are random, one row is as good for any neuron: they come from one stream. Else each
    neuron has a stream of codes near its own range.

    Args:
        networks: The pair.
        bands: Neurons with their ranges, [G].
        settings: With starts that are not auto.
    """

    def __init__(self, networks: Networks, bands: Bands, settings: Settings) -> None:
        dealers: list[starts.Dealer | None] = [None]
        if settings.starts == "near" and starts.bank(networks) is not None:
            dealers = [*starts.each(networks, bands, settings.seed)]
        self.streams = [Stream(networks, settings.seed, 1, settings.K, one) for one in dealers]
        self.cursors = np.zeros(len(dealers), np.int64)

    def next(self, owner: Array) -> tuple[Array, Array]:
        """The next rows of neurons: codes [R, d] and uniform numbers [R, 1].

        Args:
            owner: Numbers of the neurons, [R].
        """
        number = self._number(owner)
        counted = zip(*np.unique(number, return_counts=True), strict=True)
        parts = [self.streams[g].rows(int(self.cursors[g]), int(count)) for g, count in counted]
        # The rows of one neuron after those of another, as a stable sort of the owners has them.
        back = np.argsort(np.argsort(number, kind="stable"))
        c, t = (np.concatenate(column)[back] for column in zip(*parts, strict=True))
        return c, t

    def took(self, owner: Array) -> None:
        """Goes on behind rows of these neurons, [R], which were the next ones."""
        self.cursors += np.bincount(self._number(owner), minlength=len(self.cursors))

    def _number(self, owner: Array) -> Array:
        return owner if len(self.streams) > 1 else np.zeros(len(owner), np.int64)
