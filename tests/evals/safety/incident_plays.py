"""Thirty incidents of the published stories, each played by faults of a local venue on its own desk, or written as journaled.

What was planted is kept as a predicate on journal events: the suite finds the true first event by it, not by the code that it
judges. Several plays have other trouble before or beside the fault, which explains nothing of it.
"""

from collections.abc import Awaitable, Callable, Sequence
from math import nan
from pathlib import Path
from typing import Any, NamedTuple

from engine.book.order_events import order_id
from engine.core.orders import UNKNOWN
from engine.core.state import PROTECTIVE, Signal
from engine.live.duties import AccountDuties
from engine.live.health import StreamHandle
from engine.store.chain import Event
from engine.store.journal import Journal
from engine.venues.live_port import StandingOrder, VenueBill
from tests.fakes.live_desks import BAR_MS, BTC_PERP, CASH, PRICE, LiveBench, live_bar, long, on_bench
from tests.tools.desk_journal import BAR, BEGIN, END, START, bar, fill, mark

Play = Callable[[LiveBench], Awaitable[None]]
Is = Callable[[Event], bool]


class Incident(NamedTuple):
    """One replay. `planted`: which event is the first cause; `runbooks`: any of them is right."""

    name: str
    story: str
    play: Play | None
    written: Sequence[tuple[str, dict[str, Any]]]
    planted: Is
    runbooks: tuple[str, ...]
    lost_money: bool = False


def replayed(incident: Incident, home: Path) -> int:
    """Play it in a home; returns the wall time of its end."""
    path = home / "journal" / "desk.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    if incident.play is not None:
        play = incident.play

        async def reaching(bench: LiveBench) -> None:
            bench.edited = True  # some plays reach into the book
            await play(bench)

        return on_bench(path, reaching).clock()
    journal = Journal(path, "worker")
    journal.append([Event("config", START, BEGIN), Event("mark", START, mark(1000.0, 0.0, 100.0))])
    for n, (kind, body) in enumerate(incident.written):
        t = END - (len(incident.written) - n) * BAR
        journal.append([Event(kind, t, body), Event("mark", t, mark(990.0, 0.0, 95.0))])
    journal.close()
    return END + BAR


def is_health(name: str) -> Is:
    """The begin of trouble of that name."""
    return lambda e: e.kind == "health" and e.body["state"] == "begun" and str(e.body["what"]).startswith(name)


def is_order(state: str, slot: str = "") -> Is:
    """An order in a state, of a slot."""
    return lambda e: e.kind == "order" and e.body["state"] == state and slot in ("", e.body["slot"])


def is_kind(kind: str) -> Is:
    """An event of a kind."""
    return lambda e: e.kind == kind


def is_incident(words: str) -> Is:
    """An incident with these words."""
    return lambda e: e.kind == "incident" and words in str(e.body["what"])


def is_differing(name: str) -> Is:
    """A difference of that name."""
    return lambda e: e.kind == "reconcile" and any(name in what for what in e.body["differs"])


# ---- plays ------------------------------------------------------------------------------------------------------------------


async def fills_never_listed(bench: LiveBench) -> None:
    await bench.start()
    await bench.to_close()
    bench.venue.fills = False
    bench.close(adds=long())
    await bench.after(2)
    (entry,) = bench.venue.orders
    bench.venue.execute(entry, 300)
    bench.venue.executions.clear()
    await bench.after(75)


async def rejections_in_a_row(bench: LiveBench) -> None:
    await bench.start()
    bench.venue.script["place"] = ["rejected"] * 5
    for _ in range(7):
        await bench.to_close()
        bench.close(adds=long())
        await bench.after(3)


async def rejections_after_a_slow_stream(bench: LiveBench) -> None:
    await _silent_stream(bench, 20)
    await rejections_again(bench)


async def rejections_again(bench: LiveBench) -> None:
    bench.venue.script["place"] = ["rejected"] * 5
    for _ in range(6):
        await bench.to_close()
        bench.close(adds=long())
        await bench.after(3)


async def _silent_stream(bench: LiveBench, seconds: float) -> None:
    alive = [bench.clock()]

    async def rebuild() -> None:
        return

    bench.duties = AccountDuties(bench.desk, {BTC_PERP: bench.venue})
    bench.duties.health.streams = (StreamHandle("orders", lambda: alive[0], rebuild),)
    await bench.duties.start()
    await bench.after(seconds)
    alive[0] = bench.clock() + 86_400_000
    await bench.after(10)


