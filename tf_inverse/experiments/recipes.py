"""The paper's table and figures as recipes: what is run, in which order, and what it should show.

Each takes a `runner.Lab` and returns an `Outcome`. A claim is checked on the rows and told as it
came out; `holds` is None where the run cannot tell.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tf_inverse.band import Band, Bands
from tf_inverse.baselines import ppgn
from tf_inverse.experiments import neurons, size
from tf_inverse.experiments.runner import Lab, plain
from tf_inverse.method.normalization import measure
from tf_inverse.networks import codes, natural, yardstick
from tf_inverse.run import ranges

if TYPE_CHECKING:
    from tf_inverse.method.normalization import Scale
    from tf_inverse.networks.networks import Networks


RATIO = 1.2
KEPT = 0.9
COLLAPSED = 0.3
JITTER = 0.01
AT_ONCE = 100
PATIENCE = 5


class Claim(NamedTuple):
    """A sentence, whether it holds (None: cannot tell), and the figures it rests on."""

    text: str
    holds: bool | None
    figures: str


class Outcome(NamedTuple):
    """What came out: title, what was done, a row a run, and claims."""

    title: str
    text: str
    rows: list[dict[str, Any]]
    claims: list[Claim]


def _two(a: float, b: float) -> str:
    return f"{a:.3g} against {b:.3g}"


def _beside_ppgn(lab: Lab, bands: Bands, rule: ppgn.Rule = ppgn.CLASS) -> list[dict]:
    """Ours and PPGN at equal passes, with ratios of their mean pair distances.

    `ratio` is to all of PPGN's images, as in the paper; `ratio_in_range` to those in range.
    """
    label = plain(bands)
    ours = lab.ours(f"{label}-{lab.method}", bands)
    rival = lab.ppgn(f"{label}-ppgn", bands, ours["passes"], rule)
    for ratio, key in (("ratio", "pair_distance"), ("ratio_in_range", "pair_distance_in_range")):
        if ours.get(key) and rival.get(key):
            ours[ratio] = ours[key] / rival[key]
    return [ours, rival]


def table1(lab: Lab) -> Outcome:
    """Ten class neurons: mean pair distance beside PPGN's."""
    rows = []
    for target in neurons.classes(lab.networks, lab.targets, lab.neurons, 10):
        rows += _beside_ppgn(lab, Bands([target]))
    ours, count = rows[::2], len(rows[::2])
    # A neuron of which one of the two found no images, or one alone, has no ratio.
    ratios = [row["ratio"] for row in ours if "ratio" in row]
    known = [row["ratio_in_range"] for row in ours if "ratio_in_range" in row]
    counts = [row.get("found_in_range", 0) for row in rows[1::2]]
    shares = [row["in_range"] for row in ours if row["found"]] or [0.0]
    theirs = [row.get("in_range_of_kept", 0.0) for row in rows[1::2]]
    claims = [
        Claim(
            f"mean pair distance at least {RATIO} times PPGN's for each neuron",
            len(ratios) == count and min(ratios) >= RATIO,
            _enough(ratios, count),
        ),
        Claim(
            f"at least {RATIO} times that of PPGN's images in range",
            _all(known, count),
            f"{_enough(known, count)}; of {min(counts)} to {max(counts)} images of PPGN's",
        ),
        Claim(
            "every image of ours in range, few of PPGN's",
            min(shares) == 1 and max(theirs) < 1,
            f"ours {100 * min(shares):.0f} %; PPGN {100 * min(theirs):.0f} to "
            f"{100 * max(theirs):.0f} %, {100 * np.mean(theirs):.0f} % on average",
        ),
    ]
    text = (
        "For each neuron our sampler, then PPGN with at least as many network passes: chains of "
        "200 steps with the flags of its script, step and bounds carried over to this pair's "
        "codes; every fifth image kept, thinned evenly to as many as ours."
    )
    return Outcome("Table 1: diversity beside PPGN", text, rows, claims)


def _all(known: Sequence[Any], count: int) -> Any:
    """Whether all `count` ratios are enough: None where those that are known cannot tell."""
    if any(ratio < RATIO for ratio in known):
        return False
    return True if len(known) == count else None


def _enough(ratios: Sequence[float], count: int) -> Any:
    if not ratios:
        return "no ratio"
    many = sum(r >= RATIO for r in ratios)
    span = f"ratios {min(ratios):.2f} to {max(ratios):.2f}"
    return f"{span}, {many} of {count} at least {RATIO}"


def figure1(lab: Lab) -> Outcome:
    """One class neuron from natural to extreme ranges."""
    first = neurons.single(lab.networks, lab.targets)
    rungs = ranges.rungs(lab.networks, str(first.neuron), 6)
    rows = [lab.ours(f"range-{i}", bands) for i, bands in enumerate(rungs, 1)]
    full = sum(row["found"] >= lab.n for row in rows)
    claims = [Claim("every range gives as many images as asked", full == len(rows), f"{full} of 6")]
    text = "Six adjacent ranges, from the natural median to half as far again as nature goes."
    return Outcome("Figure 1: ranges of one neuron", text, rows, claims)


