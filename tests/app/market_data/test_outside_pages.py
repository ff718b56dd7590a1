"""Histories of many pages from a local server: joined without a hole or a doubled row, or refused as a whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.market_data import outside_fetch
from app.market_data.outside_fetch import FetchRequest, fetch
from engine.clock import HOUR_MS
from engine.data.outside import reading
from tests.app.market_data.test_outside_fetch import NOW
from tests.fakes.outside_server import OutsideServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OutsideServer]:
    """A source with 450 hours, 100 a page."""
    monkeypatch.setattr(outside_fetch, "PAGE_S", 0.0)
    with OutsideServer(NOW) as started:
        started.hours, started.page = 450, 100
        yield started


def fetched(home: Path, server: OutsideServer, source: str = "okx", at_ms: int = NOW, **more: Any) -> dict[str, Any]:
    """The item of open interest."""
    return fetch(home, server.entry("oi", sources=(source,)), FetchRequest(**more), lambda: at_ms)["items"][0]  # type: ignore[no-any-return]


def stored(home: Path, source: str = "okx") -> list[int]:
    """The times that are kept."""
    frame = pl.read_parquet(home / "data" / f"{source}_BTC-USDT_perp_oi_1h.parquet")
    return frame["ts"].dt.epoch("ms").to_list()  # type: ignore[no-any-return]


@pytest.mark.parametrize("source", ["okx", "bybit"])
def test_pages_are_joined_back_to_where_a_first_question_goes(tmp_path: Path, server: OutsideServer, source: str) -> None:
    """399 closed hours in five pages, each hour once; the hour that still runs is not there."""
    assert fetched(tmp_path, server, source)["error"] is None
    times = stored(tmp_path, source)
    assert times == list(range(times[0], NOW // HOUR_MS * HOUR_MS, HOUR_MS))
    assert len(times) == 399
    assert len(server.asked) == 5
    edges = [query[{"okx": "end", "bybit": "endTime"}[source]] for _, query, _ in server.asked[1:]]
    assert edges == [str(NOW // HOUR_MS * HOUR_MS - (100 * n - 1) * HOUR_MS) for n in (1, 2, 3, 4)]


def test_what_is_new_takes_one_page(tmp_path: Path, server: OutsideServer) -> None:
    """The schedule asks for no history again."""
    fetched(tmp_path, server)
    server.asked.clear()
    server.now_ms = NOW + HOUR_MS
    item = fetched(tmp_path, server, at_ms=NOW + HOUR_MS)
    assert (item["new"], item["error"], len(server.asked)) == (1, None, 1)


def test_a_longer_history_is_asked_for_by_days_and_ends_where_the_source_does(tmp_path: Path, server: OutsideServer) -> None:
    """Behind what is stored already, which stays as it is; a year of a source that has 450 hours ends with its first."""
    fetched(tmp_path, server, as_history=True)
    before = stored(tmp_path)
    item = fetched(tmp_path, server, days=365, as_history=True)
    assert (item["new"], item["revised"], item["error"]) == (50, 0, None)
    times = stored(tmp_path)
    assert times[50:] == before
    assert len(times) == 449


def test_the_edge_of_a_page_may_come_twice(tmp_path: Path, server: OutsideServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source whose bound is included sends the row at the edge again, and at the end that row alone."""
    honest = OutsideServer._paged
    monkeypatch.setattr(OutsideServer, "_paged", lambda own, base, before: honest(own, base, before and str(int(before) + 1)))
    assert fetched(tmp_path, server, "bybit", days=365)["error"] is None
    assert len(stored(tmp_path, "bybit")) == 449


@pytest.mark.parametrize(
    ("later", "why"),
    [
        ("again", "sent a page again: rows before"),
        ("disordered", "sent a page out of order: rows before"),
        ("parted", "sent two values for the time"),
        ("half", "no whole JSON"),
        ("cut", "half a page"),
        ("limited", "asks for 120 s of rest"),
        ("html", "a page of HTML"),
        ("down", "half a page"),
    ],
)
def test_a_wrong_page_refuses_all_of_them(tmp_path: Path, server: OutsideServer, later: str, why: str) -> None:
    """From the second page on: what is missing then, nobody knows. 429 keeps the schedule away."""
    server.later = later
    item = fetched(tmp_path, server)
    assert why in item["error"]
    assert (item["new"], item["wait_s"]) == (0, 120 if later == "limited" else None)
    assert not list((tmp_path / "data").glob("*.parquet"))


def test_pages_without_an_end_are_bounded(tmp_path: Path, server: OutsideServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that sends one row a page forever is left after so many."""
    monkeypatch.setattr(reading, "PAGES_MAX", 7)
    server.page = 10
    assert fetched(tmp_path, server)["error"] is None
    assert len(server.asked) == 7
