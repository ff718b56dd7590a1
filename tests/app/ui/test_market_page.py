"""Candles, trip and table of a sleeve's page in a real browser: one choice in all three, by key, row and button; the CSV."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.app.ui.browsers import WAIT_MS, Place, answers, started
from tests.app.ui.fake_api import Fake, serving
from tests.fakes.waiting import until

pytestmark = pytest.mark.long  # a page and a browser of their own
CANVAS = "[class*='st-key-panel_market'] canvas[data-state]"


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[tuple[Any, list[str]]]:
    """A sleeve's page in a browser, and the requests that left the machine."""
    fake = Fake()
    fake.evil = '=HYPERLINK("http://evil.example","x"), "y"'
    place = Place(Path(tmp_path_factory.mktemp("market")) / "home")
    place.home.mkdir()
    left: list[str] = []
    with serving(fake) as url, started(place, "ui", "--api", url):
        until(lambda: answers(place.ui), "the page never listened")
        context = chromium.new_context(viewport={"width": 1280, "height": 1000}, color_scheme="dark")
        inside = ("http://127.0.0.1:", "data:", "blob:")
        context.on("request", lambda r: None if r.url.startswith(inside) else left.append(r.url))
        made = context.new_page()
        made.set_default_timeout(WAIT_MS)
        made.goto(f"{place.page}?tab=sleeves&sleeve=btc-trend")
        made.locator(CANVAS).wait_for()
        made.locator("tr.chosen").wait_for()
        yield made, left
        context.close()


def chosen(page: Any) -> str:
    """The trip that the chart marks."""
    return str(json.loads(page.locator(CANVAS).get_attribute("data-state"))["chosen"])


def test_one_trip_is_chosen_everywhere(at: tuple[Any, list[str]]) -> None:
    """By `k`, by a row, by the button: chart, table, explanation and address agree; nothing is fetched from elsewhere."""
    page, left = at
    head = page.locator("[class*='st-key-panel_market_trip'] h2", has_text="Trip t")
    head.get_by_text("Trip t3").wait_for()
    steps = (
        ("t2", lambda: page.keyboard.press("k")),
        ("t1", lambda: page.locator("tr[data-id=t1]").click()),
        ("t2", lambda: page.get_by_role("button", name="›").click()),
    )
    for trip, step in steps:
        step()
        page.locator(f"tr.chosen[data-id={trip}]").wait_for()
        head.get_by_text(f"Trip {trip}").wait_for()
        page.wait_for_url(f"**trip={trip}*")
        assert chosen(page) == trip
    assert left == []


def test_the_rows_are_one_stop_of_the_tab_key(at: tuple[Any, list[str]]) -> None:
    """Tab stops at the chosen row alone; arrows, Home and End go along the rows, Enter picks, and the place stays."""
    page, _ = at
    page.get_by_label("Filter").fill("")
    page.locator("tr.chosen[data-id=t2]").wait_for()
    stops = page.locator("tr[data-id][tabindex='0']")
    assert [row.get_attribute("data-id") for row in stops.all()] == ["t2"]
    stops.first.focus()
    for key, wanted in (("End", "t1"), ("ArrowDown", "t1"), ("ArrowUp", "t2"), ("Home", "t3")):
        page.keyboard.press(key)
        assert [row.get_attribute("data-id") for row in stops.all()] == [wanted], key
        assert page.locator("tr:focus").get_attribute("data-id") == wanted
    page.keyboard.press("Enter")
    page.wait_for_url("**trip=t3*")
    page.locator("tr.chosen[data-id=t3]").wait_for()
    assert page.locator("tr:focus").get_attribute("data-id") == "t3"


def test_the_keyboard_s_place_on_a_link_outlasts_a_refresh(at: tuple[Any, list[str]]) -> None:
    """A part that draws its links anew takes the focus away; the same link, second of its kind, gets it back until a click."""
    page, _ = at
    page.evaluate("""() => {
      const made = document.createElement('div'), link = (id) => `<a id="${id}" href="?tab=chat">x</a>`;
      made.id = 'probe';
      document.querySelector('.stApp').append(made);
      window.redraw = (n) => { made.innerHTML = link('a' + n) + link('b' + n); };
      window.redraw(1);
    }""")
    page.locator("#b1").focus()
    page.evaluate("() => window.redraw(2)")
    page.locator("#b2:focus").wait_for()
    page.evaluate("() => document.dispatchEvent(new PointerEvent('pointerdown', {bubbles: true}))")
    page.evaluate("() => window.redraw(3)")
    page.wait_for_timeout(500)
    assert page.locator("#b3:focus").count() == 0
    page.evaluate("() => document.getElementById('probe').remove()")


def test_a_filter_that_fits_nothing_says_so(at: tuple[Any, list[str]]) -> None:
    """In place of an empty table; the rows are back with the filter's end, and no key picks what is no row."""
    page, _ = at
    page.get_by_label("Filter").fill("((nothing")
    page.get_by_text("No row has that: change the filter.").wait_for()
    assert page.locator("tr[data-id], tbody tr[tabindex='0']").count() == 0
    page.get_by_label("Filter").fill("")
    assert page.locator("tr[data-id]").count() == 3


def test_what_is_saved_is_what_the_filter_shows_and_no_formula(at: tuple[Any, list[str]]) -> None:
    """The rows of the filter, in their order; a text that a spreadsheet would run begins with an apostrophe."""
    page, _ = at
    page.get_by_label("Filter").fill("t2")
    with page.expect_download() as saving:
        page.get_by_role("button", name="CSV").click()
    assert saving.value.suggested_filename == "trips-btc-trend.csv"
    lines = Path(saving.value.path()).read_text().splitlines()
    assert lines == ["trip,exit,net", 't2,"\'=HYPERLINK(""http://evil.example"",""x""), ""y""",-1.5']
    page.get_by_label("Filter").fill("")


@pytest.mark.parametrize("width", [390, 1280, 1920])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_page_is_as_wide_as_its_window(at: tuple[Any, list[str]], width: int, scheme: Any) -> None:
    """Nothing scrolls sideways, the chart fills its panel and takes the theme's colours."""
    page, _ = at
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    main = page.locator("[data-testid=stMain]")
    assert main.evaluate("(e) => e.scrollWidth - e.clientWidth") <= 0
    box, panel = page.locator(CANVAS).bounding_box(), page.locator("[class*='st-key-panel_market']").first.bounding_box()
    assert 0.9 * panel["width"] < box["width"] <= panel["width"]
    colour = page.locator("[class*='st-key-panel_market'] .notes").evaluate("(e) => getComputedStyle(e).color")
    assert colour == ("rgb(221, 229, 238)" if scheme == "dark" else "rgb(24, 34, 45)")
