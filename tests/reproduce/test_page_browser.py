"""The report page in a browser: two widths, light and dark, with and without its script, in print."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from made import report as made
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from test_page_content import OTHER, OWN, REFERENCE, put

from reproduce.page.page import report

STANDIN = f"s{1 + len(OWN)}"  # after the paper's corpus
WIDTHS = {"phone": (390, 844), "desk": (1280, 900)}


@pytest.fixture(scope="module")
def site(browser, tmp_path_factory):
    root = tmp_path_factory.mktemp("site") / "results"
    shutil.copytree(REFERENCE, root, ignore=shutil.ignore_patterns("index.html"))
    put(root / "paper", 3, [made(), *(made(seed=seed, confusion=OTHER) for seed in (1, 2)), made("CNN")])
    return report(root, root / "no data")


@pytest.fixture
def shown(browser, site):
    """Open a page. It must leave the browser's console empty."""

    def show(width="desk", scheme="light", path=site, media="screen", unfolded=False):
        browser.get("about:blank")
        browser.get_log("browser")  # messages of the browser's own first page
        wide, high = WIDTHS[width]
        metrics = {"width": wide, "height": high, "deviceScaleFactor": 1, "mobile": width == "phone"}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        browser.get(path.as_uri())
        if unfolded:
            browser.execute_script("document.querySelectorAll('details').forEach(fold => fold.open = true)")
        return browser

    yield show
    assert browser.get_log("browser") == []


