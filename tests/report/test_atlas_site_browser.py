"""A site in headless Chromium: found by search, by mouse and by keyboard, on wide and narrow."""

import io
import json

import atlases
import numpy as np
import pytest
import specimen
from PIL import Image

from tf_inverse import archive
from tf_inverse.report import beside, site

pytest.importorskip("selenium.webdriver", reason="needs selenium")
from browsing import by_id, opened, press  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

HOSTILE = "</script><img src=x onerror=document.title='broken'>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The site of a small atlas, with natural images, a hostile label and a page that is its."""
    atlas = tmp_path_factory.mktemp("atlas")
    units = atlases.write(atlas)
    hostile = atlases.target(HOSTILE, 1, HOSTILE)
    specimen.write(atlas / "hostile.h5", 3, targets=[hostile])
    atlases.index(atlas, [*units, atlases.entry(hostile, "hostile.h5", reason=HOSTILE, rung=0)])
    z = np.linspace(8, 10, 5, dtype=np.float32)[:, None]
    images = specimen.discs(z, 32, np.random.default_rng(0))
    nature = beside.Nature(images, z, np.arange(5), 5, 100, "photos")

    def natures(archives):
        yield from (nature if one.path.name == "8.h5" else None for one in archives)

    return site.write(atlas, natures).index.parent


@pytest.fixture
def first(browser, folder):
    browser.get("about:blank")  # or another hash of the same page would not load it again
    return opened(browser, folder / "index.html")


@pytest.fixture
def ship(browser, folder):
    return opened(browser, folder / "unit/fc8/8.html")


def shown(browser):
    """The units that are shown, by the first line of their tiles."""
    tiles = browser.find_elements(By.CSS_SELECTOR, "#units li:not([hidden]) .tile strong")
    return [tile.text for tile in tiles]


def search(browser, text):
    by_id(browser, "search").clear()
    by_id(browser, "search").send_keys(text)
    return shown(browser)


@pytest.mark.parametrize("page", ["index.html", "unit/fc8/8.html"])
def test_no_request_leaves_the_folder_and_nothing_fails(browser, folder, page):
    opened(browser, folder / page)
    if page != "index.html":
        by_id(browser, "view-map").click()
    assert browser.get_log("browser") == [] and browser.title != "broken"
    entries = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [e["params"] for e in entries if e["method"] == "Network.requestWillBeSent"]
    ours = [s["request"]["url"] for s in sent if s["documentURL"].startswith("file:")]
    here = f"{folder.as_uri()}/"
    assert len(ours) > 3 and all(url.startswith((here, "data:")) for url in ours)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("page", ["index.html", "unit/fc8/8.html"])
def test_nothing_is_wider_than_the_screen(browser, folder, page, width):
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 400}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        opened(browser, folder / page)
        root = "document.documentElement"
        wide, room = browser.execute_script(f"return [{root}.scrollWidth, {root}.clientWidth]")
        assert wide == room and width - 20 < room <= width
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_units_are_searched_by_label_number_and_name(first):
    said = by_id(first, "tally").text
    assert "Samples may fall into facets, groups that show" in said and "Vendi: how many" in said
    assert "Polysemanticity: how many" in said
    everything = shown(first)
    assert everything == ["ship", "truck", "fc6:3", "fc6:5", HOSTILE]
    assert search(first, "SHI") == ["ship"]
    assert search(first, "3") == ["fc6:3"]
    assert search(first, "fc8:") == ["ship", "truck"]
    assert search(first, "fc8 9") == ["truck"]
    assert by_id(first, "count").text == "1 of 5 units"
    assert search(first, "nothing") == []


def test_an_intersection_is_found_by_each_of_its_neurons(browser, tmp_path):
    pairs = {"a.h5": (8, 3), "b.h5": (9, 5)}
    for name, (one, other) in pairs.items():
        both = [atlases.target(unit=one, label=None), atlases.target("fc6", other, None)]
        specimen.write(tmp_path / name, 4, targets=both)
    opened(browser, site.write(tmp_path).index)
    names = {key: f"fc8:{pairs[key][0]} and fc6:{pairs[key][1]}" for key in pairs}
    assert search(browser, "8") == search(browser, "3") == [names["a.h5"]]
    assert search(browser, "5") == [names["b.h5"]] and search(browser, "4") == []
    assert search(browser, "fc") == list(names.values())
    Select(by_id(browser, "layer")).select_by_visible_text("fc6")
    assert shown(browser) == list(names.values())


def test_units_are_filtered_by_layer_and_by_what_became_of_them(first):
    for state, names in (
        ("done", {"ship", "fc6:3", HOSTILE}),
        ("partial", {"truck"}),
        ("none", {"fc6:5"}),
    ):
        Select(by_id(first, "state")).select_by_value(state)
        assert set(shown(first)) == names
    Select(by_id(first, "layer")).select_by_visible_text("fc6")
    assert shown(first) == ["fc6:5"]
    assert "the same for all natural images" in by_id(first, "units").text


