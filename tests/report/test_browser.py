"""The report in headless Chromium, by mouse and keyboard."""

import json

import numpy as np
import pytest
import specimen

from tf_inverse.archive import side_file
from tf_inverse.experiments import page as experiment
from tf_inverse.experiments.recipes import Outcome
from tf_inverse.report import beside, html, judged, plane

pytest.importorskip("selenium.webdriver", reason="needs selenium")
from browsing import by_id, focused, opened, press  # noqa: E402
from selenium.webdriver import ActionChains  # noqa: E402
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """One archive's page and that of two archives, with a hostile label."""
    folder = tmp_path_factory.mktemp("pages")
    hostile = specimen.TARGET | {"label": "</script><img src=x onerror=document.title='broken'>"}
    one = specimen.write(folder / "one.h5", 60)
    two = specimen.write(folder / "two.h5", 20, seed=1, targets=[hostile])
    (folder / "one.html").write_text(html.render([one], ["one.h5"]), encoding="utf-8")
    (folder / "two.html").write_text(
        html.render([one, two], ["one.h5", "two.h5"]), encoding="utf-8"
    )
    return folder


@pytest.fixture
def one(browser, pages):
    return opened(browser, pages / "one.html")


def captions(browser):
    return browser.execute_script(
        "return [...document.querySelectorAll('#sheet li:not([hidden]) .tile > span:last-child')]"
        ".map((caption) => Number(caption.textContent))"
    )


@pytest.mark.parametrize("name", ["one.html", "two.html"])
def test_loads_without_errors_or_requests(browser, pages, name):
    opened(browser, pages / name)
    by_id(browser, "view-map").click()
    assert browser.get_log("browser") == []
    entries = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [e["params"] for e in entries if e["method"] == "Network.requestWillBeSent"]
    ours = [s["request"]["url"] for s in sent if s["documentURL"].startswith("file:")]
    assert len(ours) > 1 and all(url.startswith(("file:", "data:")) for url in ours)
    assert [url for url in ours if url.startswith("file:")] == [(pages / name).as_uri()]
    assert browser.title != "broken"


def test_what_archives_can_be_compared_by_is_told(browser, tmp_path):
    one = specimen.write(tmp_path / "one.h5", 4)
    two = specimen.write(tmp_path / "two.h5", 4, checksums={"classifier.keras": "cd" * 32})
    (tmp_path / "a.html").write_text(html.render([one, two], ["1", "2"]), encoding="utf-8")
    words = by_id(opened(browser, tmp_path / "a.html"), "numbers").text
    assert "one yardstick: 3, half the mean distance" in words
    assert "their distances and Vendi scores tell nothing of each other" in words


def test_from_an_image_that_is_not_shown_the_first_is_next_and_the_last_before(one):
    """Such an image is opened as the nearest of another."""
    found = one.execute_script(
        "byId('low').value = 900; showRange(); const shown = shownInOrder(0);"
        "return [1, -1].map((by) => { openLarge(samples.find((s) => !s.shown)); turn(by);"
        "  return shown.indexOf(opened) - (by < 0 ? shown.length - 1 : 0); })"
    )
    assert found == [0, 0]


def test_a_narrow_range_of_large_activations_has_an_axis(browser, tmp_path):
    """Three digits would call all five places 1.00e+3."""
    target = specimen.TARGET | {"z1": 1000.01, "z2": 1000.05}
    archive = specimen.write(tmp_path / "a.h5", 9, targets=[target], natural=False)
    (tmp_path / "a.html").write_text(html.render([archive], ["a"]), encoding="utf-8")
    page = opened(browser, tmp_path / "a.html")
    assert "from 1000.01 to 1000.05" in by_id(page, "summaries").text + page.title
    ends = page.execute_script(
        "return [...document.querySelectorAll('svg text')].map((t) => Number(t.textContent))"
    )
    np.testing.assert_allclose(ends, np.linspace(1000.01, 1000.05, 5), atol=0.005)


def test_orders(one):
    order = Select(by_id(one, "order"))
    rising = captions(one)
    assert rising == sorted(rising) and len(rising) == 60
    order.select_by_value("falling")
    assert captions(one) == rising[::-1]
    for value in ("found", "similar", "different"):
        order.select_by_value(value)
        assert sorted(captions(one)) == rising != captions(one)