async def stream_goes_silent(bench: LiveBench) -> None:
    await _silent_stream(bench, 20)


async def kill_refused(bench: LiveBench) -> None:
    await bench.start()
    await bench.entered()
    bench.venue.script["place"] = ["rejected"] * 500
    bench.halt("a person halts")
    await bench.after(200)


async def kill_blind(bench: LiveBench) -> None:
    await bench.start()
    await bench.entered()
    bench.venue.script["trades"] = ["silent"] * 5_000
    await bench.after(60)
    bench.halt("a person halts")
    await bench.after(200)


async def stop_rejected(bench: LiveBench) -> None:
    await bench.start()
    await bench.to_close()
    bench.venue.script["place"] = ["ok", *["rejected"] * 3]
    bench.close(adds=long())
    await bench.after(40)


async def stop_lost(bench: LiveBench) -> None:
    await bench.start()
    await bench.to_close()
    bench.venue.script["place"] = ["ok", "lost"]
    bench.close(adds=long())
    await bench.after(30)


async def stop_unseen(bench: LiveBench) -> None:
    await bench.start()
    await bench.to_close()
    bench.venue.script["ask"] = ["silent"] * 15
    bench.venue.script["standing"] = ["silent"] * 12
    bench.close(adds=long())
    await bench.after(30)


async def stop_vanishes(bench: LiveBench) -> None:
    await bench.start()
    await bench.to_close()
    bench.close(adds=long())
    while not any(o.order.slot == PROTECTIVE for o in bench.venue.orders.values()):
        await bench.after(0.01)
    bench.venue.orders.pop(next(id_ for id_ in bench.venue.orders if "S" in id_))
    await bench.after(40)


async def clock_drifts(bench: LiveBench) -> None:
    await bench.start()
    await bench.entered()
    bench.venue_time_ms = 2_000
    await bench.after(400)


async def clock_jumps(bench: LiveBench) -> None:
    await bench.start()
    bench.venue_time_ms = 40_000
    await bench.after(400)


async def clock_unknown(bench: LiveBench) -> None:
    await bench.start()

    async def nothing() -> int:
        raise OSError("no answer")

    for _ in range(3):
        await bench.duties.health.look_at_clock(nothing)


async def venue_away(bench: LiveBench) -> None:
    await bench.start()
    await bench.entered()
    bench.venue.script["trades"] = ["silent"] * 1_000
    await bench.after(300)


async def strange_position(bench: LiveBench) -> None:
    await bench.start()
    bench.venue.net = 25
    await bench.after(90)


async def position_flips(bench: LiveBench) -> None:
    await bench.start()
    await bench.entered()
    bench.venue.net = -300
    await bench.after(130)


async def position_flips_after_a_refusal(bench: LiveBench) -> None:
    await bench.start()
    await bench.to_close()
    bench.venue.script["place"] = ["rejected"]
    bench.close(rests=long(limit=59_000.0))
    await bench.after(3)
    await bench.entered()
    bench.venue.net = -300
    await bench.after(130)


async def strange_order(bench: LiveBench) -> None:
    await bench.start()
    bench.venue.strange = [StandingOrder("", "v77", 1, 10, 0, 50_000.0, False, False)]
    await bench.after(90)


async def strange_trade(bench: LiveBench) -> None:
    await bench.start()
    bench.venue.trade("stranger", "v9", 1, 40)
    await bench.after(180)


async def orphan(bench: LiveBench) -> None:
    await bench.start()
    bench.venue.trade(order_id("adds", 99), "v9", 1, 40)
    await bench.after(70)


async def orphan_stuck(bench: LiveBench) -> None:
    await bench.start()
    bench.venue.script["place"] = ["rejected"] * 100
    bench.venue.trade(order_id("adds", 99), "v9", 1, 40)
    await bench.after(400)


async def restart_repeats(bench: LiveBench) -> None:
    await bench.start()
    await bench.entered()
    await bench.again()
    await bench.after(20)
    bench.venue.trade(order_id("adds", 77), "v9", 1, 300)
    await bench.after(90)


