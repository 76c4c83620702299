"""The numbers of renewal, each with its reason; docs/algorithm.md names the lines that use them."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """All numbers of renewal; a run's settings replace those that are flags.

    Attributes:
        beta: Largest step of an entry of a code, in standard deviations of codes. The default is
            the one for the smallest codes; `Settings.sized` makes it smaller for larger codes, so
            that the code as a whole moves `length` standard deviations.
        diversity: Weight of the terms that keep samples apart, as among `company` rows.
        mu0: First penalty weight of a row, the paper's mu_0 (section 3.4).
        growth: Factor of the penalty weight after each step. A hundred steps multiply the weight
            by about 130, where the paper multiplies it by ten.
        damping: Share of the way that multipliers go to their next value in one step. The paper
            updates them after a hundred steps, when its search has settled; a row never settles.
        width: w, how near to its aim a row has to come, as a share of the band.
        shortest: Smallest share of beta. A row steps shorter as it nears its aim.
        patience: Steps after which a row without a sample starts again.
        stall: Steps without coming nearer after which a row starts again, long before patience
            ends: an image that is white or black all over has no gradient that helps.
        samples_per_seed: Samples that a row gives before it starts from a fresh code. One gives
            the most different samples; infinitely many would be the paper's walk.
        nearer: What is left of the way must shrink to this share to count as coming nearer.
        company: Rows for which the weight of diversity is stated, the paper's K.
        length: Longest step of the code as a whole, in standard deviations of codes. A length of 2
            needs about 13 % fewer steps, but its samples stay nearer to where they began, and
            an independent judge gives fewer of them to the class (docs/speed.md).
        steps: Gradient steps that the compiled loop takes before it hands back samples.
    """

    beta: float = 0.2
    diversity: float = 0.05
    mu0: float = 10.0
    growth: float = 1.05
    damping: float = 0.1
    width: float = 0.15
    shortest: float = 0.15
    patience: int = 300
    stall: int = 20
    samples_per_seed: int = 1
    nearer: float = 0.9
    company: int = 10
    length: float = 4.0
    steps: int = 10


RULE = Rule()
