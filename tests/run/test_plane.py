"""The plane of two neurons: which cells are filled, what is told of the others, and the command."""

import dataclasses
import io
import json
import re

import numpy as np
import pytest
import worlds
from commands import run as call
from PIL import Image
from planes import box, reachable

from tf_inverse import archive, grid
from tf_inverse.band import Neuron
from tf_inverse.errors import RefusedInput, Unreachable, UsageError
from tf_inverse.method.normalization import measure
from tf_inverse.method.plane import Search
from tf_inverse.method.settings import Settings
from tf_inverse.networks import starts
from tf_inverse.networks.codes import Codes
from tf_inverse.report import cells, sheet
from tf_inverse.report import plane as pictures
from tf_inverse.run import plane, plane_command
from tf_inverse.run.verify import verify

TARGETS = "fc3:dog@p10:p90, fc3:ship@p10:p90"
FLAGS = ("--rows=4", "--columns=3", "-n=2", "-K=8", "--patience=200", "--device=cpu")

pytestmark = pytest.mark.usefixtures("loaded_once")


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    networks = box()
    asked = plane.plan(networks, "f:0@0:1, f:1@0:2", 8, 4, 2, 400)
    path = tmp_path_factory.mktemp("plane") / "box.h5"
    outcome = plane.fill(networks, asked, Settings(n=64, K=16), path)
    return networks, asked, outcome


def test_every_cell_within_reach_is_filled_and_the_others_told(linear):
    _, asked, outcome = linear
    wanted = reachable(8, 4)
    count = np.array(outcome.summary["plane"]["count"])
    assert (count == np.where(wanted, 2, 0)).all()
    tried = np.array(outcome.summary["plane"]["tried"])
    assert (tried[~wanted] >= asked.patience).all()
    # What is spent in vain is bounded: nobody tries on for ever.
    assert outcome.summary["found"] == 2 * wanted.sum() and not outcome.stopped


def test_samples_are_where_the_archive_says_they_are(linear):
    networks, asked, outcome = linear
    with archive.open(outcome.path) as opened:
        assert verify(opened, networks).problems == ()
        shown = cells.of(opened)
        x = opened.images[:].reshape(-1, 6) / 255.0
        z = np.stack([x[:, 0], x[:, 0] + x[:, 1]], axis=1)
        for cell, rows in enumerate(shown.members):
            row, column = divmod(cell, 4)
            for i in rows:
                assert column / 4 < z[i, 0] < (column + 1) / 4
                assert row / 4 < z[i, 1] < (row + 1) / 4
    for cell, word in enumerate(shown.words):
        said = r"2 samples" if reachable(8, 4).ravel()[cell] else r"unreachable: tried \d+ steps"
        assert re.fullmatch(said, word)


@pytest.fixture(scope="module")
def stopped_and_whole(tmp_path_factory):
    """The same plane twice: in one go, and stopped after each batch and gone on with."""
    networks, folder = natural_codes(), tmp_path_factory.mktemp("planes")
    asked = plane.plan(networks, TARGETS, 4, 3, 2, 200)
    settings, outcomes = Settings(n=24, K=8), []
    whole = plane.fill(networks, asked, settings, folder / "whole.h5")
    for _ in range(100):
        try:
            how = {"stop": lambda: True}
            outcomes.append(plane.fill(networks, asked, settings, folder / "parts.h5", **how))
        except KeyboardInterrupt:
            continue
        if not outcomes[-1].stopped:
            break
        if len(outcomes) > 1 and outcomes[-1].summary["found"] == outcomes[-2].summary["found"]:
            # Batches without a sample are not stored: from here on it has to go on in one go.
            outcomes.append(plane.fill(networks, asked, settings, folder / "parts.h5"))
            break
    return whole, outcomes


def test_a_plane_that_was_stopped_goes_on_bit_for_bit(stopped_and_whole):
    whole, outcomes = stopped_and_whole
    assert len(outcomes) > 1 and outcomes[0].stopped and not outcomes[-1].stopped
    assert outcomes[-1].path.read_bytes() == whole.path.read_bytes()
    assert outcomes[-1].summary == whole.summary


def test_rows_begin_near_their_cells_where_there_are_natural_codes(monkeypatch):
    """Without noise: natural codes near the rows' aims, each of which is in the row's cell."""
    tiny, dealt = natural_codes(), []
    z = tiny.natural.activations["fc3"][:, [1, 2]]
    monkeypatch.setattr(starts, "KERNEL", 0.0)
    asked = plane.plan(tiny, TARGETS, 4, 3, 2, 200)
    settings = starts.alone(tiny, Settings(n=24, K=8)).sized(6)
    scale = measure(tiny, asked.bands.neurons)
    search = Search(tiny, asked.grid, asked.bands, settings, scale, 2, 200)
    deal = search.deal
    search.deal = lambda block, t: dealt.append((block, t)) or deal(block, t)
    search._aim(np.ones(8, bool))
    ((block, t),) = dealt
    low, high = asked.grid.ends(search.aims)
    wanted = asked.bands.z1 + t * (asked.bands.z2 - asked.bands.z1)
    assert block == 0 and (wanted > low).all() and (wanted < high).all()
    far = np.abs((z - asked.bands.z1) / (asked.bands.z2 - asked.bands.z1) - t[:, None]).max(axis=2)
    bank = np.clip(tiny.natural.encodings, *tiny.codes.limits)
    which = [int(np.flatnonzero((bank == row).all(axis=1))[0]) for row in search.pool.c.numpy()]
    assert len(set(which)) == 8
    assert far[np.arange(8), which].mean() < 0.4 * far.mean()


