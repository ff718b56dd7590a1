"""Outside series from a local server in the sources' shapes and in wrong ones: stored with what was known when, or refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from app.home.settings import OutsideEntry
from app.market_data.outside_fetch import FetchRequest, due, fetch, sources
from engine.clock import DAY_MS, HOUR_MS
from engine.data.catalog import Catalog
from engine.data.outside.declared import SERIES, OutsideFeed, feeds_of, series_named
from engine.data.sources import asof, observations, why_missing
from engine.errors import BadInput
from engine.watch.outside_status import FILE, read_status
from tests.engine.venues.okx_loopback import Venue, serving
from tests.fakes.outside_server import OutsideServer

NOW = 1_740_000_000_000 // DAY_MS * DAY_MS + 20 * HOUR_MS + 600_000  # 2025-02-19 20:10


@pytest.fixture
def server() -> Iterator[OutsideServer]:
    """The sources at NOW."""
    with OutsideServer(NOW) as started:
        yield started


def fetched(home: Path, server: OutsideServer, *names: str, sources: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """The items of a fetch at the server's moment, by feed."""
    body = fetch(home, server.entry(*names, sources=sources), FetchRequest(**more), lambda: server.now_ms)
    return {item["name"]: item for item in body["items"]} | {"compared": body["compared"]}


def feed(series: str, source: str) -> OutsideFeed:
    """A declared feed of BTC."""
    return next(f for f in feeds_of(series_named([series]), ["BTC-USDT"]) if f.source.name == source)


def value_at(home: Path, of: OutsideFeed, close_ms: int) -> float | str:
    """What a strategy reads at a close, or why it reads nothing."""
    catalog = Catalog([(home / "data", "recorded")])
    symbol, market = (of.symbol, "perp") if of.series.of == "instrument" else ("", "")
    found = catalog.find(of.source.name, symbol, of.word, market)
    observed = observations(catalog, of.reading(of.series.fields[0].name), found)
    return why_missing(observed, close_ms) or float(asof(observed, np.array([close_ms], np.int64))[0][0])


