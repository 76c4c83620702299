"""A network on disk: there and back, whole or not at all, and refused where it is not itself."""

import json
import os
import shutil

import numpy as np
import pytest
import worlds

from tf_inverse.archive import atomic
from tf_inverse.caffe import published, sources
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.networks import places, saving, storage
from tf_inverse.networks.codes import Codes
from tf_inverse.run import origin


@pytest.fixture
def copy(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder, tmp_path / "copy")


def changed(path, **changes):
    """network.json with other entries; None removes one."""
    entries = json.loads((path / "network.json").read_text()) | changes
    entries = {name: value for name, value in entries.items() if value is not None}
    (path / "network.json").write_text(json.dumps(entries))
    return path


def weights(model):
    return [w.copy() for w in model.get_weights()]


def test_there_and_back(tiny, tiny_folder):
    loaded = storage.load(tiny_folder)
    for name in ("name", "encoder", "codes", "labels", "crop", "image_shape"):
        assert getattr(loaded, name) == getattr(tiny, name), name
    for role in ("classifier", "generator"):
        pairs = zip(*(weights(getattr(n, role)) for n in (loaded, tiny)), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)
    assert loaded.default == "fc3:dog@p60:p95" and loaded.natural.images == 300
    c = np.random.default_rng(0).standard_normal((3, 6)).astype(np.float32)
    np.testing.assert_array_equal(worlds.images(loaded, c), worlds.images(tiny, c))


def test_manifest_names_every_file_with_its_checksum(tiny_folder):
    entries = storage.manifest(tiny_folder)
    assert sorted(os.listdir(tiny_folder)) == [
        "classifier.keras", "generator.keras", "natural.h5", "network.json",
    ]  # fmt: skip
    loaded = storage.load(tiny_folder)
    for role in ("classifier", "generator", "natural"):
        file, digest = entries[role]["file"], entries[role]["sha256"]
        assert os.popen(f"sha256sum {tiny_folder / file}").read().split()[0] == digest
        assert loaded.checksums[file] == digest


def test_bounds_and_crop_are_kept(tmp_path):
    path = worlds.write(tmp_path / "n", codes=Codes("normal", 6, (0.0, 30.0)), crop=5)
    loaded = storage.load(path)
    assert loaded.codes.limits == (0.0, 30.0) and loaded.image_shape == (5, 5, 3)
    generator = json.loads((path / "network.json").read_text())["generator"]
    with pytest.raises(UsageError, match="a crop from 1 to the shorter side .* 8 x 8 .*got 9"):
        storage.load(changed(path, generator=generator | {"crop": 9}))


