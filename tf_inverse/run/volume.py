"""How large the inverse set is: the probability of the bands, told as one in so many images."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tf_inverse import band
from tf_inverse.caffe import published
from tf_inverse.compute import device as devices
from tf_inverse.errors import Unreachable, UsageError
from tf_inverse.method.kernel import Kernel
from tf_inverse.method.normalization import measure
from tf_inverse.method.settings import Settings
from tf_inverse.method.splitting import Stage
from tf_inverse.method.volume import BATCH, PARTICLES, Splitting, unreached
from tf_inverse.report import text
from tf_inverse.run import signals
from tf_inverse.run.climb import Climb, Stopped

if TYPE_CHECKING:
    from tf_inverse.method.normalization import Scale
    from tf_inverse.networks.networks import Networks

FEWEST = 100
FAMILIES = 10
"""First draws with descendants from which a variance can be told well."""


@dataclass(frozen=True)
class Volume:
    """How probable bands are under the law of a pair's codes.

    Attributes:
        probability: Of the bands.
        low: Lower end of the 90 % interval.
        high: Upper end.
        passes: Network passes of `BATCH` codes that it took.
        families: First draws that the codes in the bands descend from; of fewer than `FAMILIES` the
            interval is rough.
        law: Of the codes, for people.
        curve: Of a single target: pairs of an activation and the probability to reach it.
        side: "above", "below", or None where there is no curve: which side of it counts as reached.
    """

    probability: float
    low: float
    high: float
    passes: int
    families: int
    law: str
    curve: list[tuple[float, float]]
    side: str | None

    def figures(self) -> dict:
        """What a summary of an archive says of it."""
        return {
            "probability": self.probability,
            "probability_low": self.low,
            "probability_high": self.high,
        }


def estimate(
    networks: Networks,
    bands: band.Bands,
    seed: int = 0,
    particles: int = PARTICLES,
    scale: Scale | None = None,
    watch: Callable[[Stage | None, int], None] = lambda stage, passes: None,
) -> Volume:
    """The probability of the bands under the law of the codes, by splitting.

    Args:
        networks: `networks.Networks`.
        bands: Neurons with their ranges; several mean their intersection.
        seed: Of all random numbers.
        particles: Codes that are split, rounded up to whole batches.
        scale: From `normalization.measure`, where it was measured already.
        watch: Called after every network pass and level with the last stage, or None, and the
            passes; may raise to stop.

    Raises:
        Unreachable: The bands are less probable than the splitting can tell; `best` and the message
            say how far it came.
    """
    _enough(particles)
    scale = scale or measure(networks, bands.neurons)
    kernel = Kernel(networks, bands, Settings(seed=seed), scale)
    stage: Stage | None = None
    splitting = Splitting(kernel, particles, lambda passes: watch(stage, passes))
    for stage in splitting.stages():
        watch(stage, splitting.passes)
    assert stage is not None, "a splitting has a first stage at least"
    if stage.lost:
        reached = ", ".join(f"{b}: {z:.4g}" for b, z in zip(bands, splitting.best, strict=True))
        raise Unreachable(
            f"{unreached(stage)}; nearest activation reached by {splitting.passes} passes of "
            f"{BATCH} codes: {reached}. Choose a range nearer to it",
            splitting.best,
            splitting.passes,
        )
    low, high = stage.interval
    side = ("above" if stage.curve[-1][0] > stage.curve[0][0] else "below") if stage.curve else None
    return Volume(
        stage.probability,
        low,
        high,
        splitting.passes,
        stage.families,
        kernel.law.text,
        stage.curve,
        side,
    )


def _enough(particles: int) -> None:
    if particles < FEWEST:
        raise UsageError(f"expected --particles of at least {FEWEST}, got {particles}")


def told(volume: Volume) -> str:
    """The estimate in words, a line or two."""
    lines = [text.share_of_images(volume.figures())]
    if volume.families < FAMILIES:
        lines.append(
            f"rough: all codes in the range descend from {volume.families} first draws; more "
            "--particles tell it better"
        )
    return "\n".join(lines)


def as_dict(volume: Volume) -> dict:
    """What `--json` prints."""
    # Of codes whose activation is no number the curve has -inf, which JSON does not know.
    points = [list(point) for point in volume.curve if math.isfinite(point[0])]
    curve = {"side": volume.side, "points": points}
    return {
        "probability": volume.probability,
        "low": volume.low,
        "high": volume.high,
        "passes": volume.passes,
        "batch": BATCH,
        "families": volume.families,
        "codes": volume.law,
        "curve": curve if volume.side else None,
    }


def measured(
    networks: Networks, bands: band.Bands, seed: int, scale: Scale, stop: signals.Stop
) -> dict:
    """Figures of the volume for a run's summary; none where it is too small to be estimated.

    Raises:
        KeyboardInterrupt: `stop` asked for the end.
    """
    with Climb(stop) as climb:
        try:
            return estimate(networks, bands, seed, scale=scale, watch=climb.show).figures()
        except Stopped:
            raise KeyboardInterrupt(climb.told()) from None
        except Unreachable as error:
            print(f"no volume: {error}", file=sys.stderr)
            return {}


def command(
    network: str,
    targets: str | None,
    *,
    particles: int,
    seed: int,
    device: str,
    trust: bool,
    as_json: bool,
) -> int:
    """`tf-inverse volume`: see tools/volume.py for the arguments; returns the exit code."""
    Settings(seed=seed)  # refuses before TensorFlow takes time to start
    _enough(particles)
    devices.choose(device)
    networks = published.load(network, trust)
    targets = networks.default if targets is None else targets
    if targets is None:
        raise UsageError(f"expected --targets={band.FORM}: network {network} names no default")
    bands = band.parse(targets, networks)
    with signals.deferred(lambda text: print(text, file=sys.stderr)) as stop, Climb(stop) as climb:
        try:
            volume = estimate(networks, bands, seed, particles, watch=climb.show)
        except Stopped:
            print(f"stopped: {climb.told()}", file=sys.stderr)
            return stop.exit_code
    if as_json:
        names = {"network": networks.name, "targets": [str(one) for one in bands]}
        print(json.dumps(names | as_dict(volume)))
    else:
        print(f"{' & '.join(map(str, bands))} of {networks.name}\n{told(volume)}")
    return 0
