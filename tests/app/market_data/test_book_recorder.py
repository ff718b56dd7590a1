"""`nightdesk l2 record` at the three local venues, by real ccxt: what is recorded is the venue's book, over cuts and gaps."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.home.written import alone_in
from app.market_data.book_recorder import BookRequest, BookSession, check_request, record_books, size_text
from engine.errors import BadInput, Busy
from engine.l2.bars import book_bars
from engine.l2.checks import open_tape, sound_tape
from engine.l2.replay import levels_of
from engine.venues.candles import CandleSource
from tests.fakes.exchange.adapted import ADAPTED
from tests.fakes.exchange.binance.client import LocalBinance
from tests.fakes.exchange.market import MINUTE_MS
from tests.fakes.exchange.played import Played
from tests.fakes.live_feeds import EVERY_MS, walking
from tests.fakes.waiting import until

Script = Callable[[Played, BookSession], Coroutine[Any, Any, None]]


def recorded(
    home: Path, venue: str, script: Script, bars: str = "", every_ms: int = EVERY_MS, latency_s: float = 0.0
) -> tuple[dict[str, Any], tuple[float, float]]:
    """(report, the venue's best bid and ask at the end) of a recording of BTC-USDT while a script plays."""

    async def play(played: Played) -> Any:
        sessions: list[BookSession] = []

        def tap(what: str, message: Any) -> None:
            for session in sessions:
                session.received(what, message)

        await played.client.load_markets()
        source = CandleSource(played.client, venue, tap)
        clock = played.venue.exchange.clock
        request = BookRequest(venue, ["BTC-USDT"], "perp", bars=bars)
        sessions.append(BookSession(home, request, source, lambda: clock() * 1_000_000, lambda _line: None))
        stop = asyncio.Event()
        work = asyncio.create_task(sessions[0].run(stop))
        played.tasks.append(work)
        await script(played, sessions[0])
        stop.set()
        await work
        market = played.venue.exchange.markets["BTC"]
        return sessions[0].report(), (market.best(-1) / 10, market.best(1) / 10)

    result: tuple[dict[str, Any], tuple[float, float]] = ADAPTED[venue].played.under_virtual_clock(
        play, walking(every_ms), latency_s
    )[0]
    return result


@pytest.mark.parametrize("venue", list(ADAPTED))
def test_the_recorded_book_is_the_venues_over_a_cut(tmp_path: Path, venue: str) -> None:
    """Ten minutes with two minutes of cut connections: dialled again, made anew, and at the end the venue's own."""

    async def script(played: Played, _: BookSession) -> None:
        await played.wait(3 * MINUTE_MS)
        played.venue.faults.on("ws_cut", 2 * MINUTE_MS)
        await played.wait(7 * MINUTE_MS)

    report, best = recorded(tmp_path, venue, script)
    (item,) = report["items"]
    assert item["messages"] > 20
    assert item["resyncs"] >= 2
    assert item["lost"] == report["unreadable"] == 0
    assert item["messages_second"] == pytest.approx(item["messages"] / 600, rel=0.05)
    assert item["bytes_day"] == pytest.approx(item["bytes"] * 144, rel=0.05)
    assert f"{item['messages_second']:,.1f} messages a second" in size_text(item)
    (path,) = tmp_path.rglob("*_l2.parquet")
    opened = open_tape(path)
    assert {f.rule for f in opened.report.issues if f.severity == "error"} == set()
    assert opened.report.figures["messages"] == item["messages"]
    last, scale = opened.report.replayed.last, opened.tape.scale
    shown = tuple(float(scale.price(levels_of(last, side)[0][0])) for side in (0, 1))
    assert shown == best


@pytest.mark.parametrize("venue", list(ADAPTED))
def test_a_slow_venue_is_no_gap(tmp_path: Path, venue: str) -> None:
    """Three messages come while Binance answers for its snapshot: nothing is missing, and nothing is dialled again."""

    async def script(played: Played, _: BookSession) -> None:
        await played.wait(MINUTE_MS)

    report, _ = recorded(tmp_path, venue, script, every_ms=200, latency_s=0.6)
    (item,) = report["items"]
    assert (item["gaps"], item["resyncs"], item["lost"]) == (0, 1, 0)
    (path,) = tmp_path.rglob("*_l2.parquet")
    assert sound_tape(path).report.figures["deltas"]["waiting"] == 0


@pytest.mark.slow
def test_it_connects_by_itself(tmp_path: Path) -> None:
    """Over sockets, by the address of a mirror, two instruments on one line: each has its own tape, and the end is in order."""

    async def main() -> dict[str, Any]:
        venue = LocalBinance(walking(200)(lambda: time.time_ns() // 1_000_000))
        stop = asyncio.Event()
        async with venue.served() as served:
            asyncio.get_running_loop().call_later(5.0, stop.set)  # a busy machine takes seconds to connect
            request = BookRequest("binance", ["BTC-USDT", "ETH-USDT"], "perp", served.rest_url)
            return await record_books(tmp_path, request, stop, lambda _line: None)

    report = asyncio.run(main())
    tapes = sorted(tmp_path.rglob("*_l2.parquet"))
    assert [path.parent.name for path in tapes] == ["BTC-USDT", "ETH-USDT"]
    assert [sound_tape(path).report.figures["messages"] for path in tapes] == [item["messages"] for item in report["items"]]
    assert all(item["messages"] and item["resyncs"] == 1 and not item["broken"] for item in report["items"])


def test_two_recordings_of_one_instrument_do_not_mix(tmp_path: Path) -> None:
    """The second is refused before it dials: both would number their parts alike."""
    request = BookRequest("okx", ["BTC-USDT"], "perp", "http://127.0.0.1:9")
    with (
        alone_in(tmp_path / "level2", ".okx_BTC-USDT_perp.lock", "held by a test"),
        pytest.raises(Busy, match="another recording of okx BTC-USDT perp"),
    ):
        asyncio.run(record_books(tmp_path, request, asyncio.Event(), lambda _line: None))


@pytest.mark.parametrize("symbol", ["../x", "BTC/USDT", "btc-usdt", "", "BTC-USDT\n", "A" * 200])
def test_a_symbol_is_no_path(symbol: str) -> None:
    """It names folders and files."""
    with pytest.raises(BadInput, match="BASE-QUOTE"):
        check_request(BookRequest("okx", [symbol], "perp"))


def test_a_message_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    """And ends nothing: what comes after it is recorded, and the chain of ids shows what was lost."""

    async def script(played: Played, session: BookSession) -> None:
        await played.wait(2 * MINUTE_MS)
        about = {"channel": "books", "instId": "BTC-USDT-SWAP"}
        session.received("ws", {"arg": about, "action": "update", "data": [{"asks": 7}]})
        await played.wait(2 * MINUTE_MS)

    report, _ = recorded(tmp_path, "okx", script)
    assert report["unreadable"] == 1
    assert report["items"][0]["messages"] > 10
    kinds = kinds_of(tmp_path)
    assert kinds.count("unreadable") == 1
    assert (kinds[0], kinds[-1]) == ("start", "stop")


def test_a_snapshot_that_cannot_be_read_is_asked_for_again(tmp_path: Path) -> None:
    """The deltas behind it are a chain without a hole: nothing else would ever ask."""

    async def script(played: Played, session: BookSession) -> None:
        true = session.received

        def spoiled(what: str, message: Any) -> None:
            first = isinstance(message, dict) and message.get("action") == "snapshot"
            true(what, message | {"data": [row | {"bids": [["?", "1"]]} for row in message["data"]]} if first else message)

        session.received = spoiled  # type: ignore[method-assign]
        await played.wait(MINUTE_MS)
        session.received = true  # type: ignore[method-assign]
        await played.wait(3 * MINUTE_MS)

    report, _ = recorded(tmp_path, "okx", script)
    assert any("no snapshot for 3" in note for note in report["notes"])
    assert report["unreadable"] <= 3
    assert report["items"][0]["resyncs"] >= 1


def kinds_of(folder: Path) -> list[str]:
    """Kinds of the recorded events."""
    (events,) = folder.rglob("*_events.parquet")
    return [str(kind) for part in sorted(events.glob("part-*.parquet")) for kind in pl.read_parquet(part)["kind"]]


@pytest.mark.parametrize("venue", list(ADAPTED))
def test_a_dead_line_is_dialled_again(tmp_path: Path, venue: str) -> None:
    """Nothing comes for two minutes, not even a pong: noted, given up, and the book made anew once the venue speaks again."""

    async def script(played: Played, _: BookSession) -> None:
        await played.wait(2 * MINUTE_MS)
        played.venue.faults.on("ws_mute", 2 * MINUTE_MS)
        await played.wait(6 * MINUTE_MS)

    report, best = recorded(tmp_path, venue, script)
    assert "nothing received for 10 s" in report["notes"]
    assert report["items"][0]["resyncs"] >= 2
    assert kinds_of(tmp_path).count("error") < 30
    (path,) = tmp_path.rglob("*_l2.parquet")
    opened = open_tape(path)
    last, scale = opened.report.replayed.last, opened.tape.scale
    assert tuple(float(scale.price(levels_of(last, side)[0][0])) for side in (0, 1)) == best


@pytest.mark.parametrize("venue", list(ADAPTED))
def test_a_subscription_that_ends_without_a_word_is_made_anew(tmp_path: Path, venue: str) -> None:
    """The line answers its pings and brings no book: noted after two minutes, dialled again, and the end is the venue's own."""

    async def script(played: Played, _: BookSession) -> None:
        await played.wait(2 * MINUTE_MS)
        for line in played.venue.lines:
            getattr(line, {"binance": "streams", "okx": "args", "bybit": "topics"}[venue]).clear()
        await played.wait(4 * MINUTE_MS)

    report, best = recorded(tmp_path, venue, script)
    quiet = [note for note in report["notes"] if "no change of its book for 1" in note]
    assert len(quiet) == 1
    assert report["items"][0]["resyncs"] == 2
    (path,) = tmp_path.rglob("*_l2.parquet")
    last, scale = (opened := open_tape(path)).report.replayed.last, opened.tape.scale
    assert tuple(float(scale.price(levels_of(last, side)[0][0])) for side in (0, 1)) == best


@pytest.mark.parametrize("venue", list(ADAPTED))
def test_a_gap_is_closed_by_dialling_again(tmp_path: Path, venue: str) -> None:
    """A message is left out: the ids say so at once, also where ccxt looks at none (Bybit), and a snapshot follows."""

    async def script(played: Played, _: BookSession) -> None:
        await played.wait(2 * MINUTE_MS)
        played.venue.faults.on("book_gap", MINUTE_MS // 3)
        await played.wait(6 * MINUTE_MS)

    report, best = recorded(tmp_path, venue, script)
    (item,) = report["items"]
    assert 1 <= item["gaps"] < 5
    assert item["resyncs"] >= 2
    assert "BTC-USDT: a message is missing" in report["notes"]
    assert kinds_of(tmp_path).count("error") < 8  # the local venues have no trades; what lasts is noted once
    (path,) = tmp_path.rglob("*_l2.parquet")
    opened = open_tape(path)
    last, scale = opened.report.replayed.last, opened.tape.scale
    assert tuple(float(scale.price(levels_of(last, side)[0][0])) for side in (0, 1)) == best


@pytest.mark.parametrize(
    "request_",
    [
        BookRequest("kraken", ["BTC-USDT"], "perp"),
        BookRequest("okx", [], "perp"),
        BookRequest("okx", ["BTC-USDT"], "margin"),
        BookRequest("okx", ["BTC-USDT", "BTC-USDT"], "perp"),
        BookRequest("okx", [f"A{n}-USDT" for n in range(21)], "perp"),
    ],
    ids=str,
)
def test_what_cannot_be_recorded_is_refused(request_: BookRequest) -> None:
    """Before anything is dialled, in one line."""
    with pytest.raises(BadInput):
        check_request(request_)


@pytest.mark.sample(1)
@pytest.mark.parametrize("venue", list(ADAPTED))
def test_a_recording_writes_bars_as_it_runs(tmp_path: Path, venue: str) -> None:
    """Over a cut: those of the cut have no value, and all equal the tape's."""

    async def script(played: Played, _: BookSession) -> None:
        await played.wait(4 * MINUTE_MS)
        played.venue.faults.on("ws_cut", MINUTE_MS)
        await played.wait(5 * MINUTE_MS)

    report, _ = recorded(tmp_path, venue, script, bars="1m", every_ms=1_000)
    (bars,) = report["bars"]
    assert bars["bars"] >= 7
    assert 1 <= bars["gaps"] <= 4
    assert bars["broken"] is None
    assert report["items"][0]["parts"] < 60
    (tape,) = tmp_path.rglob("*_l2.parquet")
    opened = open_tape(tape)
    mine = pl.read_parquet(bars["series"]).with_columns(pl.col("ts").dt.epoch("ms")).drop("available_ms")
    assert mine.equals(book_bars(opened.tape, opened.trades, 60_000).drop("available_ms"))


@pytest.mark.slow
def test_days_that_are_over_are_packed_while_it_records(tmp_path: Path) -> None:
    """The day before yesterday becomes a few parts within the hour, and size and rate are said; recording goes on."""
    old = tmp_path / "level2" / "okx" / "BTC-USDT" / "okx_BTC-USDT_perp_20231101_l2.parquet"
    old.mkdir(parents=True)
    for n in range(1, 4):
        pl.DataFrame({"seq": [n]}).write_parquet(old / f"part-{n:012d}-{n:012d}.parquet")

    lines: list[str] = []

    async def script(played: Played, session: BookSession) -> None:
        session._say = lines.append
        await played.wait(63 * MINUTE_MS)
        until(lambda: len(list(old.iterdir())) == 1, "it was not packed")  # by a thread, which knows no virtual clock

    report, _ = recorded(tmp_path, "okx", script)
    assert [part.name for part in old.iterdir()] == ["part-000000000001-000000000003.parquet"]
    assert sum("messages a second" in line for line in lines) == 1  # an hour
    assert report["items"][0]["messages"] > 100
