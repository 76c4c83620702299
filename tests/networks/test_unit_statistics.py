"""Listing of layers and units, and ladders, on a tiny pair."""

import dataclasses
import json
import os

import keras
import numpy as np
import pytest
import worlds

from tf_inverse import archive
from tf_inverse.errors import UsageError
from tf_inverse.method.settings import Settings
from tf_inverse.networks import unit_statistics
from tf_inverse.networks.natural import LEVELS, Natural
from tf_inverse.report import tables
from tf_inverse.run import job, plane, ranges


@pytest.fixture(scope="module")
def networks(tiny):
    return tiny


def natural(images=50):
    levels = np.array(LEVELS, np.float64)
    percentiles = np.repeat(levels[None] / 10, 4, axis=0)
    return Natural(
        images, "made up", levels, {"fc3": (np.full(4, 5.0), np.array([1, 1, 1, 0.0]), percentiles)}
    )


def test_layers_have_kind_shape_and_units(networks):
    listed = {layer.name: layer for layer in unit_statistics.layers(networks)}
    assert listed["conv1"][1:] == ("Conv2D", (8, 8, 5), 5)
    assert listed["fc3"][1:] == ("Dense", (4,), 4)
    assert listed["fc2"].kind == "Dense+tanh"
    assert "data" not in listed
    assert "conv1    Conv2D      8x8x5" in tables.layers(unit_statistics.layers(networks))


