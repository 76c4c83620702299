"""Precision: what auto stands for, and runs that end alike in all three."""

import numpy as np
import pytest
import tensorflow as tf
import worlds

from tf_inverse import metrics
from tf_inverse.compute import precision
from tf_inverse.errors import UsageError
from tf_inverse.method.normalization import measure
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings

LOW = ("bfloat16", "float16")
SEEDS = 4


@pytest.mark.parametrize(
    ("flags", "capability", "expected"),
    [
        ({"avx2", "avx512f"}, None, "float32"),
        ({"avx512f", "amx_bf16"}, None, "bfloat16"),
        ({"avx512_bf16"}, None, "bfloat16"),
        (set(), None, "float32"),
        ({"avx2"}, (9, 0), "bfloat16"),
        ({"avx2"}, (8, 0), "bfloat16"),
        ({"amx_bf16"}, (7, 5), "float16"),
        ({"amx_bf16"}, None, "bfloat16"),
    ],
)
def test_auto_asks_the_hardware(monkeypatch, flags, capability, expected):
    """The GPU that is left to see, else the processor; a GPU before Ampere has no bfloat16."""
    gpus = [] if capability is None else ["the GPU"]
    monkeypatch.setattr(precision, "_flags", lambda: flags)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: gpus)
    details = {"compute_capability": capability}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    assert precision.resolve("auto") == expected
    assert precision.resolve("float32") == "float32"


def test_unknown_precision():
    with pytest.raises(UsageError, match="expected precision auto, float32, .*, got 'float8'"):
        precision.resolve("float8")


def outcome(networks, target, scale, kind, seed):
    """Share of stored images in the band, Vendi score, samples a row and step."""
    settings = Settings(n=60, K=10, seed=seed, precision=kind)
    batches = list(sample(networks, (target,), settings, scale=scale))
    images, e, steps = (
        np.concatenate([getattr(b.samples, name) for b in batches])
        for name in ("images", "encodings", "steps")
    )
    z = worlds.activation(networks, images, worlds.NEURON, len(images))
    inside = np.mean((z >= target.z1) & (z <= target.z2))
    return inside, metrics.vendi(e, scale.bandwidth), len(images) / (10 * (steps.max() + 1))


def test_runs_end_alike_in_every_precision(tiny, band):
    """All that is stored is in the band; diversity within 10 % and yield within 15 %.

    Means of the same seeds: the score of one seed deviates by 8 % from that of another.
    """
    target, scale = band(worlds.NEURON), measure(tiny, (worlds.NEURON,))
    runs = {
        kind: [outcome(tiny, target, scale, kind, seed) for seed in range(SEEDS)]
        for kind in ("float32", *LOW)
    }
    inside, vendi, yields = ({k: np.array(r)[:, i] for k, r in runs.items()} for i in range(3))
    for kind in LOW:
        assert (inside[kind] == 1.0).all() and (inside["float32"] == 1.0).all()
        assert vendi[kind].mean() == pytest.approx(vendi["float32"].mean(), rel=0.1)
        assert yields[kind].mean() == pytest.approx(yields["float32"].mean(), rel=0.15)
