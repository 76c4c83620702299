"""The best of many candidates: of each block of them, the most varied and likeliest are kept.

Every candidate is as true as a sample: its stored image lies in the range. Which of them become
samples is decided a block at a time, so that memory does not grow with n, and a run that asks for
more goes on as if it had been asked at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_inverse import choosing
from tf_inverse.archive import Samples
from tf_inverse.method import quality
from tf_inverse.method.checkpoint import count, entry
from tf_inverse.method.keeper import Batch, Keeper

if TYPE_CHECKING:
    from tf_inverse.band import Bands
    from tf_inverse.method.loops import Chunk
    from tf_inverse.method.normalization import Scale
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks.networks import Networks
    from tf_inverse.tensors import Array

BLOCK = 10
"""Samples that a block of candidates gives."""
WINDOW = 50
"""Samples before a block that its choice is to differ from, the latest ones."""


class Chooser(Keeper):
    """Keeps of every `BLOCK` times `settings.candidates` true and new images the best `BLOCK`.

    The choice is `choosing.varied` with qualities from `quality.logs`, given the samples before. If
    no weight is set, it is the smallest at which those kept excite other units as rarely as natural
    images in the range do: then samples are as typical as nature, and as varied as that allows.

    The state after a batch is that before the block that comes next, with the candidates of that
    block still to be found: going on from it finds the same ones again.

    Args:
        networks: The pair.
        bands: Neurons with their ranges.
        settings: What is asked for.
        state: Of an earlier batch, or None.
        scale: From `normalization.measure`.
    """

    def __init__(
        self,
        networks: Networks,
        bands: Bands,
        settings: Settings,
        state: dict[str, Array] | None,
        scale: Scale,
    ) -> None:
        super().__init__(networks, bands, settings, state, scale)
        self.bands, self.bandwidth = bands, scale.bandwidth
        weight, typical = settings.quality, None
        if weight is None:
            weight, typical = quality.PLAIN, quality.natural(networks, bands)
        # The powers that are tried in turn, and the mean logarithm that is enough.
        self._weights = (weight,) if typical is None else quality.WEIGHTS
        self._enough = -np.inf if typical is None else typical
        self._size = BLOCK * (settings.candidates or 1)
        size = int(np.prod(networks.layer_shape(networks.encoder)))
        self._chosen, self._given = np.zeros((0, size), np.float32), 0
        if state is not None:
            self._chosen = entry(state, "choice.before", np.float32, (None, size))
            self._given = count(state, "choice.given")
        self._pending: list[Samples] = []
        self._start: dict[str, Array] = {}
        self._candidates = 0

    @property
    def known(self) -> int:
        """Candidates so far, in this call."""
        return self._candidates

    def keep(self, chunk: Chunk) -> Batch:
        """The samples of the blocks that a chunk fills, perhaps none, and the state after them."""
        self._start = self._start or self._state(chunk.before, self.skip)
        samples, hashes = self._true(chunk)
        at, self.skip = min(self.skip, len(hashes)), 0
        given = [samples.rows(slice(0))]
        while self.found < self.settings.n:
            lacking = self._size - sum(len(p.steps) for p in self._pending)
            part = samples.rows(slice(at, at + lacking))
            self._pending.append(part)
            self._candidates += len(part.steps)
            at += len(part.steps)
            if len(part.steps) < lacking:
                break
            given.append(self._best(chunk.before, at))
        self.seen |= set(hashes)
        self.restarts += chunk.restarts
        state = self._start | {"kept": np.int64(self.found), "choice.given": np.int64(self._given)}
        return self._batch(chunk, Samples.joined(given), state)

    def rest(self, chunk: Chunk) -> Batch | None:
        """The candidates of a block that will never be full, the best of them first."""
        if not any(len(part.steps) for part in self._pending):
            return None
        given = self._best(chunk.after, 0)
        return self._batch(chunk, given, dict(self._start))

    def _best(self, method: Mapping[str, Any], at: int) -> Samples:
        """The samples that the pending candidates give.

        Args:
            method: State of the method that the next block starts from.
            at: True and new images of the chunk after it that belong to this block or to those
                before.
        """
        block, self._pending = Samples.joined(self._pending), []
        whole = len(block.steps) == self._size
        chosen = block.rows(self._order(block, BLOCK if whole else len(block.steps)))
        given = chosen.rows(slice(self._given, self._given + self.settings.n - self.found))
        self.found += len(given.steps)
        if whole and self._given + len(given.steps) < BLOCK:
            # A longer run takes the rest of this block: it starts from before the block.
            self._given += len(given.steps)
            return given
        self._given = 0
        self._chosen = np.concatenate([self._chosen, chosen.encodings])[-WINDOW:]
        self._start = self._state(method, at)
        return given

    def _order(self, block: Samples, count: int) -> Array:
        """Rows of a block that are kept, in the order of choice."""
        logs = np.zeros(len(block.steps))
        if any(self._weights):
            logs = quality.logs(self.networks, self.bands, block.images, self.settings.K)
        for w in self._weights:
            q = np.exp(w * logs)
            order = choosing.varied(block.encodings, self.bandwidth, count, q, self._chosen)
            if logs[order].mean() >= self._enough:
                break
        return order

    def _state(self, method: Mapping[str, Any], skip: int) -> dict[str, Any]:
        more = {"choice.before": self._chosen, "choice.given": np.int64(self._given)}
        return super()._state(method, skip) | more
