"""What docs/own_network.md tells people of PyTorch and of JAX to run, where these are installed."""

import importlib.util

import book
import keras
import numpy as np
import pytest
from keras import layers

from tf_inverse import adopt
from tf_inverse.band import Neuron

PAGE = book.ROOT / "docs" / "own_network.md"
X = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).round().astype("f4")


def needs(*names):
    absent = [name for name in names if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(absent), reason=f"needs {', '.join(absent)}")


def recipe(library):
    """The one block of the page that speaks of a library."""
    (block,) = (one for one in book.blocks(PAGE, "python") if library in one)
    return block


def generator():
    c = keras.Input((5,), name="code")
    h = layers.Dense(32 * 32 * 3, activation="tanh", name="fc")(c)
    return keras.Model(c, layers.Reshape((32, 32, 3))(h), name="G")


@needs("torch", "onnx", "onnxruntime")
def test_a_network_of_pytorch(tmp_path, monkeypatch):
    import torch

    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=2, padding=1),
        torch.nn.BatchNorm2d(8),
        torch.nn.GELU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(8, 4),
    )
    exec(recipe("torch.onnx"), {"torch": torch, "model": model, "x": torch.zeros(1, 3, 32, 32)})
    networks = adopt.adopt("mine.onnx", generator(), pixel_range=(-2, 2.5)).networks
    x = torch.tensor(X.transpose(0, 3, 1, 2) / 255 * 4.5 - 2)
    with torch.no_grad():
        maps, logits = model[:2](x).numpy(), model(x).numpy()
    inner = [path for path in networks.shapes if "graph/" in path and "/0/Conv" in path]
    neurons = (Neuron(inner[0], 3, (2, 5)), Neuron("graph", 1))
    z = networks.score(X, neurons)[1]
    np.testing.assert_allclose(z[:, 0], maps[:, 3, 2, 5], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(z[:, 1], logits[:, 1], rtol=1e-3, atol=1e-4)


@needs("jax")
def test_a_function_of_jax(tmp_path, monkeypatch):
    import jax

    monkeypatch.chdir(tmp_path)
    w, v = (np.random.default_rng(1).standard_normal(s).astype("f4") for s in ((3, 6), (6, 4)))

    def predict(images):
        features = jax.nn.gelu(images.mean((1, 2)) @ w)
        return {"features": features, "logits": features @ v}

    exec(recipe("jax2tf"), {"predict": predict})
    options = {"trust": True, "pixel_range": (-1, 1)}
    networks = adopt.adopt("mine_jax", generator(), "graph/features", **options).networks
    want = predict(X / 127.5 - 1)
    z = networks.score(X, (Neuron("graph/features", 2), Neuron("graph/logits", 3)))[1]
    np.testing.assert_allclose(z[:, 0], want["features"][:, 2], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(z[:, 1], want["logits"][:, 3], rtol=1e-3, atol=1e-4)