@pytest.mark.parametrize("layer", ["conv1", "fc3"])
def test_measured_activations_are_the_models_own(networks, layer):
    images = unit_statistics.random_images(networks, 7)
    output = networks.classifier.get_layer(layer).output
    expected = keras.Model(networks.classifier.input, output)(images.astype("f4")).numpy()
    expected = expected[:, 4, 4] if layer == "conv1" else expected
    measured = unit_statistics.measure(networks, layer, images, "seven")
    np.testing.assert_allclose(measured.mean, expected.mean(axis=0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        measured.percentiles[:, [0, -1]], np.stack([expected.min(0), expected.max(0)], 1), rtol=1e-4
    )


def test_labels_are_searched(networks):
    assert unit_statistics.found(networks, "fc3", "TOILET") == [3]
    assert unit_statistics.found(networks, "fc3", None) == [0, 1, 2, 3]
    with pytest.raises(UsageError, match="there is none"):
        unit_statistics.found(networks, "fc3", "volcano")
    assert unit_statistics.asked_layer(networks, None, "ship") == "fc3"
    with pytest.raises(UsageError, match="did you mean"):
        unit_statistics.asked_layer(networks, "fc9", None)


def test_listing_marks_dead_units(networks):
    flat = np.zeros((4, len(LEVELS)))
    flat[1:, -1] = 1
    statistics = unit_statistics.Statistics("none", np.zeros(4), np.zeros(4), flat)
    text = tables.units([0, 1], ["cat", "dog", "", ""], statistics, statistics)
    head, first, second = text.splitlines()
    assert head.split()[:4] == ["unit", "label", "mean", "s.d."]
    assert first.endswith("dead") and not second.endswith("dead")


def test_images_to_measure_on_come_from_a_folder(networks, tmp_path):
    images = unit_statistics.random_images(networks, 3)
    np.savez(tmp_path / "images.npz", images=images)
    measured = unit_statistics.natural(networks, "fc3", tmp_path / "images.npz")
    assert measured.images.startswith("3 images of")
    np.testing.assert_array_equal(
        measured.mean, unit_statistics.measure(networks, "fc3", images, "").mean
    )
    assert unit_statistics.natural(networks, "fc3", None) is None


def test_rungs_are_adjacent_and_go_beyond_nature():
    networks = worlds.tiny_networks(natural=natural())
    steps = ranges.rungs(networks, "fc3:cat", 5)
    assert [step[0].neuron.unit for step in steps] == [0] * 5
    assert [step[0].z1 for step in steps[1:]] == [step[0].z2 for step in steps[:-1]]
    assert (steps[0][0].z1, steps[-1][0].z2) == (5.0, 12.5)  # the median; 10 + half of (10 - 5)
    with pytest.raises(UsageError, match="at least 2 --ranges"):
        ranges.rungs(networks, "fc3:cat", 1)
    # Ends that are asked for are taken; those of the network's default are of a single sample.
    steps = ranges.rungs(networks, "fc3:cat@1.23456:4", 3)
    assert [step[0].z1 for step in steps] == pytest.approx([1.23456, 2.1564, 3.0782], abs=1e-3)
    assert (steps[0][0].z1, steps[-1][0].z2) == (1.23456, 4.0)
    default = dataclasses.replace(networks, default="fc3:cat@9:10")
    assert ranges.rungs(default, None, 5) == ranges.rungs(networks, "fc3:cat", 5)


def test_rungs_of_a_unit_far_from_zero(monkeypatch):
    networks = worlds.tiny_networks()
    monkeypatch.setattr(ranges, "extent", lambda *_: (5000.0, 5001.0))
    steps = ranges.rungs(networks, "fc3:cat", 5)
    edges = [(step[0].z1, step[0].z2) for step in steps]
    np.testing.assert_allclose(edges, [(5000 + i / 5, 5000.2 + i / 5) for i in range(5)], atol=0.05)
    assert [low for low, _ in edges[1:]] == [high for _, high in edges[:-1]]


@pytest.mark.parametrize("least", [0.0, 1e-6])
def test_a_unit_that_never_changes_has_no_edges(least):
    """Nor has one that changes by no more than single precision rounds."""
    networks = worlds.tiny_networks()
    kernel, bias = networks.classifier.get_layer("fc3").get_weights()
    kernel[:, 0], bias[0] = kernel[:, 0] * least, 5.0
    networks.classifier.get_layer("fc3").set_weights([kernel, bias])
    of_codes = "fc3:0 is 5 for all of random codes, as a dead unit is"
    with pytest.raises(UsageError, match=of_codes):
        ranges.rungs(networks, "fc3:cat", 5)
    with pytest.raises(UsageError, match=of_codes):
        plane.plan(networks, "fc3:dog, fc3:cat", 2, 2, 1, 10)
    natural = dataclasses.replace(networks, natural=worlds.natural(networks))
    with pytest.raises(UsageError, match="fc3:0 is 5 for all of natural images, as a dead"):
        ranges.rungs(natural, "fc3:cat", 5)
    with pytest.raises(UsageError, match="is 5 at p50 and at p99.8 alike, as a dead unit is"):
        plane.plan(natural, "fc3:dog, fc3:cat", 2, 2, 1, 10)


def test_several_targets_are_rungs_of_their_own_then_together(networks):
    steps = ranges.rungs(networks, "fc3:cat@0:1, fc3:dog@1:2", 6)
    assert [len(step) for step in steps] == [1, 1, 2]
    assert steps[2] == (steps[0][0], steps[1][0])


def test_climb_draws_what_was_found(networks, tmp_path):
    low, high = ranges.extent(networks, ranges.rungs(networks, "fc3:cat", 2)[0][0].neuron)
    near = f"fc3:cat@{low - (high - low) / 12:g}:{low + (high - low) / 12:g}"
    steps = ranges.rungs(networks, f"{near}, fc3:dog@1e6:2e6", 2)
    settings = Settings(n=4, K=2, patience=20)
    troubles = ranges.climb(tmp_path / "out", networks, steps[:2], settings).troubles
    assert len(troubles) == 1 and "fc3:1@1e+06:2e+06" in troubles[0]
    assert len(archive.open(tmp_path / "out" / "rung-1.h5")) == 4
    assert (tmp_path / "out" / "ladder.png").stat().st_size > 1000
    page = (tmp_path / "out" / "ladder.html").read_text()
    assert json.dumps("fc3:0 (cat) from")[:-1] in page
    with pytest.raises(FileExistsError, match="--overwrite"):
        ranges.climb(tmp_path / "out", networks, steps, Settings(n=4))
    # A rung that is out of reach now is not shown by what an earlier ladder found under its name.
    again = [steps[1], steps[1], steps[0]]
    settings = Settings(n=4, K=2, patience=20)
    troubles = ranges.climb(tmp_path / "out", networks, again, settings, overwrite=True).troubles
    shown = (tmp_path / "out" / "ladder.html").read_text()
    # Nor does it stay in the folder.
    left = [name for name in os.listdir(tmp_path / "out") if name.endswith(".h5")]
    assert left == ["rung-3.h5"]
    assert len(troubles) == 2 and shown.count('"captions":') == page.count('"captions":') == 1
    # Of a ladder without a rung, nothing is left to be taken for it.
    none = ranges.climb(tmp_path / "out", networks, steps[1:2], settings, overwrite=True)
    assert not none.archives and not os.listdir(tmp_path / "out")


def test_a_stopped_climb_goes_on_to_the_same_bytes(networks, tmp_path):
    neuron = ranges.rungs(networks, "fc3:cat", 2)[0][0].neuron
    low, high = ranges.extent(networks, neuron)
    middle = f"fc3:cat@{low - (high - low) / 12:g}:{low + (high - low) / 12:g}"
    steps = ranges.rungs(networks, f"{middle}, fc3:cat@{low:g}:{high:g}", 2)
    settings = Settings(n=4, K=2, patience=20)

    def stopped(networks, bands, settings, path, **how):
        # After the first batch of the second rung.
        later = path.name == "rung-2.h5"
        return job.run(networks, bands, settings, path, stop=lambda: later, **how)

    with pytest.raises(KeyboardInterrupt):
        ranges.climb(tmp_path / "cut", networks, steps, settings, run=stopped)
    whole = (tmp_path / "cut" / "rung-1.h5").stat()
    assert not (tmp_path / "cut" / "ladder.png").exists()
    for folder in ("cut", "straight"):
        assert not ranges.climb(tmp_path / folder, networks, steps, settings).troubles
    assert (tmp_path / "cut" / "rung-1.h5").stat().st_mtime_ns == whole.st_mtime_ns
    for i in range(1, len(steps) + 1):
        rungs = [tmp_path / folder / f"rung-{i}.h5" for folder in ("cut", "straight")]
        assert rungs[0].read_bytes() == rungs[1].read_bytes()
    # Rungs of other settings are no part of this ladder.
    (tmp_path / "cut" / "ladder.png").unlink()
    with pytest.raises(UsageError, match="made differently: .*seed"):
        ranges.climb(tmp_path / "cut", networks, steps, Settings(n=4, K=2, patience=20, seed=1))
