"""A network that a user adopted: every command takes it, and its archives find it again."""

import base64
import io
import json
import os
import pathlib
import re
import shutil
import stat

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from tf_inverse.tools import cli

from tf_inverse import archive, diversity
from tf_inverse.adopt import check
from tf_inverse.band import Neuron
from tf_inverse.networks import codes, storage, trusted, unit_statistics
from tf_inverse.run import origin

SMALL = ("--n=6", "--K=3", "--precision=float32")


def classifier():
    """Models within the model, pixels in 0..1."""
    x = keras.Input((8, 8, 3))
    h = layers.Conv2D(4, 3, activation="relu", name="conv")(layers.Rescaling(4.0, -2.0)(x))
    back = keras.Model(x, layers.GlobalAveragePooling2D(name="pool")(h), name="back")
    x = keras.Input((8, 8, 3), name="image")
    h = layers.Dense(6, activation="tanh", name="fc")(back(x))
    return keras.Model(x, layers.Dense(2, name="logits")(h), name="net")


def pictures(G, place, count=120):
    """Images of the generator as PNG files of two classes: [N, 8, 8, 3], and a class each."""
    c = np.random.default_rng(0).standard_normal((count, 5)).astype("f4")
    x = np.asarray(127.5 * (G(c) + 1)).round().astype("u1")
    for name in ("dogs", "cats"):
        (place / name).mkdir(parents=True)
    for i, image in enumerate(x):
        Image.fromarray(image).save(place / ("cats" if i % 2 else "dogs") / f"{i:03}.png")
    order = [*range(1, count, 2), *range(0, count, 2)]  # cats, then dogs
    return x[order], np.repeat((0, 1), count // 2)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with f.keras, saved/ (the same as a SavedModel), g.keras and photos/."""
    place = tmp_path_factory.mktemp("models")
    keras.utils.set_random_seed(0)
    f = classifier()
    shape = layers.Reshape((8, 8, 3))
    G = keras.Sequential([keras.Input((5,)), layers.Dense(192, activation="tanh"), shape])
    f.save(place / "f.keras")
    G.save(place / "g.keras")
    f.export(place / "saved", verbose=False)
    return place, f, *pictures(G, place / "photos")


def run(*arguments):
    with pytest.raises(SystemExit) as end:
        cli.main([*map(str, arguments)])
    return end.value.code


@pytest.fixture(scope="module")
def home(models, tmp_path_factory):
    """A folder in which both were adopted: `nested` from f.keras, `mine` from the SavedModel."""
    place, home = models[0], tmp_path_factory.mktemp("home")
    common = [place / "g.keras", "--pixels=0:1", f"--images={place / 'photos'}"]
    assert run("adopt", place / "f.keras", *common, f"--out={home / 'nested'}") == 0
    options = ["--trust", "--name=mycnn", f"--out={home / 'mine'}"]
    assert run("adopt", place / "saved", *common, *options) == 0
    return home


@pytest.fixture
def here(home, tmp_path, monkeypatch):
    """A copy to work in, as another folder of the same user."""
    shutil.copytree(home, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def test_adoption_on_images_gives_statistics_labels_and_nature(home, models):
    _, f, x, classes = models
    networks = storage.load(home / "nested")
    assert networks.labels == ("net/logits", ("cats", "dogs"))
    inner = f.get_layer("back")
    taken = [inner.get_layer("conv").output, inner.output]
    conv, pool = keras.Model(inner.inputs[0], taken)(x / 255.0)
    logits = f(x / 255.0).numpy()
    expected = {
        Neuron("net/logits", 1): logits[:, 1],
        Neuron("net/back/pool", 2): pool[:, 2],
        Neuron("net/back/conv", 3, (3, 3)): conv[:, 3, 3, 3],
    }
    for neuron, z in expected.items():
        unit = networks.natural.unit(neuron)
        np.testing.assert_allclose(unit.mean, np.mean(z), rtol=1e-4, err_msg=str(neuron))
        np.testing.assert_allclose(unit.percentile(90), np.percentile(z, 90), rtol=1e-4)
    for name in ("logits", "net/logits"):  # `units` lists a nested layer by its name or its path
        listed = unit_statistics.stored(networks, name)
        np.testing.assert_allclose(listed.mean, logits.mean(axis=0), rtol=1e-4, atol=1e-6)
    stored = networks.natural
    assert stored.images == stored.typical == len(stored.encodings) == 120
    rows = np.sort(stored.activations["net/logits"][:, 1])
    np.testing.assert_allclose(rows, np.sort(logits[:, 1]), atol=2e-3)  # half precision
    measured = storage.manifest(home / "nested")["source"]["measured"]["natural"]
    agree = np.mean(logits.argmax(axis=1) == classes)
    assert measured["images"] == 120 and measured["classified as labelled"] == round(agree, 4)
    assert "by chance" in measured["labels"] and agree < 0.75  # the weights are random
    # The default target: the highest natural range that begins below what random codes give.
    drawn = networks.generator(codes.draw(networks, check.COUNT, codes.generator(0, 0)))
    highest = float(f(np.round(drawn) / 255.0)[:, 1].numpy().max())
    ranges = [(90, 98), (75, 90), (50, 75)]
    low, high = next(r for r in ranges if np.percentile(logits[:, 1], r[0]) <= highest)
    assert networks.default == f"net/logits:1@p{low}:p{high}"


def test_statistics_go_along_to_a_pair_with_another_encoder(here, capsys):
    """Nothing stays of the images whose encodings they had, and what is written loads."""
    options = ["--encoder=net/back/pool", "--out=other"]
    assert run("pair", "nested", "nested", *options) == 0, capsys.readouterr().err
    natural, before = (storage.load(here / name).natural for name in ("other", "nested"))
    assert before.indices is not None and natural.indices is None and natural.encodings is None
    for layer, arrays in before.layers.items():
        for kept, there in zip(natural.layers[layer], arrays, strict=True):
            np.testing.assert_array_equal(kept, there)


def test_samples_have_nature_beside_them(here, capsys):
    targets = "--targets=net/logits:dogs@p75:p98"
    assert run("sample", "a.h5", "nested", targets, *SMALL, "--json") == 0
    figures, opened = json.loads(capsys.readouterr().out), archive.open("a.h5")
    (target,), z = opened.targets, opened.natural.activations[:, 0]
    assert target["label"] == "dogs" and len(z) == 120
    inside = ((z >= target["z1"]) & (z <= target["z2"])).sum()
    assert len(opened.natural.encodings) == inside and figures["natural"] == min(inside, 6)
    e = np.asarray(opened.natural.encodings)
    expected = diversity.profile_at(e, figures["bandwidth"], figures["natural"])
    assert figures["vendi_natural"] == pytest.approx(expected[1])
    # A layer by its short name has the same statistics.
    assert run("sample", "b.h5", "nested", "--targets=pool:2@p60:p95", *SMALL) == 0
    assert archive.open("b.h5").targets[0]["layer"] == "net/back/pool"


def test_what_this_user_adopted_needs_no_flag(here, capsys):
    assert run("sample", "a.h5", "mine", *SMALL, "--store=codes") == 0
    assert run("units", "mine") == 0
    assert run("verify", "a.h5") == 0
    assert run("resume", "a.h5", "--n=8") == 0
    assert run("report", "a.h5") == 0
    said = capsys.readouterr().err
    assert "--trust" not in said and "thumbnails" not in said
    # The page shows the images that the archive leaves out, made again.
    (shown,) = json.loads(page_data("report.html"))["archives"]
    opened = archive.open("a.h5")
    image = np.asarray(opened.codes[:1])
    networks = storage.load("mine")
    expected = np.round(np.clip(networks.generator(image), 0, 255))[0]
    picture = base64.b64decode(shown["samples"]["thumbnails"][0].partition(",")[2])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(picture))), expected)


