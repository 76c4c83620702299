"""A whole sample in memory."""

import numpy as np
import pytest
import worlds

from tf_inverse import archive, draw, load, metrics
from tf_inverse.archive import Samples
from tf_inverse.band import parse
from tf_inverse.errors import Stalled, Unreachable, UsageError
from tf_inverse.method import sampler
from tf_inverse.method.settings import Settings
from tf_inverse.run import command

TARGET = "fc3:ship@p40:p90"

pytestmark = pytest.mark.usefixtures("loaded_once")


@pytest.fixture(scope="module")
def drawn(tiny_folder):
    return draw(str(tiny_folder), TARGET, n=7, K=4, seed=2)


def test_draw_is_sample_and_keeps_everything(drawn, tiny_folder):
    networks = load(tiny_folder)
    bands = parse(TARGET, networks)
    batches = sampler.sample(networks, bands, Settings(n=7, K=4, seed=2))
    parts = zip(*(b.samples for b in batches), strict=True)
    for mine, theirs in zip(drawn.samples, parts, strict=True):
        if mine is None:  # this network has no bank to be near to
            assert set(theirs) == {None}
        else:
            np.testing.assert_array_equal(mine, np.concatenate(theirs))
    assert drawn.bands == bands and len(drawn.samples.images) == 7
    z = worlds.activation(networks, drawn.samples.images, bands[0].neuron)
    assert ((z >= bands[0].z1) & (z <= bands[0].z2)).all()


def test_random_starts_in_place_of_near_ones_are_told(drawn, tiny_folder):
    with pytest.warns(UserWarning, match="starts are random: tiny keeps no natural codes"):
        found = draw(str(tiny_folder), TARGET, n=7, K=4, seed=2, starts="near")
    np.testing.assert_array_equal(found.samples.images, drawn.samples.images)


def test_summary_is_of_these_samples(drawn):
    e = drawn.samples.encodings.astype(float)
    assert drawn.summary["found"] == drawn.summary["asked"] == 7
    assert drawn.summary["in_range"] == 1
    others = [np.delete(e, i, axis=0) for i in range(7)]
    nearest = [
        np.linalg.norm(rest - one, axis=1).min() for one, rest in zip(e, others, strict=True)
    ]
    assert drawn.summary["nearest_distance"] == pytest.approx(np.mean(nearest), rel=1e-4)
    assert drawn.summary["vendi_natural"] is not None
    assert drawn.summary["vendi"] == pytest.approx(metrics.vendi(e, drawn.summary["bandwidth"]))


def test_notebooks_show_a_sheet(drawn):
    page = drawn._repr_html_()
    assert page.lstrip().startswith("<") and "ship" in page and "data:image/" in page


def test_networks_and_defaults(tiny, tiny_folder):
    assert draw(load(tiny_folder), n=2, K=4).bands[0].neuron.unit == 1  # the folder's own default
    with pytest.raises(UsageError, match="expected targets of the form"):
        draw(tiny, n=2)
    with pytest.raises(UsageError, match="draw has no argument 'volcano'"):
        draw(tiny, "fc3:0@0:1", volcano=1)


def test_targets_are_a_text_or_several_or_bands(tiny_folder, caplog):
    networks = load(tiny_folder)
    both = "fc3:ship@p40:p90 fc3:0@p10:p90"
    bands = parse(both, networks)
    first = draw(networks, both, n=2, K=4)
    assert first.bands == bands
    for targets in (both.split(), bands, [bands[0], both.split()[1]]):
        again = draw(networks, targets, n=2, K=4)
        assert again.bands == bands
        np.testing.assert_array_equal(again.samples.images, first.samples.images)
    assert draw(networks, bands[0], n=1, K=4).bands == bands[:1]
    for wrong in (7, [7], [TARGET, None]):
        with pytest.raises(UsageError, match="expected bands, as tf_inverse.parse makes them"):
            draw(networks, wrong, n=2)
    # Each K needs a graph of its own, and TensorFlow warns of the fifth unless it is told not to.
    for K in range(2, 8):
        draw(networks, TARGET, n=1, K=K)
    assert "retracing" not in caplog.text


