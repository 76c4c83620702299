"""The HTML report: self-contained, safe against hostile text, without TensorFlow."""

import base64
import html as html_module
import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import specimen
from PIL import Image

from tf_inverse import metrics
from tf_inverse.report import encode, figure_table, html, page_data, png

HOSTILE = '</script><img src=x onerror="alert(1)">&{{7*7}}$title'


def data(output):
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', output)[1]
    )


@pytest.fixture
def archive(tmp_path):
    return specimen.write(tmp_path / "a.h5")


def test_page_needs_nothing_from_elsewhere(archive):
    output = html.render([archive], ["a.h5"])
    assert not re.search(r'(?:src|href)="(?!data:|#)', output)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", output)
    assert "url(" not in output and "@import" not in output
    assert "default-src 'none'" in output


def test_policy_holds_the_hashes_of_style_and_script(archive):
    output = html.render([archive], ["a.h5"])
    for tag in ("style", "script"):
        inner = re.search(rf"<{tag}>(.*?)</{tag}>", output, re.DOTALL)[1]
        assert html._hash(inner) in re.search(rf"{tag}-src '(.*?)'", output)[1]


def test_hostile_text_stays_text(tmp_path):
    target = specimen.TARGET | {"label": HOSTILE, "layer": "<b>fc8</b>", "text": HOSTILE}
    archive = specimen.write(tmp_path / "a.h5", targets=[target])
    output = html.render([archive], [HOSTILE])
    markup = re.sub(r"<script.*?</script>", "", output, flags=re.DOTALL)
    assert "<img src=x" not in output and "<b>fc8" not in output
    assert html_module.escape(HOSTILE) in markup
    assert data(output)["archives"][0]["name"] == HOSTILE
    assert HOSTILE in data(output)["archives"][0]["targets"][0]["name"]
    assert "<img src=x" not in html.inline(archive)


def test_small_images_are_exact_and_large_ones_have_thumbnails(tmp_path):
    small = specimen.write(tmp_path / "a.h5", 3)
    shown = page_data.page([small], ["a"])["archives"][0]["samples"]
    assert shown["larges"] is None
    contents_of = base64.b64decode(shown["thumbnails"][1].partition(",")[2])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(contents_of))), small.images[1])
    large = specimen.write(tmp_path / "b.h5", 3, side=200)
    thumbnails, larges = encode.for_page(large.images[:])
    sizes = [
        Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).size
        for address in (thumbnails[0], larges[0])
    ]
    assert sizes == [(96, 96), (200, 200)]


def test_figures_are_measured_from_the_arrays(archive):
    figures = page_data.figures(archive)
    e, natural = archive.encodings[:], np.asarray(archive.natural.encodings)
    assert figures["vendi"] == pytest.approx(metrics.vendi(e, 3.0))
    assert figures["vendi_natural"] == pytest.approx(metrics.vendi(natural, 3.0))
    assert (figures["found"], figures["in_range"], figures["steps"]) == (24, 1, 48)


def test_histogram_shares_sum_to_one_and_bins_end_at_the_range(archive):
    histogram = page_data.page([archive], ["a"])["archives"][0]["targets"][0]["histogram"]
    assert sum(histogram["samples"]) == pytest.approx(1)
    assert sum(histogram["natural"]) == pytest.approx(1)
    for end in (8.0, 10.0):
        assert min(abs(edge - end) for edge in histogram["edges"]) < 1e-5


def test_without_natural_images_the_page_says_nothing_of_them(tmp_path):
    archive = specimen.write(tmp_path / "a.h5", natural=False, summary={})
    shown = page_data.page([archive], ["a"])["archives"][0]
    assert shown["targets"][0]["natural"] is shown["targets"][0]["quantiles"] is None
    assert shown["metrics"]["vendi"] == shown["metrics"]["vendi_natural"] == "-"


def test_archives_of_one_network_share_a_map_and_others_do_not(tmp_path):
    one, two = (specimen.write(tmp_path / f"{i}.h5", 5, seed=i) for i in range(2))
    maps = page_data.page([one, two], ["1", "2"])["maps"]
    assert len(maps) == 1 and maps[0]["members"] == [[k, i] for k in range(2) for i in range(5)]
    two.checksums = {"classifier.keras": "cd" * 32}
    maps = page_data.page([one, two], ["1", "2"])["maps"]
    assert [m["name"] for m in maps] == ["1", "2"]
    assert maps[1]["members"] == [[1, i] for i in range(5)]


def test_one_sample_and_two_neurons(tmp_path):
    second = specimen.TARGET | {"unit": 9, "label": None, "z1": 0.0, "z2": 1.0}
    archive = specimen.write(tmp_path / "a.h5", 1, targets=[specimen.TARGET, second])
    shown = page_data.page([archive], ["a"])
    assert re.fullmatch(r"\d+\.\d\d / \d\.\d\d", shown["archives"][0]["samples"]["captions"][0])
    assert shown["title"] == (
        "Which inputs hold fc8:8 (ship) from 8 to 10 and fc8:9 from 0 to 1 in discs?"
    )


def test_command_reproduces_the_sample(archive):
    assert page_data.command(archive, "a.h5") == (
        "tf-inverse sample a.h5 --network=discs --targets=fc8:ship@8:10 --n=24 --seed=0 "
        "--starts=random --candidates=1 --quality=0.05 --K=10 --method=renewal"
    )


def test_a_page_that_calls_an_archive_otherwise_shows_a_command_that_is_taken(archive):
    """A ladder calls its rungs by their ranges, and no command writes to such a file."""
    facts = dict(page_data.page([archive], ["fc8:8 (ship) from 8 to 10"])["archives"][0]["facts"])
    assert facts["Command"] == [["", page_data.command(archive, "a.h5")]]