def natural_codes():
    """The tiny pair that starts from natural codes, with what the images of them excite."""
    tiny = worlds.tiny_networks()
    c = np.random.default_rng(3).uniform(-2, 2, (200, 6)).astype(np.float32)
    z = np.asarray(tiny.classifier(worlds.images(tiny, c).astype(np.float32)))
    changes = {"encodings": c, "bank": c, "random": 200, "activations": {"fc3": z}}
    natural = dataclasses.replace(worlds.natural(tiny), **changes)
    return worlds.tiny_networks(codes=Codes("bank", 6, (-2.0, 2.0)), natural=natural)


def test_the_command_draws_the_plane(tiny_folder, tmp_path, capsys):
    out = tmp_path / "plane.h5"
    flags = (str(out), f"--network={tiny_folder}", f"--targets={TARGETS}", *FLAGS)
    assert call("plane", *flags, "--json", "--starts=near") == 0
    said = capsys.readouterr()
    assert "starts are random: tiny keeps no natural codes to start near" in said.err
    told = json.loads(said.out)
    assert told["cells"] == 12 and told["filled"] == np.count_nonzero(told["plane"]["count"])
    assert told["found"] == np.sum(told["plane"]["count"])
    assert call("verify", str(out), f"--network={tiny_folder}") == 0
    with Image.open(out.with_suffix(".png")) as picture:
        assert picture.width > 3 * 76 and picture.height > 4 * 76
    page = out.with_suffix(".html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
    assert data["counts"] == np.ravel(told["plane"]["count"]).tolist()
    assert len(data["images"]) == told["found"] and "://" not in page
    report = tmp_path / "report.html"
    assert call("report", str(out), f"--out={report}") == 0
    assert f"tf-inverse plane {out.name}" in report.read_text(encoding="utf-8")
    capsys.readouterr()
    assert call("plane", *flags) == 2 and "--overwrite" in capsys.readouterr().err
    again = ("resume", str(out), f"--network={tiny_folder}", "--device=cpu")
    assert call(*again) == 2 and "is a finished plane" in capsys.readouterr().err
    assert call(*again, "--n=9") == 2 and "expected no --n" in capsys.readouterr().err


@pytest.fixture
def stopping(monkeypatch):
    """Every plane stops, as if by SIGINT, where this is called with True."""
    whole = plane_command.fill

    def stop_at_once(wanted):
        how = {"stop": lambda: True} if wanted else {}
        monkeypatch.setattr(plane_command, "fill", lambda *a, **o: whole(*a, **o | how))

    return stop_at_once


def test_a_stopped_plane_is_resumed_with_what_it_began_with(
    tiny_folder, tmp_path, capsys, stopping
):
    """Whatever the flags' defaults are by then: the archive tells all of them."""
    whole, out = tmp_path / "whole.h5", tmp_path / "plane.h5"
    flags = (f"--network={tiny_folder}", f"--targets={TARGETS}", *FLAGS, "--json")
    assert call("plane", str(whole), *flags, "--seed=3") == 0
    capsys.readouterr()
    stopping(True)
    assert call("plane", str(out), *flags, "--seed=3") == 130
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told["archive"] is None and told["found"] > 0 and not out.exists()
    assert f"tf-inverse resume {out} goes on" in said.err
    stopping(False)
    assert call("plane", str(out), *flags) == 2
    assert f"tf-inverse resume {out} goes on as it began" in capsys.readouterr().err
    assert call("resume", str(out), "--json", "--device=cpu") == 0
    said = capsys.readouterr()
    assert "going on as it began: tf-inverse plane plane.h5" in said.err and "--seed=3" in said.err
    assert "--starts=random" in said.err and json.loads(said.out)["archive"] == str(out)
    assert out.read_bytes() == whole.read_bytes()


def test_json_is_told_of_a_plane_that_reached_nothing(tiny_folder, tmp_path, capsys):
    flags = (f"--network={tiny_folder}", "--targets=fc3:dog@1e5:2e5, fc3:cat@1e5:2e5", *FLAGS)
    assert call("plane", str(tmp_path / "none.h5"), *flags, "--patience=20", "--json") == 3
    told = json.loads(capsys.readouterr().out)
    assert (told["found"], told["archive"], told["filled"], told["cells"]) == (0, None, 0, 12)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"targets": "fc3:dog"}, "expected two targets.*got 1"),
        ({"targets": "fc3:dog, fc3:1"}, "two different neurons"),
        ({"rows": 0}, "--rows from 1 to 40, got 0"),
        ({"columns": 41}, "--columns from 1 to 40, got 41"),
        ({"each": 0}, "--n of at least 1, got 0"),
        ({"patience": 0}, "--patience of at least 1"),
        ({"targets": "fc3:dog@1e8:100000008, fc3:cat"}, "wide enough for 3 columns"),
    ],
)
def test_what_cannot_be_is_refused(tiny, flags, said):
    asked = {"targets": TARGETS, "rows": 4, "columns": 3, "each": 1, "patience": 100} | flags
    tiny = plane_with_natural(tiny)
    with pytest.raises(UsageError, match=said):
        plane.plan(tiny, **asked)


