"""A maker on paper at the three local venues, by real ccxt: what a simulation of the recorded tape has, over cuts and gaps."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from app.making.live import LiveMaker, market_scale
from app.making.paper import PaperTerms, Surroundings
from app.market_data.book_recorder import BookRequest, BookSession
from engine.errors import BadInput, DataError
from engine.l2.checks import open_tape
from engine.making.fold import folded
from engine.making.report import MakerFees
from engine.making.resting import F_LOTS, F_PRICE, F_SIDE, F_WHEN
from engine.making.simulation import MakingOptions, simulate, terms_of
from engine.making.stored import stored
from engine.store.journal import read, verify
from engine.venues.book_pushes import TradePush
from engine.venues.candles import CandleSource
from tests.fakes.exchange.adapted import ADAPTED
from tests.fakes.exchange.market import MINUTE_MS
from tests.fakes.exchange.played import Played
from tests.fakes.live_feeds import EVERY_MS, walking

Script = Callable[[Played, BookSession], Coroutine[Any, Any, None]]
QUOTING = MakingOptions(half_spread_bps=0.0, inventory=1.0, inventory_max=2.0, loss_max=1e6, stale_ms=600_000)
JOURNAL = Path("making") / "m" / "making.jsonl"


def made_at(
    home: Path,
    venue: str,
    script: Script,
    options: MakingOptions = QUOTING,
    latch: Callable[[], str] = lambda: "",
    selling: float = 0.5,
) -> dict[str, Any]:
    """What is stored of a maker of BTC-USDT while a script plays; takers trade at random beside it."""

    async def play(played: Played) -> dict[str, Any]:
        await played.client.load_markets()
        sessions: list[BookSession] = []

        def tap(what: str, message: Any) -> None:
            for session in sessions:
                session.received(what, message)

        clock = played.venue.exchange.clock
        request = BookRequest(venue, ["BTC-USDT"], "perp")
        around = Surroundings(latch, clock, lambda: clock() / 1000, asyncio.sleep, lambda _line: None)
        maker = LiveMaker(home, request, PaperTerms("m", options, MakerFees(2e-4, 5e-4, 5e-5), 1.0), around)
        source = CandleSource(played.client, venue, tap)
        sessions.append(BookSession(home, request, source, lambda: clock() * 1_000_000, lambda _line: None))
        stop = asyncio.Event()
        work = asyncio.create_task(sessions[0].run(stop, maker.beside(sessions[0])))
        played.tasks += [work, asyncio.create_task(takers(played, sessions[0], selling))]
        await script(played, sessions[0])
        stop.set()
        await work
        return maker.body

    found: dict[str, Any] = ADAPTED[venue].played.under_virtual_clock(play, walking(EVERY_MS))[0]
    return found


async def takers(played: Played, session: BookSession, selling: float) -> None:
    """A trade a second at the best bid or ask, or beyond; the local venues have none of their own."""
    draw, market = random.Random(7), played.venue.exchange.markets["BTC"]
    (name,) = session.recorders.by_id
    while True:
        await asyncio.sleep(1.0)
        sold = draw.random() < selling
        price = (market.best(-1) - draw.randrange(2) if sold else market.best(1) + draw.randrange(2)) / 10
        session.recorders.take(
            session.now_ns(), TradePush(name, played.venue.exchange.clock(), price, draw.randrange(1, 900) / 100, sold)
        )


def fills_of(home: Path) -> list[tuple[Any, ...]]:
    """(time, side, price, base units) of each journaled fill."""
    bodies = [(event.body, folded_scale(home)) for event in read(home / JOURNAL, {"fill"})]
    return [(b["t_ns"], b["side"], b["price"], round(b["lots"] / 10.0**digits, 9)) for b, digits in bodies]


def folded_scale(home: Path) -> int:
    """Decimals of quantities in the journal."""
    return int(next(read(home / JOURNAL)).body["scale"][1])


def simulated_fills(home: Path, options: MakingOptions = QUOTING) -> list[tuple[Any, ...]]:
    """The same of a simulation of what was recorded beside it."""
    (path,) = home.rglob("*_l2.parquet")
    opened = open_tape(path)
    scale, trades = opened.tape.scale, opened.trades
    assert trades is not None
    run = simulate(opened.tape, trades, terms_of(scale, options, 2e-4))
    return [
        (
            r[F_WHEN],
            "buy" if r[F_SIDE] > 0 else "sell",
            float(scale.price(r[F_PRICE])),
            round(float(scale.quantity(r[F_LOTS])), 9),
        )
        for r in run.fills.tolist()
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "venue",  # all else here is at okx
    [venue if venue == "binance" else pytest.param(venue, marks=pytest.mark.long) for venue in ADAPTED],
)
def test_it_is_what_a_simulation_of_the_recorded_tape_has(tmp_path: Path, venue: str) -> None:
    """Over a cut of the line and a gap in the ids: each fill at its nanosecond, side, price and size; the journal is whole."""

    async def script(played: Played, _: BookSession) -> None:
        await played.wait(4 * MINUTE_MS)
        played.venue.faults.on("ws_cut", MINUTE_MS)
        await played.wait(4 * MINUTE_MS)
        played.venue.faults.on("book_gap", MINUTE_MS // 3)
        await played.wait(4 * MINUTE_MS)

    body = made_at(tmp_path, venue, script)
    fills = fills_of(tmp_path)
    assert len(fills) > 10
    assert fills == simulated_fills(tmp_path)
    assert verify(tmp_path / JOURNAL).ok
    assert (body["kind"], body["state"], body["figures"]["fills"]) == ("paper on a live book", "stopped", len(fills))
    assert {**stored(tmp_path / "making" / "m"), "written_ms": 0} == {**body, "written_ms": 0}
    book = folded(read(tmp_path / JOURNAL))
    assert (dict(book.orders.open), book.ended["why"]) == ({}, "its process ended")


def states_after(home: Path, begin_ns: int, end_ns: int) -> list[str]:
    """What was asked and what became of orders between two times."""
    events = read(home / JOURNAL, {"intent", "order"})
    return [str(e.body.get("state", e.kind)) for e in events if begin_ns <= e.body["t_ns"] < end_ns]


@pytest.mark.sample(1)
@pytest.mark.parametrize("fault", ["ws_cut", "ws_mute", "book_gap"])
def test_a_cut_a_dead_line_and_a_gap_pull_the_quotes(tmp_path: Path, fault: str) -> None:
    """Both are cancelled by the stale limit of 5 s, or at once where ids are missing; new ones come with the next book alone."""
    times: dict[str, int] = {}
    options = QUOTING._replace(stale_ms=5_000 if fault != "book_gap" else 600_000)

    async def script(played: Played, session: BookSession) -> None:
        await played.wait(3 * MINUTE_MS)
        times["begin"] = session.now_ns()
        played.venue.faults.on(fault, MINUTE_MS)
        await played.wait(3 * MINUTE_MS)
        times["end"] = session.now_ns()

    body = made_at(tmp_path, "okx", script, options)
    assert "cancelling" in states_after(tmp_path, times["begin"], times["begin"] + 90_000_000_000)
    assert body["figures"]["orders"] > 2
    assert "intent" in states_after(tmp_path, times["begin"] + 60_000_000_000, times["end"])
    if fault == "ws_mute":  # nothing is heard, so nothing is quoted
        assert "intent" not in states_after(tmp_path, times["begin"] + 6_000_000_000, times["begin"] + 60_000_000_000)


@pytest.mark.slow
def test_a_second_session_goes_on_with_money_and_inventory(tmp_path: Path) -> None:
    """What rested is gone with the first process; the ledger is that of all fills, order names never come twice."""

    async def script(played: Played, _: BookSession) -> None:
        await played.wait(5 * MINUTE_MS)

    first = made_at(tmp_path, "okx", script)["figures"]
    second = made_at(tmp_path, "okx", script)["figures"]
    events = list(read(tmp_path / JOURNAL))
    assert [e.kind for e in events].count("session") == 1
    assert second["fills"] > first["fills"] > 5
    book = folded(events)
    assert (book.fills, float(book.inventory) / 10 ** folded_scale(tmp_path)) == (second["fills"], second["inventory"])
    orders = [e.body["order"] for e in events if e.kind == "intent"]
    assert len(orders) == len(set(orders))
    bought = sum((1 if b[1] == "buy" else -1) * b[3] for b in fills_of(tmp_path))
    assert round(bought, 9) == second["inventory"]


def test_a_limit_of_inventory_holds_over_sessions(tmp_path: Path) -> None:
    """A process that knew nothing of the first one's fills would go beyond it."""

    async def script(played: Played, _: BookSession) -> None:
        await played.wait(5 * MINUTE_MS)

    options = QUOTING._replace(inventory=0.02, inventory_max=0.03)
    for _ in range(3):
        body = made_at(tmp_path, "okx", script, options, selling=1.0)
    path = [0.0]
    for _, side, _, quantity in fills_of(tmp_path):
        path.append(round(path[-1] + (quantity if side == "buy" else -quantity), 9))
    assert max(map(abs, path)) == 0.02
    assert body["halt"] is None


