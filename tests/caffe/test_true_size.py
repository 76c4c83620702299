"""The paper's networks at their true size, random weights: from Caffe's files to samples.

Together, since a file of 224 to 244 MB and its conversion take seconds: each is made once.
"""

import functools
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from oracles import caffe_cv2

from tf_inverse.adopt import command as adopting
from tf_inverse.band import Band, Neuron
from tf_inverse.caffe import caffemodel, command, weights
from tf_inverse.method import normalization
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks import storage, yardstick
from tf_inverse.zoo import caffenet, generator

VOLCANO = Neuron("fc8", 980)
FLAGS = dict.fromkeys(("prototxt", "mean", "size", "input", "role", "ignore")) | {
    "scale": 1.0,
    "channels": "bgr",
    "code": "fc6",
}
MEASURE = """
import resource, sys
import tensorflow
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
from tf_inverse.tools import convert
convert.convert("caffenet", sys.argv[1], out=sys.argv[2])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Name -> (table, prototxt, caffemodel), written when it is first asked for."""
    where = tmp_path_factory.mktemp("files")
    yield functools.cache(lambda name: caffe_cv2.full_size(name, where))
    for path in where.glob("*.caffemodel"):
        path.unlink()


@pytest.fixture(scope="module")
def converted(files, tmp_path_factory):
    """CaffeNet's folder, what its conversion in a process of its own printed, and the file."""
    out, file = tmp_path_factory.mktemp("converted") / "caffenet", files("caffenet")[2]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(file), str(out)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd=pathlib.Path(__file__).parents[2],
    )
    return out, done.stdout.splitlines(), file


@pytest.fixture(scope="module")
def networks(files, converted):
    """Both networks paired and loaded again."""
    folder = converted[0].with_name("generator")
    command.convert("generator", str(files("generator")[2]), out=folder, **FLAGS)
    _, pair = adopting.pair(converted[0], folder, out=folder.with_name("pair"))
    return storage.load(pair)


@pytest.mark.parametrize("name", ["caffenet", "places205", "alexnet"])
def test_classifiers_layer_by_layer(files, name):
    table, prototxt, file = files(name)
    make = caffenet.alexnet if name == "alexnet" else caffenet.caffenet
    model = make(205 if name == "places205" else 1000)
    weights.load(model, caffemodel.read(file))
    rgb, data = caffe_cv2.full_size_input(name)
    if name == "places205":  # V0, which OpenCV does not read
        expected = json.loads(caffe_cv2.GOLDEN.read_text())[name]
    else:
        expected = caffe_cv2.expected(name, prototxt, file, data)
    found = caffe_cv2.outputs(model, {row[0]: row[0] for row in table}, rgb)
    errors = {n: caffe_cv2.error(y, expected[n]) for n, y in found.items() if n in expected}
    assert len(errors) >= len(table) - 2  # OpenCV may drop Dropout
    assert max(errors.values()) < caffe_cv2.LIMIT, errors


def test_generator_layer_by_layer(files):
    table, prototxt, file = files("generator")
    model = generator.generator()
    weights.load(model, caffemodel.read(file))
    code, feat = caffe_cv2.full_size_input("generator")
    expected = caffe_cv2.expected("generator", prototxt, file, feat)
    found = caffe_cv2.outputs(model, {row[0]: row[0] for row in table}, code)
    errors = {n: caffe_cv2.error(y, expected[n]) for n, y in found.items() if n in expected}
    assert len(errors) == len(table)
    assert max(errors.values()) < caffe_cv2.LIMIT, errors
    # ppgn shows clip(x + mean, 0, 255) with the channels reversed; ours is that, unclipped.
    shown = (found["deconv0"][0] + np.float32([104, 117, 123])[:, None, None])[::-1]
    np.testing.assert_allclose(model(code)[0], shown.transpose(1, 2, 0), atol=1e-3)


def test_conversion_takes_the_files_memory_and_little_more(converted):
    out, lines, file = converted
    megabytes = file.stat().st_size / 2**20
    assert 230 < megabytes < 235
    assert "fc6: InnerProduct (4096, 9216) (4096,)" in lines
    assert float(lines[-1]) < megabytes + 300
    entries = storage.manifest(out)
    assert entries["encoder"] == "relu6" and entries["labels"]["names"][980] == "volcano"


def test_the_pair_is_ppgns(networks):
    assert networks.crop == 227 and networks.image_shape == (227, 227, 3)
    assert networks.encoder == "relu6" and networks.codes.size == 4096
    assert (networks.codes.kind, tuple(networks.codes.bounds)) == ("noise", (0.0, 30.0))
    assert networks.labels[1][VOLCANO.unit] == "volcano"


def test_samples_lie_in_a_band_of_the_units_own_statistics(networks, monkeypatch):
    # Units of distance and activation from ten random codes, not sixty, which cost more than a run.
    for module in (normalization, yardstick):
        monkeypatch.setattr(module, "COUNT", 10)
    codes = np.random.default_rng(0).standard_normal((4, 4096)).clip(0, 30).astype("f4")
    images = np.asarray(networks.cropped(networks.generator(codes))).clip(0, 255).round()
    z = networks.score(images.astype("u1"), (VOLCANO,), batch=4)[1]
    band = Band(VOLCANO, float(z.mean() - 2 * z.std()), float(z.mean() + 2 * z.std()))
    found = [b.samples for b in sample(networks, (band,), Settings(n=2, K=2, seed=1))]
    stored = np.concatenate([samples.images for samples in found])
    assert stored.shape == (2, 227, 227, 3) and stored.dtype == np.uint8
    again = networks.score(stored, (VOLCANO,), batch=2)[1]
    assert ((again >= band.z1) & (again <= band.z2)).all()
