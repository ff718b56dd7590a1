"""What only a live account has to say: how far its executions are read, an entry that has rested its time, a position that cannot
be protected, and executions under our own name that the journal does not know.

Called through transitions.step by engine.live.desk and by the fold. Nothing here is worked out from money: an orphan's cash is
counted apart, so that no sleeve's profit holds it.
"""

from collections.abc import Mapping
from typing import Any

from engine.book import events
from engine.book.basket_account import leaves_now, withdrawn
from engine.book.book import Book
from engine.book.executions import Led, withdraw_entries
from engine.book.order_events import act, flattened, stop_withdrawn
from engine.book.transfers import READ_FROM, forget_bills
from engine.core.exits import leave_all
from engine.core.orders import find
from engine.core.state import ENTRY, HALT, NO_ORDER

NO_ORPHAN: Mapping[str, Any] = {"lots": 0, "cash": 0.0, "tries": 0, "orders": [], "trades": []}


def on_cursor(book: Book, body: Mapping[str, Any]) -> Led:
    """All executions of an instrument up to here are booked, or a person has to look at them: {instrument, cursor}."""
    book.cursors = {**book.cursors, body["instrument"]: body["cursor"]}
    if body["instrument"] == READ_FROM:
        forget_bills(book)
    return body, []


def on_lapse(book: Book, body: Mapping[str, Any]) -> Led:
    """An entry order is not wanted any longer, or the stop of one that has left: {order, why}. A venue keeps it until it is asked
    to end it.
    """
    order = find(book.orders, body["order"])
    if order is not None and order.attached:
        return body, stop_withdrawn(book, order)
    if order is not None and book.basket is not None:
        return body, act(book, [order.sleeve]) if withdrawn(book, order) else []
    if order is None or order.slot != ENTRY or book.sleeves[order.sleeve].order.key != order.key:
        return body, []
    book.sleeves[order.sleeve] = book.sleeves[order.sleeve]._replace(order=NO_ORDER)
    return body, act(book, [order.sleeve])


def on_attach(book: Book, body: Mapping[str, Any]) -> Led:
    """How entries of an instrument bring a stop along from now on: {instrument, how: with | beside}."""
    book.attaches = {**book.attaches, body["instrument"]: body["how"]}
    return body, []


def on_leave(book: Book, body: Mapping[str, Any]) -> Led:
    """A sleeve leaves its position at the market and enters nothing meanwhile: {sleeve, why}. Its layers leave as by a halt.

    With {key, lots}: lots that the venue holds by the entry of that layer and that could not be booked; they leave alone.
    """
    s = book.names.index(body["sleeve"])
    sleeve = book.sleeves[s]
    if book.basket is not None:
        found = flattened(book, s, body["key"], body["lots"]) if "key" in body else []
        leaves_now(book, s)
        return body, [*found, *act(book, range(len(book.sleeves))), events.mark(book)]
    if "key" in body:
        if sleeve.order.key == body["key"]:
            book.sleeves[s] = sleeve._replace(order=NO_ORDER)
        return body, [*flattened(book, s, body["key"], body["lots"]), *act(book, [s])]
    book.sleeves[s] = sleeve._replace(position=leave_all(sleeve.position, HALT), order=NO_ORDER)
    return body, [*act(book, [s]), events.mark(book)]


def on_orphan(book: Book, body: Mapping[str, Any]) -> Led:
    """{what: found | fill, trade, order, instrument, side, lots, price, fee, t_ms}: an execution that no order of the journal
    explains, or of an order that closes such lots. {what: close, order, instrument, side, lots}: such an order, not sent yet.
    """
    name, before = body["instrument"], book.orphans.get(body["instrument"], NO_ORPHAN)
    if body["what"] == "close":
        after = {**before, "tries": before["tries"] + 1, "orders": [*before["orders"], body["order"]]}
    elif body["trade"] in before["trades"]:
        return {**body, "booked": False}, []
    else:
        rules = next(spec.rules for spec in book.specs if spec.source["instrument"] == name)
        signed = body["side"] * body["lots"]
        cash = before["cash"] - signed * rules.lot_size * body["price"] - body["fee"]
        after = {**before, "lots": before["lots"] + signed, "cash": cash, "trades": [*before["trades"], body["trade"]]}
    if after["lots"] == 0:
        after = {**after, "tries": 0}
    book.orphans = {**book.orphans, name: after}
    return body, withdraw_entries(book)


def orphan_lots(book: Book, instrument: str) -> int:
    """Lots that the account holds by orphans alone, with their side."""
    return int(book.orphans.get(instrument, NO_ORPHAN)["lots"])