def test_the_command_has_all_digits_of_a_range(tmp_path):
    """A range in percentiles has more digits than the six of its text."""
    z1, z2 = float(np.float32(13.2035)), 15.5
    target = specimen.TARGET | {"text": "fc8:@a.npy@13.2035:15.5", "z1": z1, "z2": z2}
    line = page_data.command(specimen.write(tmp_path / "a.h5", 3, targets=[target]))
    (asked,) = [part for part in line.split() if part.startswith("--targets=")]
    place, _, ends = asked.removeprefix("--targets=").rpartition("@")
    assert place == "fc8:@a.npy" and [float(end) for end in ends.split(":")] == [z1, z2]
    assert ends.endswith(":15.5")


@pytest.mark.parametrize(
    "settings, by",
    [({"K": 20, "group": ["fc8:0@1:2"]}, "atlas"), ({"method": "ppgn", "n": 3}, "experiment")],
)
def test_what_sample_did_not_draw_is_not_said_to_be_drawn_by_it(tmp_path, settings, by):
    archive = specimen.write(tmp_path / "a.h5", 3, settings=settings)
    assert page_data.command(archive).startswith(f"tf-inverse {by}: drawn ")


@pytest.mark.parametrize(
    "z1, z2", [(1000.01, 1000.02), (8.0, 8.0), (1e-30, 2e-30), (13.2, 13.2001), (8.0, 10.0)]
)
def test_histograms_of_narrow_ranges_have_few_bins_that_hold_all(tmp_path, z1, z2):
    target = specimen.TARGET | {"z1": z1, "z2": z2}
    page = page_data.page([specimen.write(tmp_path / "a.h5", 30, targets=[target])], ["a"])
    shown = page["archives"][0]["targets"][0]["histogram"]
    edges = shown["edges"]
    assert len(edges) - 1 == len(shown["samples"]) == len(shown["natural"]) <= 4 * 40 + 2
    assert (np.diff(edges) > 0).all()
    for shares in (shown["samples"], shown["natural"]):
        assert sum(shares) == pytest.approx(1.0, abs=1e-4)
    if z2 - z1 > 1:
        assert np.abs(np.subtract.outer([z1, z2], edges)).min(axis=1).max() < 1e-4


def test_archives_that_do_not_tell_what_was_asked_for_are_shown(tmp_path):
    target = {name: value for name, value in specimen.TARGET.items() if name != "text"}
    archive = specimen.write(tmp_path / "a.h5", 3, targets=[target])
    shown = page_data.page([archive], ["a"])
    assert shown["archives"][0]["targets"][0]["text"] == "fc8:8 (ship) from 8 to 10"
    assert "--targets=fc8:8@8:10 " in page_data.command(archive)
    assert png.images(archive, tmp_path / "images") == 3


def test_figures_that_a_run_stored_are_told_again(tmp_path):
    stored = {"steps": 70, "ess": 9.5, "r_hat": 1.01, "burn_in": 37, "apart": 4}
    found = page_data.figures(specimen.write(tmp_path / "a.h5", summary=stored))
    assert {name: found[name] for name in stored} == stored


def test_inline_is_one_figure(archive):
    output = html.inline(archive, most=10)
    assert output.startswith("<figure") and "10 of 24 samples" in output
    assert "fc8:8 (ship) from 8 to 10" in output


def test_table_puts_archives_side_by_side():
    output = figure_table.table(
        {"a.h5": {"found": 3, "vendi": 2.5}, "b.h5": {"found": 4, "vendi": None}}
    )
    assert [line.split() for line in output.splitlines()] == [
        ["a.h5", "b.h5"],
        ["found", "3", "4"],
        ["Vendi", "score", "2.5", "-"],
    ]


def test_opened_names_what_is_wrong(tmp_path, archive):
    with pytest.raises(Exception, match="at least one archive"):
        png.opened([])
    with pytest.raises(FileNotFoundError, match="does not exist"):
        png.opened([tmp_path / "none.h5"])
    (tmp_path / "sub").mkdir()
    specimen.write(tmp_path / "sub" / "a.h5")
    _, names = png.opened([tmp_path / "a.h5", tmp_path / "sub" / "a.h5"])
    assert names == [str(tmp_path / "a.h5"), str(tmp_path / "sub" / "a.h5")]


def test_saving_does_not_replace_unasked(tmp_path):
    png.save(tmp_path / "page.html", b"1")
    with pytest.raises(FileExistsError, match="--overwrite"):
        png.save(tmp_path / "page.html", b"2")
    png.save(tmp_path / "page.html", b"3", overwrite=True)
    assert (tmp_path / "page.html").read_bytes() == b"3"


def test_report_and_sheet_import_no_tensorflow():
    code = (
        "import sys; from tf_inverse.report import html, png; "
        "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "summary",
    [
        {name: value for name in ("steps", "vendi", "vendi_natural", "probability", "bandwidth")}
        for value in ("many", [1], {}, True, 1e300, -1, 2**64 - 1, 1e-300)
    ]
    + [{"vendi_natural": 3.0}, {"probability": 0.5}, {"bandwidth": 1e-90}],
)
def test_a_summary_that_cannot_be_is_not_told(tmp_path, summary):
    """What a file says of its run may be anything; samples are shown all the same."""
    archive = specimen.write(tmp_path / "a.h5", 6, summary=summary)
    assert "many" not in "".join(png.title(archive, 6))
    assert len(page_data.page([archive], ["a.h5"])["archives"][0]["samples"]["captions"]) == 6