async def cash_moves(bench: LiveBench) -> None:
    async def cash() -> float:
        return bench.cash

    bench.duties = AccountDuties(bench.desk, {BTC_PERP: bench.venue}, cash=cash)
    await bench.start()
    bench.cash = CASH - 500.0
    await bench.after(90)


async def funding_twice(bench: LiveBench) -> None:
    await bench.start()
    await bench.entered()
    bench.venue.billed += [VenueBill("b1", -3.7, bench.clock()), VenueBill("b2", -3.7, bench.clock() + 1)]
    await bench.after(600)
    await bench.to_close()
    bench.close()
    await bench.after(3)


async def not_a_number(bench: LiveBench) -> None:
    await bench.start()
    for _ in range(3):
        await bench.to_close()
        bench.close(adds=Signal(1, 0.9, nan, 0.5, 1e-4, 0.0, 0.0, 0, 2))
        await bench.after(3)


async def no_price(bench: LiveBench) -> None:
    await bench.start()
    await bench.entered()
    for _ in range(3):
        await bench.to_close()
        at = bench.clock() // BAR_MS * BAR_MS
        bench.desk.close(live_bar(at, [None] * 4 + [0.0, 0.0, None], {}), {}, {})
        await bench.after(3)


async def market_falls(bench: LiveBench) -> None:
    bench.desk.book.limits = bench.desk.book.limits._replace(drawdown_frac_max=0.001)
    await bench.start()
    await bench.entered()
    await bench.to_close()
    at = bench.clock() // BAR_MS * BAR_MS
    bench.desk.close(live_bar(at, [PRICE, PRICE, PRICE / 2, PRICE / 2, 1e6, 0.0, 0.0], {}), {}, {})
    await bench.after(60)


async def no_answer_to_an_order(bench: LiveBench) -> None:
    await bench.start()
    await bench.to_close()
    bench.venue.script["place"], bench.venue.script["ask"] = ["unanswered"], ["silent"] * 500
    bench.close(adds=long())
    await bench.after(120)


async def never_compared(bench: LiveBench) -> None:
    await bench.start()
    bench.venue.script["position"] = ["silent"] * 5_000
    await bench.after(2_400)


# ---- written ones -----------------------------------------------------------------------------------------------------------

S = "trend-btc"
STOP = {"order": "nd8w8000000001S00", "sleeve": S, "version": 1, "leg": 0, "pair": 0, "key": 1, "slot": "protective", "lots": 10}
STOP |= {"filled_lots": 0}
CHANGED = {"sleeve": S, "version": 2, "state": "governs"}
GONE = fill("sell", 80.0, 80.0, 0.05, -20.0) | {"reason": "liquidation"}
LOST = fill("sell", 94.0, 95.0, 0.05, -6.0)
STREAK = {"sleeve": S, "breaker": "loss streak", "equity": 980.0, "until_ms": END}
FELL = {"sleeve": S, "breaker": "desk drawdown", "equity": 840.0, "until_ms": END}
HALT = {"state": "flattening", "reason": "desk drawdown breaker", "by": "guardrail"}
BLIND = {"sleeve": S, "action": "refused", "signal": "long", "refused_by": "an input cannot be computed"}
PAID = {"sleeve": S, "lots": 10, "mark": 101.0, "rate": 0.0001, "cash_flow": -0.01, "cash": 999.94}
TORN = {"what": "the end of the journal was unfinished and is kept aside"}
FOUND = {
    "what": "found",
    "instrument": "binance:BTC-USDT:perp",
    "trade": "t9",
    "order": "nd8w8000000099E00",
    "lots": 10,
    "side": 1,
}


def played(name: str, story: str, play: Play, planted: Is, *runbooks: str, lost_money: bool = False) -> Incident:
    """By faults of the local venue."""
    return Incident(name, story, play, (), planted, runbooks, lost_money)


def written(name: str, story: str, events: Sequence[tuple[str, dict[str, Any]]], planted: Is, *runbooks: str) -> Incident:
    """As a journal has it."""
    return Incident(name, story, None, events, planted, runbooks, True)


def _second_payment(event: Event) -> bool:
    return event.kind == "funding" and event.body["cash_flow"] == -3.7 and not event.body.get("first", False)