def figure2(lab: Lab) -> Outcome:
    """Class neurons: ours and every rival."""
    rows = []
    for target in neurons.classes(lab.networks, lab.targets, lab.neurons, 2):
        bands = Bands([target])
        label = plain(bands)
        rows += _beside_ppgn(lab, bands)
        passes = rows[-2]["passes"]
        rows.append(lab.ascent(f"{label}-ascent", bands, passes))
        rows.append(lab.rejection(f"{label}-rejection", bands, passes))
    found = [(rows[i]["found"], rows[i + 3]["found"]) for i in range(0, len(rows), 4)]
    claims = [
        Claim(
            "more images in range than rejection finds with as much work",
            all(ours > theirs for ours, theirs in found),
            "; ".join(f"{ours} against {theirs}" for ours, theirs in found),
        )
    ]
    text = "Ours, PPGN, activation maximisation and rejection, each with the work that ours took."
    return Outcome("Figure 2: class neurons beside the rivals", text, rows, claims)


def figure3(lab: Lab) -> Outcome:
    """A hidden unit at two ranges, beside PPGN."""
    chosen = neurons.hidden(lab.networks, lab.targets)
    rows = [lab.ours(f"range-{i}", Bands([one])) for i, one in enumerate(chosen, 1)]
    # PPGN's script for hidden units runs chains of 1,000 steps, and resets them every 100.
    passes = max(row["passes"] for row in rows)
    rows.append(lab.ppgn("ppgn", Bands([chosen[-1]]), passes, ppgn.HIDDEN))
    claims = [_all_found(lab, rows[:-1])]
    text = "The most selective unit of the last convolution, high and at the end of nature's range."
    return Outcome("Figure 3: a hidden unit", text, rows, claims)


def _intersection(lab: Lab, chosen: Sequence[Band], title: str, text: str) -> Outcome:
    rows = [lab.ours(f"alone-{i}", Bands([one])) for i, one in enumerate(chosen, 1)]
    rows.append(lab.ours("together", Bands(chosen)))
    return Outcome(title, text, rows, [_all_found(lab, rows)])


def _all_found(lab: Lab, rows: list[dict[str, Any]]) -> Claim:
    full = sum(row["found"] >= lab.n for row in rows)
    text = "every inverse set gives as many images as asked, all in range"
    inside = all(row["in_range"] == 1 for row in rows)
    return Claim(text, full == len(rows) and inside, f"{full} of {len(rows)}")


def figure4(lab: Lab) -> Outcome:
    """Two class neurons, and their intersection."""
    chosen = neurons.together(lab.networks, lab.targets)
    text = "Two class neurons that nature excites together, each alone, then both at once."
    return _intersection(lab, chosen, "Figure 4: an intersection", text)


def figure5(lab: Lab) -> Outcome:
    """A class neuron and a hidden unit, in different layers, and their intersection."""
    chosen = neurons.across(lab.networks, lab.targets)
    text = "A class neuron and a hidden unit of another layer, each alone, then both at once."
    return _intersection(lab, chosen, "Figure 5: an intersection across layers", text)


def figure6(lab: Lab) -> Outcome:
    """Class neurons of another classifier: the paper's is Places205-CNN; here, what is given."""
    chosen = neurons.classes(lab.networks, lab.targets, lab.neurons, 2)
    rows = [lab.ours(f"neuron-{i}", Bands([one])) for i, one in enumerate(chosen, 1)]
    text = "The paper shows Places205-CNN here; this shows class neurons of the pair given."
    return Outcome("Figure 6: another classifier", text, rows, [_all_found(lab, rows)])


def figure7(lab: Lab) -> Outcome:
    """Eq. 13, distances between codes, beside eq. 5, by the paper's method."""
    rows, claims = [], []
    for target in neurons.classes(lab.networks, lab.targets, lab.neurons, 2):
        bands = Bands([target])
        label = plain(bands)
        for distance in ("encodings", "codes"):
            row = lab.ours(f"{label}-{distance}", bands, method="paper", distance=distance)
            rows.append(row | {"method": f"paper, distance between {distance}"})
        if all(row["found"] for row in rows[-2:]):
            claims += _eq13(label, *rows[-2:])
    text = "The paper's method twice from the same start: distances between encodings, then codes."
    return Outcome("Figure 7: eq. 13, distances between codes", text, rows, claims)


