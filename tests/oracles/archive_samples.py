"""Made-up samples and headers for the archive's tests; the arrays in memory are the oracle."""

import numpy as np

from tf_inverse.archive import Samples


def header(n=12, p=1, **changes):
    targets = [
        {"text": f"fc8:{i}@50:60", "layer": "fc8", "unit": i, "label": "x", "z1": 50.0, "z2": 60.0}
        for i in range(p)
    ]
    return {
        "name": "made up",
        "targets": targets,
        "settings": {"K": 4, "n": n, "store": "images"},
        "versions": {"numpy": np.__version__},
        "checksums": {"classifier.keras": "0" * 64},
        "network": "none",
        "seed": 3,
        "asked": n,
    } | changes


def samples(n=12, side=16, d=24, d_e=40, p=1, seed=0):
    random = np.random.default_rng(seed)
    return Samples(
        images=random.integers(0, 256, (n, side, side, 3), dtype=np.uint8),
        codes=random.normal(size=(n, d)).astype(np.float32),
        encodings=np.maximum(random.normal(size=(n, d_e)), 0).astype(np.float32),
        activations=random.uniform(50, 60, (n, p)).astype(np.float32),
        steps=np.sort(random.integers(0, 500, n)),
        chain=random.integers(0, 4, n).astype(np.int32),
        from_start=random.uniform(0, 2, n).astype(np.float32),
        from_bank=random.uniform(0, 2, n).astype(np.float32),
    )


def rows(batch, start, stop):
    return batch.rows(slice(start, stop))


def state(i):
    return {"next": np.int64(i), "codes": np.arange(600, dtype=np.float32) + i, "flag": np.True_}


NATURAL = {
    "activations": np.linspace(0, 70, 300, dtype=np.float32).reshape(300, 1),
    "encodings": np.ones((5, 40), np.float32),
    "mean": np.array([3.0]),
    "sd": np.array([2.0]),
}
