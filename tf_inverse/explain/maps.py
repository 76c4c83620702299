"""Attribution maps of every sample of an archive, kept in the file beside it."""

from __future__ import annotations

import contextlib
import pathlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tf_inverse import npy
from tf_inverse.archive import side_file
from tf_inverse.archive.side_file import ATTRIBUTION, RESIDUAL
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.explain import attribution
from tf_inverse.networks import codes, repeats
from tf_inverse.report import text
from tf_inverse.version import versions

if TYPE_CHECKING:
    from tf_inverse.archive import Archive
    from tf_inverse.band import Neuron
    from tf_inverse.networks.networks import Networks
    from tf_inverse.tensors import Array

METHODS = ("integrated_gradients", "smoothgrad", "occlusion")
# The method whose pixels sum to a known number.
COMPLETE = METHODS[0]
# What stands for "nothing there", as a value of every channel.
BASELINES = {"grey": 127.5, "black": 0.0, "white": 255.0}
# Of the largest activation: another machine adds in another order.
DEVIATION = 1e-4


class Outcome(NamedTuple):
    """How an explanation went.

    Attributes:
        done: Samples that have maps now.
        samples: Samples of the archive.
        residual: Largest residual of integrated gradients, as a share of f(image) - f(baseline);
            None where that method was not asked for.
        incomplete: Samples and neurons whose residual is above `attribution.TOLERANCE`.
        path: The side file.
    """

    done: int
    samples: int
    residual: float | None
    incomplete: int
    path: pathlib.Path