def _eq13(label: str, eq5: dict[str, Any], eq13: dict[str, Any]) -> list[Claim]:
    more = eq13["extreme"] > eq5["extreme"]
    claims = [
        Claim(
            f"{label}: eq. 13's codes have more extreme entries",
            more,
            f"{_two(eq13['extreme'], eq5['extreme'])} of all entries; norms "
            f"{_two(eq13['code_norm'], eq5['code_norm'])} times those of random codes",
        ),
        Claim(
            f"{label}: eq. 13's images have more values at 0 or 255",
            eq13["saturated"] > eq5["saturated"],
            _two(eq13["saturated"], eq5["saturated"]) + " of all values",
        ),
    ]
    known = eq5["judge"] is not None
    shares = _two(eq13["judge"], eq5["judge"]) if known else "no judge was given"
    worse = eq13["judge"] < eq5["judge"] if known else None
    text = f"{label}: the judge gives fewer of eq. 13's images to the class"
    return [*claims, Claim(text, worse, shares)]


def figure8(lab: Lab) -> Outcome:
    """Eq. 14, no diversity term, from one start; eq. 5 from the same."""
    target = Bands(neurons.single(lab.networks, lab.targets))
    scale = measure(lab.networks, target.neurons)
    one, rows = _one_start(lab, scale), []
    for name, distance in (("eq5", "encodings"), ("eq14", "none")):
        options = {"method": "paper", "distance": distance, "n": lab.K, "patience": PATIENCE}
        row = lab.ours(name, target, networks=one, scale=scale, **options)
        rows.append(row | {"method": f"paper, {name[:2]}. {name[2:]}"})
    claims = []
    if all(row["found"] > 1 for row in rows):
        far, near = (row["pair_distance"] / scale.e_distance for row in rows)
        text = f"eq. 14's seeds have at most {COLLAPSED} of eq. 5's mean pair distance"
        figures = f"{near / far:.2f} of it; {_two(near, far)} times random codes'"
        claims = [Claim(text, near <= COLLAPSED * far, figures)]
    text = (
        f"{lab.K} seeds of the paper's method from one code, moved by {JITTER} of a standard "
        f"deviation, since equal codes have no way to part."
    )
    return Outcome("Figure 8: eq. 14, no diversity term, from one start", text, rows, claims)


def _one_start(lab: Lab, scale: Scale) -> Networks:
    """The lab's networks with one code, a little moved, as all starting codes."""
    rng = codes.generator(lab.seed, 7)
    c = codes.draw(lab.networks, 1, rng)
    moved = c + JITTER * scale.c_sd * rng.standard_normal((1000, c.shape[1]), np.float32)
    bounds = lab.networks.codes.bounds
    nature = lab.networks.natural or natural.Natural(0, "", np.zeros(0), {})
    return dataclasses.replace(
        lab.networks,
        natural=dataclasses.replace(nature, bank=moved),
        codes=codes.Codes("bank", c.shape[1], bounds),
        yardstick=yardstick.of(lab.networks),
    )


def figure9(lab: Lab) -> Outcome:
    """Section 4.3: all n samples at once (eq. 15) beside the fast scheme, and renewal."""
    target = Bands(neurons.single(lab.networks, lab.targets))
    # A third more work, so only where all n at once would take much memory.
    chunk = lab.K if lab.n > AT_ONCE and lab.n % lab.K == 0 else None
    runs: tuple[tuple[str, dict[str, Any]], ...] = (
        ("eq. 15, all at once", {"method": "paper", "K": lab.n, "chunk": chunk}),
        ("seeds and walk", {"method": "paper"}),
        ("renewal", {"method": "renewal"}),
    )
    rows = []
    for i, (label, options) in enumerate(runs, 1):
        rows.append(lab.ours(f"scheme-{i}", target, **options) | {"method": label})
    claims, full = [], rows[0].get("pair_distance")
    for row in rows[1:]:
        if full and row.get("pair_distance"):
            text = f"{row['method']} keeps at least {100 * KEPT:.0f} % of eq. 15's pair distance"
            share = row["pair_distance"] / full
            claims.append(Claim(text, share >= KEPT, f"{100 * share:.0f} %"))
    if rows[1].get("vendi") and rows[2].get("vendi"):
        more = rows[2]["vendi"] > rows[1]["vendi"]
        figures = _two(rows[2]["vendi"], rows[1]["vendi"])
        claims.append(Claim("renewal's Vendi score is above the walk's", more, figures))
    if not rows[0]["found"]:
        claims.append(Claim("eq. 15 finds all n together", False, rows[0].get("trouble", "")))
    text = "The paper's method with K = n, which is eq. 15; with K codes and a walk; and renewal."
    return Outcome("Figure 9: section 4.3, the fast scheme", text, rows, claims)


def paper_size(lab: Lab) -> Outcome:
    """CaffeNet's size with random weights: time and steps alone."""
    rows = size.run(lab)
    text = (
        "CaffeNet and its fc6 generator with random weights: the images mean nothing, the time of "
        "a gradient step is that of the real networks."
    )
    return Outcome("The paper's size with random weights", text, rows, [])


RECIPES = {
    "table1": table1,
    "figure1": figure1,
    "figure2": figure2,
    "figure3": figure3,
    "figure4": figure4,
    "figure5": figure5,
    "figure6": figure6,
    "figure7": figure7,
    "figure8": figure8,
    "figure9": figure9,
    "size": paper_size,
}
