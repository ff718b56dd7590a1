"""Market, funding and outside series around a moment: each as it was known then, nothing from later, and why one is not known."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.clock import DAY_MS, HOUR_MS, MINUTE_MS
from engine.data.catalog import Catalog
from engine.store.journal import Event, Journal
from engine.watch.market_context import ContextReading, context_line, instruments_of, market_context
from engine.watch.window import journal_of

BTC = "binance:BTC-USDT:perp"
NOON = 1_777_593_600_000 + DAY_MS + 12 * HOUR_MS  # 2026-05-02 12:00
CONFIG = {"start": {"source": "recorded", "timeframe_ms": HOUR_MS}, "sleeves": [{"name": "btc", "instrument": BTC}]}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Hourly bars of two days: 100 and a dollar more each hour; one of them without a price, one of zero."""
    path = journal_of(tmp_path)
    path.parent.mkdir()
    journal = Journal(path, "worker")
    journal.append([Event("config", NOON - 2 * DAY_MS, CONFIG)], sync=False)
    for n in range(60):
        price: list[Any] = [100.0 + n, 101.0 + n, 99.0 + n, 100.0 + n, 5.0]
        bars = {BTC: [None] * 5 if n == 40 else [0.0] * 5 if n == 41 else price}
        journal.append([Event("bar", NOON + (n - 48) * HOUR_MS, {"bars": bars})], sync=False)
    journal.close()
    (tmp_path / "data").mkdir()
    return tmp_path


def readings(home: Path, at_ms: int = NOON, instrument: str = BTC) -> dict[str, ContextReading]:
    """By name."""
    catalog = Catalog([(home / "data", "pulled")])
    return {one.name: one for one in market_context(journal_of(home), catalog, instrument, at_ms)}


def stored(home: Path, name: str, **columns: list[Any]) -> None:
    """A file of the catalog."""
    pl.DataFrame(columns).write_parquet(home / "data" / f"{name}.parquet")


def test_the_market_is_what_the_desk_saw_up_to_then(home: Path) -> None:
    """Close, change and range; nothing of the bars that came later."""
    assert instruments_of(journal_of(home)) == {"btc": BTC}
    found = readings(home)
    assert (found["close"].value, found["close"].known_ms) == (148.0, NOON)
    assert found["change in 1 h"].value == pytest.approx(148 / 147 - 1)
    assert found["change in 24 h"].value == pytest.approx(148 / 124 - 1)
    assert found["range of 22 bars up to it"].value == pytest.approx(149 / 124 - 1)  # two have no price
    assert readings(home, NOON + 30 * MINUTE_MS)["close"].value == 148.0


def test_a_day_that_was_not_seen_says_so(home: Path) -> None:
    """Before the first bars, behind the last ones, and for an instrument that the desk does not trade."""
    early = readings(home, NOON - 46 * HOUR_MS)
    assert early["change in 24 h"].value is None
    assert "saw no close of it about" in early["change in 24 h"].why
    for at_ms, instrument in ((NOON + 9 * DAY_MS, BTC), (NOON, "binance:ETH-USDT:perp")):
        found = readings(home, at_ms, instrument)
        assert (found["close"].value, "saw no bar of it" in found["close"].why) == (None, True)


def test_funding_counts_from_its_settlement_and_not_for_ever(home: Path) -> None:
    """The one of eight o'clock at noon, not that of sixteen; older than nine hours it is not known; spot has none."""
    assert "data pull --funding" in readings(home)["settled rate"].why
    hours = (-12, -4, 4)
    stored(home, "binance_BTC-USDT_perp_funding", ts=[NOON + h * HOUR_MS for h in hours], rate=[1e-4, 2e-4, 9e-4])
    found = readings(home)["settled rate"]
    assert (found.value, found.known_ms) == (2e-4, NOON - 4 * HOUR_MS)
    late = readings(home, NOON + 14 * HOUR_MS)["settled rate"]
    assert (late.value, "older than 9 h" in late.why) == (None, True)
    assert "settled rate" not in readings(home, NOON, "binance:BTC-USDT:spot")


def test_what_was_fetched_later_was_not_known(home: Path) -> None:
    """A VIX that came in the afternoon: at noon nothing was known, in the evening it was. A group without a file is one line."""
    times = {"published_ms": [NOON - HOUR_MS], "available_ms": [NOON + 3 * HOUR_MS]}
    stored(home, "fred_vix_1d", ts=[NOON - 36 * HOUR_MS], value=[17.5], **times)
    found = readings(home)
    assert (found["vix"].value, "nothing was known before" in found["vix"].why) == (None, True)
    evening = readings(home, NOON + 4 * HOUR_MS)["vix"]
    assert (evening.value, evening.unit, evening.known_ms) == (17.5, "percent a year", NOON + 3 * HOUR_MS)
    assert found["on-chain"].why == "nothing of it is stored: nightdesk data fetch on-chain"
    assert "macro" not in found


def test_a_source_that_fails_gives_way_and_a_damaged_file_says_why(home: Path) -> None:
    """Two sources of one series: the first with a value. A file without its column is a reason, no crash."""
    row = {"published_ms": [NOON - HOUR_MS], "available_ms": [NOON - HOUR_MS]}
    stored(home, "fred_vix_1d", ts=[NOON - 36 * HOUR_MS], other=[17.5], **row)
    assert "value" in readings(home)["vix"].why
    stored(home, "cboe_vix_1d", ts=[NOON - 36 * HOUR_MS], value=[18.0], **row)
    assert readings(home)["vix"].value == 18.0


def test_a_reading_as_a_line() -> None:
    """Value with its unit and since when; without one the reason."""
    lines = [
        context_line(ContextReading("funding", "settled rate", 1.3e-5, "frac", NOON)),
        context_line(ContextReading("market", "close", 92587.6, "price", NOON)),
        context_line(ContextReading("macro", "vix", 17.5, "percent a year", NOON)),
        context_line(ContextReading("macro", "macro", None, "", why="nothing")),
    ]
    assert lines == [
        "funding: settled rate +0.0013 %, known 2026-05-02 12:00Z",
        "market: close 92,587.60, known 2026-05-02 12:00Z",
        "macro: vix 17.5 percent a year, known 2026-05-02 12:00Z",
        "macro not known: nothing",
    ]
