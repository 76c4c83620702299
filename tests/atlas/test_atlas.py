"""An atlas of the tiny pair: whole, true, and the same however often and by whom it was begun."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import time

import keras
import numpy as np
import pytest
import worlds
from commands import Child, run

from tf_inverse import archive
from tf_inverse.archive import atlas_index, atomic, side_file
from tf_inverse.atlas import index, plan, request, targets, work
from tf_inverse.caffe import published
from tf_inverse.networks import codes, storage
from tf_inverse.neuron import Neuron
from tf_inverse.run import signals

FLAGS = ("--layers=fc3,conv1", "--n=4", "--K=8", "--precision=float32", "--ladder", "--patience=20")
"""Of every atlas here: two layers, three ranges a unit; of conv1 nature is unknown."""


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """The tiny pair as a folder; a unit of fc3 is dead, and one of conv1 hardly ever moves."""
    made = worlds.tiny_networks()
    dead = made.classifier.get_layer("fc3")
    kernel, bias = dead.get_weights()
    kernel[:, 3] = 0.0
    dead.set_weights([kernel, bias])
    parts = ("name", "classifier", "generator", "encoder", "codes", "labels", "crop")
    fields = {name: getattr(made, name) for name in parts}
    folder = tmp_path_factory.mktemp("pair") / "tiny"
    return storage.save(folder, natural=worlds.natural(made), **fields)


@pytest.fixture(scope="module", autouse=True)
def pair(network):
    """The pair as every command of this process has it, so that its graphs are traced once."""
    loaded = storage.load(network)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published, "load", lambda *_: loaded)
        yield loaded


def sums(folder):
    """The archives of an atlas by their paths, as checksums."""
    found = sorted(folder.glob("*/*.h5"))
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


def sampled(folder, network, *flags):
    return run("atlas", f"--out={folder}", f"--network={network}", *FLAGS, *flags)


@pytest.fixture(scope="module")
def whole(network, tmp_path_factory):
    """An atlas that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole") / "atlas"
    assert sampled(folder, network) == 0
    return folder


def test_every_unit_has_its_samples_or_a_reason(whole, network, pair, capsys):
    found = atlas_index.read(whole)
    natural = pair.natural.activations["fc3"]
    assert [(row["name"], row["units"], row["targets"]) for row in found["layers"]] == [
        ("fc3", 4, 12),
        ("conv1", 5, 15),
    ]
    for unit in found["units"]:
        if (unit["layer"], unit["unit"]) == ("fc3", 3):
            assert (
                unit["state"] == "dead"
                and unit["archive"] is None
                and "for all of" in unit["reason"]
            )
            continue
        ends = [(99, 99.8), (90, 99), (50, 90)][unit["rung"]]
        assert unit["levels"] == [f"p{end:g}" for end in ends]
        if unit["layer"] == "fc3":
            wanted = np.percentile(natural[:, unit["unit"]], ends)
            np.testing.assert_allclose([unit["z1"], unit["z2"]], wanted, rtol=2e-3, atol=1e-3)
        else:
            assert unit["at"] == [4, 4]
        again = "" if unit["rung"] == 0 else f"-{unit['rung'] + 1}"
        assert unit["archive"] == f"{unit['layer']}/{unit['unit']}{again}.h5"
        assert (unit["state"], unit["found"], unit["reason"]) == ("done", 4, None)
        with archive.open(whole / unit["archive"]) as opened:
            z = opened.activations[:]
            assert len(z) == 4 and ((z >= unit["z1"]) & (z <= unit["z2"])).all()
            assert opened.targets[0]["text"] == unit["text"] and opened.network == "tiny"
            assert opened.summary["vendi"] == unit["vendi"]
    one, two = str(whole / "fc3" / "0.h5"), str(whole / "conv1" / "2-3.h5")
    flag = f"--network={network}"
    assert run("verify", one, flag) == run("verify", two, flag) == run("compare", one, two) == 0
    assert run("report", one, f"--out={whole.parent / 'page.html'}") == 0
    capsys.readouterr()
    assert run("resume", one, "--n=9", flag) == 2
    assert "belongs to an atlas" in capsys.readouterr().err


def test_killed_anywhere_the_same_command_goes_on_to_the_same_archives(
    whole, network, tmp_path, monkeypatch
):
    """A process of its own, killed by the system; then this one, stopped at several renames."""
    folder = tmp_path / "atlas"
    words = ["atlas", f"--out={folder}", f"--network={network}", *FLAGS]
    child = Child(*words, cwd=tmp_path)
    while child.running() and not list(folder.glob("*/*.h5")):
        time.sleep(0.05)
    child.signal(signal.SIGKILL)
    child.ended()
    real = os.replace

    class Killed(BaseException):
        """Ends the process as a signal does: nothing on the way catches it."""

    for point in (1, 6, 17):
        left = [point]

        def armed(*names, left=left):
            left[0] -= 1
            if not left[0]:
                raise Killed
            real(*names)

        monkeypatch.setattr(os, "replace", armed)
        with pytest.raises(Killed):
            sampled(folder, network)
        monkeypatch.setattr(os, "replace", real)
        assert atlas_index.read(folder) is not None
    assert sampled(folder, network) == 0
    assert sums(folder) == sums(whole)
    left = {path.name for path in (*folder.glob("*"), *folder.glob("*/*")) if path.is_dir()}
    assert not {name for name in left if name.endswith(".run")}
    assert not [lock for lock in folder.glob("groups/*.lock") if lock.name != plan.LOCK]