def page_data(path):
    """The JSON inside a page."""
    with open(path, encoding="utf-8") as file:
        return re.search(r"<script[^>]*application/json[^>]*>(.*?)</script>", file.read(), re.S)[1]


def test_the_file_of_what_is_trusted(home, tmp_path, monkeypatch, capsys):
    place = trusted.place()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    digest = storage.manifest(home / "mine")["classifier"]["sha256"]
    assert place.read_text().split().count(digest) == 1
    # Weights alone hold no program: nothing to remember of them.
    assert storage.manifest(home / "nested")["classifier"]["sha256"] not in place.read_text()
    kept = place.read_bytes()
    monkeypatch.setenv("TF_INVERSE_CACHE", str(tmp_path))
    saved = home / "mine" / "classifier.keras"
    assert not known(saved)
    trusted.place().write_bytes(kept)
    trusted.place().chmod(0o620)  # others could have written it
    assert not known(saved)
    trusted.remember([saved])
    assert "needs --trust each time" in capsys.readouterr().err
    trusted.place().chmod(0o600)
    assert known(saved)


def known(path):
    with trusted.loadable(path, trust=False) as (_, trust):
        return trust


def test_the_bytes_that_are_trusted_are_those_that_are_loaded(home, tmp_path):
    """Somebody puts another file in the place of one whose sha256 is known, as it is loaded."""
    path = tmp_path / "classifier.keras"
    whole = (home / "mine" / "classifier.keras").read_bytes()
    path.write_bytes(whole)
    with trusted.loadable(path, trust=False) as (file, trust):
        path.write_bytes(b"another")
        assert trust and pathlib.Path(file).read_bytes() == whole
        assert stat.S_IMODE(pathlib.Path(file).parent.stat().st_mode) == 0o700
    assert not pathlib.Path(file).exists()
    path.write_bytes(whole + b" ")
    with trusted.loadable(path, trust=False) as (file, trust):
        assert (file, trust) == (path, False)
    with trusted.loadable(path, trust=True) as (file, trust):
        assert (file, trust) == (path, True)


