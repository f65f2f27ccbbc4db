"""The page in a real browser: nothing asked of the network, tables sort, figures enlarge, WCAG."""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.report_kit import DROPPED, EVIL, render
from tests.synthetic import rows

MEDIANS_MS = {f"region-{i}": 150.0 + 60 * i for i in range(6)}
NAMES = ("global", *MEDIANS_MS)
DESKTOP, PHONE, NARROW = (1280, 720), (390, 844), (320, 640)
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa")
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhg"
    "GAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    found = shutil.which("chromium")
    if found is None and os.environ.get("CI"):
        pytest.fail("There is no chromium on the PATH: apt-get install chromium")
    if found is None:
        pytest.skip("There is no chromium on the PATH: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A full page, and two odd ones that are not painted."""
    folder = tmp_path_factory.mktemp("pages")
    fail = {"region-2": 0.2, "region-5": 1.0}
    full = rows(100, NAMES, medians_ms=MEDIANS_MS, fail=fail, connections=("warm", "cold"))
    told = [{"code": "torn_tail", "text": "x" * 300, "advice": "Measure it again."}]
    pages = {"full": render("html", full, endpoints=NAMES, dropped=DROPPED, told=told)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.report.page.figures._image", lambda *_: PIXEL)
        evil = rows(8, endpoint=EVIL, model=EVIL, vantage=EVIL)
        told = [{"code": "drift", "text": EVIL, "advice": EVIL}]
        pages["evil"] = render("html", evil, vantage=EVIL, dropped={EVIL: EVIL}, told=told)
        pages["empty"] = render("html", [])
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, "utf-8")
    return {name: folder / f"{name}.html" for name in pages}


@pytest.fixture
def opened(browser: Browser, files: dict[str, Path]) -> Iterator[Any]:
    """Opens one of the pages; told what the browser's context shall be like."""
    contexts = []

    def open_page(name: str = "full", size: tuple[int, int] = DESKTOP, **more: Any) -> Page:
        width, height = size
        context = browser.new_context(viewport={"width": width, "height": height}, **more)
        contexts.append(context)
        page = context.new_page()
        page.goto(files[name].as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_two_hundred_samples_of_seven_endpoints_weigh_little(files: dict[str, Path]) -> None:
    """At most 1.5 MB, light and dark; a page without rows at most 60 KB, its pictures aside."""
    assert files["full"].stat().st_size <= 1_500_000
    empty = files["empty"].read_text("utf-8")
    assert len(re.sub(r'"data:[^"]*"', "", empty).encode()) <= 60_000


@pytest.mark.parametrize("name", ["full", "evil", "empty"])
def test_nothing_is_asked_of_the_network(
    name: str, browser: Browser, files: dict[str, Path]
) -> None:
    """The request log holds only the file; no console message, no violation of the policy."""
    context = browser.new_context(offline=True)
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(files[name].as_uri(), wait_until="networkidle")
    assert [url for url in asked if not url.startswith("data:")] == [files[name].as_uri()]
    assert said == []
    assert page.evaluate("document.querySelectorAll('script').length") == 2
    context.close()


def _column(page: Page, place: int) -> list[str]:
    cells = page.locator(f"#ranking table >> nth=0 >> tbody tr > :nth-child({place + 1})")
    return [text.strip() for text in cells.all_inner_texts()]


def test_a_table_sorts_by_its_numbers_and_puts_the_unknown_last(opened: Any) -> None:
    """95 ms before 144 ms, a median among failures slowest, a dash last in both directions; and
    the heading says which way."""
    page = opened()
    heads = page.locator("#ranking table >> nth=0 >> thead th")
    median, place = heads.nth(4), heads.nth(1)
    for direction in ("ascending", "descending"):
        median.get_by_role("button").click()
        assert median.get_attribute("aria-sort") == direction
        shown = [_ms(text) for text in _column(page, 4)]
        assert shown == sorted(shown, reverse=direction == "descending")
        assert len(shown) == len(NAMES)
    for _ in range(2):
        place.get_by_role("button").click()
        assert _column(page, 1)[-1] == "–"
    assert median.get_attribute("aria-sort") is None


def _ms(text: str) -> float:
    return math.inf if text == "> timeout" else float(text.split()[0])


def test_a_table_sorts_by_keyboard(opened: Any) -> None:
    """The heading is a button that Tab reaches and Enter and Space press."""
    page = opened()
    button = page.locator("#ranking table >> nth=0 >> thead th >> nth=0").get_by_role("button")
    button.focus()
    page.keyboard.press("Enter")
    assert _column(page, 0) == sorted(NAMES)
    page.keyboard.press("Space")
    assert _column(page, 0) == sorted(NAMES, reverse=True)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "place"


def test_a_figure_enlarges_by_keyboard_and_focus_returns(opened: Any) -> None:
    """Enter opens, Escape closes, and whoever opened it is where they were."""
    page = opened()
    button = page.locator("figure button >> nth=0")
    assert button.get_attribute("aria-label").startswith("Enlarge: Median time to first token")
    button.focus()
    for closing in ("Escape", "Enter"):
        page.keyboard.press("Enter")
        assert page.locator("dialog").get_attribute("open") is not None
        assert page.locator("dialog img").bounding_box()["width"] > 1100
        assert page.evaluate("document.activeElement.textContent") == "Close"
        page.keyboard.press(closing)
        assert page.locator("dialog").get_attribute("open") is None
        assert button.evaluate("found => found === document.activeElement")


def test_the_page_reads_without_a_script(opened: Any) -> None:
    """Everything is there, and what is folded opens; only sorting and enlarging are missing."""
    page = opened(java_script_enabled=False)
    assert page.locator("button:visible").count() == 0
    assert page.locator("#ranking table >> nth=0 >> tbody tr").count() == len(NAMES)
    numbers = page.locator("#distribution details >> nth=0")
    assert not numbers.locator("table").is_visible()
    numbers.locator("summary").click()
    assert numbers.locator("table").is_visible()


@pytest.mark.parametrize(
    ("scheme", "size"), [("light", DESKTOP), ("dark", DESKTOP), ("dark", NARROW)]
)
def test_no_violation_of_wcag(scheme: str, size: tuple[int, int], opened: Any) -> None:
    """Of 2.0 to 2.2, A and AA, by axe-core; with everything unfolded and a figure enlarged."""
    page = opened("full", size, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(found => { found.open = true })")
    rules = {"runOnly": {"type": "tag", "values": list(WCAG)}, "resultTypes": ["violations"]}
    found = Axe().run(page, options=rules)
    assert found.violations_count == 0, found.generate_report()
    page.locator("figure button >> nth=0").click()
    enlarged = Axe().run(page, context="dialog", options=rules)
    assert enlarged.violations_count == 0, enlarged.generate_report()


@pytest.mark.parametrize("name", ["full", "evil", "empty"])
def test_no_sideways_scroll_and_the_verdict_is_seen_first(name: str, opened: Any) -> None:
    """From 320 to 1280 pixels; the whole verdict is above the fold of desktop and phone."""
    page = opened(name)
    page.evaluate("document.querySelectorAll('details').forEach(found => { found.open = true })")
    for width, height in (DESKTOP, (768, 1024), PHONE, NARROW):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if name != "evil" and (width, height) in (DESKTOP, PHONE):
            box = page.locator("header").bounding_box()
            assert box["y"] + box["height"] <= height


def test_dark_figures_are_shown_on_a_dark_screen_and_light_ones_printed(opened: Any) -> None:
    """A dark page on paper would be a page of ink."""
    page = opened(color_scheme="dark")
    chosen = "document.querySelector('figure img').currentSrc === document.querySelector('{}').{}"
    assert page.evaluate(chosen.format("figure source", "srcset"))
    page.emulate_media(media="print", color_scheme="dark")
    page.wait_for_function(chosen.format("figure img", "src"))
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_it_prints_on_six_pages(opened: Any) -> None:
    """Seven endpoints, cold and warm, with cautions and the plan."""
    pdf = opened().pdf(format="A4")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 6
