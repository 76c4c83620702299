"""The commands of looking, from the command line to the file, and their refusals."""

import json

import numpy as np
import pytest
import specimen
from commands import run
from PIL import Image


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    specimen.write("a.h5", 30)
    specimen.write("b.h5", 12, seed=1, natural=False)
    return tmp_path


def test_report(folder, capsys):
    assert run("report", "a.h5", "b.h5", "--out=both.html") == 0
    assert capsys.readouterr().out.strip() == "both.html"
    text = (folder / "both.html").read_text()
    assert "<title>2 inverse sets</title>" in text or "Which inputs hold" in text
    assert run("report", "a.h5", "--out=both.html") == 2
    assert "both.html exists; give --overwrite" in capsys.readouterr().err
    assert run("report", "a.h5", "--out=both.html", "--overwrite") == 0


def test_facets(folder, capsys):
    specimen.write("c.h5", 12, groups=[8, 4])
    assert run("facets", "c.h5", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["facets"] == 2 and told["shares"] == pytest.approx([8 / 12, 4 / 12])
    assert run("facets", "c.h5", "--count=3") == 0
    said = capsys.readouterr().out
    assert said.startswith("c.h5: 3 facets, silhouette ") and len(said.splitlines()) == 5
    assert run("report", "c.h5") == 0 and "3 facets, sil" in (folder / "report.html").read_text()
    assert run("facets", "c.h5", "--count=13") == 2
    assert "expected from 1 to 12 facets of 12 samples, got 13" in capsys.readouterr().err


def test_site(folder, capsys):
    assert run("site", ".") == 0
    said = capsys.readouterr()
    assert said.out.startswith("site/index.html: 1 of 1 units with samples, ")
    (folder / "c\x1b[2J.h5").write_bytes(b"no archive")
    assert run("site", ".") == 3
    assert "left out: " in (said := capsys.readouterr()).err and "\x1b" not in said.err
    (folder / "empty").mkdir()
    assert run("site", "empty") == 2 and run("site", "nowhere") == 2
    told = capsys.readouterr().err.splitlines()
    assert "there are none" in told[0] and "nowhere does not exist" in told[1]


def test_sheet(folder):
    assert run("sheet", "a.h5", "--rows=2", "--columns=5") == 0
    assert Image.open(folder / "a.png").width < Image.open(_whole(folder)).width


def _whole(folder):
    assert run("sheet", "a.h5", "--out=all.png", "--columns=15", "--order=similar") == 0
    return folder / "all.png"


def test_images(folder, capsys):
    assert run("images", "b.h5", "pictures") == 0
    assert capsys.readouterr().out.strip() == "12 images in pictures"
    assert len(list((folder / "pictures").iterdir())) == 12


def test_compare(folder, capsys):
    assert run("compare", "a.h5", "b.h5") == 0
    text = capsys.readouterr().out
    rows = {" ".join(line.split()[:-2]): line.split()[-2:] for line in text.splitlines()[1:17]}
    assert rows["found"] == ["30", "12"] and rows["natural in range"] == ["10", "-"]
    assert "8 is p" in text and "b.h5: fc8:8 (ship) from 8 to 10 in discs" in text
    assert run("compare", "a.h5", "b.h5", "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["a.h5"]["vendi_common"] < 12 == figures["b.h5"]["common"]
    assert figures["b.h5"]["vendi_common"] == figures["b.h5"]["vendi"]
    assert figures["a.h5"]["in_range"] == 1 and figures["b.h5"]["vendi_natural"] is None


def test_one_bandwidth_serves_every_archive(folder, capsys):
    assert run("compare", "a.h5", "b.h5", "--json", "--bandwidth=0.001") == 0
    figures = json.loads(capsys.readouterr().out)
    assert [figures[name]["vendi"] for name in ("a.h5", "b.h5")] == pytest.approx([30, 12])


def test_publish(folder, capsys):
    assert run("publish", "a.h5", "--to=set", "--as=webdataset", "--licence=mit") == 0
    said = capsys.readouterr()
    assert said.out.strip() == "set" and (folder / "set" / "samples-00000-of-00001.tar").exists()
    # The network is nowhere: its licence and sources cannot be told, and a line says so.
    assert "the network's licence and sources are not told: expected the network" in said.err
    assert said.err.rstrip().endswith("readers will ask for it: --creator, --url")
    assert 'license: "mit"' in (folder / "set" / "README.md").read_text()


def test_board(folder):
    pytest.importorskip("tensorboard")
    assert run("board", "a.h5", "log") == 0
    assert np.loadtxt(folder / "log" / "encodings.tsv").shape == (30, 16)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report"], "at least one archive"),
        (["sheet", "none.h5"], "none.h5 does not exist"),
        (["sheet", "a.h5", "--rows=0"], "--rows of at least 1, got 0"),
        (["sheet", "a.h5", "--order=size"], "--order to be one of activation"),
        (["sheet", "a.h5", "--row=3"], "did you mean --rows"),
        (["compare", "a.h5", "--bandwidth=-1"], "a positive bandwidth, got -1"),
        (["publish", "a.h5", "--to=x", "--as=csv"], "--as to be one of imagefolder, parquet"),
        (["publish", "a.h5"], "publish needs TO"),
        (["images", "a.h5", "."], "is not empty; give --overwrite, or name"),
        (["images", "a.h5", "b.h5"], "expected a folder to write to, b.h5 is a file"),
        (
            ["report", "a.h5", "--out=b.h5", "--overwrite"],
            "to end in .html or .htm, got b.h5",
        ),
        (["report", "a.h5", "--out=none/a.html"], "none is not a folder; make it first"),
        (["sheet", "a.h5", "--out=a.jpg"], "--out to end in .png, got a.jpg"),
    ],
)
def test_refusals_are_one_line(folder, capsys, arguments, words):
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert words in error and error.startswith("tf-inverse: ") and error.count("\n") == 1


def test_damaged_archive_is_refused(folder, capsys):
    (folder / "bad.h5").write_bytes((folder / "a.h5").read_bytes()[:3000])
    assert run("report", "bad.h5") == 4
    assert capsys.readouterr().err.startswith("tf-inverse: ")