def explain(
    archive: Archive,
    networks: Networks,
    neurons: tuple[Neuron, ...],
    methods: Sequence[str] = METHODS,
    baseline: str = "grey",
    seed: int = 0,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Computes the maps of every sample and puts them beside the archive.

    What is there of the same question is gone on with, and other methods' maps are kept; maps of
    another baseline, seed or network are replaced.

    Args:
        archive: Finished, with images.
        networks: Those that it was drawn with.
        neurons: Its p targets.
        methods: Of `METHODS`.
        baseline: One of `BASELINES`.
        seed: Of SmoothGrad's noise.
        stopped: Asked after every sample; where it says yes, what is done is kept.
        progress: Told after every sample how many are done, of how many.

    Raises:
        UsageError: An unknown method or baseline, or an archive of vectors or without images,
            or networks that give others each time.
        RefusedInput: Its activations are not what the networks give.
    """
    methods = _checked(archive, methods, baseline)
    repeats.expect_neurons(networks, neurons, attribution.ROWS)
    facts = {
        "baseline": baseline,
        "seed": seed,
        "targets": [text.asked(target) for target in archive.targets],
        "checksums": dict(networks.checksums),
        "versions": versions(),
    }
    n, p, (height, width) = len(archive), len(neurons), archive.images.shape[1:3]
    earlier = _earlier(archive.path, facts, (n, p, height, width))
    # Several methods go on together, from the sample up to which all of them came.
    done = min(earlier.done.get(name, 0) for name in methods)
    with (
        tempfile.TemporaryDirectory(dir=archive.path.parent, prefix=".explain-") as folder,
        contextlib.ExitStack() as stack,
    ):
        # On disk, since the maps of a large archive do not fit in memory.
        names = tuple(dict.fromkeys((*earlier.done, *methods)))
        paths = {name: pathlib.Path(folder) / f"{name}.npy" for name in names}
        rows = {}
        for name, path in paths.items():
            rows[name] = npy.Rows(path, np.float32, (n, p, height, width))
            stack.callback(rows[name].close)
            for i in range(earlier.done.get(name, 0)):
                rows[name].put(i, earlier.arrays[name][i])
        residual = np.zeros((n, p), np.float32)
        if RESIDUAL in earlier.arrays:
            residual[:] = earlier.arrays[RESIDUAL][:]
        reader = attribution.Reader(networks, neurons)
        ground = np.full(archive.images.shape[1:], BASELINES[baseline], np.float32)
        while done < n and not stopped():
            image = archive.images[done].astype(np.float32)
            _same(archive, done, reader.activations(image[np.newaxis])[0])
            for name in methods:
                found = _map(name, reader, image, ground, seed, done)
                rows[name].put(done, found.maps)
                if name == COMPLETE:
                    residual[done] = found.residual
            done += 1
            progress(done, n)
        # A method that was further on before a stop keeps its maps.
        counts = earlier.done | {name: max(done, earlier.done.get(name, 0)) for name in methods}
        facts["done"] = counts
        stack.close()
        arrays = {name: npy.mapped(path) for name, path in paths.items()}
        path = side_file.put(archive.path, ATTRIBUTION, arrays | {RESIDUAL: residual}, facts)
    residual = residual[: done if COMPLETE in methods else 0]
    return Outcome(
        done,
        n,
        float(residual.max(initial=0.0)) if COMPLETE in methods else None,
        int((residual > attribution.TOLERANCE).sum()),
        path,
    )


def _checked(archive: Archive, methods: Sequence[str], baseline: str) -> tuple[str, ...]:
    methods = tuple(dict.fromkeys(methods))
    unknown = [name for name in methods if name not in METHODS]
    if unknown or not methods:
        raise UsageError(
            f"expected --methods of {', '.join(METHODS)}, got {', '.join(unknown) or 'none'}"
        )
    if baseline not in BASELINES:
        raise UsageError(f"expected --baseline={' or '.join(BASELINES)}, got {baseline!r}")
    if not archive.complete:
        raise UsageError(f"expected a finished archive, {archive.path} is of a run in progress")
    if archive.images is None or archive.images.dtype != np.uint8:
        raise UsageError(f"expected an archive of images, {archive.path} holds vectors")
    return methods


class _Earlier(NamedTuple):
    """Maps that an earlier call left: of how many samples by each method, and the arrays."""

    done: dict[str, int]
    arrays: Mapping[str, Any]


def _earlier(path: pathlib.Path, facts: dict[str, Any], shape: tuple[int, ...]) -> _Earlier:
    """The maps beside an archive that answer the same question; none where they answer another."""
    section = side_file.sections(path).get(ATTRIBUTION)
    if section is None or {k: v for k, v in section.facts.items() if k != "done"} != facts:
        return _Earlier({}, {})
    done, shapes = section.facts.get("done"), {k: v.shape for k, v in section.arrays.items()}
    if (
        not isinstance(done, dict)
        or shapes != dict.fromkeys(done, shape) | {RESIDUAL: shape[:2]}
        or not all(isinstance(i, int) and 0 <= i <= shape[0] for i in done.values())
    ):
        raise RefusedInput(
            f"{side_file.beside(path)}: expected maps of shape {list(shape)} and how many samples "
            "they are of; remove it to have them made again"
        )
    return _Earlier(done, section.arrays)


def _same(archive: Archive, row: int, z: Array) -> None:
    """Refuses an archive whose stored activations of a row are not the z that the network gives."""
    stored = archive.activations[row]
    within = DEVIATION * max(1.0, float(np.abs(stored).max()))
    if not np.abs(stored - z).max() <= within:  # or is no number
        raise RefusedInput(
            f"{archive.path}: expected row {row} to score {_numbers(stored)} as it is stored, the "
            f"network gives {_numbers(z)}; tf-inverse verify tells more"
        )


def _numbers(z: Array) -> str:
    return ", ".join(f"{value:.6g}" for value in z)


def _map(
    name: str, reader: attribution.Reader, image: Array, ground: Array, seed: int, row: int
) -> attribution.Attribution:
    if name == "smoothgrad":
        # A sample's noise depends on its row alone, so that a stop in between changes nothing.
        return attribution.smoothgrad(reader, image, ground, codes.generator(seed, 9, row))
    if name == "occlusion":
        return attribution.occlusion(reader, image, ground)
    return attribution.integrated_gradients(reader, image, ground)
