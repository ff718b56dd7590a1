"""An account's stream as hints into the duties, by real ccxt at the local venues: sooner, never more, never relied upon."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine.live import streams as duty
from engine.venues.private_stream_words import WORDS, StreamHint
from tests.fakes.exchange.adapted import ADAPTED
from tests.fakes.live_desks import BTC_PERP, LiveBench, on_bench
from tests.fakes.live_streams import FILLS_MS, MINUTE, StreamBench, streamed

ONE_NOW = [pytest.param(v, marks=[] if v == "okx" else pytest.mark.long) for v in ADAPTED]


@pytest.mark.parametrize("venue", ADAPTED)
def test_a_fill_of_a_resting_order_is_booked_within_a_second(venue: str, path: Path) -> None:
    """By REST, woken by the stream; on the desk's own clock alone it takes up to fifteen."""

    async def act(bench: StreamBench) -> None:
        await bench.start()
        await bench.rests()
        await bench.until(FILLS_MS + 1_000)
        assert bench.lags()
        assert max(bench.lags()) < 1_000
        (order,) = {event.body["order"] for event in bench.events("fill")}
        assert FILLS_MS <= (bench.streams.heard(order) or 0) < FILLS_MS + 1_000
        assert bench.streams.heard("nd00000000000X00") is None
        await bench.until(FILLS_MS + 3 * MINUTE)
        assert not bench.health
        assert not bench.pages
        assert bench.streams.connections == 1

    streamed(venue, path, act)


def test_without_a_stream_the_same_fill_waits_for_the_poll(path: Path) -> None:
    """So the test above measures the stream; OKX is asked each 1.5 s while a part could be without a stop."""

    async def act(bench: StreamBench) -> None:
        await bench.start()
        await bench.rests()
        await bench.until(FILLS_MS + 20_000)
        assert bench.storm.duties.streams is None
        assert max(bench.lags()) > 500

    streamed("okx", path, act, streams=False)


@pytest.mark.parametrize("venue", ONE_NOW)
@pytest.mark.parametrize(
    ("fault", "seconds"), [("ws_duplicate", 1), ("ws_reorder", 3), ("ws_delay", 6), ("ws_cut", 1), ("bad_login", 1)]
)
def test_a_fault_of_the_stream_costs_seconds_and_no_execution(venue: str, fault: str, seconds: int, path: Path) -> None:
    """Twice, after the next, late, cut, or with a login that would be refused: booked once each, at the latest by the poll."""

    async def act(bench: StreamBench) -> None:
        await bench.start()
        await bench.rests()
        await bench.until(FILLS_MS - 1_000)
        bench.faults.on(fault, 31_000)
        await bench.until(FILLS_MS + seconds * 1_000)
        assert sum(event.body["lots"] for event in bench.events("fill")) == 200
        await bench.until(FILLS_MS + 3 * MINUTE)
        assert not bench.health
        assert len({event.body["trade"] for event in bench.events("fill")}) == len(bench.events("fill"))

    streamed(venue, path, act)


@pytest.mark.parametrize("venue", ONE_NOW)
@pytest.mark.parametrize("text", ["%%%", '{"arg":', '{"a":"' + "x" * 300_000 + '"}', '{"topic":"order","data":[{"symbol":7}]}'])
def test_what_cannot_be_read_costs_a_connection(venue: str, text: str, path: Path) -> None:
    """Garbage just before a fill: another connection is there within a second, and REST is read at once."""

    async def act(bench: StreamBench) -> None:
        await bench.start()
        await bench.rests()
        await bench.until(FILLS_MS - 2_000)
        bench.say(text)
        await bench.until(FILLS_MS + 1_000)
        assert sum(event.body["lots"] for event in bench.events("fill")) == 200
        if text != '{"topic":"order","data":[{"symbol":7}]}' or venue == "bybit":
            assert bench.streams.connections == 2
        assert not bench.health

    streamed(venue, path, act)