def test_asked_to_stop_it_ends_with_the_signals_code_and_goes_on(
    whole, network, tmp_path, monkeypatch, capsys
):
    folder, asked = tmp_path / "atlas", []

    class Stop(signals.Stop):
        """Asked to stop at the fifth question."""

        def __bool__(self):
            asked.append(True)
            self.signal = signal.SIGTERM if len(asked) >= 5 else None
            return self.signal is not None

    monkeypatch.setattr(signals, "deferred", lambda say: contextlib.nullcontext(Stop()))
    assert sampled(folder, network) == 143
    assert "the same command goes on" in capsys.readouterr().err
    assert not list(folder.glob("groups/0*.json"))
    monkeypatch.undo()
    sampled(folder, network)
    assert sums(folder) == sums(whole)


def test_shards_are_the_same_atlas_together(whole, network, tmp_path, capsys):
    folder = tmp_path / "atlas"
    assert sampled(folder, network, "--shard=2/2") == 0
    part = sums(folder)
    assert 0 < len(part) < len(sums(whole))
    capsys.readouterr()
    assert run("atlas", "status", str(folder), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["targets"] == 27 and told["done"] == len(part) and told["dead"] == 3
    assert told["waiting"] == 24 - len(part)
    sampled(folder, network, "--shard=1/2")
    assert sums(folder) == sums(whole)


def test_the_index_is_made_again_out_of_the_archives(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "atlas")
    before = atlas_index.read(folder)
    (folder / atlas_index.INDEX).unlink()
    shutil.rmtree(folder / plan.GROUPS)
    after = index.build(folder, index.Records(folder, plan.read(folder)), {})
    for unit in [*before["units"], *after["units"]]:
        del unit["seconds"]
    assert json.loads(json.dumps(after)) == before


def test_a_full_disk_stops_with_a_line_and_the_same_command_goes_on(
    whole, network, tmp_path, monkeypatch, capsys
):
    folder, real, left = tmp_path / "atlas", atomic.write_all, [12]

    def full(descriptor, data):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        real(descriptor, data)

    monkeypatch.setattr(atomic, "write_all", full)
    assert sampled(folder, network) == 3
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "No space left on device" in said and "the same command goes on" in said
    monkeypatch.undo()
    sampled(folder, network)
    assert sums(folder) == sums(whole)


def test_a_group_that_fails_is_set_aside_and_tried_again(whole, network, tmp_path, monkeypatch):
    folder, real = tmp_path / "atlas", work.steps

    def broken(folder, plan, networks, group, watch):
        def raising():
            raise RuntimeError("a layer of the user's own")

        if group == 0:
            yield raising
        yield from real(folder, plan, networks, group, watch)

    monkeypatch.setattr(work, "steps", broken)
    assert sampled(folder, network) == 3
    states = [unit["state"] for unit in atlas_index.read(folder)["units"]]
    assert states.count("failed") == 9 and states.count("done") == 15
    monkeypatch.undo()
    sampled(folder, network)
    assert sums(folder) == sums(whole)


def test_a_list_of_targets_and_the_maximum_of_a_map(network, pair, tmp_path, capsys):
    """Labels, ranges of all kinds and two ranges of one unit; a bad line is told by its number."""
    listed, folder = tmp_path / "list.txt", tmp_path / "atlas"
    flags = ("atlas", f"--out={folder}", f"--network={network}", f"--targets-file={listed}")
    for bad, told in {
        "fc3:cat\nfc3:9@0:1": "line 2: expected a unit of fc3 from 0 to 3",
        "fc3:cat@0:1, fc3:dog@0:1": "expected one neuron",
        "fc3:3@1:1": "line 1: expected z1 < z2",
        "fc3:cat@p90:p50": "line 1: expected z1 < z2",
        "# nothing\n": "it has none",
    }.items():
        listed.write_text(bad)
        assert run(*flags) == 2
        assert told in capsys.readouterr().err
    z = pair.natural.activations["fc3"][:, 1]
    middle = f"{np.quantile(z, 0.3)}:{np.quantile(z, 0.6)}"
    np.save(tmp_path / "two.npy", np.array([[1.0, 0, 0, 0], [0.5, -0.5, 1.0, 0]], np.float32))
    lines = ["fc3:dog@p60:p95  # high", "", f"fc3:1@{middle}", "fc3:cat", "fc3:dog-cat@-2:2"]
    dead = ["fc3:3", "fc3:3@+1sd:+2sd"]
    listed.write_text("\n".join([*lines, f"fc3:@{tmp_path / 'two.npy'}@-1:1", *dead]))
    assert run(*flags, "--n=3") == 0
    units = atlas_index.read(folder)["units"]
    names = ["1", "1-2", "0", "dog-cat", "0-2", "@two.npy%5B1%5D"]
    assert [unit["state"] for unit in units] == ["done"] * 6 + ["dead"] * 2
    assert all(unit["reason"].startswith("it is 0") for unit in units[6:])
    assert [unit["archive"] for unit in units[:6]] == [f"fc3/{name}.h5" for name in names]
    assert [unit["levels"] for unit in units[:3]] == [["p60", "p95"], None, ["p99", "p99.8"]]
    assert [unit["label"] for unit in units[:4]] == ["dog", "dog", "cat", None]
    # A direction is true as any unit, and its archive says what it is.
    with archive.open(folder / units[5]["archive"]) as opened:
        z = [worlds.activation(pair, opened.images[:], Neuron("fc3", i), 3) for i in range(3)]
        z = 0.5 * z[0] - 0.5 * z[1] + z[2]
        np.testing.assert_allclose(opened.activations[:][:, 0], z, rtol=1e-4, atol=1e-4)
        assert ((z >= -1) & (z <= 1)).all()
    assert run("verify", str(folder / units[5]["archive"]), f"--network={network}") == 0
    # Unit 1 less unit 2 has the name that the second range of unit 1 would take.
    listed.write_text("fc3:1@0:1\nfc3:1@0:2\nfc3:1-2@0:1\nfc3:1-2@0:2\nfc3:1@0:3")
    names = [target.archive for target in targets.of_file(pair, str(listed))]
    assert names == [f"fc3/{name}.h5" for name in ("1", "1-2", "1-2-2", "1-2-3", "1-3")]
    made, of = targets.of_layers(pair, ["conv1"], "max", False)
    drawn = codes.draw(pair, targets.IMAGES, codes.generator(targets.SEED, 0))
    images = worlds.images(pair, drawn).astype("f4")
    layer = keras.Model(pair.classifier.input, pair.classifier.get_layer("conv1").output)
    maps = np.asarray(layer(images)).max(axis=(1, 2))
    for unit, target in enumerate(made):
        wanted = np.percentile(maps[:, unit], [99, 99.8])
        np.testing.assert_allclose([target.told["z1"], target.told["z2"]], wanted, rtol=1e-4)
        assert target.told["at"] == "max"
    assert of == {"conv1": "images of 1000 random codes"}


@pytest.mark.parametrize(
    ("flags", "code", "told"),
    [
        (("--n=5",), 2, "settings.n: 4 there, 5 now"),
        (("--layers=fc3",), 2, "layers"),
        (("--shard=0/2",), 2, "--shard=I/N"),
        (("--shard=3/2",), 2, "--shard=I/N"),
        (("--workers=0",), 2, "--workers"),
        (("--store=pictures",), 2, "--store"),
        (("--targets-file=x",), 2, "either --layers"),
    ],
)
def test_a_request_that_cannot_be_is_refused_in_one_line(whole, network, flags, code, told, capsys):
    before = sums(whole)
    assert sampled(whole, network, *flags) == code
    said = capsys.readouterr().err.strip()
    assert told in said and len(said.splitlines()) == 1 and sums(whole) == before


def test_overwriting_removes_what_the_plan_before_named_and_nothing_else(
    whole, network, tmp_path, capsys
):
    folder = shutil.copytree(whole, tmp_path / "atlas")
    mine = folder / "fc3" / "mine.h5"
    mine.write_bytes(b"mine")
    told = sorted(folder.glob("fc3/?.h5"))[0]
    assert run("facets", str(told)) == 0 and side_file.beside(told).exists()
    assert sampled(folder, network, "--layers=fc3", "--n=3", "--overwrite") == 0
    assert not side_file.beside(told).exists() and "left out" not in capsys.readouterr().err
    assert not list(folder.glob("conv1/*.h5")) and mine.read_bytes() == b"mine"
    assert {unit["found"] for unit in atlas_index.read(folder)["units"]} == {0, 3}
    # The pages of what was sampled before go at once, not when the next ones are made.
    emptied = shutil.copytree(whole, tmp_path / "emptied")
    assert (emptied / "site").is_dir()
    request.prepared(emptied, {}, overwrite=True)
    assert not (emptied / "site").exists()
    # Stopped before the new plan is there, it is still known to be an atlas's folder.
    (folder / plan.NAME).unlink()
    assert sampled(folder, network, "--layers=fc3", "--n=3") == 0


def test_folders_that_are_no_atlas_and_damaged_ones_are_refused(whole, network, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert sampled(tmp_path / "mine", network) == 2
    assert sampled(tmp_path / "one.h5", network) == 2
    assert run("atlas", "status", str(tmp_path)) == 2 and run("atlas", "stop") == 2
    folder = shutil.copytree(whole, tmp_path / "atlas")
    record = index.record_path(folder, 0)
    record.write_text(record.read_text()[:-40])
    assert sampled(folder, network) == 4
    text = (folder / plan.NAME).read_text()
    for bad in (text[:-9], text.replace("fc3/0.h5", "../0.h5"), text.replace('"n":4', '"n":"4"')):
        (folder / plan.NAME).write_text(bad)
        assert run("atlas", "status", str(folder)) == 4
    capsys.readouterr()