def test_an_archive_is_that_of_the_command_and_holds_the_same(drawn, tiny_folder, tmp_path):
    mine, theirs = tmp_path / "mine.h5", tmp_path / "theirs.h5"
    result = draw(str(tiny_folder), TARGET, n=7, K=4, seed=2, out=mine)
    networks, settings = load(tiny_folder), Settings(n=7, K=4, seed=2)
    assert command.run(theirs, networks, parse(TARGET, networks), settings, as_json=True) == 0
    assert mine.read_bytes() == theirs.read_bytes()
    assert result.archive == mine and result.trouble is None
    for name, one, other in zip(Samples._fields, result.samples, drawn.samples, strict=True):
        np.testing.assert_array_equal(one, other, name)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        draw(str(tiny_folder), TARGET, n=7, out=mine)
    with pytest.raises(UsageError, match="end in .h5"):
        draw(str(tiny_folder), TARGET, n=7, out=tmp_path / "mine.hdf5")
    codes = draw(str(tiny_folder), TARGET, n=7, K=4, seed=2, out=tmp_path / "c.h5", store="codes")
    np.testing.assert_array_equal(codes.samples.images, drawn.samples.images)


@pytest.fixture(params=[Stalled("no sample in 9 steps", [1.0], 40), KeyboardInterrupt()])
def ends(request, monkeypatch):
    """What ends every search after two batches."""
    real = sampler.sample

    def two(*arguments, **more):
        for i, batch in enumerate(real(*arguments, **more)):
            if i == 2:
                raise request.param
            yield batch

    with monkeypatch.context() as patch:
        patch.setattr(sampler, "sample", two)
        yield type(request.param), patch


def test_what_was_found_is_never_lost(ends, tiny_folder, tmp_path, capfd):
    """In memory and in an archive; a run that was interrupted goes on as if it never was."""
    kind, patch = ends
    many = {"n": 60, "K": 4, "seed": 2}
    with pytest.warns(UserWarning, match="of 60 samples: "):
        held = draw(str(tiny_folder), TARGET, **many)
    with pytest.warns(UserWarning, match="of 60 samples: "):
        written = draw(str(tiny_folder), TARGET, out=tmp_path / "a.h5", **many)
    for result in (held, written):
        assert isinstance(result.trouble, kind)
        assert 0 < len(result) == len(result.samples.images) < 60
        assert "not all were found" in repr(result)
    np.testing.assert_array_equal(held.samples.codes, written.samples.codes)
    assert capfd.readouterr().out == ""
    patch.undo()
    if kind is KeyboardInterrupt:
        went_on = draw(str(tiny_folder), TARGET, out=tmp_path / "a.h5", **many)
        assert len(went_on) == 60
        np.testing.assert_array_equal(went_on.samples.codes[: len(held)], held.samples.codes)
    else:
        assert not archive.open(tmp_path / "a.h5").complete


def test_nothing_found_is_an_error(tiny, tmp_path):
    with pytest.raises(Unreachable, match=r"found 0.*; never reached: fc3:0@[^,]*\. Choose"):
        draw(tiny, "fc3:0@1e5:2e5, fc3:1@-1e5:1e5", n=2, K=4, patience=3, out=tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_console_shows_a_table_and_pandas_a_frame(drawn):
    lines = repr(drawn).splitlines()
    assert "fc3:2 (ship)" in lines[0] and len(lines) < 25
    assert any(line.split() == ["found", "7"] for line in lines)
    pytest.importorskip("pandas", reason="needs pandas")
    frame = drawn.to_frame()
    assert list(frame.columns) == ["fc3:2", "steps", "chain"] and len(frame) == 7
    np.testing.assert_array_equal(frame["fc3:2"], drawn.samples.activations[:, 0])


def test_models_as_they_are(tiny):
    """A classifier and a generator are adopted, in memory; both are told apart from a pair."""
    from tf_inverse import adopt

    models = tiny.classifier, tiny.generator
    pair = adopt.adopt(*models, image_range=(0, 255)).networks
    target = pair.default
    result = draw(models[0], target, generator=models[1], image_range=(0, 255), n=3, K=4)
    again = draw(pair, target, n=3, K=4)
    np.testing.assert_array_equal(result.samples.images, again.samples.images)
    with pytest.raises(UsageError, match="a classifier needs generator="):
        draw(models[0], target, n=3)
    with pytest.raises(UsageError, match="generator of its own"):
        draw(pair, target, generator=models[1], n=3)


def test_what_cannot_be_is_refused_in_the_words_of_a_program(tiny, tmp_path):
    with pytest.raises(UsageError, match="no argument 'patiense'.*did you mean patience"):
        draw(tiny.classifier, "fc3:2@0:1", generator=tiny.generator, patiense=3)
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder; make it first"):
        draw(tiny, "fc3:2@0:1", out=tmp_path / "nowhere" / "x.h5")
    (tmp_path / "x.h5").touch()
    with pytest.raises(FileExistsError, match="give overwrite=True to replace it"):
        draw(tiny, "fc3:2@0:1", out=tmp_path / "x.h5")