@pytest.mark.parametrize("venue", ONE_NOW)
def test_silence_is_seen_within_eleven_seconds_and_ends_with_a_new_connection(venue: str, path: Path) -> None:
    """Pongs stop: entries are off, REST is read at once, book and venue are compared after; a minute of it is a page."""

    async def act(bench: StreamBench) -> None:
        await bench.start()
        await bench.rests()
        await bench.until(FILLS_MS - 1_000)
        bench.deafen_ccxt()
        old = list(bench.storm.played.venue.lines)
        bench.faults.on("ws_mute", 100_000)
        began = bench.clock()
        while f"stream {venue}" not in bench.health:
            await asyncio.sleep(0.1)
            assert bench.clock() - began <= 11_000
        await asyncio.sleep(1)
        assert all(line.closed for line in old)
        assert sum(event.body["lots"] for event in bench.events("fill")) == 200
        await bench.until(began + 95_000)
        assert f"stream {venue}" in bench.health
        assert sum("does not come" in page for page in bench.pages) == 1
        await bench.until(began + 135_000)
        compared = bench.storm.duties.reconcile.compared_ms
        assert not bench.health
        assert bench.streams.connections == 2
        assert compared > began + 100_000

    streamed(venue, path, act)


@pytest.mark.parametrize("venue", ONE_NOW)
def test_executions_that_are_not_announced_make_it_a_bad_stream(venue: str, path: Path) -> None:
    """The published incident: orders say filled, no execution is pushed. REST books it; a minute later nothing enters, also after
    a restart, until stream and REST name the same execution again.
    """
    bad = f"stream {venue} leaves out executions"

    async def act(bench: StreamBench) -> None:
        await bench.start()
        await bench.rests()
        bench.faults.on("drop_fills")
        await bench.until(FILLS_MS + 2_000)
        assert sum(event.body["lots"] for event in bench.events("fill")) == 200
        assert not bench.health
        await bench.until(FILLS_MS + 55_000)
        assert not bench.health
        await bench.until(FILLS_MS + 65_000)
        assert bench.health == {bad}
        assert sum("does not announce" in page for page in bench.pages) == 1
        await bench.again()
        await bench.until(FILLS_MS + 5 * MINUTE)
        assert bench.health == {bad}
        bench.faults.off("drop_fills")
        bench.storm.desk.take("leave", {"sleeve": "rests", "why": "test"})
        await asyncio.sleep(5)
        assert not bench.health

    streamed(venue, path, act)


def test_what_filled_before_the_connection_is_not_missed(path: Path) -> None:
    """Cut as it fills, and REST away: booked after the next connection, which never promised to announce it."""

    async def act(bench: StreamBench) -> None:
        await bench.start()
        await bench.rests()
        await bench.until(FILLS_MS - 1_000)
        bench.faults.on("ws_cut", 5_000)
        bench.faults.on("read_timeout", 10_000)
        await bench.until(FILLS_MS + 8_500)
        assert bench.streams.connections == 2
        assert not bench.events("fill")
        await bench.until(FILLS_MS + 2 * MINUTE)
        assert sum(event.body["lots"] for event in bench.events("fill")) == 200
        assert not bench.health
        assert not any("does not announce" in page for page in bench.pages)

    streamed("okx", path, act)


def test_a_person_may_let_it_go_on(path: Path) -> None:
    """Nothing trades any more that could prove it."""

    async def act(bench: StreamBench) -> None:
        await bench.start()
        await bench.rests()
        bench.faults.on("drop_fills", FILLS_MS + 30_000 - bench.clock())
        await bench.until(FILLS_MS + 65_000)
        bench.storm.duties.health.let_go_on(bench.streams.bad)
        await bench.until(FILLS_MS + 10 * MINUTE)
        assert not bench.health

    streamed("okx", path, act)


