"""A live day that was recorded, read again: the desk's own feed and a backtest find the bars that the live feed decided on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.market_data.recorder import FeedRecorder
from engine.clock import timeframe_ms
from engine.data.catalog import Catalog
from engine.data.timeframes import series_of
from engine.data.writer import file_name, write_series
from engine.live.closing import frame_of
from engine.live.feed import Feed, Span, load
from engine.sim.backtest import backtest
from tests.app.market_data.test_recorder import day
from tests.fakes.exchange.market import MINUTE_MS
from tests.fakes.live_feeds import SYMBOLS, LiveRun

COLUMN = "okx:BTC-USDT:perp"
Rows = dict[int, list[float | None]]


def read_again(catalog: Catalog, first_ms: int) -> Feed:
    """The bars from a close on as a desk loads them."""
    return load(catalog, series_of(catalog, [COLUMN], "1m"), MINUTE_MS, Span(first_ms, first_ms, first_ms), "none")


def test_the_recorded_feed_is_the_live_one(own_home: Path) -> None:
    """Close by close through the same port, while it grows and at the end: equal where the live feed decided, there where it
    could not.
    """

    async def script(run: LiveRun, _: FeedRecorder) -> tuple[Rows, int]:
        await run.played.wait(4 * MINUTE_MS)
        growing = read_again(Catalog([(own_home / "data", "pulled")]), run.feed.close_ms(-1))
        assert growing.bar_count == run.feed.bar_count == 4
        run.faults.on("stale_candles", 2 * MINUTE_MS)
        await run.played.wait(5 * MINUTE_MS)
        live = {run.feed.close_ms(t): run.feed.bars(t)[COLUMN] for t in range(run.feed.bar_count)}
        return live, run.feed.close_ms(-1)

    (live, first_ms), _ = day(own_home, "okx", script)
    again = read_again(Catalog([(own_home / "data", "pulled")]), first_ms)
    assert again.bar_count == len(live) == 9
    for close_ms, row in live.items():
        found = again.bars(again.after(close_ms) - 1)[COLUMN]
        assert found[0] is not None
        assert row[0] is None or row == found
    assert sum(row[0] is None for row in live.values()) == 2


@pytest.mark.long
def test_a_backtest_of_the_recorded_day_is_one_of_what_the_venue_lists(own_home: Path, tmp_path: Path) -> None:
    """Hours with faults: the same bits as on the venue's own candles read in one piece. (Too short a day for a trade.)"""

    async def script(run: LiveRun, _: FeedRecorder) -> list[Any]:
        for fault in ("ws_cut", "http_5xx", "wrong_candle", "rate_limit", "clock_skew"):
            await run.played.wait(40 * MINUTE_MS)
            run.faults.on(fault, 5 * MINUTE_MS)
        await run.played.wait(130 * MINUTE_MS)
        first, found = run.feed.close_ms(-1) - 10 * MINUTE_MS, list[Any]()  # bars before its start are there too
        for page in range(2):
            found += await run.played.client.fetch_ohlcv(SYMBOLS["BTC"], "1m", first + page * 175 * MINUTE_MS, 175)
        return [row for row in found if row[0] < run.feed.close_ms(run.feed.bar_count - 1)]

    rows, report = day(own_home, "okx", script)
    assert report["columns"][0]["missing"] >= 25
    write_series(
        tmp_path / "listed" / file_name("okx", "BTC-USDT", "perp", "1m"),
        frame_of({row[0]: tuple(row[1:6]) for row in rows}),
        "pulled",
        {},
    )
    runs = [
        backtest(
            "trend", "BTC-USDT", "1m", "okx", from_=rows[0][0], to=rows[-1][0] + timeframe_ms("1m"), funding="none",
            catalog=Catalog([(folder, "pulled")]), home=own_home,
        )
        for folder in (own_home / "data", tmp_path / "listed")
    ]  # fmt: skip
    assert runs[0].journal_hash == runs[1].journal_hash
    assert np.array_equal(runs[0].hold, runs[1].hold)
    assert len(runs[0].close_ms) == len(rows)
