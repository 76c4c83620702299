"""Runs of an experiment: ours and the rivals', into archives, with the same figures for all."""

from __future__ import annotations

import itertools
import pathlib
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_inverse import archive, metrics
from tf_inverse.archive import Samples
from tf_inverse.band import Band, Bands
from tf_inverse.baselines import activation_maximisation, ppgn, rejection, scoring
from tf_inverse.errors import Unreachable
from tf_inverse.experiments.ledger import Ledger, once
from tf_inverse.judging.judges import Judge
from tf_inverse.method.fidelity import settled
from tf_inverse.method.normalization import measure
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks import codes
from tf_inverse.run import figures, origin, record
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.method.normalization import Scale
    from tf_inverse.networks.networks import Networks


USUAL = 500
EXTREME = 3.0
"""An entry of a code is extreme so many standard deviations from its mean over random codes."""


@dataclass
class Lab:
    """A pair, where to put archives, and how large the runs are.

    Attributes:
        networks: `networks.Networks`.
        out: Folder.
        n: Samples of a run.
        K: Codes at a time.
        seed: Of every run.
        method: Of our runs, where a recipe does not say.
        judge: `judges.Judge` that knows nothing of the pair, or None.
        targets: The user's, or None.
        neurons: Most neurons of a recipe, or None for the recipe's own.
        precision: Of our search.
        beta: Step of our runs, or None for the method's own.
        diversity: Weight of diversity in our runs, likewise.
        patience: Of our runs, likewise.
        say: Called with a line for each run.
        runs: Names of the runs so far, which are those of their archives.
        ledger: Of the runs that are done, or None: every run is done, then.
    """

    networks: Any
    out: pathlib.Path
    n: int = 100
    K: int = 10
    seed: int = 0
    method: str = "renewal"
    judge: Judge | None = None
    targets: str | None = None
    neurons: int | None = None
    precision: str = "float32"
    beta: float | None = None
    diversity: float | None = None
    patience: int | None = None
    say: Any = print
    runs: set[str] = field(default_factory=set)
    ledger: Ledger | None = None

    def begin(self, name: str) -> str:
        """The name of a run that begins: another one than those of the runs before it.

        Targets that differ in their signs alone have one name, and a target may come twice.
        """
        numbered = (f"{name}-{again}" for again in itertools.count(2))
        free = next(one for one in itertools.chain([name], numbered) if one not in self.runs)
        self.runs.add(free)
        return free

    def settings(self, **options: Any) -> Settings:
        """Of a run: the lab's, with changes."""
        own: dict[str, Any] = {
            "n": self.n,
            "K": self.K,
            "seed": self.seed,
            "method": self.method,
            # What is compared are methods, each without a choice among what it finds.
            "starts": "random",
        }
        names = ("precision", "beta", "diversity", "patience")
        own |= {name: getattr(self, name) for name in names}
        return Settings(**own | options)

    @once
    def ours(
        self,
        name: str,
        bands: Iterable[Band],
        networks: Networks | None = None,
        scale: Scale | None = None,
        **options: Any,
    ) -> dict:
        """Our sampler.

        Args:
            name: Of the archive.
            bands: Neurons with their ranges.
            networks: In place of the lab's, with other starting codes.
            scale: `normalization.Scale`, where it is another's.
            **options: Fields of `Settings`.

        Returns:
            The figures of `figures`; `trouble` tells why there are fewer samples than asked.
        """
        bands = Bands(bands)
        networks = networks or self.networks
        settings = self.settings(**options).sized(networks.codes.size)
        settings, why = settled(networks, bands, settings)
        if why:
            self.say(f"{name}: {why}")
        scale = scale or measure(networks, bands.neurons)
        parts, steps, trouble, began = [], 0, None, time.monotonic()
        try:
            for batch in sample(networks, bands, settings, scale=scale):
                parts.append(batch.samples)
                steps = batch.info.steps
        except Unreachable as error:
            trouble, steps = str(error), max(steps, error.steps)
        seconds = time.monotonic() - began
        spent = {"steps": steps, "passes": steps * settings.K, "seconds": seconds}
        head = record.header(networks, bands, settings)
        work = {"method": settings.method, **spent}
        return self._store(name, head, bands, parts, scale, work, trouble)

    @once
    def ppgn(
        self, name: str, bands: Iterable[Band], passes: int, rule: ppgn.Rule = ppgn.CLASS
    ) -> dict:
        """PPGN, with at least as many network passes as ours, thinned evenly to n images."""
        bands = Bands(bands)
        scale = self._scale(bands)
        rule = rule._replace(unit=scoring.unit(scale))
        if not self._prior():
            rule = rule._replace(eps1=0.0)
        chains = max(1, -(-passes // rule.n_iters))
        neuron = bands[0].neuron
        found = ppgn.sample(
            self.networks, neuron, rule, chains=chains, seed=self.seed, K=min(self.K, chains)
        )
        return self._rival(name, "ppgn", bands, found, rule, scale)

    @once
    def ascent(self, name: str, bands: Iterable[Band], passes: int) -> dict:
        """Activation maximisation, with at least as many network passes as ours."""
        bands = Bands(bands)
        scale = self._scale(bands)
        rule = activation_maximisation.Rule(unit=scoring.unit(scale))
        starts = max(1, -(-passes // rule.n_iters))
        found = activation_maximisation.sample(
            self.networks, bands[0].neuron, rule, starts=starts, seed=self.seed, K=self.K
        )
        return self._rival(name, "activation maximisation", bands, found, rule, scale)

    @once
    def rejection(self, name: str, bands: Iterable[Band], passes: int) -> dict:
        """Rejection, with two draws (forward alone) for each of our passes (there and back)."""
        bands = Bands(bands)
        found = rejection.sample(self.networks, bands, draws=2 * passes, seed=self.seed)
        return self._rival(name, "rejection", bands, found, None, self._scale(bands))

    def _scale(self, bands: Bands) -> Scale:
        return measure(self.networks, bands.neurons)

    def _prior(self) -> bool:
        size = int(np.prod(self.networks.layer_shape(self.networks.encoder)))
        return size == self.networks.codes.size

    def _rival(
        self, name: str, method: str, bands: Bands, found: Iterable, rule: Any, scale: Scale
    ) -> dict[str, Any]:
        began, parts, passes = time.monotonic(), [], 0
        for samples, cost in found:
            parts.append(samples)
            passes += cost
        work = {"passes": passes, "seconds": time.monotonic() - began}
        settings = self.settings()
        options = {"store": "images", "n": self.n, "seed": self.seed} | (
            rule._asdict() if rule else {}
        )
        head = record.header(self.networks, bands, settings)
        head["name"] = f"{method}: {head['name']}"
        head["settings"] = options | {"method": method}
        return self._store(name, head, bands, parts, scale, {"method": method, **work}, None)

    def _store(
        self,
        name: str,
        head: dict[str, Any],
        bands: Bands,
        parts: list[Samples],
        scale: Scale,
        work: dict[str, Any],
        trouble: str | None,
    ) -> dict[str, Any]:
        row = {"neuron": describe(bands, self.networks), "archive": None, **work}
        if trouble:
            row["trouble"] = trouble
        parts = [p for p in parts if len(p.images)]
        self.say(f"{name}: {sum(len(p.images) for p in parts)} images, {work['seconds']:.1f} s")
        if not parts:
            return row | {"found": 0, "kept": 0, "in_range": 0}
        samples = Samples.joined(parts)
        row |= self.figures(samples, bands, scale)
        samples = samples.rows(metrics.evenly(np.arange(len(samples.images)), self.n))
        nature = figures.natural(self.networks, bands)
        row |= figures.summary(samples, bands, self.settings(), scale, nature)
        row |= inside(samples, bands)
        path = self.out / f"{name}.h5"
        head |= origin.told(self.networks.folder, path)
        with archive.Writer(path, head, overwrite=True, natural=nature) as writer:
            writer.append(samples, {})
            writer.finish(row)
        return row | {"archive": path.name}

    def figures(self, samples: Samples, bands: Iterable[Band], scale: Scale) -> dict:
        """Figures of all samples that `metrics.summary` has not.

        Returns:
            dict: kept, in_range_of_kept (share of all images kept); extreme, share of extreme
            entries of the codes; code_norm, mean norm of codes over that of random ones;
            saturated, share of pixel values that are 0 or 255, as in white spots; judge, share of
            images that the judge gives to the class, or None.
        """
        bands = Bands(bands)
        return {
            "kept": len(samples.images),
            "in_range_of_kept": float(
                metrics.in_range(samples.activations, bands.z1, bands.z2).mean()
            ),
            **self._codes(samples.codes),
            "saturated": float(np.isin(samples.images, (0, 255)).mean()),
            "judge": self._judged(samples.images, bands),
        }

    def _codes(self, c: Array) -> dict[str, float]:
        # The same for all runs; where codes are encoded noise they take longer than a short run.
        usual = self.networks.compiled(
            ("usual codes", USUAL), lambda: codes.draw(self.networks, USUAL, codes.generator(0, 6))
        )
        # Where codes are nearly always 0, as ReLU codes are, a small value is not extreme.
        sd = np.maximum(usual.std(axis=0), usual.std())
        extreme = np.abs(c - usual.mean(axis=0)) > EXTREME * sd
        norms = [float(np.linalg.norm(a, axis=1).mean()) for a in (c, usual)]
        return {"extreme": float(extreme.mean()), "code_norm": norms[0] / max(norms[1], 1e-12)}

    def _judged(self, images: Array, bands: Bands) -> float | None:
        layer = self.networks.labels and self.networks.labels.layer
        if self.judge is None or len(bands) > 1 or bands[0].neuron.layer != layer:
            return None
        return float(np.mean(self.judge.classes(images) == bands[0].neuron.unit))


def inside(samples: Samples, bands: Iterable[Band]) -> dict:
    """How different those images are that lie in range, the others left out.

    Returns:
        dict: found_in_range, their number; pair_distance_in_range, None for fewer than two.
    """
    bands = Bands(bands)
    e = samples.encodings[metrics.in_range(samples.activations, bands.z1, bands.z2)]
    distance = metrics.pair_distance(e) if len(e) > 1 else None
    return {"found_in_range": len(e), "pair_distance_in_range": distance}


def plain(bands: Iterable[Band]) -> str:
    """The targets as part of a file's name.

    >>> from tf_inverse.band import Band, Neuron
    >>> plain((Band(Neuron("top/fc8", 8), 9.5, 11.0),))
    'top-fc8-8-9.5-11'
    """
    return re.sub(r"[^\w.]+", "-", "-".join(map(str, bands)))


def describe(bands: Bands, networks: Networks) -> str:
    """The targets in a line, as `fc8:8 (ship) at 8 to 10`."""
    from tf_inverse.report import text

    told = [record.described(b, networks) for b in bands]
    return " and ".join(f"{text.neuron(t)}, {text.band(t)}" for t in told)
