"""Small archives for the tests of looking: coloured discs whose size is their activation."""

import numpy as np

from tf_inverse import archive

TARGET = {
    "text": "fc8:ship@8:10",
    "layer": "fc8",
    "unit": 8,
    "at": None,
    "label": "ship",
    "z1": 8.0,
    "z2": 10.0,
}


def discs(activations, side, rng):
    """Images [n, side, side, 3]: a disc on a ground, larger with the first activation."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    inside = (x**2 + y**2)[None] < (activations[:, 0, None, None] / 25) ** 2
    ground, colour = rng.integers(0, 256, (2, len(activations), 1, 1, 3))
    return np.where(inside[..., None], colour, ground).astype(np.uint8)


def header(n=24, seed=0, targets=(TARGET,)):
    """What the archive of n samples says of its run."""
    return {
        "name": "specimen",
        "targets": list(targets),
        "settings": {"K": 10, "method": "renewal"},
        "versions": {"tf_inverse": "0.1.0"},
        "checksums": {"classifier.keras": "ab" * 32},
        "network": "discs",
        "seed": seed,
        "asked": n,
    }


def write(
    path,
    n=24,
    side=32,
    seed=0,
    natural=True,
    targets=(TARGET,),
    summary=None,
    groups=(),
    directions=None,
    overwrite=False,
    **more,
):
    """Writes an archive of n samples, with more fields of its header, and returns it opened.

    Encodings are noise, with `groups` about as many corners with so many rows each, one after the
    other.
    """
    rng = np.random.default_rng(seed)
    low, high = np.array([(t["z1"], t["z2"]) for t in targets]).T
    z = rng.uniform(low, high, (n, len(targets))).astype(np.float32)
    images = discs(z, side, rng)
    encodings = rng.normal(size=(n, 16)).astype(np.float32)
    if groups:
        encodings += 20 * np.eye(16, dtype=np.float32)[np.repeat(np.arange(len(groups)), groups)]
    steps, chain = np.arange(n, dtype=np.int64) * 2, np.arange(n, dtype=np.int32) % 5
    reference = {
        "activations": rng.normal(low - 6, 3, (100, len(targets))).astype(np.float32),
        "encodings": rng.normal(size=(10, 16)).astype(np.float32),
    }
    samples = archive.Samples(
        images, rng.normal(size=(n, 4)).astype(np.float32), encodings, z, steps, chain
    )
    reference = reference if natural else None
    head = header(n, seed, targets) | more
    first = {"natural": reference, "directions": directions}
    with archive.Writer(path, head, overwrite=overwrite, **first) as writer:
        writer.append(samples, {})
        writer.finish({"steps": 2 * n, "bandwidth": 3.0} if summary is None else summary)
    return archive.open(path)
