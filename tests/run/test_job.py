"""A job: what its archive says, that it verifies, and what is left when it fails."""

import itertools
import json
import os
import platform

import h5py
import keras
import numpy as np
import pytest
import specimen
import tensorflow as tf
import worlds

from tf_inverse import archive
from tf_inverse.archive import atomic
from tf_inverse.band import Band, Neuron, parse
from tf_inverse.errors import Stalled, Unreachable
from tf_inverse.method.settings import Settings
from tf_inverse.run import command, printed, verify


@pytest.fixture(scope="module")
def loaded(tiny_loaded):
    return tiny_loaded


def run(path, networks, targets, n=8, **options):
    more = {name: options.pop(name) for name in ("store", "overwrite") if name in options}
    settings = Settings(n=n, K=4, **options)
    bands = parse(targets, networks) if isinstance(targets, str) else targets
    return command.run(path, networks, bands, settings, as_json=True, **more)


@pytest.fixture(scope="module")
def finished(loaded, tmp_path_factory):
    """The archive of an intersection of two neurons of one layer."""
    path = tmp_path_factory.mktemp("job") / "both.h5"
    run(path, loaded, "fc3:cat@p30:p90, fc3:1@p30:p90", seed=3)
    return path


def test_the_archive_says_what_its_samples_depend_on(finished, loaded, tiny_folder):
    opened = archive.open(finished)
    cat, dog = opened.targets
    statistics = loaded.natural.unit(Neuron("fc3", 0))
    assert (cat["layer"], cat["unit"], cat["at"], cat["label"]) == ("fc3", 0, None, "cat")
    assert (cat["z1"], cat["z2"]) == (statistics.percentile(30), statistics.percentile(90))
    assert dog["label"] == "dog" and opened.seed == 3 and opened.asked == 8
    settings = Settings(n=8, K=4, seed=3, beta=0.2, starts="random")
    assert opened.settings == settings.asdict() | {"store": "images"}
    assert opened.checksums == {
        name: atomic.checksum(tiny_folder / name)
        for name in ("classifier.keras", "generator.keras", "natural.h5")
    }
    assert opened.versions["python"] == platform.python_version()
    assert opened.versions["tensorflow"] == tf.__version__
    assert opened.versions["keras"] == keras.__version__
    assert opened.versions["h5py"] == h5py.__version__


def test_the_archive_verifies_image_by_image(finished, loaded):
    opened = archive.open(finished)
    assert verify.verify(opened, loaded).problems == ()
    for i, target in enumerate(opened.targets):
        z = worlds.activation(loaded, opened.images[:], Neuron("fc3", target["unit"]))
        assert ((z >= target["z1"]) & (z <= target["z2"])).all()
        np.testing.assert_allclose(opened.activations[:][:, i], z, rtol=1e-4)


def test_nature_stands_beside_the_samples(finished, loaded):
    """Activations of all stored natural images, encodings of those in both bands."""
    opened = archive.open(finished)
    stored, (cat, dog) = loaded.natural, opened.targets
    z = stored.activations["fc3"]
    both = (z[:, 0] >= cat["z1"]) & (z[:, 0] <= cat["z2"])
    both &= (z[:, 1] >= dog["z1"]) & (z[:, 1] <= dog["z2"])
    np.testing.assert_array_equal(np.asarray(opened.natural.activations), z[:, :2])
    np.testing.assert_array_equal(np.asarray(opened.natural.encodings), stored.encodings[both])
    assert opened.summary["natural"] == min(both.sum(), 8)


def test_codes_alone_are_enough(tmp_path, loaded, finished):
    """--store=codes keeps thumbnails; the images can be made again and verify."""
    run(tmp_path / "c.h5", loaded, "fc3:cat@p30:p90, fc3:1@p30:p90", seed=3, store="codes")
    opened = archive.open(tmp_path / "c.h5").rendered(lambda c: verify.render(loaded, c))
    assert np.array_equal(opened.codes[:], archive.open(finished).codes[:])
    assert verify.verify(opened, loaded).problems == ()


def test_conv_units_and_networks_without_labels_or_statistics(tmp_path, tiny, band, capsys):
    where = Neuron("conv1", 3, (0, 7))
    run(tmp_path / "a.h5", tiny, (band(where),))
    opened = archive.open(tmp_path / "a.h5")
    assert opened.targets[0]["at"] == [0, 7] and opened.targets[0]["label"] is None
    assert opened.natural is None
    assert json.loads(capsys.readouterr().out)["vendi_natural"] is None
    assert verify.bands(opened, tiny)[0].neuron == where