def test_units_are_sorted(first, folder):
    *_, line = (folder / "units.js").read_text(encoding="utf-8").splitlines()
    units = json.loads(line.removeprefix("const units = ").removesuffix(";"))
    names = {one["label"] or one["name"]: one for one in units}
    for order, name, falls in (
        ("vendi", "vendi", True),
        ("poly", "poly", True),
        ("found", "found", False),
    ):
        Select(by_id(first, "order")).select_by_value(order)
        values = [names[one].get(name) for one in shown(first)]
        known = [value for value in values if value is not None]
        assert known == sorted(known, reverse=falls) and values[len(known) :] == [None] * (
            5 - len(known)
        )
    Select(by_id(first, "order")).select_by_value("label")
    assert shown(first)[-2:] == ["ship", "truck"]


def test_the_first_page_by_keyboard_and_back_to_what_was_searched_for(first):
    press(first, "/")
    press(first, "fc8")
    assert shown(first) == ["ship", "truck"]
    stops = first.find_elements(By.CSS_SELECTOR, "#units .tile[tabindex='0']")
    assert len(stops) == 1
    first.execute_script("arguments[0].focus()", stops[0])
    press(first, Keys.ARROW_RIGHT)
    assert "truck" in first.switch_to.active_element.text
    press(first, Keys.HOME, Keys.ENTER)
    WebDriverWait(first, 20).until(lambda b: b.title == "fc8:8 (ship)")
    first.back()
    WebDriverWait(first, 20).until(lambda b: b.title == "Atlas of discs")
    assert (
        shown(first) == ["ship", "truck"] and by_id(first, "search").get_property("value") == "fc8"
    )


def test_everything_has_a_name_and_every_image_a_text(browser, folder):
    for page in ("index.html", "unit/fc8/8.html"):
        opened(browser, folder / page)
        controls = browser.find_elements(By.CSS_SELECTOR, "a, button, select, input, canvas")
        assert all(control.accessible_name for control in controls if control.is_displayed())
        images = browser.find_elements(By.CSS_SELECTOR, "img, svg[role=img]")
        assert images and all(
            (image.get_attribute("alt") or image.get_attribute("aria-label")) for image in images
        )
        silent = browser.find_elements(By.CSS_SELECTOR, "svg.picture[aria-hidden=true]")
        assert all(one.find_element(By.XPATH, "ancestor::button[@aria-label]") for one in silent)


def test_every_image_is_the_one_of_its_row(ship, folder):
    """The mean colour of what is drawn is that of the archive's image."""
    images = archive.open(folder.parent / "fc8/8.h5").images[:]
    tiles = ship.find_elements(By.CSS_SELECTOR, "#sheet ul:not(.nature) .tile")
    assert len(tiles) == 12
    for tile in tiles[::4]:
        row = int(tile.get_attribute("aria-label").split()[1].rstrip(","))
        picture = tile.find_element(By.CSS_SELECTOR, ".picture").screenshot_as_png
        drawn = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), float)
        inner = drawn[8:-8, 8:-8].mean(axis=(0, 1))
        assert abs(inner - images[row][3:-3, 3:-3].mean(axis=(0, 1))).max() < 15


def test_the_map_is_drawn_of_the_one_picture(ship):
    by_id(ship, "view-map").click()

    def colours(browser):
        drawn = Image.open(io.BytesIO(by_id(browser, "plane").screenshot_as_png)).convert("RGB")
        return len(set(drawn.resize((200, 100), Image.Resampling.NEAREST).getdata()))

    WebDriverWait(ship, 20).until(lambda browser: colours(browser) > 12)


def test_a_unit_has_its_samples_its_ranges_nature_and_the_units_like_it(ship):
    captions = ship.find_elements(By.CSS_SELECTOR, "#sheet .tile > span:last-child")
    z = [float(caption.text) for caption in captions]
    assert z == sorted(z) and len(z) == 12
    titles = [e.text for e in ship.find_elements(By.CSS_SELECTOR, "#sheet h3")]
    assert titles == ["Natural images in the range: 5 of 100 of photos"]
    ladder = [e.text for e in ship.find_elements(By.CSS_SELECTOR, "#more h3")]
    assert ladder == ["8 to 10 (p99 to p99.8) this page", "4 to 8 12 of 12 found"]
    like = [e.text for e in ship.find_elements(By.CSS_SELECTOR, "#more .unit strong")]
    assert like[0] == "truck" and set(like) == {"truck", "fc6:3", HOSTILE}
    ship.find_elements(By.CSS_SELECTOR, "#sheet .tile")[0].click()
    assert by_id(ship, "large-title").text.startswith("Row ")
    press(ship, Keys.ESCAPE)


def test_the_way_from_unit_to_unit_and_to_the_units_like_one(ship, folder):
    ship.find_element(By.CSS_SELECTOR, "nav [rel=next]").click()
    WebDriverWait(ship, 20).until(lambda b: b.title == "fc8:9 (truck)")
    ship.find_element(By.CSS_SELECTOR, "nav [rel=prev]").click()
    WebDriverWait(ship, 20).until(lambda b: b.title == "fc8:8 (ship)")
    ship.find_element(By.LINK_TEXT, "More of them").click()
    WebDriverWait(ship, 20).until(lambda b: b.title == "Atlas of discs")
    assert (
        shown(ship)[:2] == ["ship", "truck"]
        and "Units like fc8:8 (ship)" in by_id(ship, "units").text
    )
    by_id(ship, "clear").click()
    assert len(shown(ship)) == 5


def test_light_and_dark(first):
    paper = "return getComputedStyle(document.body).backgroundColor"
    before = first.execute_script(paper)
    by_id(first, "theme").click()
    assert first.execute_script(paper) != before
    by_id(first, "theme").click()
