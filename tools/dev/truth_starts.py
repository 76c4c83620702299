"""How true what planes and exports draw is, by how rows begin: near natural codes, or at random.

    python tools/dev/strangers.py ../shared/data/judges_cifar10 JUDGES
    python tools/dev/truth_starts.py plane JUDGES/resnet44.keras ../shared/data/cifar10.h5
    python tools/dev/truth_starts.py export JUDGES/resnet44.keras ../shared/data/cifar10.h5

Nature is CIFAR-10's test images, the pair is the shipped one. `plane`: 10 x 10 cells of two class
neurons with three samples each. Believed is the share of samples to which the judge gives one of
the two classes, over that of natural images, as a mean over the cells that hold at least `LEAST`
natural images; the discrepancy is that of the judge's features from as many natural images of the
same cells (squared maximum mean discrepancy, as of tools/dev/hidden.py), and alike the mean
kernel of two samples of one cell, and of two natural images. `export`: ten class neurons, 30
samples each with K 10, by `sample` with codes from starts.npy, and by `draw`; believed and Vendi
scores are as of tools/dev/truth.py.
"""

from __future__ import annotations

import argparse
import pathlib
import tempfile

import hidden
import keras
import numpy as np
import tensorflow as tf
from truth import CLASSES, RANGES, N, Yardsticks

import tf_inverse
from tf_inverse import archive, export
from tf_inverse.networks import image_files
from tf_inverse.run import plane

PLANES = ("fc8:ship, fc8:airplane", "fc8:cat, fc8:frog")
SIDE, EACH, K, PATIENCE, LEAST = 10, 3, 50, 1500, 5
HOW = ("random", "near")


def alike(features, cells, width):
    """Mean kernel of two different rows of one cell."""
    found = []
    for cell in set(cells):
        mine = features[cells == cell]
        if len(mine) > 1:
            pairs = hidden.kernel(mine, mine, width)
            found.append(pairs[~np.eye(len(mine), dtype=bool)].mean())
    return np.mean(found)


def planes(networks, one, seed, folder):
    """Prints a row for each of `PLANES` and way to begin."""
    print("| plane | starts | cells filled | samples | steps | believed | discrepancy | alike |")
    print("|---|---|---|---|---|---|---|---|")
    for targets in PLANES:
        asked = plane.plan(networks, targets, SIDE, SIDE, EACH, PATIENCE)
        units = [band.neuron.unit for band in asked.bands]
        natural = asked.grid.cell_of(one.z[:, units])
        for how in HOW:
            out, n = folder / "plane.h5", SIDE * SIDE * EACH
            settings = tf_inverse.Settings(n=n, K=K, seed=seed, starts=how)
            outcome = plane.fill(networks, asked, settings, out, overwrite=True)
            with archive.open(outcome.path) as samples:
                x, z = samples.images[:], samples.activations[:]
            features, classes = one.look(x)
            at, width = asked.grid.cell_of(z), one.widths[1]
            shares, mine, theirs = [], [], []
            for cell in sorted(set(at)):
                here, there = np.flatnonzero(at == cell), np.flatnonzero(natural == cell)
                if len(there) >= LEAST:
                    named = (np.isin(classes[here], units), np.isin(one.classes[there], units))
                    shares.append([part.mean() for part in named])
                    mine.append(here)
                    rng = np.random.default_rng(cell)
                    theirs.append(rng.choice(there, len(here), False))
            ours, natures = np.mean(shares, axis=0)
            rows, others = features[np.concatenate(mine)], one.features[np.concatenate(theirs)]
            cells = np.repeat(np.arange(len(mine)), [len(part) for part in mine])
            print(
                f"| {targets} | {how} | {len(set(at))} of {SIDE * SIDE} | {len(x)} "
                f"| {outcome.summary['steps']} | {ours / natures:.2f} "
                f"| {hidden.discrepancy(rows, others, width):.3f} "
                f"| {alike(rows, cells, width):.2f} / {alike(others, cells, width):.2f} |",
                flush=True,
            )


def exports(networks, one, seed, folder):
    """Prints a row for each range and way to begin."""
    figures = export.write(networks, folder / "sampler", ("fc8",))
    print(", ".join(f"{name} {size:,} bytes" for name, size in figures.items()))
    model = tf.saved_model.load(str(folder / "sampler" / "1")).signatures
    bank = np.load(folder / "sampler" / "starts.npy")
    print("| range | starts | believed, least | Vendi >= nature | features | steps x K |")
    print("|---|---|---|---|---|---|")
    for text in RANGES:
        found = {how: [] for how in HOW}
        for unit in range(CLASSES):
            band = tf_inverse.parse(f"fc8:{unit}@{text}", networks)[0]
            rng, rows = np.random.default_rng(seed), 4 * (N + 10)
            codes = bank[rng.integers(len(bank), size=rows)], rng.random((rows, 1), np.float32)
            given = {
                "neurons": tf.constant([[0, unit, 0, 0]]),
                "ranges": tf.constant([[band.z1, band.z2]], tf.float32),
                "sd": tf.zeros(1),
                "rows": tf.constant(10),
                "count": tf.constant(N),
                "limit": tf.constant(5000, tf.int64),
            }
            for how, more in (
                ("random", {"codes": tf.constant(codes[0]), "aims": tf.constant(codes[1])}),
                ("near", {"seed": tf.constant(seed, tf.int64)}),
            ):
                got = model["sample" if how == "random" else "draw"](**given, **more)
                x = got["images"].numpy()
                e = networks.score(x, (band.neuron,))[0]
                samples = archive.Samples(x, got["codes"], e, None, None, None)
                found[how].append((*one.figures(band, samples), 10 * int(got["taken"])))
        for how, rows in found.items():
            share, wins, _, seen, cost = np.transpose(rows)
            print(
                f"| {text} | {how} | {share.mean():.2f}, {share.min():.2f} | {wins.sum():.0f} of "
                f"{8 * CLASSES} | {seen.mean():.1f} | {cost.mean():.0f} |",
                flush=True,
            )


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("plane", "export"))
    parser.add_argument("judge")
    parser.add_argument("data")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    networks = tf_inverse.load("cifar10")
    nature, _ = image_files.load(given.data, networks.image_shape[:2], "test", 3)
    one = Yardsticks(networks, keras.models.load_model(given.judge), nature)
    with tempfile.TemporaryDirectory() as folder:
        run = {"plane": planes, "export": exports}[given.what]
        run(networks, one, given.seed, pathlib.Path(folder))


if __name__ == "__main__":
    main()