def test_hopeless_leaves_nothing(tmp_path, tiny):
    with pytest.raises(Unreachable, match="found 0"):
        run(tmp_path / "a.h5", tiny, (Band(worlds.NEURON, 1e5, 2e5),), patience=3)
    assert os.listdir(tmp_path) == []


@pytest.fixture
def stalls(monkeypatch):
    """The sampler gives two batches and stalls."""
    from tf_inverse.method import sampler

    real = sampler.sample

    def two(*arguments):
        for i, batch in enumerate(real(*arguments)):
            if i == 2:
                raise Stalled("no sample in 9 steps", [1.0], batch.info.steps, batch.info.found)
            yield batch

    monkeypatch.setattr(sampler, "sample", two)


def test_stalled_keeps_what_was_found(tmp_path, loaded, stalls, capsys):
    with pytest.raises(Stalled):
        run(tmp_path / "a.h5", loaded, "fc3:cat@p30:p90", n=60)
    opened = archive.open(tmp_path / "a.h5")
    figures = json.loads(capsys.readouterr().out)
    assert 0 < len(opened) == figures["found"] < figures["asked"] == 60
    assert not opened.complete and figures["in_range"] == 1
    assert sorted(os.listdir(tmp_path)) == ["a.h5", "a.png"]


def test_progress_is_a_line_now_and_then_or_a_bar(capsys, monkeypatch):
    from tf_inverse.compute import progress
    from tf_inverse.method.sampler import Info

    clock = iter([0.0, 1.0, 11.0, 12.0]).__next__
    monkeypatch.setattr(progress.time, "monotonic", clock)
    with progress.Progress(40) as shown:
        for steps, found in ((10, 4), (20, 20), (30, 40)):
            shown.show(Info(steps, found, 0.25, 2, 10.0))
    assert capsys.readouterr().err.splitlines() == [
        "20/40 found, 20 steps, 25 % accepted, 2 restarts, 1.6 a second, 0:12 left",
        "40/40 found, 30 steps, 25 % accepted, 2 restarts, 3.27 a second",
    ]
    monkeypatch.setattr(progress.time, "monotonic", lambda: 0.0)
    monkeypatch.setattr(progress, "_columns", lambda: 120)
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    with progress.Progress(40) as shown:
        shown.show(Info(10, 20, 0.5, 0, 10.0))
    assert f"[{'=' * 15}{' ' * 15}] 20/40 found" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("columns", "bar"),
    [(120, "[===============               ]"), (80, "[=======        ]"), (40, "")],
)
def test_progress_keeps_to_one_line_of_the_terminal(capsys, monkeypatch, columns, bar):
    from tf_inverse.compute import progress

    monkeypatch.setattr(progress, "_columns", lambda: columns)
    text = "120/240 found, 64 steps, 18 % accepted, 0 restarts, 9.7 a sec"
    progress.draw(text, True, 120, 240)
    line = capsys.readouterr().err.removeprefix("\r\x1b[K")
    assert line == f"{bar} {text}".strip()[: columns - 1] and len(line) < columns
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    assert not progress.on_terminal()


def test_each_histogram_of_an_intersection_says_whose_it_is(tmp_path, capsys):
    other = specimen.TARGET | {"unit": 9, "label": None, "z1": 0.0, "z2": 1.0}
    for targets, named in (([specimen.TARGET], []), ([specimen.TARGET, other], ["fc8:9"])):
        made = specimen.write(tmp_path / f"{len(targets)}.h5", targets=targets)
        printed.tell(made, {"archive": str(made.path)}, as_json=False)
        lines = capsys.readouterr().out.splitlines()
        heads = [above for above, line in itertools.pairwise(lines) if " ..  " in line]
        assert [head for head in heads if head and " .. " not in head] == (
            ["fc8:8 (ship)", *named] if named else []
        )


def test_an_archive_of_codes_is_true_whatever_the_precision(tiny, tmp_path, capsys):
    """A half precision draws other pixels of a code, and the images are drawn again in float32."""
    run(tmp_path / "c.h5", tiny, "fc3:dog@-1e3:1e3", store="codes", precision="bfloat16")
    assert "an archive of codes is of the images that float32 draws" in capsys.readouterr().err
    with archive.open(tmp_path / "c.h5") as opened:
        assert opened.settings["precision"] == "float32"
        opened.rendered(lambda codes: verify.render(tiny, codes))
        assert verify.verify(opened, tiny).problems == ()
