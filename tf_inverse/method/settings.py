"""The settings of a run, with the defaults of each method."""

from __future__ import annotations

import dataclasses
import numbers
from dataclasses import dataclass
from typing import NamedTuple

from tf_inverse.compute.precision import PRECISIONS
from tf_inverse.errors import UsageError
from tf_inverse.method.rule import RULE
from tf_inverse.version import BEFORE


class Preset(NamedTuple):
    """The defaults of a method, and how long its steps are where no beta is given.

    Attributes:
        diversity: Weight of the diversity terms.
        patience: Steps or rounds without success after which a search is given up.
        length: Longest step of the code as a whole, in standard deviations of codes.
        longest: Longest step of one entry, which bounds beta for the smallest codes.
    """

    diversity: float
    patience: int
    length: float
    longest: float


# A new method has a row here and its maker of chunks in `sampler.METHODS`.
PRESETS = {
    "renewal": Preset(RULE.diversity, RULE.patience, RULE.length, RULE.beta),
    "paper": Preset(1.0, 10, 0.5, 0.1),
    "langevin": Preset(0.0, 10, 0.5, 0.1),
}
METHODS = tuple(PRESETS)
BOUNDS = ("both", "paper")
DISTANCES = ("encodings", "images", "codes", "none")
STARTS = ("random", "near", "auto")
COUNTS = ("n", "K", "samples_per_seed", "patience", "candidates", "chunk")
WHOLE = dict.fromkeys(COUNTS, 1) | {"seed": 0}
"""Settings that are whole numbers, and the smallest of each."""
REAL = {"beta": "> 0", "mu0": "> 0", "a": "> 0", "diversity": ">= 0", "quality": ">= 0"}
"""Settings that are other numbers, none of them infinite, and what they have to be."""
OPEN = ("beta", "candidates", "chunk", "quality")
"""Numbers that may be left out."""


