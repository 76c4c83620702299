"""Natural images beside samples, by the commands: in the sheet, the ladder, and the report."""

import pathlib
import re

import atlases
import numpy as np
import pytest
import worlds
from commands import run
from PIL import Image

from tf_inverse import archive
from tf_inverse.adopt import nature
from tf_inverse.archive import side_file
from tf_inverse.networks import storage
from tf_inverse.report import beside
from tf_inverse.run import natures


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder of pictures, and a network that remembers that its statistics are of them."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "photos").mkdir()
    for i, picture in enumerate(np.random.default_rng(2).integers(0, 256, (80, 8, 8, 3), np.uint8)):
        Image.fromarray(picture).save(folder / "photos" / f"{i:02d}.png")
    made = worlds.tiny_networks()
    statistics = nature.statistics(made, nature.load(folder / "photos", made.image_shape))
    names = ("name", "classifier", "generator", "encoder", "codes", "labels")
    fields = {name: getattr(made, name) for name in names}
    storage.save(folder / "tiny", default="fc3:2@p10:p90", natural=statistics, **fields)
    return folder


@pytest.fixture(autouse=True)
def there(desk, monkeypatch, loaded_once):
    monkeypatch.chdir(desk)


def test_sample_and_report_show_nature_and_store_it_only_where_asked(capsys):
    flags = ["--network=tiny", "--n=4", "--overwrite"]
    assert run("sample", "plain.h5", *flags) == 0
    assert run("sample", "a.h5", *flags, "--nature=photos") == 0
    plain, shown = (Image.open(name) for name in ("plain.png", "a.png"))
    assert shown.height > plain.height and not side_file.beside("a.h5").exists()
    assert (archive.open("a.h5").path.read_bytes()) == archive.open("plain.h5").path.read_bytes()
    assert run("sample", "b.h5", *flags, "--nature=photos", "--store-nature") == 0
    stored = beside.nature(archive.open("b.h5"))
    target = archive.open("b.h5").targets[0]
    networks = storage.load("tiny")
    z = worlds.activation(networks, stored.images, worlds.NEURON, len(stored.images))
    assert len(z) > 5 and ((z >= target["z1"]) & (z <= target["z2"])).all()
    assert run("report", "plain.h5", "--nature=remembered", "--out=r.html") == 0
    text = (pathlib.Path("r.html")).read_text()
    assert "of 80 of photos that the network remembers" in text
    assert run("sheet", "b.h5", "--overwrite") == 0 and Image.open("b.png").height > plain.height


def test_a_site_scores_images_for_all_its_units_together(capsys):
    """Each unit has the images that it has alone; an archive that is damaged takes no others'."""
    pathlib.Path("units").mkdir()
    for name, target in (("a", "fc3:2@p10:p90"), ("b", "fc2:1@-9:9"), ("c", "fc3:0@p20:p70")):
        flags = ["--network=tiny", f"--targets={target}", "--n=3"]
        assert run("sample", f"units/{name}.h5", *flags) == 0
    alone = natures.of_archives([archive.open(f"units/{name}.h5") for name in "abc"], "photos")
    broken = pathlib.Path("units/b.h5")
    broken.write_bytes(broken.read_bytes()[:5000])
    entries = [(archive.open(f"units/{name}.h5").targets[0], f"{name}.h5") for name in "ac"]
    entries.insert(1, (entries[0][0] | {"unit": 1}, "b.h5"))
    atlases.index(pathlib.Path("units"), [atlases.entry(*one) for one in entries])
    assert run("site", "units", "--nature=photos", "--store-nature") == 3
    assert "left out: " in capsys.readouterr().err
    for name, natural in (("a", alone[0]), ("c", alone[2])):
        stored = beside.nature(archive.open(f"units/{name}.h5"))
        assert stored.numbers.tolist() == natural.numbers.tolist() and stored.inside > 3
        np.testing.assert_array_equal(stored.activations, natural.activations)
    assert run("site", "units", "--nature=nowhere") == 2


def test_a_ladder_has_a_row_of_nature_below_each_rung(capsys):
    flags = ["--network=tiny", "--targets=fc3:2", "--ranges=2", "--n=3"]
    assert run("ladder", "plain", *flags) in (0, 3)
    out = capsys.readouterr().out
    # One table of all rungs, and a heading of each.
    assert out.count("pair distance per dimension") == 1 and out.count("images found with") == 2
    assert re.search(r"^ +rung-1 +rung-2$", out, re.MULTILINE)
    assert run("ladder", "with", *flags, "--nature=photos") in (0, 3)
    heights = [Image.open(f"{name}/ladder.png").height for name in ("plain", "with")]
    assert heights[0] < heights[1]


def test_explain_by_the_command(capsys):
    assert run("sample", "e.h5", "--network=tiny", "--n=3", "--overwrite") == 0
    assert run("explain", "e.h5", "--methods=occlusion, integrated_gradients") == 0
    out = capsys.readouterr().out
    assert "maps of 3 of 3 images" in out and "sum to f(image) - f(baseline) within" in out
    assert run("sheet", "e.h5", "--maps=occlusion", "--out=maps.png") == 0
    assert run("report", "e.h5", "--out=maps.html") == 0
    assert '"occlusion":[["data:image/png' in pathlib.Path("maps.html").read_text()
    assert run("explain", "e.h5", "--methods=saliency") == 2
    assert "expected --methods of" in capsys.readouterr().err


def test_images_that_are_not_there_are_refused_before_any_work(capsys):
    for flags, words in (
        (["--nature=nowhere"], "expected images at --nature=nowhere, there is nothing"),
        (["--store-nature"], "expected --nature=FOLDER of the images that --store-nature keeps"),
    ):
        assert run("sample", "none.h5", "--network=tiny", *flags) == 2
        assert words in capsys.readouterr().err and not pathlib.Path("none.h5").exists()
    # A folder from elsewhere may tell a place that no system can have.
    told = pathlib.Path("tiny/network.json")
    before = told.read_text()
    try:
        told.write_text(before.replace("../photos", "x" * 5000))
        assert run("report", "plain.h5", "--nature=remembered", "--out=s.html") == 2
        assert "they are not there any more; give --nature=FOLDER" in capsys.readouterr().err
    finally:
        told.write_text(before)
    pathlib.Path("photos").rename("moved")
    try:
        assert run("report", "plain.h5", "--nature=remembered", "--out=s.html") == 2
        assert "they are not there any more; give --nature=FOLDER" in capsys.readouterr().err
    finally:
        pathlib.Path("moved").rename("photos")