def test_range_filters_by_keyboard_and_all_shows_everything(one):
    by_id(one, "low").send_keys(Keys.PAGE_UP * 3)
    low = float(by_id(one, "low-value").text.split()[0])
    shown = captions(one)
    assert 0 < len(shown) < 60 and min(shown) >= low - 0.01
    assert by_id(one, "count").text == f"{len(shown)} of 60 images"
    by_id(one, "high").send_keys(Keys.HOME)
    assert by_id(one, "high").get_attribute("value") == by_id(one, "low").get_attribute("value")
    by_id(one, "all").click()
    assert len(captions(one)) == 60


def test_large_image_by_mouse(one):
    one.find_elements(By.CSS_SELECTOR, "#sheet .tile")[4].click()
    title = by_id(one, "large-title").text
    assert float(title.split()[-1]) == captions(one)[4]
    assert one.find_element(By.CSS_SELECTOR, "#large-image img").get_property("naturalWidth") == 32
    assert "fc8:8 (ship)" in by_id(one, "large-activations").text
    assert len(one.find_elements(By.CSS_SELECTOR, "#large-nearest .tile")) == 8
    chain = one.execute_script("return opened.chain")
    one.find_element(By.CSS_SELECTOR, "#large-seed .tile").click()
    assert by_id(one, "large-title").text.startswith(f"Row {chain},")
    by_id(one, "close").click()
    assert not by_id(one, "large").is_displayed()


def test_sheet_and_large_image_by_keyboard(one):
    one.execute_script("document.querySelector('#sheet .tile').focus()")
    first = focused(one)
    press(one, Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_UP, Keys.ARROW_LEFT)
    assert focused(one) == first
    press(one, Keys.END)
    assert focused(one).endswith(f"{captions(one)[-1]:.2f}")
    press(one, Keys.HOME, Keys.ENTER)
    assert by_id(one, "large-title").text == first
    press(one, Keys.ARROW_RIGHT)
    second = by_id(one, "large-title").text
    assert float(second.split()[-1]) == captions(one)[1]
    press(one, Keys.ESCAPE)
    # The page hears of the closing a moment later.
    WebDriverWait(one, 20).until(lambda browser: focused(browser) == second)


def test_only_one_tile_is_in_the_tab_order(one):
    stops = one.find_elements(By.CSS_SELECTOR, "#sheet .tile[tabindex='0']")
    assert len(stops) == 1


def test_map_by_mouse_and_keyboard(one):
    by_id(one, "view-map").click()
    assert not by_id(one, "sheet").is_displayed()
    plane = by_id(one, "plane")
    plane.send_keys(Keys.ARROW_RIGHT)
    selected = by_id(one, "map-status").text
    assert selected.startswith("Row ")
    plane.send_keys(Keys.ARROW_RIGHT, "+", "+", "-")
    assert by_id(one, "map-status").text != selected
    before = one.execute_script("return [view.x, view.zoom]")
    ActionChains(one).drag_and_drop_by_offset(plane, 60, 0).perform()
    ActionChains(one).scroll_from_origin(ScrollOrigin.from_element(plane), 0, -200).perform()
    after = one.execute_script("return [view.x, view.zoom]")
    assert after[0] < before[0] and after[1] > before[1]
    plane.send_keys("0", Keys.ENTER)
    assert by_id(one, "large").is_displayed()
    press(one, Keys.ESCAPE)


def test_click_on_the_map_opens_the_image_there(one):
    by_id(one, "view-map").click()
    x, y, row = one.execute_script(
        "const p = points().at(-1); return [...toCanvas(p.place), p.sample.row]"
    )
    one.execute_script("plane.scrollIntoView({ block: 'center' })")
    width, height = one.execute_script("return [plane.clientWidth, plane.clientHeight]")
    chain = ActionChains(one).move_to_element_with_offset(
        by_id(one, "plane"), round(x - width / 2), round(y - height / 2)
    )
    chain.click().perform()
    assert by_id(one, "large-title").text.startswith(f"Row {row},")


def test_filter_also_holds_on_the_map(one):
    by_id(one, "view-map").click()
    by_id(one, "high").send_keys(Keys.PAGE_DOWN * 5)
    shown = one.execute_script("return points().length")
    assert 0 < shown < 60 and by_id(one, "count").text.startswith(f"{shown} of")


def test_several_archives_are_rows_or_grids(browser, pages):
    two = opened(browser, pages / "two.html")
    lists = two.find_elements(By.CSS_SELECTOR, "#sheet ul")
    assert [len(part.find_elements(By.CSS_SELECTOR, "li")) for part in lists] == [60, 20]
    assert lists[0].size["height"] < 150
    Select(by_id(two, "layout")).select_by_value("grids")
    assert lists[0].size["height"] > 150
    heads = two.find_elements(By.CSS_SELECTOR, "#metrics thead th")
    assert [head.text for head in heads] == ["figure", "one.h5", "two.h5", "meaning"]


