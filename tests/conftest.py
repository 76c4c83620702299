"""Fixtures that several files share: data beside the repository, the tiny pair, its bands."""

import os
import pathlib
import random

import numpy as np
import pytest
from tf_inverse.tools import quiet

# Before TensorFlow is imported: its page of log lines would hide what a test says.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
# Processes side by side share the processor better than threads of networks as small as these.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

quiet.collect_rarely()

SHARED = pathlib.Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """A test meets the same weights each time: Keras draws layers' seeds from Python's `random`."""
    random.seed(item.nodeid)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """A cache folder of the tests' own: nothing that they trust is trusted by the user."""
    os.environ["TF_INVERSE_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def shared_data():
    """The folder of public weights and images beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/data beside the repository: weights and images")
    return SHARED


@pytest.fixture
def loaded_once(monkeypatch):
    """Commands of one test share the networks that they load: each graph is traced once for all."""
    from tf_inverse.networks import places, storage

    load, known = storage.load, {}

    def remembered(network="cifar10", trust=False):
        manifest = places.find(network).resolve() / storage.MANIFEST
        # It holds the checksums of all other files: a network that takes its place is another one.
        key = (manifest, manifest.read_bytes(), trust)
        if key not in known:
            known[key] = load(network, trust)
        return known[key]

    monkeypatch.setattr(storage, "load", remembered)


@pytest.fixture(scope="session")
def tiny():
    """The tiny pair; one for all files, so that its graphs are traced once."""
    import worlds

    return worlds.tiny_networks()


@pytest.fixture(scope="session")
def activations(tiny):
    """(layer, unit, at) -> activations of random codes' images, by plain Keras calls, [400]."""
    import worlds

    codes = np.random.default_rng(0).standard_normal((400, tiny.codes.size)).astype(np.float32)
    images = worlds.images(tiny, codes)
    return lambda neuron: worlds.activation(tiny, images, neuron, 400)


@pytest.fixture(scope="session")
def band(activations):
    """Neuron -> its band between two quantiles of random codes, by default the upper third."""
    from tf_inverse.band import Band

    def made(neuron, low=0.65, high=0.95):
        return Band(neuron, *(float(q) for q in np.quantile(activations(neuron), (low, high))))

    return made


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """The tiny pair on disk, with a default target and natural statistics."""
    import worlds

    return worlds.write(tmp_path_factory.mktemp("pair") / "tiny")
