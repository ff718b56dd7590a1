"""Thirty incidents of the published stories, each played by faults of a local venue on its own desk, or written as journaled.

What was planted is kept as a predicate on journal events: the suite finds the true first event by it, not by the code that it
judges. Several plays have other trouble before or beside the fault, which explains nothing of it.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.core.orders import UNKNOWN
from engine.store.chain import Event
from engine.store.journal import Journal
from tests.evals.safety import venue_faults as faults
from tests.fakes.live_desks import BTC_PERP, LiveBench, on_bench
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
    played("fills never listed", "F1", faults.fills_never_listed, is_health("executions"), "unknown-order"),
    played("rejections in a row", "F1", faults.rejections_in_a_row, is_order("rejected"), "orders-rejected"),
    played(
        "rejections after a silent stream", "F1", faults.rejections_after_a_slow_stream, is_order("rejected"), "orders-rejected"
    ),
    played("kill refused by the venue", "F7", faults.kill_refused, is_order("rejected", "exit"), "orders-rejected", "halted"),
    played("kill without executions", "F7", faults.kill_blind, is_health("venue of"), "gate-closed", "halted"),
    played("stop rejected", "F8", faults.stop_rejected, is_order("rejected", "protective"), "protective-missing"),
    played("stop lost on its way", "F8", faults.stop_lost, is_order(UNKNOWN, "protective"), "protective-missing"),
    played("stop acknowledged and unseen", "F8", faults.stop_unseen, is_incident("does not show it"), "protective-missing"),
    played("stop gone at the venue", "F8", faults.stop_vanishes, is_order(UNKNOWN, "protective"), "protective-missing"),
    played("clock two seconds off", "clock", faults.clock_drifts, is_health("clock"), "gate-closed"),
    played("clock forty seconds off", "clock", faults.clock_jumps, is_health("clock"), "gate-closed"),
    played("venue does not say its time", "clock", faults.clock_unknown, is_health("clock"), "gate-closed"),
    played("stream silent", "F2", faults.stream_goes_silent, is_health("stream"), "gate-closed"),
    played("venue away", "F3", faults.venue_away, is_health("venue of"), "gate-closed"),
    played("a position from nowhere", "F5", faults.strange_position, is_differing("position"), "reconcile-difference"),
    played("position flipped", "F6", faults.position_flips, is_differing("position"), "reconcile-difference"),
    played(
        "flipped after a refusal", "F6", faults.position_flips_after_a_refusal, is_differing("position"), "reconcile-difference"
    ),
    played("order of a stranger", "F5", faults.strange_order, is_differing(" order "), "unknown-order"),
    played(
        "trade of a stranger",
        "ADL",
        faults.strange_trade,
        lambda e: e.kind == "fill" and not e.body.get("sleeve"),
        "unknown-order",
    ),
    played("orphan", "F4", faults.orphan, is_kind("orphan"), "orphan"),
    played("orphan that cannot be closed", "F4", faults.orphan_stuck, is_kind("orphan"), "orphan"),
    played("restart that repeats", "F4", faults.restart_repeats, is_kind("orphan"), "orphan"),
    played("cash withdrawn", "F5", faults.cash_moves, is_differing("cash"), "reconcile-difference"),
    played("funding twice", "F9", faults.funding_twice, _second_payment, "reconcile-difference", lost_money=True),
    played("not a number, live only", "F9", faults.not_a_number, is_kind("decision"), "features-missing"),
    played("no price", "F9", faults.no_price, lambda e: e.kind == "bar" and e.body["bars"][BTC_PERP][0] is None, "bars-stale"),
    played("order without an answer", "F3", faults.no_answer_to_an_order, is_order(UNKNOWN), "unknown-order"),
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
    played(
        "venue and book never compared", "F5", faults.never_compared, is_incident("could not be compared"), "reconcile-difference"
    ),
    played("the market alone", "F7", faults.market_falls, is_kind("breaker"), "drawdown", "halted", lost_money=True),
    written("torn end, then an orphan", "F4", [("incident", TORN), ("orphan", FOUND)], is_incident("unfinished"), "worker-down"),
    written("bar without a price, then no entry", "F9", [("bar", bar(None)), ("decision", BLIND)], is_kind("bar"), "bars-stale"),
)