def plane_with_natural(networks):
    return dataclasses.replace(networks, natural=worlds.natural(networks))


def test_a_plane_out_of_reach_leaves_nothing(tiny, tmp_path):
    asked = plane.plan(tiny, "fc3:dog@1e5:2e5, fc3:cat@1e5:2e5", 2, 2, 1, 50)
    with pytest.raises(Unreachable, match="no cell was reached in [0-9]+ steps"):
        plane.fill(tiny, asked, Settings(n=4, K=8), tmp_path / "none.h5")
    assert list(tmp_path.iterdir()) == []


def test_what_overflows_the_encoding_is_in_no_cell(monkeypatch, tmp_path):
    networks = box()
    score = networks.score

    def overflowing(x, neurons, batch):
        e, z = score(x, neurons, batch)
        return np.where(z[:, :1] > 0.5, np.inf, e), z

    monkeypatch.setattr(networks, "score", overflowing)
    asked = plane.plan(networks, "f:0@0:1, f:1@0:2", 4, 2, 2, 30)
    outcome = plane.fill(networks, asked, Settings(n=16, K=8), tmp_path / "box.h5")
    count = np.array(outcome.summary["plane"]["count"])
    with archive.open(outcome.path) as opened:
        assert np.isfinite(opened.encodings[:]).all() and len(opened.images) == count.sum() > 0
        assert (opened.activations[:][:, 0] <= 0.5).all()


def test_ranges_that_are_left_out_are_natural(tiny):
    networks = plane_with_natural(tiny)
    bands = plane.plan(networks, "fc3:dog, fc3:ship", 2, 2, 1, 50).bands
    for band, unit in zip(bands, (1, 2), strict=True):
        known = networks.natural.unit(Neuron("fc3", unit))
        assert band.z1 == pytest.approx(known.percentile(50), rel=1e-6)
        assert band.z2 == pytest.approx(known.percentile(99.8), rel=1e-6)


def test_cells_of_activations():
    made = grid.between((0, 3), (0, 2), rows=2, columns=3)
    z = np.array([[0, 0], [1, 0.5], [3, 2], [2.5, 1], [3.1, 1], [-0.1, 1], [np.nan, 1]], np.float32)
    assert made.cell_of(z).tolist() == [0, 1, 5, 5, -1, -1, -1]
    assert made.cell_of(z, inside=True).tolist() == [-1, -1, -1, -1, -1, -1, -1]
    low, high = made.ends(np.array([0, 5]))
    assert low.tolist() == [[0, 0], [2, 1]] and high.tolist() == [[1, 1], [3, 2]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"plane": None}, "no plane of two neurons"),
        ({"plane": {"across": [0, 1], "up": [1, 0]}}, "rising edges up"),
        ({"plane": {"across": [0], "up": [0, 1]}}, "2 to 41 numbers as edges across"),
    ],
)
def test_an_archive_that_says_otherwise_is_refused(linear, change, said):
    with archive.open(linear[2].path) as opened:
        opened.settings = opened.settings | change
        with pytest.raises(RefusedInput, match=said):
            cells.of(opened)


def test_names_of_any_length_stay_within_the_picture(linear):
    with archive.open(linear[2].path) as opened:
        sizes = set()
        for label in (None, "ship", "w" * 3000):
            opened.targets = [target | {"label": label} for target in opened.targets]
            with Image.open(io.BytesIO(pictures.picture(opened))) as drawn:
                pixels = np.asarray(drawn)
            sizes.add(pixels.shape)
            assert (pixels[:, -8:] == sheet.PAPER).all() and (pixels[:, :8] == sheet.PAPER).all()
        assert len(sizes) == 1


def test_the_medoid_of_a_cell_has_the_least_squared_distances(linear):
    with archive.open(linear[2].path) as opened:
        e = opened.encodings[:].astype(np.float64)
        apart = ((e[:, None] - e[None]) ** 2).sum(axis=2)
        opened.settings = opened.settings | {"plane": {"across": [0, 1], "up": [0, 2]}}
        opened.summary = {}
        (members,) = cells.of(opened).members
        assert members[0] == apart.sum(axis=1).argmin() and sorted(members) == list(range(len(e)))
