"""The desk's first screen and the Alerts view in a real browser: what is open is seen at once, nothing scrolls sideways."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.app.ui.browsers import WAIT_MS, Place, answers, started
from tests.app.ui.fake_api import Fake, serving
from tests.app.ui.fake_shapes import NOW_MS, alert, answer, turn
from tests.app.ui.test_narrow import SERIES
from tests.fakes.waiting import until

pytestmark = pytest.mark.long  # a page and a browser of their own
PHONE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36"
LONG = "btc-trend: trailing stop: it stopped: 0 in 41 round trips since 2026-01-02 00:00Z, 12 expected by the backtest (6 to 19)"


@pytest.fixture(scope="module")
def fake() -> Fake:
    """A bad night: five alerts, limits near their end, a silence, an old backup, long names."""
    fake = Fake()
    fake.alerts = [alert(f"al-{n}", "warn") | {"deliveries": []} for n in range(5)]
    for one in fake.sleeves:
        one["name"] += "-after-funding-slow-with-a-rather-long-name"
    fake.desk["guards"] += [
        {"name": f"sleeve-{n} losses", "value": 2, "limit": 3, "used_frac": 0.6 + n / 100, "unit": "count", "until_ms": None}
        for n in range(9)
    ]
    line = {"state": "silent", "kind": "exit", "place": "btc-trend", "name": "trail", "text": LONG, "why": ""}
    fake.silences = {"wall_ms": NOW_MS, "counts": {"silent": 1, "cannot_tell": 0, "as_expected": 7}, "items": [line]}
    file = "/backups/a/rather/long/path/of/a/backup/desk-2026-03-02.tar.zst"
    fake.upkeep["backup"] = {"file": file, "made_ms": NOW_MS - 9 * 86_400_000, "files": 4, "bytes": 9_000_000}
    return fake


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, fake: Fake) -> Iterator[Place]:
    """A page of that night."""
    made = Place(Path(tmp_path_factory.mktemp("first")) / "home")
    made.home.mkdir()
    with serving(fake) as url, started(made, "ui", "--api", url):
        until(lambda: answers(made.ui), "the page never listened")
        yield made


def opened(chromium: Any, place: Place, view: str, *, phone: bool) -> Any:
    """A view of the desk, or an address, drawn."""
    more = {"user_agent": PHONE, "is_mobile": True, "has_touch": True} if phone else {}
    size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
    page = chromium.new_context(viewport=size, **more).new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{place.page}{view if view.startswith('?') else f'?tab=desk&view={view}'}")
    return page


def test_what_is_open_is_on_the_first_screen(chromium: Any, place: Place) -> None:
    """However much needs a person: the first position's row ends above the fold of a 900 pixel screen."""
    page = opened(chromium, place, "overview", phone=False)
    row = page.locator(".st-key-panel_positions tbody tr").first
    row.wait_for()
    page.locator(".spark").first.wait_for()
    assert row.bounding_box()["y"] + row.bounding_box()["height"] <= 900
    icon = page.locator('link[rel~="icon"]').first.get_attribute("href")
    assert icon.startswith("data:image/svg+xml,"), "inline: by its name it would come from somewhere else"
    widths = page.locator(".spark").evaluate_all("(all) => all.map((e) => e.naturalWidth)")
    assert widths
    assert all(widths), "an image that the browser did not draw"
    page.context.close()


@pytest.mark.parametrize("view", ["overview", "alerts", "handover"])
def test_nothing_scrolls_sideways_on_a_phone(chromium: Any, place: Place, view: str) -> None:
    """Long sentences, paths and names break, also within tables; the runbook opens within the screen."""
    page = opened(chromium, place, view, phone=True)
    page.get_by_text("0 in 41 round trips" if view != "overview" else "Latest round trips").first.wait_for()
    main = page.locator("[data-testid=stMain]")
    assert main.evaluate("(e) => e.scrollWidth - e.clientWidth") <= 0
    tables = page.locator(".scroll").evaluate_all("(all) => all.map((e) => e.scrollWidth - e.clientWidth)")
    assert max([0, *tables]) <= 1, "a table has figures off the screen"
    if view == "alerts":
        page.get_by_test_id("stPopover").get_by_role("button", name="Runbook").first.click()
        box = page.locator("[data-testid=stPopoverBody]").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    page.context.close()


def test_a_wide_table_of_an_answer_is_read_on_a_phone(chromium: Any, place: Place, fake: Fake) -> None:
    """Nine columns fit in the width of the screen, and every figure is there."""
    fake.turns["u-1"] = turn("u-1", "done", "what data is there?", answer(f"Six series.\n\n{SERIES}"))
    page = opened(chromium, place, "?tab=chat&role=developer&thread=t-1", phone=True)
    page.get_by_text("SOL-USDT · funding").wait_for()
    wide = page.locator("[data-testid=stMarkdownContainer]").evaluate_all(
        "(all) => all.map((e) => e.scrollWidth - e.clientWidth)"
    )
    assert max(wide) <= 1
    assert "market perp" in page.get_by_text("Every row:").inner_text().replace("\u00a0", " ")
    page.context.close()


def test_the_browser_s_tab_says_how_much_waits_and_whether_it_pages(chromium: Any, place: Place, fake: Fake) -> None:
    """Seen from another tab: five warnings and two proposals; a square once something pages, and what is no paper is named."""
    page = opened(chromium, place, "overview", phone=False)
    page.wait_for_function("() => document.title === '▲ 7 · Nightdesk'")
    night = fake.alerts, fake.desk["mode"]
    fake.alerts, fake.desk["mode"] = [alert("al-9"), *fake.alerts], "testnet"
    page.wait_for_function("() => document.title.startsWith('■')")
    assert page.title() == "■ 8 · Nightdesk TESTNET"
    fake.alerts, fake.desk["mode"] = night
    page.context.close()
