"""Network folders that lie: refused before Keras builds anything."""

import io
import json
import random
import resource
import shutil
import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
import specimen
import worlds

from tf_inverse.errors import RefusedInput
from tf_inverse.networks import keras_file, storage, trusted


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    made = worlds.tiny_networks()
    parts = {name: getattr(made, name) for name in ("classifier", "generator", "encoder", "codes")}
    return storage.save(tmp_path_factory.mktemp("pair") / "tiny", name="tiny", **parts)


@pytest.fixture
def network(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "tiny")


def edited(path, config=None, weights=None, extra=None):
    """Rewrites a .keras file with changed members."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    if config:
        members["config.json"] = json.dumps(config(json.loads(members["config.json"]))).encode()
    if weights:
        buffer = io.BytesIO(members["model.weights.h5"])
        with h5py.File(buffer, "a") as file:
            weights(file)
        members["model.weights.h5"] = buffer.getvalue()
    with zipfile.ZipFile(path, "w") as file:
        for name, data in (members | (extra or {})).items():
            file.writestr(name, data)


def replaced(value, old, new):
    return json.loads(json.dumps(value).replace(old, new))


def test_the_valid_ones_pass(network):
    keras_file.check(network / "classifier.keras")
    keras_file.check(network / "generator.keras")


def test_huge_layer(network):
    """Two terabytes declared in a few kilobytes: refused without taking the memory."""
    edited(network / "generator.keras", lambda c: replaced(c, '"units": 192', f'"units": {10**11}'))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RefusedInput, match="declares .* weights or more and stores|no model"):
        keras_file.check(network / "generator.keras")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


def test_models_are_made_as_ever_after_a_refusal(network):
    edited(network / "generator.keras", lambda c: replaced(c, '"units": 192', f'"units": {10**11}'))
    with pytest.raises(RefusedInput):
        keras_file.check(network / "generator.keras")
    later = keras.layers.Dense(2)
    later.build((None, 3))
    assert later.kernel.numpy().any()


@keras.saving.register_keras_serializable("tests")
class Table(keras.layers.Layer):
    """Has a variable that starts at an array, as some of KerasHub's have."""

    def build(self, shape):
        self.table = keras.Variable(np.arange(shape[-1], dtype=np.float32), name="table")

    def call(self, x):
        return x * self.table


def test_a_file_is_loaded_as_keras_loads_it(tmp_path):
    """Layers whose weights start at random numbers, at others, at data and at seeds."""
    x = keras.Input((8, 8, 3), name="x")
    normal = keras.layers.Normalization(name="normal")
    normal.adapt(np.arange(192, dtype=np.float32).reshape(1, 8, 8, 3))
    h = keras.layers.Conv2D(4, 3, name="conv")(normal(keras.layers.RandomFlip(seed=3)(x)))
    h = keras.layers.PReLU()(keras.layers.BatchNormalization(name="norm")(h))
    h = keras.layers.SpectralNormalization(keras.layers.Conv2D(4, 3), name="spectral")(h)
    h = Table(name="table")(keras.layers.Reshape((16, 4))(h))
    h = keras.layers.MultiHeadAttention(2, 3, dropout=0.5, name="attention")(h, h)
    h = keras.layers.Dropout(0.5, seed=5)(keras.layers.GRU(3, name="gru")(h))
    made = keras.Model(x, keras.layers.Dense(2, name="top")(h), name="net")
    rng = np.random.default_rng(0)
    made.set_weights([rng.uniform(0.5, 1, w.shape).astype(w.dtype) for w in made.get_weights()])
    made.save(tmp_path / "net.keras")
    # Keras draws a seed that no file holds, that of the attention's dropout, from Python's.
    random.seed(0)
    expected = keras.models.load_model(tmp_path / "net.keras")
    random.seed(0)
    got = keras_file.load(tmp_path / "net.keras")
    for one, other in zip(got.variables, expected.variables, strict=True):
        assert one.name == other.name and one.trainable == other.trainable
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    images = rng.uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(got(images), expected(images))


def test_an_archive_is_no_model(tmp_path):
    specimen.write(tmp_path / "a.h5", 2)
    with pytest.raises(RefusedInput, match="holds samples, expected the file of a model"):
        keras_file.check(tmp_path / "a.h5")


