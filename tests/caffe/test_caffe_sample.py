"""The paper's networks at their true size, random weights: from Caffe's files to samples."""

import numpy as np
import pytest
from oracles import caffe_cv2

from tf_inverse.adopt import command as adopting
from tf_inverse.band import Band, Neuron
from tf_inverse.caffe import command
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks import storage

VOLCANO = Neuron("fc8", 980)
FLAGS = dict.fromkeys(("prototxt", "mean", "size", "input", "role", "ignore")) | {
    "scale": 1.0,
    "channels": "bgr",
    "code": "fc6",
}


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Converted, paired and loaded again."""
    where = tmp_path_factory.mktemp("full")
    for name in ("caffenet", "generator"):
        _, _, file = caffe_cv2.full_size(name, where)
        command.convert(name, str(file), out=where / f"{name}_keras", **FLAGS)
        file.unlink()
    _, pair = adopting.pair(where / "caffenet_keras", where / "generator_keras", out=where / "pair")
    return storage.load(pair)


def test_the_pair_is_ppgns(networks):
    assert networks.crop == 227 and networks.image_shape == (227, 227, 3)
    assert networks.encoder == "relu6" and networks.codes.size == 4096
    assert (networks.codes.kind, tuple(networks.codes.bounds)) == ("noise", (0.0, 30.0))
    assert networks.labels[1][VOLCANO.unit] == "volcano"


def test_samples_lie_in_a_band_of_the_units_own_statistics(networks):
    codes = np.random.default_rng(0).standard_normal((4, 4096)).clip(0, 30).astype("f4")
    images = np.asarray(networks.cropped(networks.generator(codes))).clip(0, 255).round()
    z = networks.score(images.astype("u1"), (VOLCANO,), batch=4)[1]
    band = Band(VOLCANO, float(z.mean() - 2 * z.std()), float(z.mean() + 2 * z.std()))
    found = [b.samples for b in sample(networks, (band,), Settings(n=2, K=2, seed=1))]
    stored = np.concatenate([samples.images for samples in found])
    assert stored.shape == (2, 227, 227, 3) and stored.dtype == np.uint8
    again = networks.score(stored, (VOLCANO,), batch=2)[1]
    assert ((again >= band.z1) & (again <= band.z2)).all()
