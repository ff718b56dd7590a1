"""The journal of a paper maker folded: its orders by the desk's order life, its ledger, whether it is halted or has ended.

Called by paper.py after each event that it has journaled, and by whoever reads a journal: both get the same, at any event.
Kinds: start, intent, sent, order (working, cancelling, done, rejected), fill, halt, session, end.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from engine.core.orders import NO_ORDERS, OrderBook, VenueOrder, executed, find, heard, intended
from engine.core.state import ENTRY, Rules, Sleeve, start
from engine.errors import DataError
from engine.l2.tape import Scale
from engine.making.account import booked_fill, rules_of
from engine.store.chain import Event

Body = Mapping[str, Any]


class PaperBook(NamedTuple):
    """What the journal says so far."""

    begun: Body  # of its start; empty before
    sleeve: Sleeve
    orders: OrderBook
    inventory: int  # lots
    cash_units: int  # price units times lots, as the loop counts it
    intents: int
    numbers: int  # given to orders, with those that the latch withheld
    fills: int
    last_price: int  # units, of the last fill; 0 before
    halted: Body  # of its halt; empty: none
    ended: Body  # of its end; empty: it may go on
    last_ns: int  # of the last event


NOTHING_YET = PaperBook({}, start(0.0), NO_ORDERS, 0, 0, 0, 0, 0, 0, {}, {}, 0)


def order_id(number: int) -> str:
    """What the maker's order is called at the venue: 17 letters and digits, as the desk's are."""
    return f"nd{number:012d}E00"


def number_of(id_: str) -> int:
    """The order's number in its run, from 1. Raises DataError for another id."""
    digits = id_.removeprefix("nd").removesuffix("E00")
    if len(digits) != 12 or not (digits.isascii() and digits.isdigit()):
        raise DataError(f"{id_[:40]!r} is not a maker's order", "the journal was changed, or is another desk's")
    return int(digits)


def scale_of(book: PaperBook) -> Scale:
    """The decimals of prices and quantities, as the start has them."""
    return Scale(*book.begun["scale"])


def rules_at(book: PaperBook) -> Rules:
    """The rules of the ledger."""
    return rules_of(scale_of(book))


def after(book: PaperBook, event: Event) -> PaperBook:
    """The book after one event. Raises DataError for one that cannot follow: no maker's journal, or a changed one."""
    if bool(book.begun) == (event.kind == "start"):
        raise DataError(f"{event.id or event.kind}: a maker's journal has one start, as its first event", "it cannot be read")
    step = STEPS.get(event.kind)
    if step is None:
        raise DataError(f"{event.id}: a maker's journal has no {event.kind!r}", "it was written by another version")
    return step(book, event.body)._replace(last_ns=event.body["t_ns"])


def folded(events: Iterable[Event]) -> PaperBook:
    """A whole journal. Raises DataError as `after`."""
    book = NOTHING_YET
    for event in events:
        book = after(book, event)
    return book


def _on_start(book: PaperBook, body: Body) -> PaperBook:
    return book._replace(begun=body)


def _on_intent(book: PaperBook, body: Body) -> PaperBook:
    side = 1 if body["side"] == "buy" else -1
    number, decided_ms = number_of(body["order"]), body["t_ns"] // 1_000_000
    order = VenueOrder(body["order"], 0, ENTRY, number, side, body["lots"], body["price"], 1, 0, 0.0, 0.0, decided_ms)
    orders = intended(book.orders, order)._replace(attempts={})
    return book._replace(orders=orders, intents=book.intents + 1, numbers=number)


def _on_sent(book: PaperBook, body: Body) -> PaperBook:
    orders = book.orders
    for id_ in body["orders"]:
        orders = heard(orders, id_, "sent")
    return book._replace(orders=orders)


def _on_order(book: PaperBook, body: Body) -> PaperBook:
    return book._replace(orders=heard(book.orders, body["order"], body["state"], why=body.get("why", "")))


def _on_fill(book: PaperBook, body: Body) -> PaperBook:
    """An execution: the order has so much less left, the ledger so much more."""
    order, lots = find(book.orders, body["order"]), body["lots"]
    if order is None or lots > order.left:
        raise DataError(f"a fill of {lots} lots of {body['order']}, which has fewer left", "the journal was changed")
    t_ms, side = body["t_ns"] // 1_000_000, order.side
    sleeve = booked_fill(book.sleeve, rules_at(book), side, lots, order.price, body["fee_frac"], t_ms)
    return book._replace(
        orders=executed(book.orders, order.id, lots),
        sleeve=sleeve,
        inventory=book.inventory + side * lots,
        cash_units=book.cash_units - side * lots * body["price_units"],
        fills=book.fills + 1,
        last_price=body["price_units"],
    )


def _on_halt(book: PaperBook, body: Body) -> PaperBook:
    return book._replace(halted=body, numbers=book.numbers + len(body.get("withheld", ())))


def _on_session(book: PaperBook, body: Body) -> PaperBook:
    """A live maker goes on after its process ended: what rested at the paper venue went with it, and its halt."""
    return _without(book, body)._replace(halted={}, ended={})


def _on_end(book: PaperBook, body: Body) -> PaperBook:
    return _without(book, body)._replace(ended=body)


def _without(book: PaperBook, body: Body) -> PaperBook:
    """The book without the orders that are gone with a process."""
    orders = book.orders
    for id_ in body.get("gone", ()):
        orders = heard(orders, id_, "done", why="its process ended")
    return book._replace(orders=orders)


STEPS = {
    "start": _on_start,
    "intent": _on_intent,
    "sent": _on_sent,
    "order": _on_order,
    "fill": _on_fill,
    "halt": _on_halt,
    "session": _on_session,
    "end": _on_end,
}