def test_half_precision_is_exact_for_rounded_weights(tmp_path):
    parts = worlds.tiny_networks()
    options = {"encoder": "fc2", "codes": parts.codes, "name": "half"}
    for model in (parts.classifier, parts.generator):
        saving.rounded(model)
    models = {"classifier": parts.classifier, "generator": parts.generator}
    small = storage.save(tmp_path / "small", half=True, **models, **options)
    large = storage.save(tmp_path / "large", **models, **options)
    loaded = storage.load(small)
    for mine, saved in zip(weights(loaded.classifier), weights(parts.classifier), strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_array_equal(mine, saved)
        np.testing.assert_array_equal(saved, saved.astype(np.float16).astype(np.float32))
    sizes = [(p / "generator.keras").stat().st_size for p in (small, large)]
    assert sizes[0] < sizes[1]


def test_saving_never_leaves_a_part(tiny, tmp_path, monkeypatch):
    """A failure on the way leaves nothing, and a folder that is there stays."""
    options = {"name": "n", "classifier": tiny.classifier, "encoder": "fc2"}
    monkeypatch.setattr(atomic, "checksum", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        storage.save(tmp_path / "n", **options)
    assert os.listdir(tmp_path) == []
    monkeypatch.undo()
    storage.save(tmp_path / "n", **options)
    with pytest.raises(FileExistsError, match="n exists; give --overwrite to replace it"):
        storage.save(tmp_path / "n", **options)
    monkeypatch.setattr(atomic, "checksum", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        storage.save(tmp_path / "n", **options | {"name": "m"}, overwrite=True)
    monkeypatch.undo()
    assert storage.manifest(tmp_path / "n")["name"] == "n" and os.listdir(tmp_path) == ["n"]


def test_overwrite_replaces_the_whole_folder(tiny, copy):
    storage.save(copy, name="bare", classifier=tiny.classifier, encoder="fc2", overwrite=True)
    assert sorted(os.listdir(copy)) == ["classifier.keras", "network.json"]
    with pytest.raises(UsageError, match="which lacks its generator, codes; make one with"):
        storage.load(copy)


def test_unknown_network(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.keras").write_bytes(b"")
    with pytest.raises(UsageError, match="got '.*my.keras', a file: tf-inverse adopt makes a"):
        storage.load(tmp_path / "my.keras")
    with pytest.raises(UsageError, match="or a folder with network.json; got 'volcano'"):
        storage.load("volcano")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="expected a network"):
        storage.load(tmp_path / "empty")


def test_a_shipped_name_is_found_from_anywhere(tmp_path, tiny_folder, monkeypatch):
    shutil.copytree(tiny_folder, tmp_path / "pairs" / "tiny")
    monkeypatch.setattr(places, "SHIPPED", tmp_path / "pairs")
    assert places.shipped() == ["tiny"]
    assert storage.load("tiny").name == "tiny"


def test_a_name_stands_for_no_place(tmp_path, tiny_folder, monkeypatch):
    """Archives of a shipped or published pair are the same bytes wherever it lies."""
    name = next(iter(sources.PAIRS))
    monkeypatch.setenv("TF_INVERSE_CACHE", str(tmp_path / "cache"))
    shutil.copytree(tiny_folder, tmp_path / "pairs" / "tiny")
    shutil.copytree(tiny_folder, tmp_path / "cache" / "networks" / name)
    monkeypatch.setattr(places, "SHIPPED", tmp_path / "pairs")
    for known in ("tiny", name):
        assert origin.told(published.load(known).folder, "a.h5") == {}
    place = storage.load(tiny_folder).folder
    assert place == str(tiny_folder)
    paths = {"relative": os.path.relpath(place), "absolute": place}
    assert origin.told(place, "a.h5") == {"folder": paths}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "other"}, "expected format 'tf_inverse network'"),
        ({"version": 2}, "expected version 1 in .*, got 2"),
        ({"version": None}, "expected version 1 in .*, got None"),
        ({"generator": {"file": "../x.keras"}}, "plain file name for the generator .*'../x.keras'"),
        ({"generator": {"file": "x.h5"}}, "expected a .keras file for the generator .*x.h5"),
        ({"generator": {}}, "plain file name for the generator in .*, got None"),
        ({"generator": {"file": "x.keras"}}, "as its network.json says; it is missing"),
        ({"name": None}, "network.json: .*name"),
        ({"codes": {"kind": "normal"}}, "expected kind, size and bounds as codes in .*'normal'"),
        ({"codes": {"kind": "normal", "size": "6"}}, "size and bounds as codes"),
        ({"codes": {"kind": "normal", "size": 6, "bounds": "ab"}}, "size and bounds as codes"),
        ({"codes": "normal"}, "size and bounds as codes in .*network.json, got 'normal'"),
        ({"labels": {"layer": "fc3"}}, "expected a layer and a list of names as labels"),
        ({"labels": {"layer": "fc3", "names": [1, 2, 3]}}, "a list of names as labels"),
        ({"name": "\x1b[2J"}, r"expected a text of one line as name .*'\\x1b\[2J'"),
        ({"encoder": ["fc2"]}, "expected the name of a layer as encoder"),
        ({"default": 5}, "expected targets in one line as default .*got 5"),
    ],
)
def test_manifests_of_another_form_are_refused(copy, changes, words):
    with pytest.raises(RefusedInput, match=words):
        storage.load(changed(copy, **changes))


def test_manifest_that_is_no_json(copy):
    (copy / "network.json").write_text("{")
    with pytest.raises(RefusedInput, match="expected JSON in"):
        storage.load(copy)
    (copy / "network.json").write_text("[]")
    with pytest.raises(RefusedInput, match="expected format"):
        storage.load(copy)


@pytest.mark.parametrize("name", ["classifier.keras", "natural.h5"])
def test_one_changed_byte_is_refused(copy, name):
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(RefusedInput, match=f"of {name} .*the file was changed or damaged"):
        storage.load(copy)


def test_weights_that_half_precision_does_not_hold_stay_as_they_are(tmp_path):
    parts = worlds.tiny_networks()
    last = parts.classifier.get_layer("fc3")
    last.set_weights([1e6 * last.get_weights()[0], last.get_weights()[1]])
    large = last.get_weights()[0]
    saving.rounded(parts.classifier)
    np.testing.assert_array_equal(last.get_weights()[0], large)
    options = {"encoder": "fc2", "codes": parts.codes, "name": "half", "half": True}
    models = {"classifier": parts.classifier, "generator": parts.generator}
    loaded = storage.load(storage.save(tmp_path / "n", **models, **options))
    np.testing.assert_array_equal(loaded.classifier.get_layer("fc3").get_weights()[0], large)
