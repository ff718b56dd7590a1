"""How a desk's account is, from its journal: the gate, what is not well since when, how long requests took, how a halt went.

Called by app/views/account_page.py, app/people/consents.py and app/cli/live.py. Reads the end of the journal, never the whole of
it. Times are the machine's, UTC ms: an account lives between the bars.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.book.bodies import GONE, OFF, waits_for_person
from engine.core.orders import ENDED, UNKNOWN
from engine.store.chain import Event
from engine.store.journal import tail
from engine.store.lookback import last
from engine.venues.outcome import readable
from engine.watch.heartbeat import began_ms
from engine.watch.order_lives import OrderLife
from engine.watch.window import mark_at

LOOKED_AT = 5_000  # events at the journal's end, among which what was not well is looked for
GATE_LOOKED_AT = 1_000  # the same for a gate that is closed: each try that ends otherwise is one
SPELLS_MAX = 30
FIRST = "00"  # end of the id of a layer's first order of its kind
PLACED, MOVED, CANCELLED, EXECUTED = "placed", "moved", "cancelled", "executed"
ASKS = {"sent": PLACED, "amending": MOVED, "cancelling": CANCELLED}  # what the desk asks for -> what its answer times


class Spell(NamedTuple):
    """Something that was not well, or is: `over_ms` None. Nothing enters meanwhile."""

    what: str
    why: str
    since_ms: int
    over_ms: int | None
    event: str


class Latency(NamedTuple):
    """How long one kind of request took to be answered, or an execution to be booked. `slowest`: the order of the worst one."""

    what: str
    count: int  # type: ignore[assignment]  # hides tuple's own, which nobody asks
    median_ms: int
    p95_ms: int
    worst_ms: int
    slowest: str


class HaltStep(NamedTuple):
    """What a halt has done to one order. `what`: cancelled with the lots that were left of it, or closed with the lots it has
    executed since, at their average price. `quantity` in base units; None where the size of a lot is not known.
    """

    what: str
    sleeve: str
    slot: str
    side: str
    lots: int
    quantity: float | None
    price: float | None
    at_ms: int
    order: str


def gate_seen(path: Path) -> Event | None:
    """How the gate stood when it last said so; None where there is none."""
    return last(path, ("gate",))


def shut_row(path: Path, pid: int | None) -> str:
    """Which row keeps the gate of this worker's account closed, and why; "" where none does, or it has not asked yet."""
    events, began = tail(path, GATE_LOOKED_AT, {"gate"}), began_ms(pid or 0)
    if not events or events[-1].body["open"] or began is None or events[-1].t_recv_ms < began:
        return ""
    row = next((row for row in events[-1].body["rows"] if row["ok"] is False), None)
    if row is None:
        return ""
    first, *more = readable(str(row["why"])).split("; ") if row["name"] == "account" else [readable(str(row["why"]))]
    return f"{row['name']}: {first}{f' ({len(more)} more)' if more else ''}"


def spells(path: Path) -> list[Spell]:
    """What is not well, then what was, newest first."""
    open_, over = dict[str, Spell](), list[Spell]()
    for event in tail(path, LOOKED_AT, {"health", "adopt"}):
        what, begins = str(event.body.get("what")), event.body.get("state") == "begun"
        if event.kind == "adopt":  # a person has let the desk go on: nothing else says that it is over
            what = str(event.body.get("difference")) if event.body.get("adopted") else ""
        if begins:
            open_[what] = _begun(event)
        elif (was := open_.pop(what, None)) is not None:
            over.append(was._replace(over_ms=event.t_recv_ms))
    mark = mark_at(path)
    body = {} if mark is None else mark.body
    for what in (*(body.get("blocked") or {}), *(f"{OFF}{name}" for name in body.get("off") or {})):
        found = None if what in open_ else last(path, ("health",), lambda e, name=what: e.body.get("what") == name)  # type: ignore[misc]
        if found is not None and found.body.get("state") == "begun":
            open_[what] = _begun(found)
    newest = sorted(over, key=lambda spell: -spell.since_ms)
    return [*sorted(open_.values(), key=lambda spell: -spell.since_ms), *newest][:SPELLS_MAX]


def _begun(event: Event) -> Spell:
    return Spell(str(event.body.get("what")), str(event.body.get("why") or "")[:300], event.t_recv_ms, None, event.id)


def first_causes(unwell: Mapping[str, str]) -> dict[str, str]:
    """What is not well (name -> why) without what only follows: an instrument that the venue does not list has no bars, marks or
    executions either. What waits for a person stays.
    """
    gone = {what.removeprefix(OFF) for what, why in unwell.items() if what.startswith(OFF) and why.startswith(GONE)}
    return {
        what: readable(why)
        for what, why in unwell.items()
        if what.startswith(OFF) or waits_for_person(what) or what.split(" ")[-1] not in gone
    }


def latencies(lives: Iterable[OrderLife]) -> list[Latency]:
    """What requests and executions of these orders took. An order in doubt counts until the venue has said how it stands."""
    took: dict[str, list[tuple[int, str]]] = {what: [] for what in (PLACED, MOVED, CANCELLED, EXECUTED)}
    for life in lives:
        waited = life.slot != "entry" and not life.cid.endswith(FIRST)  # up to 8 s before it is sent again: no latency
        for what, ms in _answered(life.states):
            if not (what == PLACED and waited):
                took[what].append((ms, life.cid))
        fills = (fill for fill in life.fills if fill["t_ms"] is not None)
        took[EXECUTED] += [(max(0, fill["received_ms"] - fill["t_ms"]), life.cid) for fill in fills]
    return [_latency(what, sorted(found)) for what, found in took.items() if found]


def _answered(states: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, int]]:
    """(what was asked, ms to the answer) of each request of an order's life that was answered."""
    asked: tuple[str, int] | None = None
    for state in states:
        name, at = str(state["state"]), int(state["received_ms"])
        if name in ASKS:
            asked = asked if asked and asked[0] == ASKS[name] else (ASKS[name], at)
        elif asked and name != UNKNOWN:
            yield asked[0], max(0, at - asked[1])
            asked = None


def _latency(what: str, took: Sequence[tuple[int, str]]) -> Latency:
    def at(share: float) -> int:
        return took[min(len(took) - 1, int(share * len(took)))][0]

    return Latency(what, len(took), at(0.5), at(0.95), *took[-1])


def halt_steps(lives: Iterable[OrderLife], since_ms: int) -> list[HaltStep]:
    """What was cancelled and what was closed since a halt was latched at `since_ms`, in that order of time."""
    found = list[HaltStep]()
    for life in lives:
        fills = [fill for fill in life.fills if fill["received_ms"] >= since_ms and life.slot != "entry"]
        if lots := sum(fill["lots"] for fill in fills):
            average = sum(fill["lots"] * fill["price"] for fill in fills) / lots
            found.append(_halt_step("closed", life, lots, average, fills[-1]["received_ms"]))
        end, left = life.states[-1], life.lots - life.filled_lots
        if life.state in ENDED and left > 0 and end["received_ms"] >= since_ms:
            found.append(_halt_step("cancelled", life, left, life.price, end["received_ms"]))
    return sorted(found, key=lambda step: step.at_ms)


def _halt_step(what: str, life: OrderLife, lots: int, price: float | None, at_ms: int) -> HaltStep:
    quantity = None if life.lot_size is None else lots * life.lot_size
    return HaltStep(what, life.sleeve, life.slot, life.side, lots, quantity, price, at_ms, life.cid)
