"""The desk's requests to a venue, and a venue's reports as journal events. Called by engine.live.loop.

A request is made from an event that is already journaled (intent, amend, an order being cancelled); a report becomes the body
of an event that is journaled before anything follows from it. What the venue leaves unanswered is asked about again, by a clock
that `Unanswered` keeps.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.book.bodies import REFUSALS
from engine.book.order_events import EventBody
from engine.core.orders import CANCELLING, PARTIAL, REJECTED, STANDING, WORKING, OrderBook, VenueOrder, find, moved
from engine.core.state import DAY_MS, ENTRY, PROTECTIVE, SLOTS
from engine.ports import Crossing, Execution, FundingBill, OrderReport, Report, Venue
from engine.store.chain import Event
from engine.store.lookback import last
from engine.venues.live_port import LiveAnswer

WAITS_MS = (1_000, 2_000, 4_000, 8_000, 16_000, 30_000)  # before each question about an order; the last one goes on
AT_ONCE = 5  # questions in one look: a venue that comes back is not flooded


def requests_of(following: Iterable[EventBody]) -> Iterator[EventBody]:
    """What these events ask of a venue, in their order: an intent asks for an order, an `order` that it ends."""
    return ((kind, body) for kind, body in following if kind in ("intent", "amend", "order"))


def entries_of(following: Iterable[EventBody]) -> set[str]:
    """Client ids of the entry orders that these events ask for."""
    intents = (body for kind, body in following if kind == "intent" and body["slot"] == SLOTS[ENTRY])
    return {body["order"] for body in intents if body.get("enters", True)}


def order_of(orders: OrderBook, body: Mapping[str, Any]) -> VenueOrder:
    """The order that a request is about."""
    order = find(orders, body["order"])
    assert order is not None, f"{body['order']} is asked for and not in the book"  # noqa: S101 - a programmer's error halts
    return order


def answers(venue: Venue, orders: OrderBook, following: Iterable[EventBody]) -> Iterator[OrderReport]:
    """Ask the venue for what these events say, one after the other; what it answers."""
    for kind, body in requests_of(following):
        order = order_of(orders, body)
        if kind == "intent":
            yield venue.place(order)
        elif kind == "amend":
            yield venue.amend(order, body["price"], body["lots"])
        else:
            yield venue.cancel(order)


def reported(report: Report) -> tuple[str, dict[str, Any]]:
    """(kind, body) of the event that a report leads."""
    if isinstance(report, Execution):
        body = report._asdict()
        more = {name: True for name in ("liquidation", "delisted") if body.pop(name)}
        return "fill", body | {"liquidity": "maker" if body.pop("maker") else "taker"} | more
    if isinstance(report, Crossing):
        body = report._asdict()
        return "cross", body if body["delisted"] else {name: body[name] for name in ("sleeve", "price", "t_ms")}
    if isinstance(report, FundingBill):
        body = report._asdict()
        return "funding", body | {"cash_flow": body.pop("cash")}
    return "order", {name: value for name, value in report._asdict().items() if value is not None}


def is_news(order: VenueOrder, answer: LiveAnswer) -> bool:
    """Whether an answer changes what the book holds of an order."""
    if order.amending or answer.filled_lots > order.reported:
        return True
    if answer.state == WORKING and order.state == PARTIAL:
        return False
    return moved(order.state, answer.state) != order.state


def asked_again(venue: Venue, order: VenueOrder) -> OrderReport:
    """The answer about an order that is in doubt. A cancel that was lost is sent once more: it cannot end an order twice."""
    return venue.cancel(order) if order.state == CANCELLING else venue.ask(order)


class Unanswered:
    """When to ask about the orders that the venue owes an answer of. It is not journaled: a start asks about all of them."""

    def __init__(self, waits_ms: Sequence[int] = WAITS_MS) -> None:
        self._waits_ms = waits_ms
        self._next: dict[tuple[str, str, int], tuple[int, int]] = {}  # order and what is open -> (questions so far, next one)

    def due(self, orders: OrderBook, now_ms: int) -> list[str]:
        """Orders to ask about now (wall ms), those that have waited longest first; each counts as asked."""
        if not self._next and not any(order.unanswered for order in orders.open.values()):
            return []
        waiting = {(o.id, o.state, o.amending): (0, now_ms + self._waits_ms[0]) for o in orders.open.values() if o.unanswered}
        self._next = {open_: self._next.get(open_, first) for open_, first in waiting.items()}
        found = sorted((next_ms, open_) for open_, (_, next_ms) in self._next.items() if next_ms <= now_ms)[:AT_ONCE]
        for _, open_ in found:
            asked = self._next[open_][0] + 1
            self._next[open_] = (asked, now_ms + self._waits_ms[min(asked, len(self._waits_ms) - 1)])
        return [open_[0] for _, open_ in found]


def forgives(body: Mapping[str, Any]) -> bool:
    """Whether a word about an order ends its sleeve's refusals in a row: an entry or exit that the venue took. A stop that stays
    or moves says nothing of them, and one with a position does so at each close.
    """
    return body["state"] in STANDING and body.get("slot") != SLOTS[PROTECTIVE]


def refused_before(journal: Path, names: Sequence[str], now_ms: int) -> dict[str, list[int]]:
    """Refusals in a row that the processes before have seen, of a day: sleeve -> UTC ms of each. An entry or exit that the
    venue took ends a row, and so does a person.
    """
    found, over = dict[str, list[int]](), set[str]()

    def looked_at(event: Event) -> bool:
        body = event.body
        what = str(body.get("what") if event.kind == "health" else body.get("difference", ""))
        if what.startswith(REFUSALS) and (body.get("state") == "over" or body.get("adopted")):
            over.add(what.removeprefix(REFUSALS))
        name, state = body.get("sleeve"), body.get("state")
        if event.kind == "order" and name not in over:
            if forgives(body):
                over.add(str(name))
            elif state == REJECTED and not str(body.get("why", "")).startswith("never"):
                found.setdefault(str(name), []).insert(0, event.t_recv_ms)
        return over.issuperset(names) or event.t_recv_ms < now_ms - DAY_MS

    last(journal, ("order", "health", "adopt"), looked_at)
    return found