def test_light_and_dark(one):
    def paper():
        return one.execute_script("return getComputedStyle(document.body).backgroundColor")

    before = paper()
    by_id(one, "theme").click()
    assert paper() != before
    by_id(one, "theme").click()
    assert paper() == before


def test_print_shows_every_image(one):
    one.execute_script("dispatchEvent(new Event('beforeprint'))")
    empty = one.execute_script("return document.querySelectorAll('#sheet img:not([src])').length")
    assert empty == 0


def test_print_is_dark_on_white_whatever_the_screen_shows(one):
    """Browsers print no background: the light letters of the dark theme would be lost."""
    ink = "return getComputedStyle(document.body).color"
    while "232, 234, 238" not in one.execute_script(ink):
        by_id(one, "theme").click()
    one.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert "24, 26, 31" in one.execute_script(ink)
    finally:
        one.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_every_control_has_a_name(one):
    controls = one.find_elements(By.CSS_SELECTOR, "button, select, input, canvas")
    assert all(control.accessible_name for control in controls if control.is_displayed())


def test_the_first_images_of_every_list_wait_for_nothing(browser, pages):
    """A screenshot taken as soon as the page has loaded shows pictures."""
    busy = {"source": "window.requestIdleCallback = () => 0;"}
    script = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", busy)
    try:
        opened(browser, pages / "two.html")
        shown = """return [...document.querySelectorAll("#sheet ul")].map((list) =>
            [...list.querySelectorAll("img")].filter((one) => one.src).length)"""
        assert browser.execute_script(shown) == [60, 20]
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


@pytest.fixture(scope="module")
def explained(tmp_path_factory):
    """A page of an archive with maps of left and right halves and natural images beside it."""
    folder = tmp_path_factory.mktemp("explained")
    targets = [
        specimen.TARGET,
        specimen.TARGET | {"unit": 3, "label": "cat", "text": "fc8:cat@8:10"},
    ]
    archive = specimen.write(folder / "one.h5", 12, targets=targets)
    left = np.zeros((12, 2, 32, 32), np.float32)
    left[:, 0, :, :16], left[:, 1, :, 16:] = 1, -1
    arrays = {"occlusion": left, "smoothgrad": -left, "residual": np.zeros((12, 2), np.float32)}
    facts = {"done": {"occlusion": 12, "smoothgrad": 12}}
    side_file.put(archive.path, side_file.ATTRIBUTION, arrays, facts)
    z = np.linspace(8, 10, 5, dtype=np.float32)[:, None].repeat(2, axis=1)
    images = specimen.discs(z, 32, np.random.default_rng(0))
    beside.store(archive.path, beside.Nature(images, z, np.arange(5), 7, 100, "photos"))
    page = folder / "one.html"
    page.write_text(html.render([archive, archive], ["a.h5", "b.h5"]), encoding="utf-8")
    return page


def layer(browser):
    """The colour in the middle of the left and right half of the first tile's overlay."""
    return browser.execute_script(
        """const image = document.querySelector('#sheet .tile .layer');
        if (!image) return null;
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [32, 32];
        const context = canvas.getContext('2d', { willReadFrequently: true });
        context.drawImage(image, 0, 0, 32, 32);
        return [8, 24].map((x) => [...context.getImageData(x, 16, 1, 1).data]);"""
    )


def test_overlays_are_switched_by_method_and_neuron(browser, explained):
    opened(browser, explained)
    assert layer(browser) is None
    Select(by_id(browser, "layer")).select_by_value("occlusion")
    WebDriverWait(browser, 5).until(lambda b: layer(b)[0][3] > 0)
    (red, _, blue, opaque), nothing = layer(browser)
    assert red > blue and opaque > 150 and nothing[3] == 0
    Select(by_id(browser, "neuron")).select_by_visible_text("fc8:3 (cat)")
    WebDriverWait(browser, 5).until(lambda b: layer(b)[1][3] > 0)
    nothing, (red, _, blue, _) = layer(browser)
    assert red < blue and nothing[3] == 0
    Select(by_id(browser, "layer")).select_by_value("")
    assert layer(browser) is None and browser.get_log("browser") == []


