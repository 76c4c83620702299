"""Contact sheets: every image where it belongs, and the arrangement of samples."""

import io
import itertools

import numpy as np
import pytest
import specimen
from PIL import Image

from tf_inverse.errors import UsageError
from tf_inverse.report import encode, ordering, png, sheet, standing, text


def flat(colours, side=32):
    return np.broadcast_to(
        np.array(colours, np.uint8)[:, None, None], (len(colours), side, side, 3)
    )


def test_every_image_is_drawn_in_reading_order():
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (0, 250, 250)]
    picture = np.asarray(sheet.contact_sheet(flat(colours), list("abcde"), ["title"], columns=3))
    centres = [np.argwhere((picture == colour).all(axis=2)).mean(axis=0) for colour in colours]
    rows, columns = np.array(centres).T
    assert np.allclose(rows[:3], rows[0]) and np.allclose(rows[3:], rows[3]) and rows[3] > rows[0]
    assert columns[0] < columns[1] < columns[2] and np.allclose(columns[3:], columns[:2])
    areas = [(picture == colour).all(axis=2).sum() for colour in colours]
    assert areas == [96 * 96] * 5


def test_rows_have_their_headings_and_nothing_is_cut_off():
    rows = [sheet.Row("first range", flat([(9, 9, 200)] * 4), ["1"] * 4)] * 3
    picture = np.asarray(sheet.row_sheet(rows, ["A ladder", "and a long second line " * 20], 4))
    border = np.concatenate([picture[:3].reshape(-1, 3), picture[-3:].reshape(-1, 3)])
    assert (border == sheet.PAPER).all()
    assert (picture == (9, 9, 200)).all(axis=2).sum() == 12 * 96 * 96


class Counting:
    """A typeface that counts the letters that it measures."""

    def __init__(self):
        self.font, self.letters = sheet.typeface(15), 0

    def getlength(self, text):
        self.letters += len(text)
        return self.font.getlength(text)


@pytest.mark.parametrize("text", ["x" * 20_000, "Wi" * 40, "short", "", "i" * 50, "e\u0301" * 3000])
def test_a_text_is_cut_where_letter_after_letter_would_be_dropped(text):
    font, dropped = Counting(), text
    cut = sheet.fitted(text, font, 200)
    if font.font.getlength(text) > 200:
        dropped = text[:200]
        while font.font.getlength(dropped + "...") > 200:
            dropped = dropped[:-1]
        dropped += "..."
    assert cut == dropped and font.letters <= 12 * 203


def test_a_heading_of_any_length_takes_a_few_lines():
    """Labels out of files may have thousands of letters, in words or in none."""
    layout = sheet._Layout(8, (96, 96), 8, 13, 24, 664)
    for words in ("word " * 6000, "w" * 30_000, " ".join(["w" * 700] * 40)):
        font = Counting()
        lines = sheet._wrap(words, font, layout)
        assert lines[-1].endswith("...") and len(lines) <= sheet.MOST_LINES
        assert max(map(font.font.getlength, lines)) <= 664 - 48 and font.letters < 120_000
    assert sheet._wrap("a few words", Counting(), layout) == ["a few words"]


def test_a_sheet_is_no_wider_than_its_images():
    images = flat([(9, 9, 200)] * 3)
    sizes = [sheet.contact_sheet(images, list("abc"), columns=n, tile=200).size for n in (3, 5000)]
    assert sizes[0] == sizes[1]


def test_grey_images_and_wide_images():
    grey = np.full((2, 20, 40, 1), 77, np.uint8)
    picture = np.asarray(sheet.contact_sheet(grey, ["a", "b"]))
    assert (picture == 77).all(axis=2).sum() == 2 * 96 * 48


@pytest.mark.parametrize(
    ("images", "captions", "words"),
    [
        (np.zeros((2, 8, 8, 3), np.uint8), ["1"], "1 captions for 2 images"),
        (np.zeros((0, 8, 8, 3), np.uint8), [], "at least one image"),
        (np.zeros((1, 8, 8, 3), np.float32), ["1"], "got float32"),
        (np.zeros((1, 8, 8), np.uint8), ["1"], r"got uint8 \[1, 8, 8\]"),
    ],
)
def test_refusals(images, captions, words):
    with pytest.raises(ValueError, match=words):
        sheet.contact_sheet(images, captions)


def test_most_different_is_within_twice_the_best_choice():
    e = np.random.default_rng(0).normal(size=(12, 3))

    def closest(rows):
        return min(np.linalg.norm(e[a] - e[b]) for a, b in itertools.combinations(rows, 2))

    best = max(closest(rows) for rows in itertools.combinations(range(12), 4))
    assert closest(ordering.most_different(e, 4)) >= best / 2
    assert sorted(ordering.most_different(e, 99)) == list(range(12))


