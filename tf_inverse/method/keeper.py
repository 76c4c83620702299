"""What is kept of what a method finds: true and new images, and the state after them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tf_inverse import diversity
from tf_inverse.archive import Samples
from tf_inverse.method.checkpoint import count, entry

if TYPE_CHECKING:
    from tf_inverse.band import Bands
    from tf_inverse.method.loops import Chunk
    from tf_inverse.method.normalization import Scale
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks.networks import Networks
    from tf_inverse.tensors import Array

# Scores of one image differ between batch sizes by a few units in the last place of float32.
TOLERANCE = 1e-5


def digest(image: np.ndarray) -> int:
    """64 bits that tell an image from all others."""
    return int.from_bytes(hashlib.blake2b(image.tobytes(), digest_size=8).digest(), "big")


class Info(NamedTuple):
    """Where a run stands: gradient steps, samples found, acceptance, restarts, penalty weight."""

    steps: int
    found: int
    acceptance: float
    restarts: int
    mu: float


class Batch(NamedTuple):
    """Samples (perhaps none), the state from which the run goes on bit for bit, and where it is."""

    samples: Samples
    state: dict[str, np.ndarray]
    info: Info


class Keeper:
    """Scores what a method found, and keeps what is true and new.

    Attributes:
        found: Samples so far.

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
        self.networks, self.settings, self.c_sd = networks, settings, scale.c_sd
        natural = networks.natural
        self.bank = None if natural is None else natural.codes(networks.codes.size)
        self.neurons, z1, z2 = bands.neurons, bands.z1, bands.z2
        slack = np.minimum(TOLERANCE * np.maximum(np.abs(z1), np.abs(z2)), (z2 - z1) / 4)
        self.low, self.high = z1 + slack, z2 - slack
        if settings.bound == "paper":
            self.high = np.full_like(z2, np.inf)
        self.found = self.skip = self.restarts = 0
        self.seen: set[int] = set()
        if state is not None:
            names = ("kept", "skip", "restarts")
            self.found, self.skip, self.restarts = (count(state, name) for name in names)
            self.seen = set(entry(state, "seen", np.uint64, (None,)).tolist())

    @property
    def known(self) -> int:
        """True and new images so far."""
        return self.found

    def keep(self, chunk: Chunk) -> Batch:
        """The samples of a chunk that count, and the state after them."""
        before = self._state(chunk.before, self.skip)
        samples, hashes = self._true(chunk)
        skipped = min(self.skip, len(hashes))
        samples = samples.rows(slice(skipped, None))
        room = self.settings.n - self.found
        taken = min(room, len(samples.images))
        self.found += taken
        if taken < len(samples.images):
            # The rest of this chunk belongs to a longer run: it starts from before the chunk.
            before["skip"] = np.int64(skipped + taken)
            before["kept"] = np.int64(self.found)
            state = before
        else:
            self.seen |= set(hashes)
            self.skip = 0
            self.restarts += chunk.restarts
            state = self._state(chunk.after, 0)
        return self._batch(chunk, samples.rows(slice(taken)), state)

    def rest(self, chunk: Chunk) -> Batch | None:
        """Samples that were held back until now, where no more chunks come after this one."""
        return None

    def _batch(self, chunk: Chunk, samples: Samples, state: dict[str, Any]) -> Batch:
        rate = len(chunk.x) / max(1, chunk.taken * self.settings.K)
        state["steps"] = np.int64(chunk.step)
        info = Info(chunk.step, self.found, rate, self.restarts, chunk.mu)
        return Batch(samples, state, info)

    def take(self, scored: Samples, begun: Array) -> Samples:
        """Those of some scored candidates that count and for which there is room; they are kept.

        Args:
            scored: Images with their activations in float32.
            begun: Codes that their rows began at, [k, d].
        """
        samples, hashes = self._counted(scored, begun)
        taken = slice(self.settings.n - self.found)
        self.seen |= set(hashes[taken])
        samples = samples.rows(taken)
        self.found += len(samples.images)
        return samples

    def _true(self, chunk: Chunk) -> tuple[Samples, list[int]]:
        e, z = self.networks.score(chunk.x, self.neurons, batch=self.settings.K)
        scored = Samples(chunk.x, chunk.c, e, z, chunk.steps, chunk.chain)
        return self._counted(scored, chunk.start)

    def _counted(self, scored: Samples, begun: Array | None) -> tuple[Samples, list[int]]:
        """The samples in every band that were not there yet, and a mark of each."""
        z = scored.activations
        inside = ((z >= self.low) & (z <= self.high)).all(axis=1)
        # No distance can be told from an encoding that is no number, and no archive holds one.
        inside &= np.isfinite(scored.encodings).all(axis=1)
        rows, hashes, seen = [], [], set(self.seen)
        for i in np.flatnonzero(inside):
            mark = digest(scored.images[i])
            if mark not in seen:
                seen.add(mark)
                rows.append(i)
                hashes.append(mark)
        samples = scored.rows(rows)
        begun = None if begun is None else begun[rows]
        return samples._replace(**self._ways(samples.codes, begun)), hashes

    def _ways(self, c: Array, begun: Array | None) -> dict[str, Any]:
        """How far codes [k, d] are from where their search began, and from the nearest of the bank.

        Root mean square over entries, in standard deviations of codes.
        """
        unit, bank = self.c_sd * np.sqrt(c.shape[1]), self.bank
        c = c.astype(np.float64)
        ways = {
            "from_start": None if begun is None else np.linalg.norm(c - begun, axis=1),
            "from_bank": None if bank is None else diversity.distances_to(c, bank),
        }
        return {
            name: None if way is None else (way / unit).astype(np.float32)
            for name, way in ways.items()
        }

    def _state(self, method: Mapping[str, Any], skip: int) -> dict[str, Any]:
        # The method's own entries have other names.
        return dict(method) | {
            "kept": np.int64(self.found),
            "skip": np.int64(skip),
            "restarts": np.int64(self.restarts),
            "seen": np.array(sorted(self.seen), np.uint64),
        }
