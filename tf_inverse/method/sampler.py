"""The only loop that users call: batches of samples until n are found.

What leaves this module is true: every image is scored again as it will be stored, in 8 bits and in
float32, and kept only if its activations lie in every band.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from tf_inverse import diversity
from tf_inverse.archive import Samples
from tf_inverse.band import Band, Bands
from tf_inverse.errors import Stalled, Unreachable
from tf_inverse.method import chains, fidelity, loops
from tf_inverse.method.checkpoint import count, entry
from tf_inverse.method.normalization import Scale, measure
from tf_inverse.method.settings import Settings

# Method -> what makes its chunks; its defaults are in `settings.PRESETS`.
METHODS = {"renewal": loops.renew, "paper": loops.paper, "langevin": chains.langevin_chains}

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


def sample(
    networks,
    bands: Iterable[Band],
    settings: Settings | None = None,
    state: dict[str, np.ndarray] | None = None,
    scale: Scale | None = None,
) -> Iterator[Batch]:
    """Draw from the inverse set of one or several neurons.

    Args:
        networks: `networks.Networks`.
        bands: Neurons with their ranges; several mean their intersection.
        settings: What is asked for. Where half precision is not near enough to float32 for these
            neurons and ranges, float32 takes its place, with a warning that says why.
        state: Of an earlier batch, to go on from there.
        scale: From `normalization.measure`, where it was measured already.

    Yields:
        Batches; together they hold exactly `settings.n` samples, all different.

    Raises:
        SeedsNotFound: Paper: no K feasible codes in `patience` rounds.
        Unreachable: No code reaches the band: dead unit, values that are not finite, or too far.
        Stalled: Samples were found, but no more come.
        RefusedInput: The state is damaged, or of other settings or another version.
    """
    bands, settings = Bands(bands), (settings or Settings()).sized(networks.codes.size)
    settings, why = fidelity.settled(networks, bands, settings)
    if why:
        warnings.warn(why, stacklevel=2)
    scale = scale or measure(networks, bands.neurons)
    keeper = Keeper(networks, bands, settings, scale, state)
    chunks = METHODS[settings.method](networks, bands, settings, scale, state)
    best, quiet = np.full(len(bands), -np.inf), 0
    while keeper.found < settings.n:
        try:
            chunk = next(chunks)
        except Unreachable as error:
            best = np.maximum(best, error.best)
            raise explained(error, bands, scale, best, keeper.found) from None
        best = np.maximum(best, chunk.best)
        batch = keeper.keep(chunk)
        yield batch
        quiet = 0 if len(batch.samples.images) else quiet + chunk.taken
        trouble = chunk.trouble or (
            quiet >= loops.enough(settings) and f"no sample in {quiet} gradient steps"
        )
        if trouble and keeper.found < settings.n:
            kind = Stalled if keeper.found else Unreachable
            raise explained(kind(trouble, best, chunk.step), bands, scale, best, keeper.found)


class Keeper:
    """Scores what a method found, and keeps what is true and new.

    Args:
        networks: `networks.Networks`.
        bands: Neurons with their ranges.
        settings: `settings.Settings`.
        scale: From `normalization.measure`.
        state: Of an earlier batch, to go on from there.

    Attributes:
        found: Samples kept so far.
    """

    def __init__(self, networks, bands, settings, scale, state=None):
        self.networks, self.settings, self.c_sd = networks, settings, scale.c_sd
        self.bank = networks.natural and networks.natural.codes(networks.codes.size)
        self.neurons, z1, z2 = bands.neurons, bands.z1, bands.z2
        slack = np.minimum(TOLERANCE * np.maximum(np.abs(z1), np.abs(z2)), (z2 - z1) / 4)
        self.low, self.high = z1 + slack, z2 - slack
        if settings.bound == "paper":
            self.high = np.full_like(z2, np.inf)
        self.found = self.skip = self.restarts = 0
        self.seen = set()
        if state is not None:
            names = ("kept", "skip", "restarts")
            self.found, self.skip, self.restarts = (count(state, name) for name in names)
            self.seen = set(entry(state, "seen", np.uint64, (None,)).tolist())

    def keep(self, chunk) -> Batch:
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
        rate = len(chunk.x) / max(1, chunk.taken * self.settings.K)
        state["steps"] = np.int64(chunk.step)
        info = Info(chunk.step, self.found, rate, self.restarts, chunk.mu)
        return Batch(samples.rows(slice(taken)), state, info)

    def take(self, scored: Samples, begun: np.ndarray) -> Samples:
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

    def _true(self, chunk):
        e, z = self.networks.score(chunk.x, self.neurons, batch=self.settings.K)
        scored = Samples(chunk.x, chunk.c, e, z, chunk.steps, chunk.chain)
        return self._counted(scored, chunk.start)

    def _counted(self, scored, begun):
        """The samples in every band that were not there yet, and a mark of each."""
        z = scored.activations
        inside = ((z >= self.low) & (z <= self.high)).all(axis=1)
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

    def _ways(self, c, begun):
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

    def _state(self, method, skip):
        # The method's own entries have other names.
        return dict(method) | {
            "kept": np.int64(self.found),
            "skip": np.int64(skip),
            "restarts": np.int64(self.restarts),
            "seen": np.array(sorted(self.seen), np.uint64),
        }


def explained(error: Unreachable, bands: Bands, scale: Scale, best, found: int) -> Unreachable:
    """The error with what was reached, what is natural, and what to change."""
    parts, kind = [], "natural" if scale.natural else "random codes'"
    columns = (bands, best, scale.z_mean, scale.z_sd, scale.flat)
    for band, reached, mean, sd, flat in zip(*columns, strict=True):
        parts.append(f"{band}: largest activation reached {reached:.4g}, {kind} mean {mean:.4g}")
        if not flat or scale.natural:
            parts[-1] += f", s.d. {sd:.4g}"
        if flat:
            parts[-1] += ", the same for all random codes: a dead unit, or one they do not reach"
    if len(bands) > 1 and not found:
        parts.append(_missed(bands, best))
    text = f"{error}; found {found}. {'; '.join(parts)}. Choose a range nearer to those values"
    text += ", other starting codes (--seed) or more --patience"
    kind = type(error)
    return kind(text, best, error.steps, found)


def _missed(bands: Bands, best: np.ndarray) -> str:
    """Which bands of an intersection no code was in: those whose lower end was never reached."""
    pairs = zip(bands, best, strict=True)
    missed = [str(band) for band, reached in pairs if not reached >= band.z1]  # or is NaN
    if missed:
        return f"never reached: {', '.join(missed)}"
    return "each lower end was reached, but never all ranges at once"