def test_a_quantised_attention_is_told_with_the_way_out(tmp_path):
    """Keras saves it without a word, and then says that its weights are not in the file."""
    x = keras.Input((4, 3))
    made = keras.Model(x, keras.layers.MultiHeadAttention(2, 3)(x, x))
    made.quantize("int8")
    made.save(tmp_path / "net.keras")
    with pytest.raises(RefusedInput, match=r"Keras saves quantised layers .*export\(\)"):
        keras_file.load(tmp_path / "net.keras")


def test_an_archive_that_zipfile_cannot_read_is_refused_by_users_of_savedmodels_too(
    network, monkeypatch
):
    path = network / "generator.keras"
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 6] = 99  # the version that is needed to unpack it
    path.write_bytes(data)
    for known in (set(), {64 * "0"}):
        monkeypatch.setattr(trusted, "_known", lambda known=known: known)
        with pytest.raises(RefusedInput, match="damaged .keras file .*version 9.9"):
            storage.model(path)


def test_lambda(network, tmp_path):
    codes = keras.Input((6,))
    model = keras.Model(codes, keras.layers.Lambda(lambda c: c * 2)(codes))
    model.save(tmp_path / "lambda.keras")
    with pytest.raises(RefusedInput, match="Lambda layer, which is a program"):
        keras_file.check(tmp_path / "lambda.keras")
    with pytest.raises(RefusedInput):
        storage.model(tmp_path / "lambda.keras")


def test_foreign_class(network):
    path = network / "generator.keras"
    edited(path, lambda c: replaced(c, '"module": "keras.layers"', '"module": "os"'))
    with pytest.raises(RefusedInput, match="no model that Keras knows"):
        keras_file.check(path)


def external(file):
    name = next(iter(file["layers"]))
    del file["layers"][name]
    file["layers"][name] = h5py.ExternalLink("other.h5", "/")


def packed(file):
    file.create_dataset("layers/more", (10**9,), "f4", chunks=(10**6,), compression="gzip")


def elsewhere(file):
    file.create_dataset("layers/more", (10**3,), "f4", external=[("other.bin", 0, 4000)])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weights": external}, "is an external link, expected data"),
        ({"weights": packed}, "is packed or in another file"),
        ({"weights": elsewhere}, "is packed or in another file"),
        ({"extra": {"assets/run.py": b"print()"}}, "holds .*run.py"),
        ({"extra": {"model.weights.h5": b"nonsense"}}, "damaged .keras file"),
        ({"extra": {"config.json": b"[" * 100_000}}, "no model that Keras knows"),
        ({"extra": {"metadata.json": b"[" * 100_000}}, "damaged .keras file"),
    ],
)
def test_members(network, change, words):
    edited(network / "classifier.keras", **change)
    with pytest.raises(RefusedInput, match=words):
        keras_file.check(network / "classifier.keras")


@pytest.mark.parametrize(
    ("local", "central", "bits", "words"),
    [(8, 10, 8, "damaged .keras file"), (6, 8, 1, "damaged .keras file .*encrypted")],
    ids=["packed, but not so", "encrypted"],
)
def test_what_zipfile_makes_of_a_forged_entry_is_one_line(network, local, central, bits, words):
    path = network / "classifier.keras"
    data = bytearray(path.read_bytes())
    where = data.index(b"PK\1\2", data.rindex(b"model.weights.h5") - 1024)
    while data[where + 46 : where + 57] != b"config.json":
        where = data.index(b"PK\1\2", where + 4)
    data[where + central] |= bits
    data[int.from_bytes(data[where + 42 : where + 46], "little") + local] |= bits
    path.write_bytes(data)
    with pytest.raises(RefusedInput, match=words):
        keras_file.check(path)


def test_entries_are_packed_as_keras_packs_them(network):
    path = network / "classifier.keras"
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            how = zipfile.ZIP_LZMA if name == "config.json" else zipfile.ZIP_STORED
            file.writestr(name, data, how)
    with pytest.raises(RefusedInput, match="config.json is packed in a way that Keras does not"):
        keras_file.check(path)


