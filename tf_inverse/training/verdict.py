"""What `train check` found of all neurons together: means, and sentences."""

from __future__ import annotations

import numpy as np

from tf_inverse.training.answers import FIRST

NATURE = "natural images in range"


def means(rows: list[dict]) -> dict:
    """The figures of all neurons together, for each range and judge.

    Args:
        rows: From `evaluation.samples`.

    Returns:
        By range: neurons; reached, how many of them have samples; "vendi of nature or more", how
        many have samples as diverse as nature by the Vendi score of order 1; and judges, by name:
        the mean of each share, over the neurons that have it.
    """
    found = {}
    for range_ in dict.fromkeys(row["range"] for row in rows):
        here = [row for row in rows if row["range"] == range_]
        reached = [row for row in here if row["n"]]
        diverse = sum(row["vendi"] >= row["vendi_natural"] for row in reached)
        told: dict = {}
        for row in here:
            for judge, shares in row["judges"].items():
                for kind, share in shares.items():
                    told.setdefault(judge, {}).setdefault(kind, []).append(share)
        found[range_] = {"neurons": len(here), "reached": len(reached)} | {
            "vendi of nature or more": diverse,
            "judges": {
                judge: {kind: float(np.mean(one)) for kind, one in shares.items()}
                for judge, shares in told.items()
            },
        }
    return found


def words(figures: dict) -> list[str]:
    """What each judge says in sentences: of images and G(E(x)), and of samples in each range.

    Args:
        figures: From `evaluation.reconstructions`, with `means`. Of more than `FIRST` classes the
            shares are those of a judge's first `FIRST` choices.
    """
    said = [
        f"the classifier's class on G(E(x)) is that on x for {figures['agreement']:.1%} of the "
        f"test images; {figures['accuracy']:.1%} of them are given to their class"
    ]
    for judge, told in figures["judges"].items():
        end = f"_top{FIRST}" if f"accuracy_top{FIRST}" in told else ""
        among = f" (first {FIRST} choices)" if end else ""
        x, again = told[f"accuracy{end}"], told[f"on_generated{end}"]
        said.append(f"{judge}{among}: of x {x:.1%}, of G(E(x)) {again:.1%}{_over(again, x)}")
        for range_, mean in figures["means"].items():
            shares = mean["judges"].get(judge, {})
            nature, drawn = shares.get(NATURE + end), shares.get(f"samples{end}")
            if nature is not None and drawn is not None:
                said.append(
                    f"{judge}{among}, {range_}: of natural images {nature:.1%}, of samples "
                    f"{drawn:.1%}{_over(drawn, nature)}"
                )
    said += [
        f"{range_}: {mean['reached']} of {mean['neurons']} neurons reached, "
        f"{mean['vendi of nature or more']} with nature's Vendi score or more"
        for range_, mean in figures["means"].items()
    ]
    return said


def _over(share: float, whole: float) -> str:
    return f", {share / whole:.2f} of it" if whole else ""
