"""Precision: what auto stands for, what a cast model is, and runs that end alike in all three."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import worlds

from tf_inverse import metrics, precision
from tf_inverse.errors import UsageError
from tf_inverse.models.pixels import FromPixels
from tf_inverse.sampler import sample
from tf_inverse.scale import measure
from tf_inverse.settings import Settings

LOW = ("bfloat16", "float16")
BITS = {"bfloat16": 2.0**-8, "float16": 2.0**-11}
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


@pytest.mark.parametrize("kind", LOW)
def test_a_cast_model_computes_in_16_bits(tiny, kind):
    """And holds its kernels in as many, so that no step has to cast them."""
    cast = precision.cast(tiny.classifier, kind)
    for layer, own in zip(cast.layers, tiny.classifier.layers, strict=True):
        assert layer.compute_dtype == kind and own.compute_dtype == "float32"
        for weight, expected in zip(layer.weights, own.weights, strict=True):
            assert weight.dtype == kind and expected.dtype == "float32"
            np.testing.assert_array_equal(weight, tf.cast(expected.value, kind))
    images = np.random.default_rng(0).uniform(0, 255, (6, 8, 8, 3)).astype(np.float32)
    found = cast(images, training=False)
    assert keras.backend.standardize_dtype(found.dtype) == kind
    # 8 bits of mantissa, or 11, through a few layers of sums.
    np.testing.assert_allclose(tf.cast(found, tf.float32), tiny.classifier(images), atol=0.05)


@pytest.mark.parametrize("kind", LOW)
def test_what_is_no_kernel_stays_in_32_bits(kind):
    """Statistics of normalisations and means of pixels, in models within models too."""
    image = keras.Input((8, 8, 3))
    inner = keras.Sequential([keras.Input((8, 8, 4)), keras.layers.BatchNormalization()])
    h = inner(keras.layers.Conv2D(4, 3, padding="same")(FromPixels(mean_shape=(8, 8, 3))(image)))
    model = keras.Model(image, keras.layers.MultiHeadAttention(2, 2)(h, h))
    keras.utils.set_random_seed(0)
    for weight in model.weights:
        weight.assign(keras.random.uniform(weight.shape, 0.5, 1.5))
    cast = precision.cast(model, kind)
    pairs = list(zip(cast.weights, model.weights, strict=True))
    kept = [own.path for weight, own in pairs if weight.dtype == "float32"]
    assert len(kept) == 5 and len(pairs) == 5 + 2 + 8
    assert all("batch_norm" in path or "pixels" in path for path in kept)
    for weight, own in pairs:
        np.testing.assert_array_equal(weight, tf.cast(own.value, weight.dtype))
    x = np.random.default_rng(0).uniform(0, 1, (2, 8, 8, 3)).astype("f4")
    scale = np.abs(model(x)).max()
    np.testing.assert_allclose(tf.cast(cast(x), "float32"), model(x), atol=0.03 * scale)


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