@dataclass(frozen=True)
class Settings:
    """What a run is asked for; every field is a flag of `tf-inverse sample`.

    Attributes:
        n: Samples to draw.
        K: Codes at a time; `tf-inverse sample` takes auto by default: for renewal as many as pay
            and fit in the device's memory, else 10.
        seed: Of all random numbers.
        method: renewal, paper (section 3.4's seeds and walk), or langevin (rows with a law: the
            codes' own, conditioned on the range; docs/law.md).
        samples_per_seed: Renewal: samples that a row of the pool gives before it starts again from
            a fresh code.
        bound: both ends of the range, or paper (the lower one alone, as eqs. 7-10 print it).
        beta: Step in standard deviations of codes; by default what suits the method and the size of
            codes.
        mu0: First penalty weight.
        a: Paper: factor of the penalty weight after each round.
        diversity: Weight of the diversity terms, for renewal as among ten codes whatever K is; 0
            leaves them out (eq. 14). Each method has its default.
        patience: Renewal: steps after which a row without a sample starts again. Paper: rounds of
            100 steps after which the search for seeds ends. Each method has its default.
        optimizer: Name of a Keras optimizer in place of the normalised gradient step, as adam.
        precision: Of the search: float32, bfloat16, float16, or auto for what suits the machine.
            What is stored is decided in float32 whatever it is. Commands take auto by default, for
            speed; a program takes float32, which gives the same samples on machines of all kinds.
        distance: What is kept apart: encodings (eq. 5), images (eqs. 3-4), codes (eq. 13), or none
            (eq. 14).
        chunk: Codes in memory at a time, a divisor of K; all by default. With K = n it makes eq.
            15, all samples at once, bounded in memory for a third more work.
        starts: Renewal: random codes; near, natural codes whose activation is near the aim, where
            the network has natural codes (docs/method.md), and random ones elsewhere; or auto, near
            wherever that can be.
        candidates: Images in range that are found for each sample. Of several, those are kept that
            differ most and excite other units of the layer least. Left out, 2 where auto starts
            are near, else 1.
        quality: How much other units count in the choice among candidates: with 0 those that differ
            most are kept, with 0.2 images are truer and less varied. Left out, as much as makes
            samples excite other units as rarely as natural images in the range do, where the
            network stores such, and 0.05 elsewhere (docs/experiments.md).

    Raises:
        UsageError: A value that cannot be.
    """

    n: int = 200
    K: int = 10
    seed: int = 0
    method: str = "renewal"
    samples_per_seed: int = 1
    bound: str = "both"
    beta: float | None = None
    mu0: float = 10.0
    a: float = 10.0
    diversity: float | None = None
    patience: int | None = None
    optimizer: str | None = None
    precision: str = "float32"
    distance: str = "encodings"
    chunk: int | None = None
    starts: str = "auto"
    candidates: int | None = None
    quality: float | None = None

    def __post_init__(self) -> None:
        for name, names in (
            ("method", METHODS),
            ("bound", BOUNDS),
            ("precision", PRECISIONS),
            ("distance", DISTANCES),
            ("starts", STARTS),
        ):
            if getattr(self, name) not in names:
                raise UsageError(
                    f"expected {name} to be {' or '.join(names)}, got {getattr(self, name)!r}"
                )
        for name in ("diversity", "patience"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(PRESETS[self.method], name))
        if self.starts == "auto" and self.method != "renewal":
            object.__setattr__(self, "starts", "random")
        if self.candidates is None and self.starts != "auto":
            object.__setattr__(self, "candidates", 1)
        if self.distance == "none":
            object.__setattr__(self, "diversity", 0.0)
        self._make_plain()
        if self.chunk is not None and self.K % self.chunk:
            raise UsageError(f"expected chunk to divide K = {self.K}, got {self.chunk!r}")
        if self.method == "langevin":
            # What a chain tests has to be what is stored: half precision would change its law.
            if self.precision not in ("auto", "float32"):
                raise UsageError(
                    f"expected precision float32 for method langevin, whose law is that of what is "
                    f"stored, got {self.precision!r}"
                )
            object.__setattr__(self, "precision", "float32")
            if self.candidates != 1:
                raise UsageError(
                    "expected candidates 1 for method langevin, whose rows have a law that a "
                    f"choice would change, got {self.candidates}"
                )

    def _make_plain(self) -> None:
        """Checks the numbers, and makes plain ones of NumPy's, which archives do not hold as text.

        Raises:
            UsageError: A number that cannot be.
        """
        for name, low in WHOLE.items():
            value = getattr(self, name)
            if value is None and name in OPEN:
                continue
            whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
            if not whole or not low <= value < 2**63:
                raise UsageError(f"expected {name} to be a whole number >= {low}, got {value!r}")
            object.__setattr__(self, name, int(value))
        for name, form in REAL.items():
            value = getattr(self, name)
            if value is None and name in OPEN:
                continue
            real = isinstance(value, numbers.Real) and not isinstance(value, bool)
            if not real or not 0 <= value < float("inf") or (form == "> 0" and value == 0):
                raise UsageError(f"expected {name} {form}, got {value!r}")
            plain = value if isinstance(value, int) else float(value)
            object.__setattr__(self, name, plain)

    @property
    def sides(self) -> int:
        """Margins a neuron has: one for each end of its range that counts."""
        return 1 if self.bound == "paper" else 2

    def sized(self, d: int) -> Settings:
        """The settings for codes of d entries: with a step beta, where none was given.

        The longest step takes the code as a whole `Preset.length` standard deviations far, whatever
        its size. With one and the same step in every entry, a code of 4096 entries would be thrown
        from one side of its range to the other (`tools/dev/steps.py`).
        """
        if self.beta is not None:
            return self
        preset = PRESETS[self.method]
        return dataclasses.replace(self, beta=min(preset.longest, preset.length / d**0.5))

    def asdict(self) -> dict:
        """As plain values, for archives; what is as it was before it could be told is left out."""
        values = dataclasses.asdict(self)
        return {n: v for n, v in values.items() if n not in BEFORE or v != BEFORE[n]}
