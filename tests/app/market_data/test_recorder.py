"""`nightdesk data record`: a live feed's bars in the series that backtests read, everything received beside them."""

import asyncio
import gzip
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from app.cli import data
from app.market_data.recorder import FeedRecorder, RecordRequest, pack_days, record, settlements_frame
from app.market_data.recorder import run as run_recorder
from engine.clock import DAY_MS, LOCAL_MS, LOCAL_TIMEFRAME, utc_day
from engine.data.catalog import Catalog
from engine.data.recorded import recorded
from engine.data.writer import write_series
from engine.errors import BadInput, DeskError
from engine.live.closing import frame_of
from engine.live.feed_live import LiveFeed
from engine.venues.candles import CandleSource
from tests.fakes.exchange.adapted import ADAPTED
from tests.fakes.exchange.market import MINUTE_MS
from tests.fakes.exchange.okx.client import LocalOkx
from tests.fakes.exchange.stage import START_MS, HandClock
from tests.fakes.live_feeds import LiveRun, columns_on, live, walking

REQUEST = RecordRequest("okx", ["BTC-USDT"], ["1m"], "perp")


def day(home: Path, venue: str, script: Callable[[LiveRun, FeedRecorder], Any], corrections: bool = False) -> Any:
    """What a script returns while a recorder writes into `home` at a local venue."""
    parts: list[FeedRecorder] = []

    def tap(what: str, body: Any) -> None:
        if parts:
            parts[0].recording.keep(what, body)

    async def recording(run: LiveRun) -> Any:
        recorder = FeedRecorder(home, REQUEST._replace(venue=venue, corrections=corrections), run.played.venue.exchange.clock)
        parts.append(recorder)
        recorder.use(run.feed)
        run.task.cancel()  # the recorder runs the feed itself
        stop = asyncio.Event()
        work = asyncio.create_task(run_recorder([run.feed.run()], recorder, stop))
        found = await script(run, recorder)
        stop.set()
        await work
        return found, recorder.report()

    return live(venue, recording, tap=tap)


def by_hand(home: Path, timeframe: str) -> tuple[HandClock, LiveFeed, FeedRecorder]:
    """A recorder of a feed whose bars a test gives, and the clock of both."""
    clock, exchange = HandClock(), SimpleNamespace(handle_message=None, on_rest_response=None, streaming=None)
    source = CandleSource(exchange, "okx")
    feed = LiveFeed({"okx": source}, columns_on("okx", f"BTC {timeframe}"), clock, lambda _ms: asyncio.sleep(0))
    recorder = FeedRecorder(home, REQUEST._replace(timeframes=[timeframe]), clock)
    recorder.use(feed)
    return clock, feed, recorder


def stored(home: Path, venue: str) -> dict[int, tuple[float, ...]]:
    """The series in the home, by open."""
    catalog = Catalog([(home / "data", "pulled")])
    frame = catalog.bars(catalog.find(venue, "BTC-USDT", "1m"))
    return {row[0]: tuple(row[1:6]) for row in frame.iter_rows()}


@pytest.mark.parametrize("venue", [pytest.param(v, marks=[] if v == "okx" else pytest.mark.long) for v in ADAPTED])
def test_a_live_day_becomes_a_series_that_equals_rest(own_home: Path, venue: str) -> None:
    """With a cut in the middle: every bar is stored, missed ones too, all as REST lists them; the raw messages are kept."""

    async def script(run: LiveRun, _: FeedRecorder) -> Any:
        await run.played.wait(3 * MINUTE_MS)
        run.faults.on("ws_cut", 3 * MINUTE_MS)
        await run.played.wait(7 * MINUTE_MS)
        run.faults.off("ws_cut")
        rows = await run.played.client.fetch_ohlcv("BTC/USDT:USDT", "1m", run.feed.close_ms(-1), 10)
        return {row[0]: tuple(row[1:6]) for row in rows}

    rest, report = day(own_home, venue, script)
    have = stored(own_home, venue)
    assert len(rest) == 10
    assert {open_ms: have[open_ms] for open_ms in rest} == rest
    (column,) = report["columns"]
    assert [column[how] for how in ("closed", "missing", "corrected", "repaired")] == [7, 3, 0, 3]
    rows = list(recorded(own_home / "recordings", venue))
    assert len(rows) == report["rows"]
    assert {"ws", "rest", "bar", "note"} == {row.what for row in rows}
    assert {row.body[1]: tuple(row.body[2]) for row in rows if row.what == "bar"} == have