def test_the_large_image_has_its_maps_and_natural_images_nearest_in_activation(browser, explained):
    opened(browser, explained)
    browser.find_element(By.CSS_SELECTOR, "#sheet .tile").click()
    words = [e.text for e in browser.find_elements(By.CSS_SELECTOR, "#large-layers .tile")]
    assert words == ["occlusion", "smoothgrad"]
    browser.find_element(By.CSS_SELECTOR, "#large-layers .tile").click()
    assert len(browser.find_elements(By.CSS_SELECTOR, ".large-body .frame > .layer")) == 3
    nature = browser.find_elements(By.CSS_SELECTOR, "#large-nature figure")
    assert [float(e.text.split(" / ")[0]) for e in nature] == [8, 8.5, 9, 9.5, 10]
    alternative = nature[0].find_element(By.TAG_NAME, "img").get_attribute("alt")
    assert alternative == "Natural image 0 of photos, 8.00 / 8.00"
    press(browser, Keys.ESCAPE)


def test_a_row_that_is_cut_tells_how_many_are_beyond(browser, explained):
    opened(browser, explained)
    titles = [e.text for e in browser.find_elements(By.CSS_SELECTOR, "#sheet h3")]
    assert titles == ["Natural images in the range: 7 of 100 of photos, 5 of them here"] * 2
    browser.execute_script(
        "document.documentElement.style.setProperty('--tile', '192px'); showMore()"
    )
    line = browser.find_element(By.CSS_SELECTOR, ".more")
    count = int(line.text.split()[0])
    assert line.text == f"{count} more to the right →" and 1 <= count < 12
    browser.execute_script("document.querySelector('#sheet ul').scrollLeft = 1e6")
    WebDriverWait(browser, 5).until(lambda b: line.text == "")
    Select(by_id(browser, "layout")).select_by_value("grids")
    assert not [e for e in browser.find_elements(By.CSS_SELECTOR, ".more") if e.text]


def test_judges_mark_images_and_filter_them(browser, tmp_path):
    """Two judges that agree with 4, and with 2 of these, of 6 samples."""
    archive = specimen.write(tmp_path / "a.h5", 6)
    for name, yes in (("first", [1, 1, 1, 1, 0, 0]), ("second", [1, 1, 0, 0, 0, 0])):
        agrees = np.array(yes, bool)
        classes, shares = np.where(agrees, 8, 3), {"samples": (float(agrees.mean()), 6)}
        said = judged.Said(name, classes, agrees, {8: "ship", 3: "cat"}, ("ship",), shares)
        judged.store(archive, said)
    (tmp_path / "a.html").write_text(html.render([archive], ["a.h5"]), encoding="utf-8")
    page = opened(browser, tmp_path / "a.html")
    Select(by_id(page, "order")).select_by_value("found")
    marks = [mark.text for mark in page.find_elements(By.CSS_SELECTOR, "#sheet .mark")]
    assert marks == ["2/2", "2/2", "1/2", "1/2", "0/2", "0/2"]
    z, shown = archive.activations[:][:, 0], {}
    for value in ("all", "split", "none", ""):
        Select(by_id(page, "judged")).select_by_value(value)
        shown[value] = captions(page)
    expected = {"all": z[:2], "split": z[2:4], "none": z[4:], "": z}
    for value, numbers in expected.items():
        np.testing.assert_allclose(shown[value], numbers, atol=0.006)
    page.find_elements(By.CSS_SELECTOR, "#sheet .tile")[2].click()
    assert "second" in by_id(page, "large-activations").text
    assert "sees cat" in by_id(page, "large-activations").text
    assert "1 of 2 judges agree" in by_id(page, "large-title").text
    press(page, Keys.ESCAPE)
    assert not page.get_log("browser")


def test_a_facet_is_shown_alone_and_all_again(browser, tmp_path):
    archive = specimen.write(tmp_path / "a.h5", 12, groups=[8, 4])
    (tmp_path / "a.html").write_text(html.render([archive], ["a.h5"]), encoding="utf-8")
    page = opened(browser, tmp_path / "a.html")
    z = archive.activations[:][:, 0]
    first, second = page.find_elements(By.CSS_SELECTOR, "#summaries .tile")
    assert [button.text for button in (first, second)] == ["66.7 %", "33.3 %"]
    for button, rows in ((first, z[:8]), (second, z[8:]), (second, z)):
        button.click()
        np.testing.assert_allclose(captions(page), sorted(rows), atol=0.006)
    page.find_elements(By.CSS_SELECTOR, "#sheet .tile")[int(np.argmax(np.sort(z) == z[8]))].click()
    assert "It is of facet 2 of 2" in by_id(page, "large-story").text
    press(page, Keys.ESCAPE)
    assert not page.get_log("browser")