def test_what_rested_when_a_process_was_killed_is_gone(tmp_path: Path) -> None:
    """Its journal has no end: the next session says which orders ended with it."""

    async def script(played: Played, _: BookSession) -> None:
        await played.wait(3 * MINUTE_MS)

    made_at(tmp_path, "okx", script)
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    (tmp_path / JOURNAL).write_bytes(b"".join(lines[:-1]))
    resting = set(folded(read(tmp_path / JOURNAL)).orders.open)
    assert resting
    made_at(tmp_path, "okx", script)
    (session,) = read(tmp_path / JOURNAL, {"session"})
    assert set(session.body["gone"]) == resting
    assert dict(folded(read(tmp_path / JOURNAL)).orders.open) == {}


def test_the_latch_stops_it(tmp_path: Path) -> None:
    """After `nightdesk halt` nothing is asked for, what rests is cancelled, and it says so."""
    halted: list[int] = []

    async def script(played: Played, session: BookSession) -> None:
        await played.wait(3 * MINUTE_MS)
        halted.append(session.now_ns())
        await played.wait(3 * MINUTE_MS)

    body = made_at(tmp_path, "okx", script, latch=lambda: "by ann" if halted else "")
    assert (body["state"], body["halt"]["rule"], body["halt"]["reason"]) == ("halted", "latch", "by ann")
    assert "intent" not in states_after(tmp_path, halted[0], halted[0] + 10**15)
    assert dict(folded(read(tmp_path / JOURNAL)).orders.open) == {}


def test_other_terms_under_one_name_are_refused(tmp_path: Path) -> None:
    """A journal is of one maker; the recording ends with the reason."""

    async def script(played: Played, _: BookSession) -> None:
        await played.wait(MINUTE_MS)

    made_at(tmp_path, "okx", script)
    with pytest.raises(BadInput, match="begun with another options"):
        made_at(tmp_path, "okx", script, QUOTING._replace(size=0.02))


@pytest.mark.parametrize(
    "precision", [{}, {"price": None, "amount": 1}, {"price": 0.1, "amount": 0}, {"price": "x", "amount": 1}]
)
def test_a_market_without_a_grid_is_refused(precision: dict[str, Any]) -> None:
    """One line."""
    with pytest.raises(DataError, match="does not say the grid of BTC"):
        market_scale({"symbol": "BTC", "precision": precision})
    assert market_scale({"precision": {"price": 0.5, "amount": 1}, "contractSize": 0.01}) == (1, 2, 5)
