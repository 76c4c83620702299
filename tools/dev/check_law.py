"""Checks rows with a law, and volumes, against closed forms: the tables of docs/law.md.

    python tools/dev/check_law.py rows       20 statistics of about 5,000 effective rows each
    python tools/dev/check_law.py volume     intervals at 1e-2, 1e-4 and 1e-9, seeds 0 to 19
    python tools/dev/check_law.py pair       three neurons of the shipped pair, by plain draws

Everything is one process on the CPU; `rows` takes a minute or two, `pair` depends on --draws.
"""

from __future__ import annotations

import argparse
import dataclasses
import time

import keras
import numpy as np
import tensorflow as tf
from scipy import stats

from tf_inverse.band import Band, Bands, Neuron, parse
from tf_inverse.caffe import published
from tf_inverse.method import diagnostics, langevin
from tf_inverse.method.kernel import Kernel
from tf_inverse.method.normalization import measure
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks import domains
from tf_inverse.networks.code_law import law
from tf_inverse.networks.codes import Codes
from tf_inverse.networks.networks import index
from tf_inverse.run import volume

D, K, ROWS = 16, 100, 6000
SEEDS = range(20)


def world(function, kind="normal"):
    """Networks whose codes are what the function f of vectors [B, D] takes."""
    x = keras.Input((D,), name="v")
    made = domains.vectors(keras.Model(x, keras.layers.Identity(name="f")(function(x))))
    return dataclasses.replace(made, codes=Codes(kind, D, (0, 1) if kind == "uniform" else None))


def first(x):
    """A linear neuron: the first entry."""
    return x[:, :1]


def two(x):
    """Two linear neurons whose correlation is 1 / 4: the first entry, and the sum of all."""
    total = keras.ops.sum(x, axis=1, keepdims=True) / np.sqrt(D)
    return keras.layers.Concatenate()([x[:, :1], total])


def radius(x):
    """The length of a vector."""
    return keras.ops.sqrt(keras.ops.sum(x**2, axis=1, keepdims=True))


def logistic(x):
    """Section 3.1's neuron; its weights of the box are 4, -3, and zeros."""
    return keras.ops.sigmoid(4.0 * x[:, :1] - 3.0 * x[:, 1:2] + 0.5)


def truncated(law, low, high):
    """Distribution function of a law between two ends."""
    a, b = law.cdf([low, high])
    return lambda z: (law.cdf(z) - a) / (b - a)