@pytest.mark.parametrize("wanted", [False, True])
def test_a_correction_replaces_what_was_stored_where_that_is_wanted(own_home: Path, wanted: bool) -> None:
    """Then a backtest reads what REST lists now; else it is counted and recorded, and a desk on the series goes on."""

    async def script(run: LiveRun, _: FeedRecorder) -> Any:
        await run.played.wait(3 * MINUTE_MS)
        open_ms, minutes = run.feed.close_ms(1) - MINUTE_MS, run.played.venue.exchange.markets["BTC"].minutes
        at = next(n for n, candle in enumerate(minutes) if candle.open_ms == open_ms)
        before = stored(own_home, "okx")[open_ms]
        minutes[at] = minutes[at]._replace(lots=minutes[at].lots + 7)
        await run.played.wait(2 * MINUTE_MS)
        return open_ms, before

    (open_ms, before), report = day(own_home, "okx", script, wanted)
    after = stored(own_home, "okx")[open_ms]
    assert report["columns"][0]["corrected"] == 1
    assert after[:4] == before[:4]
    assert (after[4] > before[4]) == wanted
    rows = [row.body for row in recorded(own_home / "recordings", "okx") if row.what == "bar"]
    assert [row[1] for row in rows if row[3] == "corrected"] == [open_ms]


def test_what_is_stored_only_grows_at_its_end(own_home: Path) -> None:
    """Bars that were missed come in before those behind them: whoever read the series finds it as it was, and longer."""

    async def script(run: LiveRun, _: FeedRecorder) -> list[list[int]]:
        run.faults.on("http_5xx", 4 * MINUTE_MS)
        seen = []
        for _ in range(30):
            await run.played.wait(20_000)
            seen.append(sorted(stored(own_home, "okx")) if (own_home / "data").exists() else [])
        return seen

    seen, _ = day(own_home, "okx", script)
    for earlier, later in pairwise(seen):
        assert later[: len(earlier)] == earlier
    assert seen[-1] == list(range(seen[-1][0], seen[-1][-1] + MINUTE_MS, MINUTE_MS))
    assert len(seen[-1]) >= 10


