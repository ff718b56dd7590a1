"""A maker's page and a backtest of several instruments in a real browser, on a phone: opened, read, started."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.api.makers import MakerView
from app.making.paper import PaperTerms
from app.making.simulated import keep
from app.views.makers import maker_view
from engine.making.report import MakerFees
from engine.making.simulation import MakingOptions
from tests.app.ui.browsers import WAIT_MS, Place, answers, started
from tests.app.ui.fake_api import Fake, serving
from tests.app.ui.fake_shapes import BARS
from tests.engine.making.test_simulation import busy_market
from tests.fakes.waiting import until

pytestmark = pytest.mark.long  # a page and a browser of their own
OPTIONS = MakingOptions(half_spread_bps=0.0, size=0.3, inventory=0.9, inventory_max=5.0, loss_max=1e6)
EVIL = "<img src=x onerror=window.pwned=1>"


def made_up(folder: Path) -> Fake:
    """A kept simulation, a maker that the latch halted with a strange reason, and bars of three coins."""
    terms = PaperTerms("btc", OPTIONS, MakerFees(2e-4, 5e-4, 5e-5), 0.0)
    keep(folder, terms, busy_market(folder), 1_700_000_000_000, compiled=False)
    found = maker_view(folder, "btc")
    found.pop("activity")
    view: dict[str, Any] = json.loads(MakerView(**found).model_dump_json())
    halted = {"state": "halted", "halted_by": "latch", "halt": {"rule": "latch", "reason": EVIL, "at_s": 12.5}}
    fake = Fake()
    fake.makers = {"btc": view, "eth": view | halted | {"name": "eth"}}
    one = next(bars for bars in BARS if bars["symbol"] == "BTC-USDT")
    fake.series = [*BARS, *(one | {"symbol": symbol} for symbol in ("AAA-USDT", "ZZZ-USDT"))]
    return fake


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[tuple[Any, Fake, list[str]]]:
    """The runs in a browser, what the API was asked, and the requests that left the machine."""
    folder = Path(tmp_path_factory.mktemp("makers"))
    fake, place, left = made_up(folder), Place(folder / "home"), list[str]()
    place.home.mkdir()
    with serving(fake) as url, started(place, "ui", "--api", url):
        until(lambda: answers(place.ui), "the page never listened")
        context = chromium.new_context(viewport={"width": 390, "height": 900}, color_scheme="dark")
        inside = ("http://127.0.0.1:", "data:", "blob:")
        context.on("request", lambda r: None if r.url.startswith(inside) else left.append(r.url))
        made = context.new_page()
        made.set_default_timeout(WAIT_MS)
        made.goto(f"{place.page}?tab=runs")
        made.locator("[class*='st-key-panel_makers']").wait_for()
        yield made, fake, left
        context.close()


def test_a_maker_opens_from_the_list_and_leads_back(at: tuple[Any, Fake, list[str]]) -> None:
    """On a phone: verdict first, three charts that were drawn, nothing wider than the screen, nothing fetched from elsewhere."""
    page, _, left = at
    page.locator("[class*='st-key-panel_makers'] a", has_text="btc").click()
    page.wait_for_url("**maker=btc*")
    page.get_by_text("Adverse selection").wait_for()
    for n in range(3):
        page.locator(f"[class*='st-key-panel_maker_{n}'] :is(canvas, svg)").first.wait_for()
    text = page.locator(".stApp").inner_text()
    assert text.index("No edge after costs") < text.index("Quotes against the book") < text.index("Last fills")
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name="All runs and makers").click()
    page.locator("[class*='st-key-panel_makers']").wait_for()
    assert left == []


def test_a_halted_maker_says_why_and_its_reason_is_text(at: tuple[Any, Fake, list[str]]) -> None:
    """What another has written is shown as it was written, and runs nothing."""
    page, _, _ = at
    page.goto(f"{page.url.partition('?')[0]}?tab=runs&maker=eth")
    page.get_by_text("Halted by latch after 12.5 s.").wait_for()
    assert EVIL in page.locator(".stApp").inner_text()
    assert page.evaluate("() => window.pwned === undefined")


def test_a_basket_is_started_with_several_instruments(at: tuple[Any, Fake, list[str]]) -> None:
    """Two are chosen beforehand, a third is added by keyboard; one request names all three."""
    page, fake, _ = at
    page.goto(f"{page.url.partition('?')[0]}?tab=runs")
    page.get_by_text("New backtest").click()
    page.get_by_role("combobox", name="Strategy").click()
    page.get_by_role("option", name="pairs").click()
    several = page.locator("[class*='st-key-bt_instruments'] input")
    several.wait_for()
    several.click()
    several.type("ZZZ")
    page.keyboard.press("Enter")
    page.get_by_text("ZZZ-USDT perp, binance").first.wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Run the backtest").click()
    until(lambda: any(path == "/api/runs" for _, path, _ in fake.asked), "nothing was started")
    (sent,) = [body for verb, path, body in fake.asked if (verb, path) == ("POST", "/api/runs")]
    assert sent["strategy"] == "pairs"
    assert sent["symbol"].split(",")[0] == "BTC-USDT"
    assert len(sent["symbol"].split(",")) == 3
    assert "ZZZ-USDT" in sent["symbol"]


def test_the_list_of_runs_is_no_wider_than_a_laptop(at: tuple[Any, Fake, list[str]]) -> None:
    """Every column of it is seen at 1280 pixels, the Sharpe ratio with its interval, the day without this year."""
    page, fake, _ = at
    kept = dict(fake.runs[0])
    fake.runs[0] |= {
        "sharpe": -6.84,
        "sharpe_low": -12.4,
        "sharpe_high": -1.3,
        "span": "2025-01-01 to 2025-03-16",
        "source": "synthetic",
    }
    fake.runs[0] |= {
        "strategy": "pairs",
        "symbol": "BTC-USDT,ETH-USDT,SOL-USDT",
        "venue": "synthetic",
        "life": "traded all 75 days",
    }
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{page.url.partition('?')[0]}?tab=runs")
    rows = page.locator("[class*='st-key-panel_run_list'] .rows")
    rows.locator("tbody tr").first.wait_for()
    text = rows.locator("tbody tr").first.inner_text()
    assert rows.evaluate("e => [e.scrollWidth <= e.clientWidth, e.clientWidth > 1000]") == [True, True]
    assert "\u22126.84 (\u221212.4 to \u22121.3)" in text
    assert "BTC+ETH+SOL-USDT 15m, synthetic" in text
    fake.runs[0].clear()
    fake.runs[0] |= kept
