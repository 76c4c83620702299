"""Who fills how much of a plane: the tables of docs/plane.md.

    python tools/dev/check_plane.py reach     one run against a separate intersection for each cell
    python tools/dev/check_plane.py rivals    against CMA-MEGA at equal passes (extra: rivals)

`--starts=random` and `--starts=near` say how our rows begin, in place of the default.

A pass takes one code through the networks, forward or back: a step of one of our rows costs two,
and every candidate that is scored again one more.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np

from tf_inverse.band import Band, Bands
from tf_inverse.caffe import published
from tf_inverse.errors import Unreachable
from tf_inverse.method.normalization import measure
from tf_inverse.method.plane import Search
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks import starts
from tf_inverse.run import plane

PLANES = (
    "fc8:ship, fc8:airplane",
    "fc8:ship@-3:25, fc8:airplane@-1:20",
    "fc8:cat@-2:20, fc8:frog@-2:20",
)
SIDE, K, PATIENCE, CELLS = 10, 50, 1500, 8


class Counted:
    """Networks that count the images which are scored."""

    def __init__(self, networks):
        self.networks, self.scored = networks, 0

    def __getattr__(self, name):
        return getattr(self.networks, name)

    def score(self, images, *rest, **more):
        """As `Networks.score`."""
        self.scored += len(images)
        return self.networks.score(images, *rest, **more)


def ours(networks, asked, scale, seed, how):
    """Cells of a plane that one run fills, and (passes, cells) after each batch."""
    counted, curve = Counted(networks), []
    settings = Settings(n=1, K=K, seed=seed, starts=how).sized(networks.codes.size)
    settings = starts.alone(networks, settings)
    search = Search(counted, asked.grid, asked.bands, settings, scale, 1, PATIENCE)
    for batch in search.run(None, None, None):
        curve.append((2 * K * batch.step + counted.scored, int((search.kept > 0).sum())))
    return search.kept > 0, curve


def planes(networks):
    """Each of `PLANES` with its plan and scale."""
    for targets in PLANES:
        asked = plane.plan(networks, targets, SIDE, SIDE, 1, PATIENCE)
        yield targets, asked, measure(networks, asked.bands.neurons)


def alone(networks, asked, cell, method, seed):
    """Whether a method of `sample` reaches a cell as an intersection of its own."""
    low, high = (ends[0] for ends in asked.grid.ends(np.array([cell])))
    ranges = zip(asked.bands.neurons, low.tolist(), high.tolist(), strict=True)
    bands = Bands(Band(*one) for one in ranges)
    try:
        for _ in sample(networks, bands, Settings(n=1, K=10, seed=seed, method=method)):
            pass
    except Unreachable:
        return False
    return True


def reach(networks, seeds, how):
    """Prints how many of the cells that any method reaches one run fills.

    Cells that it did not fill are tried one by one, `CELLS` of them chosen at random.
    """
    print("| plane | seed | filled | passes | others tried alone | of those reached | share |")
    print("|---|---|---|---|---|---|---|")
    for targets, asked, scale in planes(networks):
        for seed in range(seeds):
            filled, curve = ours(networks, asked, scale, seed, how)
            left = np.random.default_rng(seed).permutation(np.flatnonzero(~filled))[:CELLS]
            more = sum(
                any(alone(networks, asked, cell, method, seed) for method in ("renewal", "paper"))
                for cell in left
            )
            missed = more / max(1, len(left)) * np.sum(~filled)
            share = filled.sum() / (filled.sum() + missed)
            row = (targets, seed, filled.sum(), f"{curve[-1][0]:,}", len(left), more)
            print("|", " | ".join(map(str, row)), f"| {share:.1%} |", flush=True)


def rivals(networks, seeds, how):
    """Prints how many cells are filled at equal passes."""
    from tf_inverse.baselines import cma_mega

    print("| plane | seed | passes | ours | CMA-MEGA (Adam) | at ten times the passes | seconds |")
    print("|---|---|---|---|---|---|---|")
    for targets, asked, scale in planes(networks):
        for seed in range(seeds):
            filled, curve = ours(networks, asked, scale, seed, how)
            # What ours did after its last new cell was to make sure of the others.
            passes = next(spent for spent, cells in curve if cells == filled.sum())
            began, found = time.monotonic(), []
            for budget in (passes, 10 * passes):
                how = {"passes": budget, "seed": seed}
                got = cma_mega.fill(networks, asked.bands.neurons, asked.grid, scale, **how)
                found.append(len(got.samples.images))
            row = (targets, seed, f"{passes:,}", filled.sum(), *found)
            print("|", " | ".join(map(str, row)), f"| {time.monotonic() - began:.0f} |", flush=True)


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("reach", "rivals"))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--starts", default="auto")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    run = {"reach": reach, "rivals": rivals}[given.what]
    run(published.load("cifar10_layer"), given.seeds, given.starts)


if __name__ == "__main__":
    main()