INCIDENTS: tuple[Incident, ...] = (
    played("fills never listed", "F1", fills_never_listed, is_health("executions"), "unknown-order"),
    played("rejections in a row", "F1", rejections_in_a_row, is_order("rejected"), "orders-rejected"),
    played("rejections after a silent stream", "F1", rejections_after_a_slow_stream, is_order("rejected"), "orders-rejected"),
    played("kill refused by the venue", "F7", kill_refused, is_order("rejected", "exit"), "orders-rejected", "halted"),
    played("kill without executions", "F7", kill_blind, is_health("venue of"), "gate-closed", "halted"),
    played("stop rejected", "F8", stop_rejected, is_order("rejected", "protective"), "protective-missing"),
    played("stop lost on its way", "F8", stop_lost, is_order(UNKNOWN, "protective"), "protective-missing"),
    played("stop acknowledged and unseen", "F8", stop_unseen, is_incident("does not show it"), "protective-missing"),
    played("stop gone at the venue", "F8", stop_vanishes, is_order(UNKNOWN, "protective"), "protective-missing"),
    played("clock two seconds off", "clock", clock_drifts, is_health("clock"), "gate-closed"),
    played("clock forty seconds off", "clock", clock_jumps, is_health("clock"), "gate-closed"),
    played("venue does not say its time", "clock", clock_unknown, is_health("clock"), "gate-closed"),
    played("stream silent", "F2", stream_goes_silent, is_health("stream"), "gate-closed"),
    played("venue away", "F3", venue_away, is_health("venue of"), "gate-closed"),
    played("a position from nowhere", "F5", strange_position, is_differing("position"), "reconcile-difference"),
    played("position flipped", "F6", position_flips, is_differing("position"), "reconcile-difference"),
    played("flipped after a refusal", "F6", position_flips_after_a_refusal, is_differing("position"), "reconcile-difference"),
    played("order of a stranger", "F5", strange_order, is_differing(" order "), "unknown-order"),
    played("trade of a stranger", "ADL", strange_trade, lambda e: e.kind == "fill" and not e.body.get("sleeve"), "unknown-order"),
    played("orphan", "F4", orphan, is_kind("orphan"), "orphan"),
    played("orphan that cannot be closed", "F4", orphan_stuck, is_kind("orphan"), "orphan"),
    played("restart that repeats", "F4", restart_repeats, is_kind("orphan"), "orphan"),
    played("cash withdrawn", "F5", cash_moves, is_differing("cash"), "reconcile-difference"),
    played("funding twice", "F9", funding_twice, _second_payment, "reconcile-difference", lost_money=True),
    played("not a number, live only", "F9", not_a_number, is_kind("decision"), "features-missing"),
    played("no price", "F9", no_price, lambda e: e.kind == "bar" and e.body["bars"][BTC_PERP][0] is None, "bars-stale"),
    played("order without an answer", "F3", no_answer_to_an_order, is_order(UNKNOWN), "unknown-order"),
    written(
        "change gone bad",
        "F10",
        [("config", CHANGED), ("fill", LOST), ("fill", LOST), ("breaker", STREAK), ("breaker", FELL), ("halt", HALT)],
        lambda e: e.kind == "config" and e.body["version"] == 2,
        "canary-rolled-back",
    ),
    written(
        "liquidated without a stop",
        "F8",
        [("funding", PAID), ("order", STOP | {"state": "rejected", "why": "PERCENT_PRICE"}), ("fill", GONE), ("breaker", FELL)],
        is_order("rejected"),
        "protective-missing",
    ),
    written(
        "feature renamed by a change",
        "F9",
        [("fill", LOST), ("config", CHANGED), ("decision", BLIND), ("decision", BLIND)],
        lambda e: e.kind == "config" and e.body["version"] == 2,
        "canary-rolled-back",
        "features-missing",
    ),
)
MORE: tuple[Incident, ...] = (  # not counted: what the thirty leave out
    played("venue and book never compared", "F5", never_compared, is_incident("could not be compared"), "reconcile-difference"),
    played("the market alone", "F7", market_falls, is_kind("breaker"), "drawdown", "halted", lost_money=True),
    written("torn end, then an orphan", "F4", [("incident", TORN), ("orphan", FOUND)], is_incident("unfinished"), "worker-down"),
    written("bar without a price, then no entry", "F9", [("bar", bar(None)), ("decision", BLIND)], is_kind("bar"), "bars-stale"),
)
