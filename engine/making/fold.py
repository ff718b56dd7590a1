"""The journal of a maker folded: its orders by the desk's order life, its ledger, whether it is halted or has ended.

Called by paper.py after each event that it has journaled, and by whoever reads a journal: both get the same, at any event.
Kinds: start, intent, sent, order (working, cancelling, done, rejected), fill, funding, halt, session, end; at an account also
cursor, adopt (what a person has found there), stranger (what no order of the maker explains), compared, incident and killed (how
a halt has ended).
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from engine.core.ledger import on_funding
from engine.core.orders import NO_ORDERS, OrderBook, VenueOrder, executed, find, heard, intended
from engine.core.state import ENTRY, EXIT_SLOT, Rules, Sleeve, start
from engine.errors import DataError
from engine.l2.tape import Scale
from engine.making.account import booked_fill
from engine.making.rules import rules_of
from engine.store.chain import Event

Body = Mapping[str, Any]
PAPER_CODE = "0000"  # in the place of a maker's own four letters, by which a venue has two makers of one account apart
ID = re.compile(r"nd([a-z0-9]{4})([0-9]{8})([EX])00")
NONE_YET: Mapping[str, Any] = MappingProxyType({})
TRADES_KEPT = 2_000  # ids of executions: a venue lists some of them again


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
    exits: int = 0  # orders that leave what a halt finds
    cursor: str | None = None  # at an account: up to where the venue's executions are read; None: never yet
    trades: Mapping[str, int] = NONE_YET  # the last executions by the venue's id -> ns
    strangers: Mapping[str, int] = NONE_YET  # executions and orders that are not the maker's -> ns
    killed: Body = NONE_YET  # how its last halt has ended
    bills: Mapping[str, int] = NONE_YET  # the last settlements of funding by their id -> their time, UTC ms


NOTHING_YET = PaperBook({}, start(0.0), NO_ORDERS, 0, 0, 0, 0, 0, 0, {}, {}, 0)


def order_id(number: int, code: str = PAPER_CODE, kind: str = "E") -> str:
    """What the maker's order is called at the venue: 17 letters and digits, as the desk's are. kind: E a quote, X a way out."""
    return f"nd{code}{number:08d}{kind}00"


def number_of(id_: str) -> int:
    """The order's number in its run, from 1. Raises DataError for another id."""
    found = ID.fullmatch(id_)
    if found is None:
        raise DataError(f"{id_[:40]!r} is not a maker's order", "the journal was changed, or is another desk's")
    return int(found[2])


def code_of(book: PaperBook) -> str:
    """The four letters of the maker's orders."""
    return str(book.begun.get("code", PAPER_CODE))


def is_own(book: PaperBook, id_: str) -> bool:
    """Whether an order's id is one that this maker has given away."""
    found = ID.fullmatch(id_)
    if found is None or found[1] != code_of(book):
        return False
    return int(found[2]) <= (book.numbers if found[3] == "E" else book.exits)


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
    number, decided_ms, quotes = number_of(body["order"]), body["t_ns"] // 1_000_000, body["post_only"]
    slot, post_only = (ENTRY, 1) if quotes else (EXIT_SLOT, 0)
    order = VenueOrder(body["order"], 0, slot, number, side, body["lots"], body["price"], post_only, 0, 0.0, 0.0, decided_ms)
    book = book._replace(orders=intended(book.orders, order)._replace(attempts={}))
    return book._replace(intents=book.intents + 1, numbers=number) if quotes else book._replace(exits=number)


def _on_sent(book: PaperBook, body: Body) -> PaperBook:
    orders = book.orders
    for id_ in body["orders"]:
        orders = heard(orders, id_, "sent")
    return book._replace(orders=orders)


def _on_order(book: PaperBook, body: Body) -> PaperBook:
    return book._replace(orders=heard(book.orders, body["order"], body["state"], why=body.get("why", "")))