def test_compressed_weights(network):
    path = network / "classifier.keras"
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    with pytest.raises(RefusedInput, match="weights are compressed"):
        keras_file.check(path)


def test_changed_file(network):
    with open(network / "classifier.keras", "r+b") as file:
        file.seek(100)
        file.write(b"x")
    with pytest.raises(RefusedInput, match="expected sha256 .* of classifier.keras"):
        storage.load(network)


def test_name_outside_the_folder(network):
    place = network / "network.json"
    entries = json.loads(place.read_text())
    for name in ("../tiny/classifier.keras", "/etc/passwd", "", None, {}):
        entries["classifier"]["file"] = name
        place.write_text(json.dumps(entries))
        with pytest.raises(RefusedInput):
            storage.load(network)


def test_whole_numbers_beyond_floats(network):
    place = network / "network.json"
    entries = json.loads(place.read_text())
    entries["codes"]["bounds"] = [-(10**400), 1]
    place.write_text(json.dumps(entries))
    with pytest.raises(RefusedInput, match="expected JSON in .*: a whole number of 402 digits"):
        storage.load(network)


def test_no_code_without_tensorflow(network):
    """Looking at a folder's manifest loads neither TensorFlow nor a model."""
    code = (
        "import sys; from tf_inverse.networks import places, storage; "
        f"storage.manifest(places.find({str(network)!r}))"
    )
    code += "; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_loaded_weights_are_those_saved(network):
    made, loaded = worlds.tiny_networks(), storage.load(network)
    for ours, theirs in zip(made.classifier.weights, loaded.classifier.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def appended(path, layer):
    """Puts another layer behind a Sequential model's others."""
    layer = {"module": "keras.layers", "registered_name": None} | layer

    def change(config):
        config["config"]["layers"].append(layer)
        return config

    edited(path, change)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (("TFSMLayer", {"filepath": "other"}), "TFSMLayer`, which loads an external SavedModel"),
        (("StringLookup", {"vocabulary": "other.txt"}), "vocabulary file outside of the model"),
        (("Dense", {"units": 2, "activation": "other"}), "Could not .* activation .* other"),
    ],
)
def test_what_reads_other_files_is_refused_with_keras_own_reason(tmp_path, layer, words):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "f.keras")
    appended(tmp_path / "f.keras", dict(zip(("class_name", "config"), layer, strict=True)))
    with pytest.raises(RefusedInput, match=words) as raised:
        storage.model(tmp_path / "f.keras")
    assert len(str(raised.value)) < 500 and "\n" not in str(raised.value)


def test_a_letter_that_would_be_gigabytes(tmp_path):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "f.keras")
    text = {"class_name": "__numpy__", "config": {"value": ["a"], "dtype": f"S{10**9}"}}
    appended(tmp_path / "f.keras", {"class_name": "Rescaling", "config": {"scale": text}})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RefusedInput, match=f"Invalid dtype: S{10**9}"):
        storage.model(tmp_path / "f.keras")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_losses_of_ones_own_do_not_matter(tmp_path, kind):
    """A model is not compiled here, nor is a model within it."""
    trunk = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="trunk")
    x = keras.Input((4,))
    model = keras.Model(x, trunk(x))
    for one in (trunk, model):
        one.compile("adam", loss=lambda y, z: keras.ops.mean((y - z) ** 2))
    model.fit(np.zeros((2, 4)), np.zeros((2, 2)), verbose=0)
    model.save(tmp_path / f"f.{kind}")
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("f4")
    loaded = storage.model(tmp_path / f"f.{kind}")
    np.testing.assert_allclose(loaded(x), model(x), rtol=1e-6)


def test_a_version_is_not_shown_unless_it_is_one(tmp_path):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "f.keras")
    appended(tmp_path / "f.keras", {"class_name": "Gone", "config": {}})
    about = json.dumps({"keras_version": "2\x1b[31m"}).encode()
    edited(tmp_path / "f.keras", extra={"metadata.json": about})
    with pytest.raises(RefusedInput, match="Keras 1 or 2 saved it .* layer Gone is none of"):
        storage.model(tmp_path / "f.keras")
