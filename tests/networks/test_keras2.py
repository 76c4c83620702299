"""Files of Keras 2: those that Keras 3 can compute give what Keras 2 gave, the rest say why not.

The files and the outputs beside them were made by Keras 2 itself: tests/oracles/keras2_files.py.
"""

import json
import pathlib
import tarfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from tf_inverse.errors import RefusedInput
from tf_inverse.networks import keras_file, storage
from tf_inverse.networks.keras_file import keras2

VERSIONS = {"2.12": ("convolutions", "transfer"), "2.18": ("convolutions", "transfer")}
VERSIONS["2.15"] = ("convolutions", "transfer", "norms", "shared", "attention", "recurrent")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Version of Keras -> folder of its files."""
    made = tmp_path_factory.mktemp("keras2")
    # Python has it from 3.11.4 on; Debian 12 has 3.11.2.
    safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    for packed in pathlib.Path(__file__).with_name("keras2").glob("*.tar.xz"):
        with tarfile.open(packed) as archive:
            archive.extractall(made / packed.name.removesuffix(".tar.xz"), **safely)
    return made


def expected(file):
    """An input, and what Keras 2 gave for it."""
    recorded = np.load(file.with_suffix(".npz"))
    return recorded["x"], [recorded[f"y{i}"] for i in range(len(recorded) - 1)]


KINDS = ("h5", "keras")
CASES = [(v, f"{name}.{kind}") for v in VERSIONS for name in VERSIONS[v] for kind in KINDS]


@pytest.mark.parametrize(("version", "name"), CASES)
def test_outputs_are_those_of_keras_2(files, version, name):
    x, outputs = expected(files / version / name)
    got = keras.tree.flatten(storage.model(files / version / name)(x, training=False))
    for ours, theirs in zip(got, outputs, strict=True):
        assert np.ptp(theirs) > 0.01
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_what_was_loaded_can_be_stored_and_loaded_again(files, tmp_path):
    for name in ("norms", "shared"):
        x, outputs = expected(files / "2.15" / f"{name}.h5")
        storage.model(files / "2.15" / f"{name}.h5").save(tmp_path / "again.keras")
        got = keras.tree.flatten(storage.model(tmp_path / "again.keras")(x, training=False))
        np.testing.assert_allclose(got[0], outputs[0], rtol=1e-4, atol=1e-5)


def test_mixed_precision_stays(files):
    path = files / "2.15" / "mixed.keras"
    x, outputs = expected(path)
    model = storage.model(path)
    assert model.layers[-1].compute_dtype == "float16" and model.weights[0].dtype == "float32"
    np.testing.assert_allclose(model(x), outputs[0], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_rest_names_keras_2_the_reason_and_the_way_out(files, kind):
    words = r"Keras 2\.15\.0 saved it .* \(its layer LocallyConnected2D is none .*SavedModel"
    with pytest.raises(RefusedInput, match=words):
        storage.model(files / "2.15" / f"lost.{kind}")
    with pytest.raises(RefusedInput, match="holds a Lambda layer, which is a program; .*SavedM"):
        storage.model(files / "2.15" / f"program.{kind}")


def edited(path, change):
    """Changes the configuration of an .h5 file of Keras 2, as text."""
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = change(file.attrs["model_config"])


def test_a_word_with_a_meaning_that_keras_3_lacks_is_refused_by_name(files, tmp_path):
    path = tmp_path / "recurrent.h5"
    path.write_bytes((files / "2.15" / "recurrent.h5").read_bytes())
    edited(path, lambda text: text.replace('"time_major": false', '"time_major": true'))
    with pytest.raises(RefusedInput, match="its GRU has time_major=True, which Keras 3 cannot do"):
        storage.model(path)


def test_a_sequential_model_of_before_2_3(files, tmp_path):
    """It was a bare list of layers; the first of them told the shape of its input."""
    path = tmp_path / "convolutions.h5"
    path.write_bytes((files / "2.15" / "convolutions.h5").read_bytes())

    def older(text):
        entry = json.loads(text)
        first, *layers = entry["config"]["layers"]
        layers[0]["config"]["batch_input_shape"] = first["config"]["batch_input_shape"]
        return json.dumps(entry | {"config": layers})

    edited(path, older)
    x, outputs = expected(files / "2.15" / "convolutions.h5")
    got = storage.model(path)(x, training=False)
    np.testing.assert_allclose(got, outputs[0], rtol=1e-4, atol=1e-5)


def test_keras_3_own_h5_keeps_its_axes_and_nested_statistics(tmp_path):
    """Keras 3.15 itself drops a list of axes, and forgets a nested Normalization's statistics."""
    x, pixels = keras.Input((4, 4, 3)), np.random.default_rng(0).normal(5, 3, (9, 4, 4, 3))
    normal = layers.Normalization()
    normal.adapt(pixels)
    inside = keras.Sequential([keras.Input((4, 4, 3)), normal], name="inside")
    keras.Model(x, layers.LayerNormalization((1, 2))(inside(x))).save(tmp_path / "f.h5")
    h = (pixels - pixels.mean((0, 1, 2))) / pixels.std((0, 1, 2))
    h = (h - h.mean((1, 2), keepdims=True)) / np.sqrt(h.var((1, 2), keepdims=True) + 1e-3)
    got = storage.model(tmp_path / "f.h5")(pixels.astype("f4"))
    np.testing.assert_allclose(got, h, rtol=1e-3, atol=1e-4)


def test_keras_3_own_h5_keeps_plain_operations(tmp_path):
    x = keras.Input((4, 4, 3))
    h = layers.Add()([x / 4.0, keras.ops.relu(x) + x])
    keras.Model(x, h[:, 1:]).save(tmp_path / "f.h5")
    pixels = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("f4")
    expected = pixels / 4 + np.maximum(pixels, 0) + pixels
    got = storage.model(tmp_path / "f.h5")(pixels)
    np.testing.assert_allclose(got, expected[:, 1:], rtol=1e-5, atol=1e-6)


def test_h5_is_checked_before_keras_sees_it(files, tmp_path):
    original = (files / "2.15" / "convolutions.h5").read_bytes()

    def refused(words, change):
        (tmp_path / "f.h5").write_bytes(original)
        with h5py.File(tmp_path / "f.h5", "a") as file:
            change(file)
        with pytest.raises(RefusedInput, match=words):
            storage.model(tmp_path / "f.h5")

    def huge(file):
        text = file.attrs["model_config"]
        file.attrs["model_config"] = text.replace('"filters": 3', f'"filters": {10**12}')

    def elsewhere(file):
        file["model_weights"]["more"] = h5py.ExternalLink("other.h5", "/")

    def endless(file):
        file["model_weights"]["a"] = file["model_weights"]["b"] = file["model_weights"]

    refused("declares .* weights or more and stores", huge)
    refused("is an external link, expected data", elsewhere)
    refused("is there under two names", endless)
    refused("holds weights alone", lambda file: file.attrs.__delitem__("model_config"))
    (tmp_path / "f.h5").write_bytes(b"nonsense")
    with pytest.raises(RefusedInput, match=r"damaged .h5 file"):
        keras_file.check(tmp_path / "f.h5")


def test_hard_sigmoid_is_keras_2s():
    x = np.array([-3.0, -2.5, 0.0, 1.0, 2.5, 4.0], "f4")
    np.testing.assert_allclose(keras2.hard_sigmoid(x), [0, 0, 0.5, 0.7, 1, 1], atol=1e-6)