def test_nothing_is_booked_from_it(path: Path) -> None:
    """The stream announces an execution that REST does not list for ten minutes: the book waits for REST, asks, and pages."""

    async def act(bench: StreamBench) -> None:
        await bench.start()
        await bench.rests()
        bench.faults.on("drop_fills_rest", FILLS_MS + 2 * MINUTE - bench.clock())
        await bench.until(FILLS_MS + 90_000)
        assert not bench.events("fill")
        assert "executions" in bench.health
        assert any("more has filled than the venue lists" in page for page in bench.pages)
        await bench.until(FILLS_MS + 5 * MINUTE)
        assert sum(event.body["lots"] for event in bench.events("fill")) == 200

    streamed("okx", path, act)


def test_an_execution_that_only_the_stream_names_wakes_a_person(path: Path) -> None:
    """REST answers 502 to everything: nothing can be booked or protected, and somebody has to know of the position."""

    async def act(bench: StreamBench) -> None:
        await bench.start()
        await bench.rests()
        bench.faults.on("http_5xx", FILLS_MS + 4 * MINUTE - bench.clock())
        await bench.until(FILLS_MS - 1_000)
        before = len(bench.pages)
        await bench.until(FILLS_MS + 20_000)
        assert not bench.events("fill")
        (page,) = bench.pages[before:]
        assert page.startswith("okx:BTC-USDT:perp: the account's stream names an execution")
        await bench.until(FILLS_MS + 9 * MINUTE)
        assert sum(event.body["lots"] for event in bench.events("fill")) == 200

    streamed("okx", path, act)


@pytest.mark.parametrize("venue", ONE_NOW)
def test_an_order_that_the_venue_ends_is_asked_about_at_once(venue: str, path: Path) -> None:
    """Not at the next comparison, up to a minute later."""

    async def act(bench: StreamBench) -> None:
        await bench.start()
        await bench.rests()
        compared = bench.storm.duties.reconcile.compared_ms
        while bench.storm.duties.reconcile.compared_ms == compared:
            await asyncio.sleep(1)  # then the next comparison is a minute away
        (there,) = bench.storm.exchange.open_orders()
        bench.storm.exchange.venue_cancels(there.id)
        await asyncio.sleep(3)
        assert not bench.storm.desk.book.orders.open
        assert bench.events("order")[-1].body["state"] == "done"

    streamed(venue, path, act)


def test_the_listen_key_ends_and_another_one_is_taken(path: Path) -> None:
    """Binance pushes its end with the fill, and nothing else: the fill is booked by the read that follows a new connection."""

    async def act(bench: StreamBench) -> None:
        await bench.start()
        await bench.rests()
        bench.storm.played.venue.key_ends_ms = 0
        await bench.until(FILLS_MS + 2_000)
        assert sum(event.body["lots"] for event in bench.events("fill")) == 200
        assert bench.streams.connections == 2
        assert not bench.health

    streamed("binance", path, act)


def test_a_flood_of_messages_is_not_a_flood_of_questions(path: Path) -> None:
    """A thousand pushes in ten seconds: REST is read twice a second at most, and what is remembered is bounded."""

    async def act(bench: StreamBench) -> None:
        await bench.start()
        symbol = WORDS["okx"].symbol("BTC-USDT")
        before = len(bench.storm.played.venue.calls)
        for n in range(1_000):
            bench.streams._hint(StreamHint(symbol, f"nd{n}", f"t{n}", True))
            bench.streams._hint(StreamHint("DOGE-USDT-SWAP", "", f"d{n}", True))
            await asyncio.sleep(0.01)
        assert len(bench.streams._followed) == duty.FOLLOWED_MAX
        calls = [path for _, path, _ in bench.storm.played.venue.calls[before:]]
        assert len(calls) <= 60, len(calls)
        await asyncio.sleep(60)
        assert not bench.streams._followed
        for n in range(3 * duty.KEPT):
            bench.streams._hint(StreamHint("DOGE-USDT-SWAP", f"nd{n}", f"t{n}"))
        assert len(bench.streams._orders) == len(bench.streams._announced) == duty.KEPT
        assert bench.streams.heard("nd0") is None
        assert bench.streams.heard(f"nd{3 * duty.KEPT - 1}") is not None

    streamed("okx", path, act)