def test_a_missing_bar_is_waited_for_and_never_added_behind(own_home: Path) -> None:
    """Bars wait for the one before them, however often the recorder saves; after half an hour they do not, and it is left out."""
    name, (clock, feed, recorder) = "okx:BTC-USDT:perp", by_hand(own_home, "1m")

    def stored_after(*numbers: int) -> list[int]:
        """Numbers of the minutes that are stored once these came."""
        for n in numbers:
            feed.bars_of[name].known[START_MS + n * MINUTE_MS] = (1.0, 1.0, 1.0, 1.0, 1.0)
            feed.on_bar(name, START_MS + n * MINUTE_MS, (1.0, 1.0, 1.0, 1.0, 1.0), "closed")
        recorder.save()
        recorder.save()
        return [(open_ms - START_MS) // MINUTE_MS for open_ms in stored(own_home, "okx")]

    assert stored_after(0, 2) == [0]
    assert stored_after(3) == [0]
    assert stored_after(1) == [0, 1, 2, 3]
    assert stored_after(5) == [0, 1, 2, 3]
    clock.step(40 * MINUTE_MS)
    assert stored_after() == [0, 1, 2, 3, 5]
    assert stored_after(4) == [0, 1, 2, 3, 5]


def test_every_bar_of_a_minute_is_stored(own_home: Path) -> None:
    """A local venue closes four in one; only a settlement is known by its minute alone."""
    name, (_, feed, recorder) = "okx:BTC-USDT:perp", by_hand(own_home, LOCAL_TIMEFRAME)
    opens = [START_MS + n * LOCAL_MS for n in range(8)]
    for open_ms in opens:
        feed.bars_of[name].known[open_ms] = (1.0, 1.0, 1.0, 1.0, 1.0)
        feed.on_bar(name, open_ms, (1.0, 1.0, 1.0, 1.0, 1.0), "closed")
        recorder.save(force=True)
    catalog = Catalog([(own_home / "data", "pulled")])
    assert catalog.bars(catalog.find("okx", "BTC-USDT", LOCAL_TIMEFRAME))["ts"].to_list() == opens


def test_what_a_pull_stored_goes_on(own_home: Path) -> None:
    """A pulled series of the home is continued; one of another origin is not touched, and named before anything is recorded."""
    path = own_home / "data" / "okx_BTC-USDT_perp_1m.parquet"
    first = 1_699_999_500_000
    write_series(path, frame_of({first: (1.0, 1.0, 1.0, 1.0, 1.0)}), "pulled", {})

    async def script(run: LiveRun, _: FeedRecorder) -> None:
        await run.played.wait(2 * MINUTE_MS)

    day(own_home, "okx", script)
    assert len(stored(own_home, "okx")) > 3
    assert first in stored(own_home, "okx")
    write_series(path, frame_of({first: (1.0, 1.0, 1.0, 1.0, 1.0)}), "recorded", {})
    with pytest.raises(BadInput, match="was not written by a pull"):
        day(own_home, "okx", script)


def test_settlements_are_stored_once(own_home: Path) -> None:
    """New ones beside what a pull stored, which is stamped some ms late."""
    recorder = FeedRecorder(own_home, REQUEST, lambda: 0)
    path = own_home / "data" / "okx_BTC-USDT_perp_funding.parquet"
    eight, n = 8 * 3_600_000, 59_000
    write_series(path, settlements_frame({n * eight + 7: 0.0001, (n + 1) * eight: 0.0002}), "pulled", {})
    recorder._settlement("okx:BTC-USDT:perp", (n + 1) * eight, 0.0002)
    recorder._settlement("okx:BTC-USDT:perp", (n + 2) * eight, 0.0003)
    recorder.save(force=True)
    frame = Catalog([(own_home / "data", "pulled")]).funding("okx", "BTC-USDT")
    assert frame is not None
    assert frame.rows() == [((n + k) * eight, (k + 1) / 10_000) for k in range(3)]


def test_it_connects_by_itself(own_home: Path) -> None:
    """Over sockets, by the address of a mirror: rows come, and the end is in order."""

    async def main() -> dict[str, Any]:
        venue, stop = LocalOkx(walking(15_000)(lambda: time.time_ns() // 1_000_000)), asyncio.Event()
        async with venue.served() as served:
            asyncio.get_running_loop().call_later(3.0, stop.set)  # a busy machine takes a second to connect
            return await record(own_home, REQUEST._replace(mirror=served.rest_url), stop, lambda _line: None)

    report = asyncio.run(main())
    assert report["rows"] > 2
    assert report["broken"] is None
    urls = [row.body["url"] for row in recorded(own_home / "recordings", "okx") if row.what == "rest"]
    assert any("candles" in url for url in urls)


def test_days_that_are_over_are_packed_while_it_records(own_home: Path) -> None:
    """And one that cannot be packed is said, and does not end the recording."""
    clock, _, recorder = by_hand(own_home, "1m")
    said: list[str] = []
    recorder.say = said.append
    recorder.recording.keep("ws", {"s": "BTCUSDT"})
    recorder.save(force=True)
    clock.step(2 * DAY_MS)
    recorder.recording.keep("ws", {"s": "BTCUSDT"})
    recorder.save(force=True)
    (path,) = (own_home / "recordings" / "okx" / utc_day(START_MS)).glob("*.gz")
    good = path.read_bytes()
    path.write_bytes(gzip.compress(b"no row\n"))

    async def three_looks() -> None:
        looks = 0

        async def sleep(_ms: int) -> None:
            nonlocal looks
            looks += 1
            path.write_bytes(good) if looks == 1 else None
            if looks == 3:
                raise asyncio.CancelledError

        await pack_days(recorder, sleep)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(three_looks())
    assert f"{path.name} line 1 is not a row of a recording" in said[0]
    assert said[1:] == [f"packed {utc_day(START_MS)} of okx"]
    assert len(list(recorded(own_home / "recordings", "okx"))) == 2


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--venue", "kraken"], "unknown venue 'kraken'"),
        (["--timeframe", "7m"], "unknown timeframe '7m'"),
        (["--market", "futures"], "unknown market 'futures'"),
        (["--timeframe", LOCAL_TIMEFRAME], "unknown timeframe '15s'"),
        (["--venue", "okx", "--mirror", "http://127.0.0.1:9"], "okx did not answer for its instruments"),
        (
            ["--venue", "okx", "--mirror", "http://127.0.0.1:9", "--timeframe", LOCAL_TIMEFRAME],
            "okx did not answer for its instr",
        ),
    ],
)
def test_bad_input_is_one_line(own_home: Path, words: list[str], line: str) -> None:
    """And nothing is written."""
    command = typer.Typer()
    data.register(command)
    with pytest.raises(DeskError, match=line):
        command(["data", "record", *words], standalone_mode=False)
    assert not (own_home / "recordings").exists()