def test_every_source_is_read_in_its_own_shape(tmp_path: Path, server: OutsideServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """All declared series but funding, each from all its sources; two that agree raise no alert, and no key is in an address."""
    monkeypatch.setenv("GLASSNODE_API_KEY", "not-a-real-key")
    monkeypatch.setenv("COINALYZE_API_KEY", "not-a-real-key")
    names = [series.name for series in SERIES if series.name != "funding"]
    found = fetched(tmp_path, server, *names)
    assert found.pop("compared") == []
    assert {name: item["error"] for name, item in found.items()} == dict.fromkeys(found)
    assert len(found) == 26
    assert all(item["new"] >= 20 for item in found.values())
    assert {path for path, _, key in server.asked if key} == {"/v1/metrics/indicators/sopr", "/v1/metrics/market/mvrv"} | {
        "/v1/metrics/addresses/active_count",
        "/v1/liquidation-history",
    }
    assert not any("not-a-real-key" in str(query) for _, query, _ in server.asked)


def test_a_row_counts_from_when_it_could_have_been_known(tmp_path: Path, server: OutsideServer) -> None:
    """Old rows of a first fetch count from now on alone; the hour that still runs is not stored; 3 h later it is too old."""
    fetched(tmp_path, server, "oi", sources=("okx",))
    oi = feed("oi", "okx")
    assert value_at(tmp_path, oi, NOW - 1) == "nothing was known before 2025-02-19 20:10Z"
    last = NOW // HOUR_MS * HOUR_MS - HOUR_MS
    assert value_at(tmp_path, oi, NOW) == server._value(last, HOUR_MS, 80_000.0)
    until = oi.series.published_ms(last) + 3 * HOUR_MS
    assert isinstance(value_at(tmp_path, oi, until), float)
    assert value_at(tmp_path, oi, until + 1) == "the last value was known at 2025-02-19 20:10Z and is older than 3 h"


def test_what_was_fetched_late_is_not_young(tmp_path: Path, server: OutsideServer) -> None:
    """A source that stopped a week ago answers today with its last rows: they are old, however new their receipt."""
    late = NOW + 7 * DAY_MS
    fetch(tmp_path, server.entry("oi", sources=("okx",)), FetchRequest(), lambda: late)
    assert value_at(tmp_path, feed("oi", "okx"), late) == "the last value was known at 2025-02-26 20:10Z and is older than 3 h"


def test_a_history_counts_from_its_publication(tmp_path: Path, server: OutsideServer) -> None:
    """With --history a row of two days ago is readable two days ago, never before its day has ended and its lag is over."""
    fetched(tmp_path, server, "mvrv", sources=("coinmetrics",), as_history=True)
    mvrv = feed("mvrv", "coinmetrics")
    day = NOW // DAY_MS * DAY_MS - 3 * DAY_MS
    assert value_at(tmp_path, mvrv, day + DAY_MS + 6 * HOUR_MS) == server._value(day, DAY_MS, 2.0)
    assert value_at(tmp_path, mvrv, day + DAY_MS + 6 * HOUR_MS - 1) == server._value(day - DAY_MS, DAY_MS, 2.0)


def test_a_revision_is_a_row_more(tmp_path: Path, server: OutsideServer) -> None:
    """An hour later the source says another number for an hour before: what was known then stays what it was."""
    fetched(tmp_path, server, "oi", sources=("okx",))
    before = pl.read_parquet(tmp_path / "data" / "okx_BTC-USDT_perp_oi_1h.parquet")
    again = fetched(tmp_path, server, "oi", sources=("okx",))["oi/okx/BTC-USDT"]
    assert (again["new"], again["revised"]) == (0, 0)
    server.revision, server.now_ms = 500.0, NOW + HOUR_MS
    item = fetched(tmp_path, server, "oi", sources=("okx",))["oi/okx/BTC-USDT"]
    assert (item["new"], item["revised"], item["error"]) == (1, 1, None)
    after = pl.read_parquet(tmp_path / "data" / "okx_BTC-USDT_perp_oi_1h.parquet")
    assert after.filter(pl.col("received_ms") == NOW).equals(before)
    assert value_at(tmp_path, feed("oi", "okx"), NOW) == value_at(tmp_path, feed("oi", "okx"), NOW + HOUR_MS - 1)


WRONG = [
    ("oi", "binance", "renamed", "has no field sumOpenInterest in row 0: it has symbol"),
    ("oi", "bybit", "renamed", "has no field openInterest in row 0"),
    ("vix", "fred", "renamed", "has no field observation_date in row 0"),
    ("sopr", "glassnode", "renamed", "has no field v in row 0: it has t, V"),
    ("sopr", "glassnode", "text", "for value in row 0, where a number belongs"),
    ("sopr", "glassnode", "nan", "sent NaN for a number"),
    ("fear-greed", "alternative", "text", 'sent "n/a 3'),
    ("fear-greed", "alternative", "constant", "constant: value is 50 in the last 40 rows, 6 are too many"),
    ("vix", "fred", "constant", "constant: value is 18 in the last"),
    ("active-addresses", "coinmetrics", "unit", "times what it was: another unit, or percent for a fraction?"),
    ("mvrv", "coinmetrics", "unit", "it is between 0 and 100 (ratio)"),
    ("oi", "okx", "shifted", "future: a time that has not been yet"),
    ("vix", "cboe", "half", "half a page"),
    ("oi", "okx", "half", "no whole JSON"),
    ("oi", "okx", "cut", "half a page"),
    ("oi", "okx", "deep", "nested too deeply"),
    ("mvrv", "coinmetrics", "html", "a page of HTML"),
    ("vix", "fred", "html", "a page of HTML"),
    ("oi", "okx", "limited", "asks for 120 s of rest"),
    ("oi", "okx", "down", "half a page"),
    ("sopr", "glassnode", "moved", "answered with status 302"),
    ("oi", "okx", "bomb", "sent more than 1 MiB"),
    ("liquidations", "coinalyze", "other", 'answered about "ETHUSDT_PERP.A", where BTCUSDT_PERP.A was wanted'),
    ("liquidations", "coinalyze", "renamed", "has no field history in the answer: it has symbol"),
    ("gold", "stooq", "renamed", "has no field Close in row 0"),
    ("gold", "stooq", "html", "a page of HTML"),
    ("oi", "okx", "packed", "packs its answer as 'br', unasked"),
]


@pytest.mark.parametrize(("series", "source", "wrong", "why"), WRONG)
def test_a_wrong_answer_is_refused_by_name(
    tmp_path: Path, server: OutsideServer, monkeypatch: pytest.MonkeyPatch, series: str, source: str, wrong: str, why: str
) -> None:
    """Nothing is stored, the error says which series, which source and what was there; another series is fetched all the same."""
    monkeypatch.setenv("GLASSNODE_API_KEY", "not-a-real-key")
    monkeypatch.setenv("COINALYZE_API_KEY", "not-a-real-key")
    monkeypatch.setattr("engine.data.outside.asking.BYTES_MAX", 1 << 20)
    server.wrong = wrong
    found = fetched(tmp_path, server, series, sources=(source,))
    item = next(item for name, item in found.items() if name.startswith(series))
    assert why in item["error"]
    assert item["new"] == 0
    assert "not-a-real-key" not in json.dumps(item)
    assert len(server.asked) == 1 + (wrong == "shifted")  # no redirect is followed with a key in hand; older rows are asked for
    assert not list((tmp_path / "data").glob("*.parquet"))


def test_a_clock_that_moves_is_refused(tmp_path: Path, server: OutsideServer) -> None:
    """Every value three hours later than it was stored: another zone, though no time is in the future any more."""
    fetched(tmp_path, server, "oi", sources=("okx",))
    server.wrong = "shifted"
    body = fetch(tmp_path, server.entry("oi", sources=("okx",)), FetchRequest(), lambda: NOW + 4 * HOUR_MS)
    assert "every value is now 3h later than it was stored" in body["items"][0]["error"]


def test_a_dead_source_is_said_with_since_when(tmp_path: Path, server: OutsideServer) -> None:
    """`data sources` gives the value while it is young, then the reason; 429 keeps the schedule away for as long as it asks."""
    entry = server.entry("oi", sources=("okx",))
    fetched(tmp_path, server, "oi", sources=("okx",))
    server.wrong = "limited"
    fetch(tmp_path, entry, FetchRequest(), lambda: NOW + HOUR_MS)
    roots = [(tmp_path / "data", "recorded")]
    young, old = (
        next(i for i in sources(roots, tmp_path, entry, NOW + hours * HOUR_MS) if i["name"] == "oi/okx/BTC-USDT")
        for hours in (1, 9)
    )
    assert (young["fresh"], young["missing_because"]) == (True, None)
    assert "asks for 120 s of rest" in young["fault"]
    assert (old["fresh"], old["value"]) == (False, None)
    assert "older than 3 h; since 2025-02-19 21:10Z its source fails" in old["missing_because"]
    status = read_status(tmp_path)["oi/okx/BTC-USDT"]
    assert status["wait_until_ms"] == NOW + HOUR_MS + 120_000
    assert not due(feed("oi", "okx"), status, NOW + HOUR_MS + 60_000)
    assert due(feed("oi", "okx"), status, NOW + 2 * HOUR_MS)


def test_two_sources_that_part_are_an_alert_and_never_an_average(tmp_path: Path, server: OutsideServer) -> None:
    """Both stay as they came; the alert names both and by how much they differ."""
    fetched(tmp_path, server, "vix", sources=("fred",))
    path = tmp_path / "data" / "fred_vix_1d.parquet"
    before = path.read_bytes()
    with OutsideServer(NOW) as other:
        other._week = lambda base: [(ts, v * 1.5) for ts, v in OutsideServer._week(other, base)]  # type: ignore[method-assign]  # its fault
        entry = OutsideEntry(series=("vix",), base_urls={"fred": server.url, "cboe": other.url})
        body = fetch(tmp_path, entry, FetchRequest(), lambda: NOW)
        status = read_status(tmp_path)
        status["vix/fred"]["last_ms"] = None  # it is due, the other is not: they are compared all the same
        (tmp_path / FILE).write_text(json.dumps({"feeds": status}))
        again = fetch(tmp_path, entry, FetchRequest(due_only=True), lambda: NOW + 2 * HOUR_MS)
    assert ([item["name"] for item in again["items"]], again["compared"]) == (["vix/fred"], body["compared"])
    assert read_status(tmp_path)["vix/cboe"]["compared"] == [body["compared"][0]["text"]]
    assert [found["between"] for found in body["compared"]] == [["vix/fred", "vix/cboe"]]
    assert "vix: value: fred and cboe usually differ by 33.3%" in body["compared"][0]["text"]
    assert path.read_bytes() == before


def test_nothing_declared_asks_nothing(tmp_path: Path, server: OutsideServer) -> None:
    """The default home fetches nothing, and no folder is made; a name that does not exist is refused."""
    assert fetch(tmp_path, OutsideEntry(), FetchRequest()) == {"items": [], "compared": []}
    assert not list(tmp_path.iterdir())
    assert not server.asked
    with pytest.raises(BadInput, match="unknown outside series 'silver'"):
        fetch(tmp_path, OutsideEntry(), FetchRequest(names=["silver"]))


def test_funding_is_fetched_the_one_way_there_is(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the puller, into the file that backtests charge from; it is fresh until an hour after the next settlement is due."""
    venue = Venue(NOW // DAY_MS * DAY_MS - 10 * DAY_MS, 900)
    monkeypatch.setattr("engine.venues.ccxt_data.WAIT_S", 0.001)
    with serving(venue) as url:
        entry = OutsideEntry(series=("funding",), sources=("okx",), base_urls={"okx": url})
        (item,) = fetch(own_home, entry, FetchRequest(), lambda: venue.now_ms)["items"]
    assert (item["error"], item["rows"]) == (None, 29)
    listed = sources([(own_home / "data", "pulled")], own_home, entry, venue.now_ms, 100)
    found = next(i for i in listed if i["name"] == "funding/okx/BTC-USDT")
    assert (found["fresh"], found["value"], found["declared"]) == (True, 0.0001, True)
    assert found["warnings"][0].startswith("a window of 100 needs 100 rows of funding/okx/BTC-USDT")


def test_a_misspelled_declaration_is_an_alert_of_the_schedule(tmp_path: Path, server: OutsideServer) -> None:
    """Nobody reads what the scheduled process prints: the fault is kept for the watch until the declaration is right."""
    wrong = OutsideEntry(series=("vixx",))
    with pytest.raises(BadInput, match="unknown outside series 'vixx'"):
        fetch(tmp_path, wrong, FetchRequest(due_only=True), lambda: NOW)
    (kept,) = read_status(tmp_path).values()
    assert kept["error"].startswith("unknown outside series 'vixx'")
    assert (kept["scheduled"], kept["too_old_ms"] < NOW) == (True, True)
    with pytest.raises(BadInput, match="unknown source 'fredd'"):
        fetch(tmp_path, OutsideEntry(series=("vix",), sources=("fredd",)), FetchRequest(due_only=True), lambda: NOW)
    fetch(tmp_path, server.entry("vix", sources=("fred",)), FetchRequest(due_only=True), lambda: NOW)
    assert list(read_status(tmp_path)) == ["vix/fred"]


def test_a_key_that_lacks_is_named(tmp_path: Path, server: OutsideServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Glassnode without its variable: that feed says so, and is not asked."""
    monkeypatch.delenv("GLASSNODE_API_KEY", raising=False)
    found = fetched(tmp_path, server, "sopr")
    assert "set GLASSNODE_API_KEY" in found["sopr/glassnode/BTC"]["error"]
    assert not server.asked
    assert json.loads((tmp_path / "data" / "outside.json").read_text())["feeds"]["sopr/glassnode/BTC"]["answered_ms"] is None


@pytest.mark.parametrize("url", ["https://mirror.example", "http://10.0.0.1:80", "file:///etc/passwd"])
def test_numbers_come_from_the_source_itself(url: str) -> None:
    """Another address than the source's own is one of this machine."""
    with pytest.raises(ValueError, match="only an address of this machine"):
        OutsideEntry(base_urls={"fred": url})