def test_dials_wait_longer_and_longer(path: Path) -> None:
    """A venue that refuses connections for three minutes is dialled about once in ten seconds, and had again soon after."""

    async def act(bench: StreamBench) -> None:
        await bench.start()
        bench.faults.on("ws_cut", 3 * MINUTE)
        await bench.until(bench.clock() + 3 * MINUTE)
        assert bench.faults.count["ws_cut"] <= 25
        assert "stream okx" in bench.health
        await asyncio.sleep(30)
        assert not bench.health
        assert bench.streams.connections == 2

    streamed("okx", path, act)


def test_a_restart_does_not_forget_that_it_was_silent(path: Path) -> None:
    """Entries stay off until the new process has heard it for a while."""

    async def act(bench: StreamBench) -> None:
        await bench.start()
        bench.faults.on("ws_mute", 3 * MINUTE)
        await asyncio.sleep(60)
        await bench.again()
        for _ in range(10):
            await asyncio.sleep(10)
            assert "stream okx" in bench.health
        await asyncio.sleep(120)
        assert not bench.health

    streamed("okx", path, act)


def test_a_connection_that_dies_again_lets_nothing_enter(path: Path) -> None:
    """The venue takes each new connection and falls silent at once: not well, then well, then not, for as long as it goes on."""

    async def act(bench: StreamBench) -> None:
        await bench.start()
        for n in range(5):
            bench.faults.on("ws_mute")
            await asyncio.sleep(15)
            assert "stream okx" in bench.health
            bench.faults.off("ws_mute")
            while bench.streams.connections < n + 2:
                await asyncio.sleep(0.1)
        assert len([event for event in bench.events("health") if event.body["what"] == "stream okx"]) == 1

    streamed("okx", path, act)


def test_a_desk_without_a_stream_forgets_what_was_wrong_with_it(path: Path) -> None:
    """The account's configuration has changed: nothing could ever make it well again."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        for what in ("stream okx", "stream okx leaves out executions"):
            bench.duties.health.begin(what, "silent")
        await bench.again()
        await bench.after(10)
        assert not bench.desk.book.health
        assert BTC_PERP in bench.duties.polls

    on_bench(path, play)


def test_the_same_seed_is_the_same_journal(path: Path) -> None:
    """With streams, too."""
    bodies: list[Any] = []

    async def act(bench: StreamBench) -> None:
        await bench.start()
        await bench.rests()
        await bench.until(FILLS_MS + MINUTE)
        bodies.append([(event.kind, event.body) for event in bench.events("fill", "order", "intent", "health", "cursor")])

    for name in ("a", "b"):
        streamed("okx", path.with_name(name) / "desk.jsonl", act)
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("late", [True, False])
def test_a_part_that_only_the_stream_has_named_is_covered(late: bool, path: Path) -> None:
    """OKX has the stop of a resting entry once it has ended: where REST lags, its rest is withdrawn. Else it rests on."""

    async def act(bench: StreamBench) -> None:
        market = bench.storm.exchange.markets["BTC"]
        await bench.start()
        await bench.rests()
        await bench.until(FILLS_MS - 1_000)
        assert market.coming is not None
        market.coming = market.coming._replace(lots=70)
        if late:
            bench.faults.on("rest_late", 60_000)
        await bench.until(FILLS_MS + 10_000)
        held = bench.storm.theirs()
        assert held == 70
        assert sum(algo.lots for algo in bench.storm.exchange.open_algos()) == held
        assert len(bench.events("lapse")) == late
        await bench.until(FILLS_MS + 2 * MINUTE)
        assert bench.storm.worst_naked_ms <= 5_000

    assert not streamed("okx", path, act).pages
