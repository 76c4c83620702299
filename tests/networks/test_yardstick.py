"""One yardstick a network: from its natural images, the same wherever a Vendi score is told."""

import dataclasses
import itertools
import json
import math
import shutil

import numpy as np
import pytest
import worlds
from commands import run

from tf_inverse import archive, draw
from tf_inverse.errors import RefusedInput
from tf_inverse.networks import codes, storage, yardstick


def half_mean(e):
    pairs = itertools.combinations(np.asarray(e, float).tolist(), 2)
    return float(f"{np.mean([math.dist(a, b) for a, b in pairs]) / 2:.6g}")


def test_nature_is_the_yardstick_where_it_is_known(tiny_folder, tmp_path):
    networks = storage.load(tiny_folder)
    expected = (half_mean(networks.natural.encodings), "natural images", 300)
    assert networks.yardstick == yardstick.of(networks) == expected
    # A folder of before says nothing of it, and is measured as it is loaded.
    bare = shutil.copytree(tiny_folder, tmp_path / "bare")
    entries = json.loads((bare / "network.json").read_text())
    assert entries.pop("yardstick") == yardstick.Yardstick(*expected)._asdict()
    (bare / "network.json").write_text(json.dumps(entries))
    assert yardstick.of(storage.load(bare)) == expected


def test_images_that_were_chosen_for_their_activations_are_left_out(tiny):
    nature = dataclasses.replace(worlds.natural(tiny), random=40)
    expected = half_mean(nature.encodings[:40].astype(np.float16))
    assert yardstick.of_nature(nature) == (expected, "natural images", 40)
    assert yardstick.of_nature(dataclasses.replace(nature, encodings=None)) is None


def test_random_codes_stand_in(tiny):
    drawn = worlds.images(tiny, codes.draw(tiny, 60, codes.generator(0, 0)))
    e = tiny.classifier.get_layer("fc2").output
    e = worlds.keras.Model(tiny.classifier.input, e)(drawn.astype(np.float32))
    found = yardstick.of(tiny)
    assert found.bandwidth == pytest.approx(half_mean(e), rel=1e-5)
    assert found[1:] == ("random codes", 60)


def test_encodings_that_are_all_one_have_a_yardstick_too():
    same = worlds.tiny_networks()
    same.classifier.get_layer("fc2").set_weights(
        [np.zeros_like(w) for w in same.classifier.get_layer("fc2").get_weights()]
    )
    assert yardstick.of(same) == (1.0, yardstick.NOTHING, 60)


@pytest.mark.parametrize(
    "entry",
    [
        {"bandwidth": 0, "source": "x", "count": 1},
        {"bandwidth": float("inf"), "source": "x", "count": 1},
        {"bandwidth": "1", "source": "x", "count": 1},
        {"bandwidth": 1.0, "source": "a\nb", "count": 1},
        {"bandwidth": 1.0, "source": "x"},
        [],
    ],
)
def test_a_yardstick_that_is_none_is_refused_by_name(tiny_folder, tmp_path, entry):
    folder = shutil.copytree(tiny_folder, tmp_path / "bad")
    entries = json.loads((folder / "network.json").read_text()) | {"yardstick": entry}
    (folder / "network.json").write_text(json.dumps(entries))
    with pytest.raises(RefusedInput, match=r"expected .* as yardstick in"):
        storage.manifest(folder)


def test_one_yardstick_in_runs_of_all_neurons_and_in_what_compares_them(
    tiny_folder, tmp_path, capsys, loaded_once
):
    expected = storage.load(tiny_folder).yardstick
    paths = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for path, targets, n in zip(paths, ("fc3:dog@p50:p90", "fc3:cat@p50:p90"), (4, 6), strict=True):
        words = (f"--network={tiny_folder}", f"--targets={targets}", f"--n={n}", "--K=4")
        assert run("sample", str(path), *words, "--precision=float32") == 0
        opened = archive.open(path)
        assert opened.header["yardstick"] == expected._asdict()
        assert opened.summary["bandwidth"] == expected.bandwidth
    capsys.readouterr()
    assert run("compare", *map(str, paths), "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert {one["bandwidth"] for one in figures.values()} == {expected.bandwidth}
    assert {one["common"] for one in figures.values()} == {4}
    drawn = draw(str(tiny_folder), "fc3:dog@p50:p90", n=4, K=4, precision="float32")
    assert drawn.summary["bandwidth"] == expected.bandwidth
    assert drawn.summary["vendi"] == archive.open(paths[0]).summary["vendi"]
