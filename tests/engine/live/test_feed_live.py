"""The live feed at the three local venues, by real ccxt: nothing is decided on a bar that is not closed and equal to REST."""

import asyncio
from typing import Any

import pytest

from engine.errors import BadInput
from engine.live.feed_live import LiveColumn, LiveFeed
from engine.ports import BarFeed
from engine.venues.candles import CandleSource, Prices
from tests.fakes.exchange.adapted import ADAPTED
from tests.fakes.exchange.market import MINUTE_MS
from tests.fakes.exchange.okx import streams as okx_streams
from tests.fakes.live_feeds import LiveRun, live

BTC = "{}:BTC-USDT:perp"
FAULTY_MINUTES = 4
ONE_NOW = [pytest.param(v, marks=[] if v == "okx" else pytest.mark.long) for v in ADAPTED]


@pytest.fixture(params=ONE_NOW)
def venue(request: pytest.FixtureRequest) -> str:
    """Each venue; one of them in the short suite."""
    return str(request.param)


@pytest.mark.parametrize("venue", ADAPTED)
def test_closed_bars_come_once_each_and_equal_rest(venue: str) -> None:
    """Two instruments and a longer timeframe: every close is decided, a longer bar where it ends, all equal to REST."""

    async def script(run: LiveRun) -> None:
        await run.minutes(11)
        feed: BarFeed = run.feed
        assert feed.bar_count == 11
        assert run.kinds() == []
        assert run.feed.troubles == {}
        five = f"{venue}:BTC-USDT:perp@5m"
        assert [t for t in range(11) if five in feed.bars(t)] == [t for t in range(11) if run.feed.close_ms(t) % 300_000 == 0]
        assert {len(run.decided(name)) for name in run.feed.columns} == {11, len(run.decided(five))}
        assert run.decided(five)
        assert await run.untrue() == []
        closed = [(name, open_ms) for name, open_ms, _, how in run.kept if how == "closed"]
        assert len(closed) == len(set(closed)) == 22 + len(run.decided(five))
        assert [feed.after(run.feed.close_ms(t)) for t in (-1, 0, 9, 10, 11)] == [0, 1, 10, 11, 11]

    live(venue, script, "BTC 1m", "ETH 1m", "BTC 5m")


def test_a_bar_is_decided_on_when_it_has_closed_and_not_a_wait_later(venue: str) -> None:
    """The pause between two reads belongs to a bar that has not closed; by the venue's clock, which the test owns."""

    async def script(run: LiveRun) -> None:
        clock, after = run.played.venue.exchange.clock, list[int]()
        before, patience = run.feed.on_bar, run.feed.patience

        def timed(name: str, open_ms: int, prices: Prices, how: str) -> None:
            if how == "closed":
                after.append(clock() - open_ms - MINUTE_MS)
            before(name, open_ms, prices, how)

        run.feed.on_bar = timed
        await run.minutes(3)
        assert len(after) == 3
        assert all(patience.settle_ms <= ms < patience.settle_ms + patience.again_ms for ms in after), after

    live(venue, script)


MISSED = {  # fault -> the note that says why nothing was decided on; none: it costs no bar
    "wrong_candle": "disagreed",
    "stale_candles": "missing",
    "ws_mute": "stream",
    "ws_cut": "stream",
    "ws_delay": "missing",
    "ws_duplicate": "",
    "ws_reorder": "",
    "html": "rest",
    "http_5xx": "rest",
    "rate_limit": "rest",
    "ban": "rest",
    "read_timeout": "rest",
    "clock_skew": "clock",
}


