"""The files of a site: of an atlas, of any folder of archives, and of hostile ones."""

import hashlib
import io
import json
import pathlib
import re

import atlases
import h5py
import numpy as np
import pytest
import specimen
from PIL import Image

from tf_inverse import archive, metrics
from tf_inverse.archive import side_file
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.report import beside, encode, site
from tf_inverse.report.site import catalogue


def units(written):
    """What all pages know of every unit."""
    *_, line = (written.index.parent / "units.js").read_text(encoding="utf-8").splitlines()
    return json.loads(line.removeprefix("const units = ").removesuffix(";"))


def data(written, place):
    text = (written.index.parent / f"{place}.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    folder = tmp_path_factory.mktemp("atlas")
    atlases.write(folder)
    return folder, site.write(folder)


def test_units_are_in_the_order_of_the_index_layer_by_layer(atlas):
    _, written = atlas
    assert written.left_out == [] and (written.units, written.pages) == (4, 3)
    told = [(one["name"], one["label"], one["state"], one["place"]) for one in units(written)]
    assert told == [
        ("fc8:8", "ship", "done", "unit/fc8/8"),
        ("fc8:9", "truck", "partial", "unit/fc8/9"),
        ("fc6:3", "", "done", "unit/fc6/3"),
        ("fc6:5", "", "dead", None),
    ]
    assert units(written)[0]["range"] == "8 to 10"
    assert data(written, "unit/fc8/8")["ladder"][0]["band"] == "8 to 10 (p99 to p99.8)"
    assert units(written)[3]["reason"] == "dead: the same for all natural images"
    assert (units(written)[1]["found"], units(written)[1]["asked"]) == (12, 20)


def test_figures_are_those_of_the_archive(atlas):
    folder, written = atlas
    for one, path in zip(units(written), ("fc8/8.h5", "fc8/9.h5", "fc6/3.h5"), strict=False):
        e = archive.open(folder / path).encodings[:]
        assert one["vendi"] == pytest.approx(metrics.vendi(e, 3.0), rel=1e-3)
    assert [one["facets"] for one in units(written)[:3]] == [1, 1, 2]


def test_the_nearest_units_come_first(atlas):
    """Encodings of fc8:8 and fc8:9 have one centre, those of fc6:3 lie elsewhere."""
    _, written = atlas
    like = [[number for number, _ in one["like"]] for one in units(written)]
    assert like == [[1, 2], [0, 2], like[2], []] and sorted(like[2]) == [0, 1]


def test_the_ladder_has_the_other_ranges(atlas):
    _, written = atlas
    main, lower = data(written, "unit/fc8/8")["ladder"]
    assert (main["words"], main["items"]) == ("this page", [])
    assert (lower["band"], lower["words"], len(lower["items"])) == ("4 to 8", "12 of 12 found", 8)
    z = [float(item["caption"]) for item in lower["items"]]
    assert z == sorted(z) and 4 <= z[0] and z[-1] <= 8
    assert data(written, "unit/fc8/9")["ladder"] == []


def test_a_site_is_made_again_and_replaces_no_folder_of_others(tmp_path):
    atlases.write(tmp_path)
    first = site.write(tmp_path)
    before = {p: p.read_bytes() for p in first.index.parent.rglob("*") if p.is_file()}
    again = site.write(tmp_path)
    assert {p: p.read_bytes() for p in again.index.parent.rglob("*") if p.is_file()} == before
    assert sum(map(len, before.values())) == again.size
    (again.index.parent / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"holds mine\.txt"):
        site.write(tmp_path)
    assert (again.index.parent / "mine.txt").read_text() == "mine"


def test_any_folder_of_archives_is_taken(tmp_path, capsys):
    """Numbers count as numbers; of one neuron the highest range comes first."""
    for unit in (10, 9):
        specimen.write(tmp_path / f"{unit}.h5", 5, targets=[atlases.target(unit=unit, label=None)])
    (tmp_path / "more").mkdir()
    higher = [atlases.target(unit=9, label=None, z1=10.0, z2=12.0)]
    specimen.write(tmp_path / "more" / "x.h5", 5, targets=higher)
    two = [atlases.target(), atlases.target(unit=0, label="airplane")]
    specimen.write(tmp_path / "more" / "y.h5", 5, targets=two)
    found = catalogue.of(tmp_path)
    assert [unit.title for unit in found.units] == [
        "fc8:9",
        "fc8:10",
        "fc8:8 and fc8:0 (ship and airplane)",
    ]
    assert [rung.band for rung in found.units[0].rungs] == ["10 to 12", "8 to 10"]
    assert (found.network, found.left_out) == ("discs", [])
    assert site.write(tmp_path).pages == 3


def test_a_direction_is_a_unit_with_a_name(tmp_path):
    """Two directions of a layer are two units, in an index and without one."""
    entries = []
    for i, name in enumerate(("ship-airplane", "@file.npy")):
        numbers = np.full(10, i, np.float32)
        digest = hashlib.sha256(numbers.tobytes()).hexdigest()
        own = atlases.target(unit=-1, label=None)
        own["direction"] = {"name": name, "sha256": digest, "size": 10}
        specimen.write(tmp_path / f"{i}.h5", 3, targets=[own], directions={0: numbers})
        entries.append(atlases.entry(own, f"{i}.h5"))
    names = ["fc8:ship-airplane", "fc8:@file.npy"]
    assert [unit.name for unit in catalogue.of(tmp_path).units] == names
    atlases.index(tmp_path, entries)
    assert [(unit.name, unit.numbers) for unit in catalogue.of(tmp_path).units] == [
        ("fc8:ship-airplane", ("ship-airplane",)),
        ("fc8:@file.npy", ("@file.npy",)),
    ]


def test_what_is_no_archive_of_the_folder_is_not_read(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out.h5"
    inside.mkdir()
    specimen.write(inside / "a.h5", 5, seed=1)
    specimen.write(outside, 5, targets=[atlases.target(unit=1)])
    side_file.put(inside / "a.h5", "other", {}, {"a": 1})
    (inside / "link.h5").symlink_to(outside)
    for name in (".hidden", "run.h5.run", "site"):
        (inside / name).mkdir()
        (inside / name / "b.h5").write_bytes(b"no archive")
    (inside / "broken.h5").write_bytes(b"no archive")
    with h5py.File(inside / "weights.h5", "w") as file:
        file.attrs["format"] = "of another program, as a text of any length"
    with h5py.File(inside / "other.h5", "w") as file:
        file["x"] = np.zeros(3)
    found = catalogue.of(inside)
    assert [unit.name for unit in found.units] == ["fc8:8"]
    assert len(found.left_out) == 1 and "broken.h5" in found.left_out[0]


def test_a_folder_without_archives_is_told(tmp_path):
    with pytest.raises(UsageError, match="expected archives, A.h5, in .*, there are none"):
        site.write(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        site.write(tmp_path / "none")
    specimen.write(tmp_path / "a.h5", 5)
    with pytest.raises(NotADirectoryError, match="expected a folder"):
        site.write(tmp_path / "a.h5")


@pytest.mark.parametrize(
    "change",
    [
        {"archive": "../out.h5"},
        {"archive": "fc8/../../out.h5"},
        {"archive": "/out.h5"},
        {"archive": "fc8\\8.h5"},
        {"archive": "C:8.h5"},
        {"archive": "fc8/8.html"},
        {"archive": "a\0.h5"},
        {"archive": ["fc8/8.h5"]},
        {"archive": "link.h5"},
        {"layer": None},
        {"unit": -2},
        {"direction": {"name": 3}},
        {"direction": "ship-airplane"},
        {"unit": True},
        {"unit": None},
        {"at": [1]},
        {"at": [1, -1]},
        {"at": {}},
        {"label": 3},
        {"z1": "8"},
        {"z2": True},
        {"levels": ["p99"]},
        {"levels": [99, 99.8]},
        {"rung": 0.5},
        {"state": "well"},
        {"state": []},
        {"reason": 1},
        {"found": -1},
    ],
)
def test_an_index_that_cannot_be_is_refused(tmp_path, change):
    specimen.write(tmp_path / "out.h5", 3)
    folder = tmp_path / "atlas"
    folder.mkdir()
    (folder / "link.h5").symlink_to(tmp_path / "out.h5")
    atlases.index(folder, [atlases.entry(atlases.target(), "fc8/8.h5") | change])
    with pytest.raises(RefusedInput, match=r"atlas\.json"):
        site.write(folder)
    assert not (folder / "site").exists()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "NaN",
        '{"format": "tf_inverse atlas", "version": 2, "network": "a", "units": []}',
        '{"format": "tf_inverse atlas", "version": 1, "network": 3, "units": []}',
        '{"format": "tf_inverse atlas", "version": 1, "network": "a", "units": {}}',
        '{"format": "tf_inverse atlas", "version": 1, "network": "a", "units": [3]}',
        "[" * 100_000,
        "\udcff",
    ],
)
def test_what_is_no_index_is_refused(tmp_path, text):
    (tmp_path / "atlas.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(RefusedInput, match=r"atlas\.json"):
        catalogue.of(tmp_path)


def test_names_of_layers_never_leave_the_site(tmp_path):
    names = [
        "../../x",
        "/x",
        "",
        "A",
        "a",
        "\u00fc",
        "x" * 300,
        "..",
        "aux",
        'a"><script>',
        "a\ud800",
    ]
    entries = []
    for i, name in enumerate(names):
        specimen.write(tmp_path / f"{i}.h5", 3)
        hostile = atlases.target(name, 1, "\udc00</title>")
        entries.append(atlases.entry(hostile, f"{i}.h5", reason="</script>\ud800"))
    atlases.index(tmp_path, entries)
    written = site.write(tmp_path)
    places = [one["place"] for one in units(written)]
    assert len({place.lower() for place in places}) == len(names) and written.pages == len(names)
    assert all(re.fullmatch(r"unit/[\w.-]{1,90}/1", place, re.ASCII) for place in places)
    # Windows has no folder of this name.
    assert "unit/aux_/1" in places and "unit/aux/1" not in places
    inside = {path for path in tmp_path.rglob("*") if path.suffix == ".html"}
    assert all(path.is_relative_to(tmp_path / "site") for path in inside)
    text = (tmp_path / "site" / f"{places[0]}.html").read_text(encoding="utf-8")
    assert "&lt;/title&gt;" in text and "</title></title>" not in text


def broken(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_what_is_damaged_is_told_and_the_rest_stands(tmp_path):
    atlases.write(tmp_path)
    for name in ("fc8/9.h5", "fc8/8-2.h5"):
        broken(tmp_path / name)
    side_file.put(tmp_path / "fc6/3.h5", "facets", {"members": np.zeros(12, np.int32)}, {})
    yardstick = {"bandwidth": 1e-200, "source": "nothing", "count": 2}
    specimen.write(tmp_path / "fc6/5.h5", 3, targets=[specimen.TARGET], yardstick=yardstick)
    index = json.loads((tmp_path / "atlas.json").read_text())
    index["units"][-1] |= {"archive": "fc6/5.h5", "state": "done"}
    (tmp_path / "atlas.json").write_text(json.dumps(index))
    written = site.write(tmp_path)
    found = units(written)
    assert [one["state"] for one in found] == ["done", "failed", "failed", "failed"]
    assert found[1]["reason"] == "its archive cannot be read" and found[1]["place"] is None
    names = [pathlib.Path(line.split(":")[0]).name for line in written.left_out]
    assert names == ["8-2.h5", "9.h5", "3.h5.extra.h5", "5.h5"]
    assert data(written, "unit/fc8/8")["ladder"][1]["words"] == "its archive cannot be read"
    names = sorted(path.name for path in (tmp_path / "site" / "unit").rglob("*.*"))
    assert names == ["8.html", "8.small.webp", "8.webp"]


def test_images_are_where_the_page_looks_for_them():
    """Images of one colour each, of two sizes, in the order in which they are handed over."""
    colours = np.random.default_rng(0).integers(0, 256, (11, 3))
    images = np.repeat(np.repeat(colours[:, None, None], 24, axis=1), 40, axis=2).astype(np.uint8)
    sprite = encode.Sprite()
    assert sprite(images[:4]) == ([0, 1, 2, 3], None)
    assert sprite(np.repeat(images[4:, :12, :20], 2, axis=1)[:, ::2]) == (
        [4, 5, 6, 7, 8, 9, 10],
        None,
    )
    at = sprite.layout
    whole = np.asarray(Image.open(io.BytesIO(sprite.contents())).convert("RGB"), int)
    assert at == {"columns": 4, "rows": 3, "width": 40, "height": 24}
    for i, colour in enumerate(colours):
        y, x = divmod(i, 4)
        middle = whole[24 * y + 6 : 24 * y + 18, 40 * x + 10 : 40 * x + 30]
        assert abs(middle.mean(axis=(0, 1)) - colour).max() < 12


@pytest.mark.parametrize(
    ("n", "size"), [(1, (40, 24)), (3, (40, 24)), (4, (80, 48)), (9, (80, 48))]
)
def test_a_mosaic_has_four_images_or_one(n, size):
    images = np.zeros((n, 24, 40, 3), np.uint8)
    images[0] = 255
    whole = Image.open(io.BytesIO(encode.mosaic(images)))
    assert whole.size == size and min(whole.getpixel((5, 5))) > 240


def test_large_images_are_made_smaller():
    large = np.zeros((4, 300, 600, 1), np.uint8)
    sprite = encode.Sprite()
    sprite(large)
    assert (sprite.layout["width"], sprite.layout["height"]) == (128, 64)
    assert Image.open(io.BytesIO(encode.mosaic(large))).size == (128, 64)


def pictures():
    """Real samples at 32 pixels: those of the picture in README, [200, 32, 32, 3]."""
    sheet = Image.open(pathlib.Path(__file__).parents[2] / "docs" / "samples.jpg").convert("RGB")
    across, down = 20, 10
    side = sheet.width / across
    boxes = [(i * side, j * side) for j in range(down) for i in range(across)]
    tiles = [sheet.crop((x, y, x + side, y + side)).resize((32, 32)) for x, y in boxes]
    return np.stack([np.asarray(tile) for tile in tiles])


def test_a_unit_takes_at_most_40_kb(tmp_path, monkeypatch):
    """50 samples, two lower ranges and 60 natural images of 32 pixels."""
    real = iter(np.tile(pictures(), (2, 1, 1, 1)))
    monkeypatch.setattr(
        specimen, "discs", lambda z, *_: np.stack([next(real) for _ in range(len(z))])
    )
    for i, z1 in enumerate((8.0, 6.0, 4.0)):
        path = tmp_path / f"{i}.h5"
        specimen.write(path, 50, targets=[atlases.target(z1=z1, z2=z1 + 2)], groups=[20, 20, 10])
    z = np.linspace(8, 10, 60, dtype=np.float32)[:, None]
    nature = beside.Nature(pictures()[:60], z, np.arange(60), 80, 1000, "photos")
    written = site.write(tmp_path, natures=lambda archives: (nature for _ in archives))
    assert len(data(written, "unit/fc8/8")["archives"][0]["nature"]["items"]) == 12
    own = sum(p.stat().st_size for p in (tmp_path / "site" / "unit").rglob("*") if p.is_file())
    assert 15_000 < own + len(json.dumps(units(written))) <= 40_000