def column(browser, table, place):
    """Return the texts of a column's visible cells."""
    return browser.execute_script(
        "return [...document.getElementById(arguments[0]).tBodies[0].rows].filter(row => !row.hidden)"
        ".map(row => row.cells[arguments[1]].textContent.trim())",
        table,
        place,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_the_screen_and_wide_tables_scroll_in_their_boxes(shown, width, scheme):
    browser = shown(width, scheme, unfolded=True)
    assert browser.execute_script("return innerWidth") == WIDTHS[width][0]
    root = "const root = document.documentElement; return root.scrollWidth - root.clientWidth"
    assert browser.execute_script(root) == 0
    beyond = browser.execute_script(
        "return [...document.querySelectorAll('main *')].filter(node => !node.closest('.scroll, svg, .quiet')"
        " && node.getBoundingClientRect().right > innerWidth + 1).map(node => node.outerHTML.slice(0, 200))"
    )
    assert beyond == []
    scrolling = "return [...document.querySelectorAll('.scroll')]"
    scrolling += ".filter(box => box.scrollWidth > box.clientWidth).length"
    assert browser.execute_script(scrolling) > (50 if width == "phone" else 0)
    picture = np.asarray(Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("L"))
    assert picture.shape == WIDTHS[width][::-1]
    assert np.median(picture) > 240 if scheme == "light" else np.median(picture) < 40
    assert picture.std() > 10  # there is text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast_to_its_background(shown, scheme):
    """The contrast is at least WCAG's 4.5 : 1, from the colours that the browser computes. Transparent
    backgrounds are blended."""
    browser = shown("desk", scheme, unfolded=True)
    faint = browser.execute_script(
        """
        const numbers = (css) => {
          const [r, g, b, a = 1] = css.match(/[\\d.]+/g).map(Number);
          return [r, g, b, a];
        };
        const ground = (element) => {
          const layers = [];
          for (let layer = element; layer; layer = layer.parentElement)
            layers.push(numbers(getComputedStyle(layer).backgroundColor));
          let [r, g, b] = [255, 255, 255];
          for (const [x, y, z, a] of layers.reverse())
            [r, g, b] = [r + (x - r) * a, g + (y - g) * a, b + (z - b) * a];
          return [r, g, b];
        };
        const light = (rgb) => {
          const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const faint = new Set();
        for (const element of document.querySelectorAll("body *")) {
          const written = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
          if (element.closest("svg, script") || !written) continue;
          const pair = [light(numbers(getComputedStyle(element).color).slice(0, 3)), light(ground(element))];
          const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
          if (contrast < 4.5) faint.add(`${element.tagName}.${element.className} ${contrast.toFixed(2)}`);
        }
        return [...faint];
        """
    )
    assert faint == []


def test_a_table_sorts_by_number_both_ways_and_by_word(shown):
    browser = shown(unfolded=True)
    table = browser.find_element(By.ID, "s0-table3-cells")
    heads = table.find_elements(By.CSS_SELECTOR, "thead th")
    paper = column(browser, "s0-table3-cells", 2)
    heads[2].find_element(By.TAG_NAME, "button").click()
    assert heads[2].get_attribute("aria-sort") == "ascending"
    assert column(browser, "s0-table3-cells", 2) == sorted(paper, key=float) != paper
    heads[2].find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert heads[2].get_attribute("aria-sort") == "descending"
    assert [float(item) for item in column(browser, "s0-table3-cells", 2)] == sorted(map(float, paper))[::-1]
    heads[1].find_element(By.TAG_NAME, "button").click()
    systems = column(browser, "s0-table3-cells", 1)
    assert systems == sorted(systems, key=str.lower) and heads[2].get_attribute("aria-sort") is None


def test_a_table_filters_to_the_rows_that_have_all_words(shown):
    browser = shown(unfolded=True)
    box = browser.find_element(By.XPATH, "//table[@id='s0-table3-cells']/../preceding-sibling::label")
    assert box.find_element(By.TAG_NAME, "output").text == "28 of 28 rows"
    box.find_element(By.TAG_NAME, "input").send_keys("freqcnn WITHIN")
    rows, verdicts = column(browser, "s0-table3-cells", 1), column(browser, "s0-table3-cells", 7)
    assert set(rows) == {"FreqCNN"} and all("within" in item for item in verdicts)
    assert box.find_element(By.TAG_NAME, "output").text == f"{len(rows)} of 28 rows"
    box.find_element(By.TAG_NAME, "input").send_keys(Keys.CONTROL, "a", Keys.DELETE)
    assert len(column(browser, "s0-table3-cells", 1)) == 28


def test_the_contents_stay_in_sight_and_lead_to_their_sections(shown):
    for width in WIDTHS:
        browser = shown(width)
        for id in (f"{STANDIN}-table9", "assumptions"):
            browser.find_element(By.CSS_SELECTOR, f"nav a[href='#{id}']").click()
            place = "return document.querySelector(arguments[0]).getBoundingClientRect().top"
            assert 0 <= browser.execute_script(place, f"#{id}") < 100
            assert browser.execute_script(place, "nav") == 0


def test_a_number_leads_to_its_report_and_a_link_into_a_fold_opens_it(shown):
    browser = shown()
    number = browser.find_element(By.CSS_SELECTOR, f"#{STANDIN}-table3 .paper td a.number")
    shown_number = number.text
    number.click()
    content = json.loads(browser.find_element(By.TAG_NAME, "body").text)
    assert content["run"]["source"] == "standin" and content["run"]["row"] == "i-Vector"
    recall = dict(zip(content["labels"], content["metrics"]["recall"]))["AU"]
    assert shown_number == f"{100 * recall:.2f}"
    browser = shown()
    fold = browser.find_element(By.ID, f"{STANDIN}-table12-cells").find_element(By.XPATH, "ancestor::details")
    assert fold.get_attribute("open") is None
    browser.find_element(By.CSS_SELECTOR, f"#{STANDIN}-table12 .paper td a.number").click()
    assert fold.get_attribute("open") == "true"


def test_the_keyboard_focus_is_visible(shown):
    browser = shown()
    body = browser.find_element(By.TAG_NAME, "body")
    for _ in range(3):
        body.send_keys(Keys.TAB)
        style = (
            "const on = getComputedStyle(document.activeElement); return [on.outlineStyle, on.outlineWidth]"
        )
        assert browser.execute_script(style) == ["solid", "3px"]


def test_nothing_is_loaded_from_the_network(shown):
    browser = shown(unfolded=True)
    script = "return performance.getEntriesByType('resource').map(entry => entry.name)"
    resources = browser.execute_script(script)
    assert [item for item in resources if not item.startswith("data:")] == []


@pytest.mark.parametrize("media", ["screen", "print"])
def test_without_its_script_every_table_is_there(shown, site, media):
    plain = Path(site).with_name("plain.html")
    text = site.read_text(encoding="utf-8")
    start, end = text.index("<script>"), text.index("</script>")
    plain.write_text(text[:start] + text[end + len("</script>") :], encoding="utf-8")
    browser = shown(path=plain, media=media, unfolded=media == "screen")
    assert not browser.find_elements(By.CSS_SELECTOR, "thead button, .filter")
    hidden = "return [...document.querySelectorAll('main table, main img, main svg')].filter(node => "
    hidden += (
        "!node.checkVisibility({contentVisibilityAuto: true}) || !node.getBoundingClientRect().height).length"
    )
    assert browser.execute_script(hidden) == 0
    assert browser.find_element(By.TAG_NAME, "nav").is_displayed() == (media == "screen")