@pytest.mark.parametrize(
    ("venue", "fault"),
    [pytest.param(v, f, marks=[] if v == "okx" or f == "wrong_candle" else pytest.mark.long) for v in ADAPTED for f in MISSED],
)
def test_a_fault_costs_bars_and_never_gives_a_wrong_one(venue: str, fault: str) -> None:
    """Four minutes of a fault: no bar is decided on that is not REST's; afterwards bars go on and the gap is filled."""

    async def script(run: LiveRun) -> None:
        await run.minutes(2)
        run.faults.on(fault, FAULTY_MINUTES * MINUTE_MS)
        await run.minutes(FAULTY_MINUTES + 4)
        column, why = BTC.format(venue), MISSED[fault]
        assert run.feed.bar_count == FAULTY_MINUTES + 6, "a close is never waited for longer than its time"
        assert run.missed(column) >= FAULTY_MINUTES if why else run.missed(column) == 0
        assert why in run.kinds() if why else run.kinds() == []
        assert run.kinds().count("repaired") == run.missed(column)
        assert await run.untrue() == []
        late = {open_ms: prices for _, open_ms, prices, how in run.kept if how == "repaired"}
        assert not late.keys() & {open_ms for open_ms, _ in run.decided(column)}, "what came late is history alone"
        start, end = run.feed.close_ms(-1), run.feed.close_ms(run.feed.bar_count - 1)
        assert run.feed.bars_of[column].first_hole(start, end) is None
        assert run.feed.troubles == {}

    live(venue, script)


def test_a_subscription_that_was_lost_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection lives, its pings are answered, and nothing of the column comes: it is dialled anew after one bar."""
    lost, take = [False], okx_streams.OkxLine.take

    def taken(stream: Any, text: str) -> None:
        if not (lost[0] and "subscribe" in text):
            take(stream, text)

    monkeypatch.setattr(okx_streams.OkxLine, "take", taken)
    monkeypatch.setattr(CandleSource, "silent_since_ms", lambda _: None)  # as where pongs come

    async def script(run: LiveRun) -> None:
        await run.minutes(2)
        lost[0] = True
        run.faults.on("ws_cut", 20_000)
        await run.played.wait(40_000)
        lost[0] = False
        await run.minutes(5)
        assert run.missed(BTC.format("okx")) <= 2
        assert len(run.decided(BTC.format("okx"))) >= 5
        assert run.feed.troubles == {}

    live("okx", script)


def test_a_trouble_is_there_while_it_lasts(venue: str) -> None:
    """What keeps entries off names the stream and the bar that did not come; both end with the fault."""

    async def script(run: LiveRun) -> None:
        await run.minutes(2)
        run.faults.on("ws_cut", 2 * MINUTE_MS)
        await run.minutes(1)
        assert set(run.feed.troubles) == {f"stream {venue}", f"bar {BTC.format(venue)}"}
        await run.minutes(3)
        assert run.feed.troubles == {}
        assert "over" in run.kinds(but=())

    live(venue, script)


@pytest.mark.parametrize(("fault", "requests"), [("ban", 3), ("rate_limit", 9)])
def test_a_venue_that_wants_fewer_requests_gets_fewer(venue: str, fault: str, requests: int) -> None:
    """418 and 429 with Retry-After: nothing is asked meanwhile; without a limit it would be eight reads a close."""

    async def script(run: LiveRun) -> None:
        await run.minutes(2)
        run.faults.on(fault, 3 * MINUTE_MS)
        await run.minutes(3)
        assert 0 < run.faults.count[fault] <= requests

    live(venue, script)


def test_a_page_of_html_is_no_answer(venue: str) -> None:
    """200 and a page of HTML, which ccxt reads as no candle at all: one trouble as long as it lasts."""

    async def script(run: LiveRun) -> None:
        await run.minutes(2)
        run.faults.on("html", 3 * MINUTE_MS)
        await run.minutes(3)
        assert run.kinds().count("rest") == 1
        assert f"rest {venue}" in run.feed.troubles

    live(venue, script)


def test_the_reason_of_a_trouble_has_no_page_and_no_address(venue: str) -> None:
    """A 502 with a page of HTML, as it is journaled."""

    async def script(run: LiveRun) -> None:
        await run.minutes(2)
        run.faults.on("http_5xx", 3 * MINUTE_MS)
        await run.minutes(2)
        why = run.feed.troubles[f"rest {venue}"]
        assert "502" in why
        assert not set(why) & set("<>\n")
        assert "http:" not in why
        assert len(why) <= 300

    live(venue, script)


def test_a_long_gap_is_filled_from_rest(venue: str) -> None:
    """Twenty minutes without REST, more than one read lists: every bar comes into history, none is decided on."""

    async def script(run: LiveRun) -> None:
        await run.minutes(2)
        run.faults.on("http_5xx", 20 * MINUTE_MS)
        await run.minutes(22)
        column = BTC.format(venue)
        assert run.missed(column) == 20 == run.kinds().count("repaired")
        assert await run.untrue() == []
        late = [open_ms for _, open_ms, _, how in run.kept if how == "repaired" and open_ms >= run.feed.close_ms(0)]
        assert len(late) == len(set(late)) == 20

    live(venue, script)


def test_a_flag_that_is_always_up_decides_nothing_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A venue that calls forming candles closed: nothing is decided before the close, and what is decided is REST's."""
    row = okx_streams.candle_row
    monkeypatch.setattr(okx_streams, "candle_row", lambda inst, candle, closed: row(inst, candle, True))

    async def script(run: LiveRun) -> None:
        await run.minutes(5)
        assert "early" in run.kinds()
        assert len(run.decided(BTC.format("okx"))) == 5
        assert await run.untrue() == []

    live("okx", script)