@pytest.mark.parametrize(
    "command",
    [
        ["sample", "b.h5", "mine", *SMALL],
        ["units", "mine"],
        ["ladder", "lad", "mine", "--ranges=2", "--n=2", "--K=2"],
        ["experiment", "figure1", "--network=mine", "--n=2", "--K=2", "--neurons=1", "--out=exp"],
        ["verify", "a.h5"],
        ["resume", "a.h5", "--n=7"],
        ["export", "out", "--network=mine"],
        ["pair", "mine", "nested", "--encoder=graph", "--out=two"],
        ["train", "generator", "--data=photos", "--out=t", "--classifier=mine/classifier.keras"],
        ["train", "pair", "--data=photos", "--out=t", "--classifier=mine/classifier.keras"],
        ["train", "check", "--data=photos", "--out=mine", "--judge=nested/classifier.keras"],
        ["adopt", "mine", "nested", "--out=two"],
    ],
    ids=" ".join,
)
def test_a_folder_from_elsewhere_needs_trust(drawn, models, command, capsys, monkeypatch):
    """Every command that loads one says so, and takes the flag."""
    monkeypatch.chdir(drawn)
    monkeypatch.setenv("TF_INVERSE_CACHE", str(drawn / "cache of another user"))
    if not os.path.exists("photos"):
        os.symlink(models[0] / "photos", "photos")
    assert run(*command) == 4
    said = capsys.readouterr().err
    assert "expected --trust for" in said and said.count("\n") <= 2  # one may tell the precision
    loaded = []

    def model(path, trust=False):
        loaded.append(trust)
        raise KeyboardInterrupt  # far enough

    monkeypatch.setattr(storage, "model", model)
    assert run(*command, "--trust") == 130 and loaded == [True]


@pytest.fixture(scope="module")
def drawn(home, tmp_path_factory):
    """The same with an archive of each network in it."""
    place = shutil.copytree(home, tmp_path_factory.mktemp("drawn") / "home")
    for name in ("mine", "nested"):
        (place / "runs").mkdir(exist_ok=True)
        out = place / ("a.h5" if name == "mine" else "runs/n.h5")
        assert run("sample", out, f"--network={place / name}", *SMALL) == 0
    return place


def test_an_archive_tells_its_networks_folder(drawn):
    told = archive.open(drawn / "runs" / "n.h5").header["folder"]
    assert told == {"relative": "../nested", "absolute": str(drawn / "nested")}
    with h5py.File(drawn / "runs" / "n.h5") as file:
        assert json.loads(file.attrs["folder"]) == told


def test_the_folder_is_found_again(drawn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Both moved together: the relative path holds.
    moved = shutil.copytree(drawn, tmp_path / "moved", symlinks=True)
    assert origin.find(archive.open(moved / "runs" / "n.h5")) == moved / "nested"
    assert run("verify", moved / "runs" / "n.h5") == 0
    # The archive alone was moved: the absolute one.
    alone = shutil.copy(drawn / "runs" / "n.h5", tmp_path / "alone.h5")
    assert run("verify", alone) == 0
    # Another network, which is damaged, lies at the relative one.
    (moved / "nested" / "network.json").write_text("{")
    assert origin.find(archive.open(moved / "runs" / "n.h5")) == drawn / "nested"
    assert run("resume", alone, "--n=7", "--json") == 0
    told = archive.open(alone).header["folder"]
    assert told == {"relative": os.path.relpath(drawn / "nested", tmp_path),
                    "absolute": str(drawn / "nested")}  # fmt: skip


def test_a_folder_that_is_gone_or_another_is_named(drawn, tmp_path, capsys):
    (tmp_path / "runs").mkdir()
    path = shutil.copy(drawn / "runs" / "n.h5", tmp_path / "runs" / "n.h5")
    place = drawn / "nested"
    commands = ["verify", path], ["resume", path, "--n=9"]
    os.rename(place, tmp_path / "kept")
    try:
        for command in commands:
            assert run(*command) == 2
            said = capsys.readouterr().err
            assert f"expected the network 'net' that {path} was drawn with" in said
            assert f"not there any more ({place}): give --network=FOLDER of net" in said
        shutil.copytree(drawn / "mine", place)
        for command in commands:
            assert run(*command) == 4
            said = capsys.readouterr().err
            assert f"{place} has another classifier.keras, " in said and "--network=FOLDER" in said
        assert run("verify", path, f"--network={tmp_path / 'kept'}") == 0
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.rename(tmp_path / "kept", place)
