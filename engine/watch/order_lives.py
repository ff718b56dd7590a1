"""Orders as they lived: every state with its time and why, every execution, from a desk's journal. Paper and live alike.

Called by `nightdesk orders`, the API, the event story and the tool `orders`. Events become one row an order; nothing is worked
out again. Times are desk time (the bar's) and, in `received_ms`, the machine's.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.book.attached import LETTER, entry_id
from engine.clock import DAY_MS
from engine.core.orders import ATTACHED, DONE, ENDED, INTENDED, PARTIAL
from engine.store.chain import Event
from engine.store.lookback import last
from engine.watch.shadow_costs import shadow_text
from engine.watch.window import FAR_MS, between, mark_at, raw_lines

KINDS = {"intent", "sent", "order", "amend", "fill", "shadow"}
NOT_SENT = "shadow"  # what the life of an order of a desk in shadow says beside its states
STATES_MAX, FILLS_MAX = 200, 500  # of one order that are kept, the newest
ID_MAX = 64
LOOK_BACK_MS = 7 * DAY_MS


class OrderLife(NamedTuple):
    """One order. `states`: {state, t_ms, received_ms, why, event}; `fills`: {trade, lots, price, fee, liquidity, t_ms,
    received_ms, event}."""

    cid: str
    venue_id: str | None  # as far as the venue has said it
    sleeve: str
    instrument: str
    leg: int
    layer: int  # the key of the layer
    slot: str
    side: str
    type: str
    price: float | None
    lots: int
    lot_size: float | None  # base units of one lot; None where the intent does not say
    filled_lots: int
    state: str
    open: bool
    states: list[dict[str, Any]]
    fills: list[dict[str, Any]]


def life_of(path: Path, cid: str, near_ms: int | None = None) -> OrderLife | None:
    """The life of one order by its client id; None for one that the journal does not know. `near_ms`: the desk time of something
    that the journal says of it, so that it is not looked for from the end.

    A life is read until a day after it has ended, not to the end of the journal: nothing comes of an order as late as that.
    """
    if not 0 < len(cid) <= ID_MAX or not cid.isascii() or not cid.isalnum():
        return None
    word = f'"{cid}"'.encode("ascii")
    words = (word, f'"{entry_id(cid)}"'.encode("ascii"))  # an attached stop ends with its entry
    intent = None if near_ms is None else _intent_near(path, word, cid, near_ms)
    intent = intent or last(path, ("intent",), lambda e: e.body.get("order") == cid)
    if intent is None:
        return None
    until_ms, end_ms = intent.t_event_ms, (mark.t_event_ms if (mark := mark_at(path)) is not None else FAR_MS)
    span_ms = 2 * DAY_MS
    while True:
        until_ms = FAR_MS if until_ms + span_ms >= end_ms else until_ms + span_ms
        lines = raw_lines(path, intent.t_event_ms - 1, until_ms, KINDS, lambda _, line: any(one in line for one in words))
        life = lives_of(event for line in lines if (event := line.event()) is not None).get(cid)
        ended = life is not None and not life.open and life.states[-1]["t_ms"] + DAY_MS <= until_ms
        if ended or until_ms == FAR_MS:
            return life
        span_ms *= 8


def _intent_near(path: Path, word: bytes, cid: str, near_ms: int) -> Event | None:
    """The intent of an order within the days before something that was said of it."""
    lines = raw_lines(path, near_ms - LOOK_BACK_MS, near_ms, ("intent",), lambda _, line: word in line)
    events = (event for line in lines if (event := line.event()) is not None)
    return next((event for event in events if event.body.get("order") == cid), None)


def recent_lives(
    path: Path, *, sleeve: str = "", only_open: bool = False, limit: int = 20, since_ms: int | None = None
) -> list[OrderLife]:
    """Orders decided since `since_ms` (default: the last seven days of desk time), newest first; those that are open lead."""
    mark = mark_at(path)
    if mark is None:
        return []
    since = mark.t_event_ms - LOOK_BACK_MS if since_ms is None else since_ms
    found = [
        life
        for life in lives_of(between(path, since - 1, FAR_MS, KINDS)).values()
        if (not sleeve or life.sleeve == sleeve) and (life.open or not only_open)
    ]
    found.reverse()
    return sorted(found, key=lambda life: not life.open)[:limit]


def lives_of(events: Iterable[Event]) -> dict[str, OrderLife]:
    """Client id -> life, in the order of their intents. What is told of an order whose intent is not among them is left out."""
    found: dict[str, OrderLife] = {}
    for event in events:
        if event.kind == "intent":
            found[event.body["order"]] = _intended(event)
        elif event.kind == "sent":
            for cid in event.body["orders"]:
                _put(found, cid, event, "sent", "")
        elif event.kind == "amend":
            why = f"from {event.body['price_before']} to {event.body['price']}, {event.body['lots']} lots"
            _put(found, event.body["order"], event, "amending", why, price=event.body["price"], lots=event.body["lots"])
        elif event.kind == "order":
            _reported(found, event)
        elif event.kind == "fill":
            _filled(found, event)
        elif event.kind == "shadow" and (life := found.get(event.body.get("order", ""))) is not None:
            noted = [*life.states, _state(event, NOT_SENT, shadow_text(event.body))][-STATES_MAX:]
            found[life.cid] = life._replace(states=noted)
    return found | {life.cid: _never_left(life, found.get(entry_id(life.cid))) for life in found.values() if is_attached(life)}


def is_attached(life: OrderLife) -> bool:
    """Whether an order is the stop that leaves with an entry, and has not left."""
    return life.state == INTENDED and life.cid[LETTER:][:1] == ATTACHED


def _never_left(life: OrderLife, entry: OrderLife | None) -> OrderLife:
    """The stop that would have left with an entry, where that one has ended and all of it is booked: the journal says no more
    of it, and there never was one.
    """
    if entry is None or entry.open or sum(fill["lots"] for fill in entry.fills) < entry.filled_lots:
        return life
    end = {**entry.states[-1], "state": DONE, "why": f"never left: its entry {entry.cid} ended without it"}
    return life._replace(state=DONE, open=False, states=[*life.states, end])


def _intended(event: Event) -> OrderLife:
    b = event.body
    about = (b["order"], None, b["sleeve"], b["instrument"], b["leg"], b["key"], b["slot"], b["side"], b["type"], b["price"])
    why = f"decided {b['decided_ms']}" if "decided_ms" in b else ""
    size = b["quantity"] / b["lots"] if b.get("quantity") and b["lots"] else None
    return OrderLife(*about, b["lots"], size, 0, INTENDED, True, [_state(event, INTENDED, why)], [])


def _state(event: Event, state: str, why: str) -> dict[str, Any]:
    return {"state": state, "t_ms": event.t_event_ms, "received_ms": event.t_recv_ms, "why": why, "event": event.id}


def _put(found: dict[str, OrderLife], cid: str, event: Event, state: str, why: str, **more: Any) -> None:
    """One more state of an order."""
    life = found.get(cid)
    if life is None:
        return
    states = [*life.states, _state(event, state, why)][-STATES_MAX:]
    now = life.state if state == "amending" else state
    found[cid] = life._replace(states=states, state=now, open=now not in ENDED, **more)


def _reported(found: dict[str, OrderLife], event: Event) -> None:
    """What the venue, or the desk of an order that it ends, says of it."""
    body: Mapping[str, Any] = event.body
    life = found.get(body["order"])
    if life is None:
        return
    more: dict[str, Any] = {"filled_lots": max(life.filled_lots, body["filled_lots"])}
    if body.get("venue_id"):
        more["venue_id"] = body["venue_id"]
    if body.get("price") is not None:
        more |= {"price": body["price"], "lots": body["lots"]}
    state = life.state if life.state in ENDED else body["state"]  # a late push opens nothing again
    _put(found, life.cid, event, state, str(body.get("why", "")), **more)


def _filled(found: dict[str, OrderLife], event: Event) -> None:
    """One execution."""
    body = event.body
    life = found.get(body.get("order", ""))
    if life is None or body.get("booked") is False:
        return
    fill = {key: body.get(key) for key in ("trade", "lots", "price", "fee", "liquidity", "t_ms")}
    fill |= {"received_ms": event.t_recv_ms, "event": event.id}
    fills = [*life.fills, fill][-FILLS_MAX:]
    filled = max(life.filled_lots, sum(f["lots"] for f in fills))
    found[life.cid] = life._replace(fills=fills, filled_lots=filled)
    if life.state not in ENDED:
        _put(found, life.cid, event, DONE if filled >= life.lots else PARTIAL, f"{body['lots']} lots at {body['price']}")