def test_a_flag_that_never_comes_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """REST and the clock alone close no bar."""
    row = okx_streams.candle_row
    monkeypatch.setattr(okx_streams, "candle_row", lambda inst, candle, closed: row(inst, candle, False))

    async def script(run: LiveRun) -> None:
        await run.minutes(5)
        assert run.decided(BTC.format("okx")) == []
        assert run.missed(BTC.format("okx")) == 5

    live("okx", script)


@pytest.mark.parametrize("odd", [["1"], ["x"] * 9, ["1700000000001", *["1"] * 8], ["1700000100000", "nan", *["1"] * 7]])
def test_a_push_that_cannot_be_read_decides_nothing(odd: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Short, no numbers, off the grid, not finite: a trouble of the stream, and the feed goes on."""
    monkeypatch.setattr(okx_streams, "candle_row", lambda *_: odd)

    async def script(run: LiveRun) -> None:
        await run.minutes(2)
        assert run.missed(BTC.format("okx")) == 2
        assert "cannot be read" in run.feed.troubles["stream okx"]
        monkeypatch.undo()
        await run.minutes(2)
        assert run.missed(BTC.format("okx")) <= 3
        assert "stream okx" not in run.feed.troubles

    live("okx", script)


def test_one_venue_bar_that_is_late_does_not_hold_back_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row of a close is decided three seconds after it with what is there."""
    row = okx_streams.candle_row
    monkeypatch.setattr(okx_streams, "candle_row", lambda inst, candle, closed: row(inst, candle, closed and inst.name == "BTC"))

    async def script(run: LiveRun) -> None:
        await run.minutes(4)
        assert run.missed("okx:ETH-USDT:perp") == 4
        assert run.missed("okx:BTC-USDT:perp") == 0
        assert await run.untrue() == []

    live("okx", script, "BTC 1m", "ETH 1m")


def test_a_correction_is_noted_and_changes_nothing_that_was_decided(venue: str) -> None:
    """REST lists a bar with other numbers afterwards: a note, the new numbers for history, the row as it was."""

    async def script(run: LiveRun) -> None:
        await run.minutes(3)
        before, minutes = run.feed.bars(2), run.played.venue.exchange.markets["BTC"].minutes
        at = next(n for n, candle in enumerate(minutes) if candle.open_ms == run.feed.close_ms(2) - MINUTE_MS)
        minutes[at] = minutes[at]._replace(lots=minutes[at].lots + 5)
        await run.minutes(2)
        (note,) = [note for note in run.notes if note.kind == "corrected"]
        assert note.open_ms == run.feed.close_ms(2) - MINUTE_MS
        assert run.feed.bars(2) == before
        ((_, open_ms, prices, _),) = [bar for bar in run.kept if bar[3] == "corrected"]
        assert open_ms == note.open_ms
        assert prices[4] > before[BTC.format(venue)][4]

    live(venue, script)


def test_a_feed_that_slept_decides_nothing_on_what_it_missed() -> None:
    """The process was suspended over three closes: their rows are there, empty, and the bars are history."""

    async def script(run: LiveRun) -> None:
        await run.minutes(2)
        loop: Any = asyncio.get_running_loop()
        loop.start_ms += 3 * MINUTE_MS  # the clock jumps, no timer knows
        await run.minutes(4)
        rows = [run.feed.bars(t)[BTC.format("okx")][0] for t in range(run.feed.bar_count)]
        assert [row is None for row in rows] == [False, False, True, True, True, *[False] * (len(rows) - 5)]
        assert len(rows) > 5
        assert run.kinds().count("repaired") == 3
        assert await run.untrue() == []

    live("okx", script)


@pytest.mark.parametrize("sold", [0.0, 60_000.0])
def test_numbers_that_no_market_produces_are_not_decided_on(sold: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stream and REST agree on a price of zero, or on a high below the close: it is refused, and stays missing in history."""
    from tests.fakes.exchange.okx import reading, streams

    row = streams.candle_row

    def broken(inst: Any, candle: Any, closed: bool) -> list[str]:
        found = row(inst, candle, closed)
        return [found[0], found[1], str(sold / 2), *found[3:]] if candle.open_ms % (5 * MINUTE_MS) == 0 else found

    for module in (streams, reading):
        monkeypatch.setattr(module, "candle_row", broken)

    async def script(run: LiveRun) -> None:
        await run.minutes(10)
        assert run.missed(BTC.format("okx")) == 2
        assert run.kinds().count("refused") >= 2
        assert all(open_ms % (5 * MINUTE_MS) for open_ms in run.feed.bars_of[BTC.format("okx")].known)

    live("okx", script)


def test_the_same_over_sockets() -> None:
    """Real sockets: three minutes, all bars decided and equal to REST."""

    async def script(run: LiveRun) -> None:
        for _ in range(3):
            for step_ms in (*[5_000] * 11, 1_200, 3_800):  # the eleventh ends at the close
                await run.played.wait(step_ms)
        assert run.missed(BTC.format("okx")) == 0
        assert run.feed.bar_count == 3
        assert await run.untrue() == []

    live("okx", script, sockets=True)


def test_a_feed_names_what_it_lacks() -> None:
    """No instrument, and an instrument of a venue that is not connected: one line each."""
    with pytest.raises(BadInput, match="without an instrument"):
        LiveFeed({}, [], lambda: 0, lambda _ms: asyncio.sleep(0))
    with pytest.raises(BadInput, match="no connection to okx"):
        LiveFeed({}, [LiveColumn("okx:BTC-USDT:perp", "BTC/USDT:USDT", "1m")], lambda: 0, lambda _ms: asyncio.sleep(0))


@pytest.mark.parametrize("how", ["suspended", "unknown"])
def test_nobody_waits_for_an_instrument_that_is_off(venue: str, how: str) -> None:
    """BTC is decided on at once and its venue is well, while ETH has no bars, or is not known there."""
    eth, off = f"{venue}:ETH-USDT:perp", set[str]()

    async def script(run: LiveRun) -> None:
        clock, after, local = run.played.venue.exchange.clock, list[int](), run.played.venue
        run.feed.is_off = run.feed.is_gone = off.__contains__
        if how == "suspended":
            run.feed.is_gone = lambda _column: False
            run.feed.bars_of[eth].read = lambda _rows, _asked_ms: []  # type: ignore[method-assign]  # none closes
        before = run.feed.on_bar

        def timed(name: str, open_ms: int, prices: Prices, how: str) -> None:
            if how == "closed" and off:
                after.append(clock() - open_ms - MINUTE_MS)
            before(name, open_ms, prices, how)

        run.feed.on_bar = timed
        off.add(eth)
        if how == "unknown":
            local.unknown.update(name for name in local.instruments if name.startswith("ETH"))
        local.calls.clear()
        await run.minutes(4)
        assert not [call for call in local.calls if local.unknown & set(call[2].values())], "it is not asked for"
        assert len(after) >= 4
        assert all(ms < run.feed.patience.settle_ms + run.feed.patience.again_ms for ms in after), after
        assert {what for what in run.feed.troubles if eth not in what} == set(), run.feed.troubles
        assert run.missed(eth) == 4
        assert run.missed(BTC.format(venue)) == 0

    live(venue, script, "BTC 1m", "ETH 1m")
