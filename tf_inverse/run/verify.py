"""Whether an archive is what it says: every stored image is scored again, from its bytes."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tf_inverse import archive as archives
from tf_inverse.band import Band, Bands
from tf_inverse.directions import Direction
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.neuron import Neuron, linear, placed
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks


# Of the largest activation or encoding: float32 sums in another order, on another machine.
TOLERANCE = 1e-4
BATCH = 64


class Verification(NamedTuple):
    """What was found.

    Attributes:
        samples: Images scored.
        asked: Samples that the run was asked for.
        in_range: Share of images whose activations, scored again, lie in every range.
        deviation: Largest difference from a stored activation.
        encoding_deviation: Largest difference from a stored encoding.
        duplicates: Images that are equal to an earlier one.
        problems: What does not hold, a line each; empty where all holds.
    """

    samples: int
    asked: int
    in_range: float
    deviation: float
    encoding_deviation: float
    duplicates: int
    problems: tuple[str, ...]


def verify(archive: archives.Archive, networks: Networks) -> Verification:
    """Scores every stored image again, in float32.

    Args:
        archive: From `archive.open`; one that stores codes must have been given `render`.
        networks: `networks.Networks` that it says it is of.

    Raises:
        RefusedInput: The archive does not fit these networks, or is damaged.
        UsageError: A target names a layer that the networks do not have.
    """
    targets = bands(archive, networks)
    encodings = (math.prod(networks.layer_shape(networks.encoder)),)
    for name, stored, made in (
        ("images", archive.images.shape[1:], tuple(networks.image_shape)),
        ("encodings", archive.encodings.shape[1:], encodings),
    ):
        if stored != made:
            shapes = f"{name} of shape {list(stored)}, not {list(made)}"
            _refuse_others(archive, networks, shapes)
            raise RefusedInput(f"{archive.path}: {shapes} as {networks.name} makes them")
    found = _Findings(archive, targets)
    neurons = targets.neurons
    for start in range(0, len(archive), BATCH):
        images = archive.images[start : start + BATCH]
        found.add(start, images, *networks.score(images, neurons, batch=BATCH))
    return found.verification(networks)


def bands(archive: archives.Archive, networks: Networks) -> Bands:
    """The archive's targets as bands of the networks.

    Raises:
        UsageError: A layer, unit or position that the networks do not have.
        RefusedInput: Likewise, and they are not the networks that the archive was drawn with.
    """
    try:
        return Bands(
            _band(target, networks, archive.directions.get(i))
            for i, target in enumerate(archive.targets)
        )
    except UsageError as error:
        _refuse_others(archive, networks, str(error))
        raise


def _band(target: dict, networks: Networks, values: Array | None = None) -> Band:
    at, unit = target.get("at"), target["unit"]
    if values is not None:
        unit = Direction(target["direction"]["name"], values)
    elif "direction" in target:
        raise UsageError(
            f"expected the direction of {target['text']}, which an archive holds from its first "
            "batch on: begin this run again with the command that began it"
        )
    at = tuple(at) if isinstance(at, list) else at
    neuron = Neuron(target["layer"], unit, at)
    neuron = linear(placed(neuron, networks.layer_shape(neuron.layer)), networks)
    return Band(neuron, target["z1"], target["z2"])


class _Findings:
    """What a verification has found in the batches so far."""

    def __init__(self, archive: archives.Archive, targets: Bands):
        self.archive = archive
        self.low, self.high = targets.z1, targets.z2
        if archive.settings.get("bound") == "paper":  # which bounds activations from below only
            self.high = np.full_like(self.high, np.inf)
        self.seen: set[bytes] = set()
        self.inside = 0
        self.z, self.e = _Deviation(), _Deviation()

    def add(self, start: int, images: np.ndarray, e: np.ndarray, z: np.ndarray) -> None:
        stored_e = self.archive.encodings[start : start + len(images)]
        self.e.add(stored_e, e)
        self.z.add(self.archive.activations[start : start + len(images)], z)
        self.inside += int(((z >= self.low) & (z <= self.high)).all(axis=1).sum())
        self.seen.update(hashlib.blake2b(image.tobytes()).digest() for image in images)

    def verification(self, networks: Networks) -> Verification:
        n = len(self.archive)
        share = self.inside / n if n else 1.0
        duplicates = n - len(self.seen)
        problems = [
            (share < 1, f"{n - self.inside} of {n} images are out of range"),
            (not self.z.small(), f"activations differ by up to {self.z.largest:.3g}"),
            (not self.e.small(), f"encodings differ by up to {self.e.largest:.3g}"),
            (duplicates, f"{duplicates} images are stored more than once"),
            *((True, line) for line in _other_files(self.archive, networks)),
        ]
        lines = tuple(line for wrong, line in problems if wrong)
        return Verification(
            n, self.archive.asked, share, self.z.largest, self.e.largest, duplicates, lines
        )


class _Deviation:
    """Largest difference of two arrays, and largest value to measure it by."""

    def __init__(self) -> None:
        self.largest, self.scale = 0.0, 0.0

    def add(self, stored: np.ndarray, now: np.ndarray) -> None:
        if stored.size:
            # Python's max would leave out what is not a number; NumPy's keeps it.
            self.largest = float(np.maximum(self.largest, np.abs(stored - now).max()))
            self.scale = float(np.maximum(self.scale, np.abs(now).max()))

    def small(self) -> bool:
        return math.isfinite(self.largest) and self.largest <= TOLERANCE * self.scale


def _refuse_others(archive: archives.Archive, networks: Networks, seen: str) -> None:
    """Says so where the networks are not those that an archive was drawn with.

    Args:
        archive: The archive.
        networks: `networks.Networks` that do not fit it.
        seen: What does not fit.
    """
    if others := _other_files(archive, networks):
        more = f", and {len(others) - 1} more files" if len(others) > 1 else ""
        raise RefusedInput(
            f"expected the network {archive.network!r} that {archive.path} was drawn with, got "
            f"{networks.name!r}: {others[0]}{more} ({seen})"
        )


def _other_files(archive: archives.Archive, networks: Networks) -> list[str]:
    """Files of the networks whose checksum is not the archive's."""
    ours, theirs = networks.checksums, archive.checksums
    return [
        f"{name}: sha256 {theirs.get(name, 'absent')!s:.12} in the archive, "
        f"{ours.get(name, 'absent')!s:.12} in {networks.name}"
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    ]


def render(networks: Networks, codes: np.ndarray) -> np.ndarray:
    """Images of codes as the sampler makes them: what an archive of codes leaves out.

    Args:
        networks: `networks.Networks`.
        codes: [n, d] float32.

    Returns:
        [n, H, W, C] uint8.
    """
    parts = [np.zeros((0, *networks.image_shape), np.uint8)]
    for start in range(0, len(codes), BATCH):
        part = codes[start : start + BATCH]
        filled = np.concatenate([part, np.zeros((BATCH - len(part), part.shape[1]), part.dtype)])
        x = networks.decode(filled).numpy()
        # In NumPy, beside `networks.stored_image`: a verifier has an opinion of its own.
        parts.append(np.rint(np.clip(x[: len(part)], 0, 255)).astype(np.uint8))
    return np.concatenate(parts)
