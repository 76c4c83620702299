"""The figures of a sample: what each is called, what it means, and how it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tf_inverse.report.text import in_columns, number, one_in

FIGURES = {
    "found": ("found", "samples in the archive"),
    "asked": ("asked", "samples asked for"),
    "in_range": ("in range", "share of samples whose stored image lies in every range"),
    "steps": ("steps", "gradient steps taken"),
    "seconds": ("seconds", "wall time of the run"),
    "pair_distance": ("pair distance", "mean distance of two samples' encodings"),
    "pair_distance_per_dimension": (
        "pair distance per dimension",
        "pair distance divided by the square root of the encoding's size",
    ),
    "nearest_distance": ("nearest distance", "mean distance to the most similar other sample"),
    "vendi": ("Vendi score", "effective number of different samples, from 1 to their number"),
    "vendi_count": ("samples scored", "samples that the Vendi score is of, 2,000 at most"),
    "vendi_profile": (
        "Vendi at 1/2, 1, 2, inf",
        "Vendi scores of the orders 1/2, 1, 2 and infinity: a low order counts what is rare, a "
        "high one what is most common",
    ),
    "natural": (
        "natural in range",
        "natural images in the same ranges that are compared with, at most as many as samples",
    ),
    "vendi_natural": ("Vendi of nature", "Vendi score of those natural images"),
    "vendi_natural_profile": (
        "Vendi of nature, at 1/2, 1, 2, inf",
        "Vendi scores of those natural images, of the same orders",
    ),
    "vendi_equal_count": (
        "Vendi of as many",
        "Vendi score of equally many of the samples: of random choices, the mean",
    ),
    "vendi_equal_count_profile": (
        "Vendi of as many, at 1/2, 1, 2, inf",
        "Vendi scores of equally many of the samples, of the same orders",
    ),
    "common": ("at one count", "samples of each archive in the next two rows"),
    "vendi_common": (
        "Vendi at that count",
        "the score of so many of the samples: of random choices, the mean",
    ),
    "vendi_common_profile": (
        "Vendi at that count, at 1/2, 1, 2, inf",
        "Vendi scores of so many of the samples, of the same orders",
    ),
    "ess": (
        "effective rows",
        "of chains with a law: how many independent samples would tell as much, by the worst of "
        "several statistics",
    ),
    "r_hat": ("R-hat", "how far those chains disagree, likewise; 1 where they do not"),
    "burn_in": (
        "burn-in",
        "steps of those chains before their first rows: the splitting that they start from, and a "
        "pilot",
    ),
    "apart": ("rounds apart", "rounds of moves between two rows of one of those chains"),
    "probability": (
        "one in",
        "how many images the generator draws from its codes for each that lies in every range",
    ),
    "agreement": (
        "judges agree",
        "share of samples that a judge gives to a class that stands for the neuron, the mean over "
        "judges; a sample that no judge gives to it may be true all the same, as a neuron is no "
        "class",
    ),
    "judges": ("judges", "classifiers that were asked (tf-inverse judge)"),
    "from_start": (
        "moved from start",
        "median distance of a code from the one its search began at, root mean square over "
        "entries, in standard deviations of codes",
    ),
    "unmoved": ("never moved", "samples that were in range at once: their code is a start"),
    "from_bank": (
        "from nearest start",
        "median distance of a code from the nearest encoding of the network's bank, likewise",
    ),
    "as_drawn": (
        "natural as drawn",
        "samples that are natural images as the generator draws them: their code is within 0.1 "
        "standard deviations of an encoding of the bank",
    ),
    "coverage": ("unevenness", "distance of the activations from an even spread; 0 is even"),
}
"""Key of metrics.summary -> (name in tables, what it means)."""

Figure: TypeAlias = "float | Sequence[float] | None"
"""What a figure may be: a number, several of them as a profile, or unknown."""

SHARES = ("in_range", "agreement")


def figure(key: str, value: Figure) -> str:
    """A figure of FIGURES as text: a share as a percentage, a profile as numbers in a row.

    >>> figure("in_range", 0.995), figure("vendi", 12.3456)
    ('99.5 %', '12.35')
    """
    if isinstance(value, Sequence):
        return " ".join(number(one, 3) for one in value)
    if key == "probability" and value:
        return one_in(value)
    if key in SHARES and value is not None:
        return f"{100 * value:.4g} %"
    return number(value)


def unfinished(found: int, asked: int, steps: int | None) -> dict[str, Figure]:
    """The figures that `--json` tells of a run without a finished archive, the others unknown."""
    told = {"found": found, "asked": asked, "steps": steps, "archive": None}
    return dict.fromkeys(FIGURES) | told


def known(columns: Mapping[str, Mapping[str, Figure]]) -> list[str]:
    """The keys of FIGURES that any of several columns of figures has, in their order."""
    return [
        key for key in FIGURES if any(figures.get(key) is not None for figures in columns.values())
    ]


def table(columns: Mapping[str, Mapping[str, Figure]]) -> str:
    """Metrics of several archives beside each other as text.

    Args:
        columns: dict of archive name -> dict of figures, keys as in FIGURES.

    Returns:
        Text with one line for each figure that any of them has.
    """
    rows = [["", *columns]]
    for key in known(columns):
        rows.append([FIGURES[key][0], *(figure(key, f.get(key)) for f in columns.values())])
    return in_columns(rows, left=1)