def test_arrangement_is_the_same_with_and_without_the_matrix(monkeypatch):
    e = np.random.default_rng(0).normal(size=(50, 8))
    before = ordering.most_different(e, 50), ordering.by_similarity(e)
    monkeypatch.setattr(ordering, "_MATRIX", 10)
    after = ordering.most_different(e, 50), ordering.by_similarity(e)
    assert np.array_equal(before, after)


def test_twins_are_chosen_last():
    e = np.array([[0.0], [0.0], [5.0], [5.0], [9.0]])
    assert set(e[ordering.most_different(e, 3), 0]) == {0.0, 5.0, 9.0}


def test_nearest_is_the_sorted_distance():
    e = np.random.default_rng(0).normal(size=(20, 4))
    distance = np.linalg.norm(e[:, None] - e, axis=2)
    assert np.array_equal(ordering.nearest(e, 3), np.argsort(distance, axis=1)[:, 1:4])
    assert ordering.nearest(e[:1], 3).shape == (1, 0)


@pytest.mark.parametrize("shape", [(40, 6), (6, 40), (3, 1), (1, 5)])
def test_map_keeps_the_largest_variances(shape):
    e = np.random.default_rng(0).normal(size=shape) * np.arange(1, shape[1] + 1)
    places, explained = ordering.principal_map(e)
    values = np.linalg.svd(e - e.mean(axis=0), compute_uv=False) ** 2
    expected = np.zeros(2)
    expected[: min(2, len(values))] = values[:2]
    assert (places**2).sum(axis=0) == pytest.approx(expected, abs=1e-6 * max(values.sum(), 1))
    assert explained == pytest.approx(expected / max(values.sum(), 1e-300), abs=1e-6)


def test_contact_sheet_of_an_archive(tmp_path):
    archive = specimen.write(tmp_path / "a.h5", 30)
    picture = Image.open(io.BytesIO(png.contact(archive, rows=2, columns=4)))
    assert picture.width > 4 * 96
    whole = Image.open(io.BytesIO(png.contact(archive)))
    assert whole.height > picture.height
    with pytest.raises(UsageError, match="--order to be one of activation, found"):
        png.contact(archive, order="size")
    with pytest.raises(UsageError, match="--rows of at least 1"):
        png.contact(archive, rows=0)


def test_images_carry_their_activation(tmp_path):
    archive = specimen.write(tmp_path / "a.h5", 12)
    assert png.images(archive, tmp_path / "out") == 12
    files = sorted((tmp_path / "out").iterdir())
    for i, file in enumerate(files):
        picture = Image.open(file)
        assert np.array_equal(np.asarray(picture), archive.images[i])
        z = archive.activations[i][0]
        assert file.name == f"{i:02d}_{z:.2f}.png"
        assert float(picture.text["fc8:ship@8:10"]) == float(z)
    with pytest.raises(FileExistsError, match="is not empty"):
        png.images(archive, tmp_path / "out")
    # What the images of another archive leave in the folder is what was never ours.
    (tmp_path / "out" / "1_2.png").write_bytes(encode.png(archive.images[0], []))
    assert png.images(specimen.write(tmp_path / "b.h5", 3), tmp_path / "out", overwrite=True) == 3
    assert len(list((tmp_path / "out").iterdir())) == 4
    assert (tmp_path / "out" / "1_2.png").exists()


@pytest.mark.parametrize(
    ("low", "high"), [(2.7e-6, 0.0019), (2.7e-6, 1.7e-5), (-3e-13, 2e-13), (0.5, 0.50001), (8, 10)]
)
def test_captions_tell_activations_of_a_band_apart(low, high):
    z = np.linspace(low, high, 4)[:, None]
    shown = [float(caption) for caption in text.captions(z, [{"z1": low, "z2": high}])]
    assert len(set(shown)) == 4
    np.testing.assert_allclose(shown, z[:, 0], rtol=0.01)


def test_histogram_counts_everything():
    values = np.random.default_rng(0).uniform(8, 10, 500)
    lines = text.histogram(values, 8, 10).splitlines()
    assert sum(int(line.split()[-1]) for line in lines) == 500 and len(lines) == 10


def test_standing_among_natural_images():
    natural = np.arange(1, 101.0)
    assert standing.standing(95, natural) == "p95, +1.5 sd"
    assert standing.standing(200, natural) == "above all, +5.2 sd"
    assert standing.standing(0, natural) == "below all, -1.7 sd"