def cases():
    """(name, networks, bands, statistic -> (values of codes and activations, its law))."""
    normal, chi2 = stats.norm, stats.chi2
    linear, ring, box, both = (world(first), world(radius), world(logistic, "uniform"), world(two))
    f = Neuron("f", 0)
    for low, high in ((3.09, 9.0), (-3.3, -3.0), (3.5, 3.52)):
        yield (
            f"linear, {low} to {high}",
            linear,
            [Band(f, low, high)],
            {
                "activation": (lambda c, z: z[:, 0], truncated(normal, low, high)),
                "a free entry": (lambda c, z: c[:, 5], normal.cdf),
                "squares of free entries": (
                    lambda c, z: (c[:, 1:] ** 2).sum(axis=1),
                    chi2(D - 1).cdf,
                ),
                "mean of free entries": (
                    lambda c, z: c[:, 1:].sum(axis=1) / np.sqrt(D - 1),
                    normal.cdf,
                ),
            },
        )
    low, high = 6.5, 6.6
    yield (
        f"ring, |c| from {low} to {high}",
        ring,
        [Band(f, low, high)],
        {
            "length": (lambda c, z: z[:, 0], truncated(stats.chi(D), low, high)),
            **{
                f"direction {i}": (
                    lambda c, z, i=i: (c[:, i] / z[:, 0]) ** 2,
                    stats.beta(0.5, (D - 1) / 2).cdf,
                )
                for i in (0, 7, 15)
            },
        },
    )
    rng = np.random.default_rng(1)
    slab = rng.random((40_000_000 // 20, 2))
    g = 1 / (1 + np.exp(-(4 * slab[:, 0] - 3 * slab[:, 1] + 0.5)))
    slab = np.sort(slab[(g >= 0.985) & (g <= 0.988)], axis=0)
    yield (
        "logistic on a box, 0.985 to 0.988",
        box,
        [Band(f, 0.985, 0.988)],
        {
            "first entry": (lambda c, z: c[:, 0], empirical(slab[:, 0])),
            "second entry": (lambda c, z: c[:, 1], empirical(slab[:, 1])),
            "a free entry": (lambda c, z: c[:, 9], stats.uniform.cdf),
            "another": (lambda c, z: c[:, 3], stats.uniform.cdf),
        },
    )
    # Given the first entry u, the second unit is u / 4 + sqrt(15 / 16) times a normal number.
    (a, b), (p, q), r = (2.0, 2.5), (2.5, 3.0), 0.25
    grid = np.linspace(a, b, 20001)
    within = normal.cdf((q - r * grid) / np.sqrt(1 - r**2))
    within -= normal.cdf((p - r * grid) / np.sqrt(1 - r**2))
    weight = normal.pdf(grid) * within
    share = np.concatenate([[0], np.cumsum((weight[1:] + weight[:-1]) / 2)])
    other = np.linspace(p, q, 20001)
    inside = normal.cdf((b - r * other) / np.sqrt(1 - r**2))
    inside -= normal.cdf((a - r * other) / np.sqrt(1 - r**2))
    mass = normal.pdf(other) * inside
    second = np.concatenate([[0], np.cumsum((mass[1:] + mass[:-1]) / 2)])
    yield (
        "two neurons, 2 to 2.5 and 2.5 to 3",
        both,
        [Band(f, a, b), Band(Neuron("f", 1), p, q)],
        {
            "first": (lambda c, z: z[:, 0], lambda x: np.interp(x, grid, share / share[-1])),
            "second": (lambda c, z: z[:, 1], lambda x: np.interp(x, other, second / second[-1])),
        },
    )


def empirical(values):
    """Distribution function of a large sample that has the law."""
    ordered = np.sort(values)
    return lambda x: np.searchsorted(ordered, x, side="right") / len(ordered)


def rows():
    """Kolmogorov-Smirnov distances of every statistic, and rows a pass beside rejection."""
    print("| set | statistic | rows | effective | KS | out of range |")
    print("|---|---|---|---|---|---|")
    gains = []
    for name, networks, bands, statistics in cases():
        began, bands = time.monotonic(), Bands(bands)
        settings = Settings(n=ROWS, K=K, method="langevin")
        batches = list(sample(networks, bands, settings))
        c, z, chain = (
            np.concatenate([getattr(b.samples, a) for b in batches]).astype(np.float64)
            for a in ("codes", "activations", "chain")
        )
        out = int(((z < bands.z1) | (z > bands.z2)).any(axis=1).sum())
        least = np.inf
        for label, (of, cdf) in statistics.items():
            values = of(c, z)
            each = [values[chain == k] for k in range(K)]
            draws = min(map(len, each))
            size = diagnostics.effective_size(np.stack([one[:draws] for one in each]))
            least = min(least, size)
            distance = stats.kstest(values, cdf).statistic
            print(f"| {name} | {label} | {len(values)} | {size:.0f} | {distance:.4f} | {out} |")
        made = volume.estimate(networks, bands)
        kernel = Kernel(networks, bands, settings, measure(networks, bands.neurons))
        looks = sum(langevin.LOOKS[move] for move in kernel.cycles["chains"]) / len(
            kernel.cycles["chains"]
        )
        passes = batches[-1].info.steps * looks
        gain = least / passes / (K * made.probability)
        gains.append((name, made.probability, passes, least, gain, time.monotonic() - began))
    print(
        "\n| set | probability | passes of 100, start and pilot included | effective rows |"
        " times rejection's a pass | s |"
    )
    print("|---|---|---|---|---|---|")
    for name, p, passes, least, gain, seconds in gains:
        print(f"| {name} | {p:.3g} | {passes:.0f} | {least:.0f} | {gain:.3g} | {seconds:.0f} |")


def volumes():
    """How many of 20 intervals hold the truth, and passes."""
    print("| neuron | truth | held by, of 20 | largest error of the logarithm | passes, at most |")
    print("|---|---|---|---|---|")
    f, linear, ring = Neuron("f", 0), world(first), world(radius)
    chi = stats.chi(D)
    sets = [("linear", linear, stats.norm.isf(p), 60.0, p) for p in (1e-2, 1e-4, 1e-9)]
    sets += [("linear, low side", linear, -60.0, stats.norm.ppf(p), p) for p in (1e-4,)]
    sets += [("ring", ring, chi.isf(p), 60.0, p) for p in (1e-2, 1e-4, 1e-9)]
    narrow = stats.norm.sf(3.5) - stats.norm.sf(3.52)
    sets += [("linear, 3.5 to 3.52", linear, 3.5, 3.52, narrow)]
    for name, networks, z1, z2, truth in sets:
        bands, scale = Bands([Band(f, float(z1), float(z2))]), None
        scale = measure(networks, bands.neurons)
        found = [volume.estimate(networks, bands, seed, scale=scale) for seed in SEEDS]
        held = sum(one.low <= truth <= one.high for one in found)
        worst = max(abs(np.log(one.probability / truth)) for one in found)
        most = max(one.passes for one in found)
        print(f"| {name} | {truth:.3g} | {held} | {worst:.2f} | {most} |")


def pair(draws, labels=("ship", "cat", "frog")):
    """The shipped pair: what splitting says, beside plain draws from the law of its codes."""
    networks = published.load("cifar10_layer", False)
    targets = [f"fc8:{label}@{p}:1e6" for label in labels for p in ("p99", "p99.8")]
    bands = parse(", ".join(targets), networks)
    codes, layers, where = law(networks), bands.layers, index(bands.neurons)

    @tf.function(autograph=False)
    def look(u, i):
        return networks.look(codes.code(u, i), layers, where).z

    rng, hits = np.random.default_rng(12345), np.zeros(len(bands))
    for _ in range(draws // 200):
        u = tf.constant(rng.standard_normal((200, codes.size), np.float32))
        z = look(u, tf.constant(rng.integers(codes.members, size=200), tf.int32)).numpy()
        hits += (z >= bands.z1.astype(np.float32)).sum(axis=0)
    print(f"| range | of {draws // 200 * 200} draws | splitting | 90 % interval | passes |")
    print("|---|---|---|---|---|")
    for target, band, count in zip(targets, bands, hits, strict=True):
        one = volume.estimate(networks, Bands([band]))
        share = count / (draws // 200 * 200)
        print(
            f"| {target} | {share:.3g} | {one.probability:.3g} | {one.low:.3g} to {one.high:.3g} "
            f"| {one.passes} |"
        )


def main() -> None:
    """Run one of the checks."""
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reader.add_argument("check", choices=("rows", "volume", "pair"))
    reader.add_argument("--draws", type=int, default=1_000_000)
    given = reader.parse_args()
    checks = {"rows": rows, "volume": volumes, "pair": lambda: pair(given.draws)}
    checks[given.check]()


if __name__ == "__main__":
    main()
