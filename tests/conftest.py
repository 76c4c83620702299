"""Fixtures that several files share: data beside the repository, the tiny pair, its bands."""

import gc
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

quiet.start()
quiet.collect_rarely()

# Bytes of memory for each of the processes side by side.
ROOM = 3 << 30
# Networks that a process remembers: see `remembering`.
KEPT = 6
# What takes longest begins first, so that processes side by side end together.
LONG = (
    "test_docs.py",
    "test_true_size.py",
    "test_readme.py",
    "test_training_generator.py",
    "test_zoo.py",
    "test_training.py",
    "test_archive.py",
    "test_notebook.py",
    "test_growth.py",
    # Of the last folders, in which a file that takes long would end alone.
    "test_backends.py",
    "test_bench.py",
    "test_looking.py",
    "test_cli.py",
    "test_kept_training.py",
    "test_appearance.py",
)

SHARED = pathlib.Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """One process more than there are processors, where there is memory for them.

    It works while another waits: tests wait for the disk, for processes that they start, and at the
    end for the last file.
    """
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # xdist reads it
    from tf_inverse.compute import device

    return max(1, min((os.cpu_count() or 1) + 1, device.main_memory() // ROOM))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """A test meets the same weights each time: Keras draws layers' seeds from Python's `random`."""
    random.seed(item.nodeid)


def pytest_collection_modifyitems(items):
    """Files in the order of `LONG`, then the others as they came."""
    order = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.name, len(LONG)))


def pytest_collection_finish():
    """What imports made stays to the end: no search for unused cycles goes through it again.

    Keras searches for them at each layer that it quantises, and pytest ten times as it ends.
    """
    gc.collect()
    gc.freeze()


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


@pytest.fixture(scope="session")
def remembering():
    """`storage.load`, which gives a network that it has loaded before: its graphs are traced once.

    Not for tests of loading, nor for those that change what a graph is made of while it is traced.
    """
    from tf_inverse.networks import places, storage

    load, known = storage.load, {}

    def remembered(network="cifar10", trust=False):
        manifest = places.find(network).resolve() / storage.MANIFEST
        # It holds the checksums of all other files: a network that takes its place is another one.
        key = (manifest, manifest.read_bytes(), trust)
        # The one that was asked for last comes last; graphs need memory, so that few are kept.
        known[key] = known.pop(key, None) or load(network, trust)
        while len(known) > KEPT:
            del known[next(iter(known))]
        return known[key]

    return remembered


@pytest.fixture
def loaded_once(remembering, monkeypatch):
    """Commands of all tests share the networks that they load: see `remembering`."""
    from tf_inverse.networks import storage

    monkeypatch.setattr(storage, "load", remembering)


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


@pytest.fixture(scope="session")
def tiny_loaded(tiny_folder, remembering):
    """The tiny pair as it is read from its folder; one for all files, and for `loaded_once`."""
    return remembering(tiny_folder)