def test_a_click_on_a_cell_of_a_plane_shows_its_samples(browser, tmp_path):
    other = specimen.TARGET | {"label": "<b>truck</b>", "unit": 9}
    made = specimen.write(tmp_path / "plane.h5", 30, targets=[specimen.TARGET, other])
    z = made.activations[:]
    edges = [np.linspace(a - 1, b + 1, 4).tolist() for a, b in zip(z.min(0), z.max(0), strict=True)]
    made.settings["plane"] = {"across": edges[0], "up": edges[1]}
    (tmp_path / "plane.html").write_text(plane.page(made), encoding="utf-8")
    browser.get((tmp_path / "plane.html").as_uri())
    buttons = browser.find_elements(By.CSS_SELECTOR, "td button")
    counts = np.histogram2d(z[:, 1], z[:, 0], edges[::-1])[0].astype(int)
    shown = []
    for button in buttons:
        button.click()
        shown.append(len(browser.find_elements(By.CSS_SELECTOR, "#samples img")))
    # The page's first line is the highest range of the second neuron.
    assert np.reshape(shown, (3, 3))[::-1].tolist() == counts.tolist() and sum(shown) == 30
    assert "<b>truck</b>" in browser.find_element(By.ID, "where").text
    tally, empty = by_id(browser, "tally").text, int((counts == 0).sum())
    assert "p99 is the 99th percentile of natural images" in tally and "the medoid" in tally
    assert (f"; {empty} (grey) still open" in tally) == (empty > 0)
    assert browser.get_log("browser") == []


def test_the_figures_of_a_ladder_fit_a_screen(browser, tmp_path):
    """Its rungs have long names, which are to take several lines, not to push the rest away."""
    rungs = [specimen.write(tmp_path / f"{i}.h5", 12, seed=i) for i in range(4)]
    names = [f"fc8:8 (ship) from {i}.123 to {i + 1}.123" for i in range(4)]
    (tmp_path / "a.html").write_text(html.render(rungs, names), encoding="utf-8")
    opened(browser, tmp_path / "a.html")
    box = by_id(browser, "metrics").find_element(By.XPATH, "..")
    assert int(box.get_property("scrollWidth")) <= int(box.get_property("clientWidth"))


@pytest.mark.parametrize("columns", [6, 40])
def test_a_plane_is_no_wider_than_a_phone(browser, tmp_path, columns):
    """Six columns side by side; forty are to be pushed to and fro, and the page is not."""
    targets = [specimen.TARGET, specimen.TARGET | {"unit": 9}]
    made = specimen.write(tmp_path / "a.h5", 30, targets=targets)
    edges = {"across": np.linspace(7, 11, columns + 1).tolist(), "up": [7.0, 9.0, 11.0]}
    made.settings["plane"] = edges
    (tmp_path / "plane.html").write_text(plane.page(made), encoding="utf-8")
    phone = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        browser.get((tmp_path / "plane.html").as_uri())
        box = "const box = document.getElementById('grid');"
        widths = f"{box} return [document.documentElement.scrollWidth, box.scrollWidth]"
        page, grid = browser.execute_script(widths)
        assert page <= 390 and (grid <= 390) == (columns == 6)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_table_of_an_experiment_fits_into_a_laptops_window(browser, tmp_path):
    """Every column but those of the experiment `size`, which has few others."""
    figures = {key: 1234.5 for key in experiment.COLUMNS if not key.startswith("seconds_")}
    figures |= dict.fromkeys(experiment.SHARES, 0.1234) | {"steps": 123456, "passes": 1234567}
    words = {"neuron": "fc8:862 (toilet seat) in [24.31, 36.7]", "method": "PPGN, kept in range"}
    outcome = Outcome("Table 1", "text", [figures | words], [])
    told = experiment.page(outcome, "table1", "tf-inverse experiment table1", "caffenet", None)
    (tmp_path / "table1.html").write_text(told, encoding="utf-8")
    window = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", window)
    try:
        browser.get((tmp_path / "table1.html").as_uri())
        box = (
            "const box = document.querySelector('.wide'); return [box.scrollWidth, box.clientWidth]"
        )
        wide, room = browser.execute_script(box)
        assert wide <= room <= 1280
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