def _on_fill(book: PaperBook, body: Body) -> PaperBook:
    """An execution: the order has so much less left, the ledger so much more. `beyond`: whatever the order had left."""
    order, lots = find(book.orders, body["order"]), body["lots"]
    if not body.get("beyond") and (order is None or lots > order.left):
        raise DataError(f"a fill of {lots} lots of {body['order']}, which has fewer left", "the journal was changed")
    t_ms, side = body["t_ns"] // 1_000_000, 1 if body["side"] == "buy" else -1
    sleeve = booked_fill(book.sleeve, rules_at(book), side, lots, body["price"], body["fee_frac"], t_ms)
    trades = {**book.trades, body["trade"]: body["t_ns"]} if "t_ms" in body else book.trades
    return book._replace(
        trades=dict([*trades.items()][-TRADES_KEPT:]) if len(trades) > TRADES_KEPT else trades,
        orders=executed(book.orders, body["order"], lots),
        sleeve=sleeve,
        inventory=book.inventory + side * lots,
        cash_units=book.cash_units - side * lots * body["price_units"],
        fills=book.fills + 1,
        last_price=body["price_units"],
    )


def adopted_said(
    book: PaperBook, lots: int, price: float, fee: float, by: Mapping[str, str], t_ns: int
) -> tuple[str, dict[str, Any]]:
    """The event with which a person lets the journal hold so many lots. price and fee of the difference: quote currency."""
    moved, scale = lots - book.inventory, scale_of(book)
    worth = abs(moved) * 10.0**-scale.lot_digits * price
    amounts = {"price": price, "price_units": round(price * 10.0**scale.price_digits), "fee": fee, "fee_frac": fee / worth}
    return "adopt", {"t_ns": t_ns, "lots": lots, "lots_before": book.inventory, **amounts, **by}


def _on_adopt(book: PaperBook, body: Body) -> PaperBook:
    """A person says what the account holds: the difference is traded at the price that was found."""
    if body["lots_before"] != book.inventory or body["lots"] == book.inventory:
        raise DataError(f"an adoption of {body['lots_before']} lots, and {book.inventory} are held", "the journal was changed")
    moved, t_ms = body["lots"] - book.inventory, body["t_ns"] // 1_000_000
    side = 1 if moved > 0 else -1
    return book._replace(
        sleeve=booked_fill(book.sleeve, rules_at(book), side, abs(moved), body["price"], body["fee_frac"], t_ms),
        inventory=body["lots"],
        cash_units=book.cash_units - moved * body["price_units"],
        last_price=body["price_units"],
    )


def _on_funding(book: PaperBook, body: Body) -> PaperBook:
    """A settlement, once: its cash is the ledger's."""
    if body["bill"] in book.bills:
        raise DataError(f"the settlement {body['bill']} is booked twice", "the journal was changed")
    bills = {**book.bills, body["bill"]: body["t_ms"]}
    return book._replace(bills=dict([*bills.items()][-TRADES_KEPT:]), sleeve=on_funding(book.sleeve, body["cash"]))


def _on_halt(book: PaperBook, body: Body) -> PaperBook:
    return book._replace(halted=body, killed={}, numbers=book.numbers + len(body.get("withheld", ())))


def _on_cursor(book: PaperBook, body: Body) -> PaperBook:
    return book._replace(cursor=body["cursor"])


def _on_stranger(book: PaperBook, body: Body) -> PaperBook:
    strangers = {**book.strangers, body["id"]: body["t_ns"]}
    return book._replace(strangers=dict([*strangers.items()][-TRADES_KEPT:]))


def _on_killed(book: PaperBook, body: Body) -> PaperBook:
    return book._replace(killed=body)


def _on_note(book: PaperBook, _body: Body) -> PaperBook:
    return book


def _on_session(book: PaperBook, body: Body) -> PaperBook:
    """A live maker goes on after its process ended: what rested at the paper venue went with it, and its halt."""
    return _without(book, body)._replace(halted={}, ended={}, killed={})


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
    "funding": _on_funding,
    "adopt": _on_adopt,
    "halt": _on_halt,
    "session": _on_session,
    "cursor": _on_cursor,
    "stranger": _on_stranger,
    "killed": _on_killed,
    "compared": _on_note,
    "incident": _on_note,
    "end": _on_end,
}