def test_a_range_stands_among_all_images_of_the_network_where_the_archive_tells_them(tmp_path):
    """Those kept with it are told beside them: two sets of images are not told as one."""
    z = np.random.default_rng(0).normal(2.0, 3.0, 10_000)
    levels = [0, 50, 90, 99, 99.8, 100]
    unit = {
        "mean": float(z.mean()),
        "sd": float(z.std()),
        "percentiles": np.percentile(z, levels).tolist(),
    }
    nature = {"images": 10_000, "of": "photographs", "levels": levels, "targets": [unit]}
    low, high = (float(np.percentile(z, level)) for level in (99, 99.8))
    target = specimen.TARGET | {"z1": low, "z2": high}
    archive = specimen.write(tmp_path / "a.h5", targets=[target], nature=nature)
    line, kept = standing.lines(archive)
    assert line.startswith("About 0.8 % of natural images excite fc8:8 (ship) to this range: ")
    assert "over 10000 natural images: photographs)" in line
    assert f"p99, {(low - z.mean()) / z.std():+.1f} sd" in line and "is p99.8, " in line
    assert "keeps 100 chosen at random and 10 that lie in the range" in kept
    assert standing.quantiles(archive, 0)[0] == levels
    assert standing.share(archive) == "about 0.8 % of natural images"
    above = [target | {"z1": 50.0, "z2": 60.0}]
    above = specimen.write(tmp_path / "c.h5", targets=above, nature=nature)
    assert standing.share(above) == "no natural image"
    beyond = specimen.write(
        tmp_path / "b.h5", targets=[target | {"z1": -99.0, "z2": 99.0}], nature=nature
    )
    assert "-99 is below all" in standing.lines(beyond)[0]
    assert "99 is above all" in standing.lines(beyond)[0]
    # An archive of before knows the images that are kept with it alone.
    old = specimen.write(tmp_path / "old.h5", targets=[target])
    assert standing.lines(old)[0].endswith("over 100 natural images kept at random).")
    # Of an intersection, those that are kept lie in both ranges, whatever share lies in one.
    both = specimen.write(
        tmp_path / "both.h5",
        targets=[target, target],
        nature=nature | {"targets": [unit, unit]},
    )
    assert standing.share(both) is None
    first, second, kept = standing.lines(both)
    assert first == second == line and "10 that lie in all the ranges" in kept


@pytest.mark.parametrize("low, high", [(0.0, 1.0), (0.0, 0.0), (0.5, 2.0), (-1.0, 0.0)])
def test_all_images_at_which_a_relu_is_zero_lie_in_a_range_that_has_zero(low, high):
    z = np.maximum(np.random.default_rng(0).normal(-0.25, 1.0, 10_000), 0)
    levels = np.arange(0, 100.5, 0.5)
    unit = {"mean": 0.3, "sd": 0.5, "percentiles": np.percentile(z, levels).tolist()}
    told = {"images": 10_000, "of": "photographs", "levels": levels.tolist()}
    line = standing.whole(specimen.TARGET | {"z1": low, "z2": high}, told, unit)
    share = 100 * np.mean((z >= low) & (z <= high))
    assert float(line.split()[1]) == pytest.approx(share, abs=0.6)


def test_a_sheet_of_very_many_images_has_smaller_ones():
    areas = []
    for n in (500, 1500):
        drawn = sheet.contact_sheet(flat([(250, 0, 0)], 8).repeat(n, axis=0), ["1.0"] * n)
        areas.append((np.asarray(drawn) == (250, 0, 0)).all(axis=2).sum())
    assert areas[0] == 500 * 96 * 96 and 0.95 * 5_120_000 < areas[1] <= 5_120_000


@pytest.mark.parametrize(
    "change",
    [
        {"images": "many"},
        {"levels": [0, 100, 50]},
        {"targets": []},
        {"targets": [{"mean": 0.0, "sd": 1.0, "percentiles": [1.0]}]},
        {"targets": [{"mean": "0", "sd": 1.0, "percentiles": [1.0, 2.0]}]},
        {"more": 1},
    ],
)
def test_what_an_archive_tells_of_nature_is_checked(tmp_path, change):
    unit = {"mean": 0.0, "sd": 1.0, "percentiles": [1.0, 2.0]}
    nature = {"images": 9, "of": "photographs", "levels": [0, 100], "targets": [unit]}
    with pytest.raises(ValueError, match="of nature"):
        specimen.write(tmp_path / "a.h5", nature=nature | change)
