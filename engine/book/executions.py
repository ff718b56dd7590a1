"""What comes from a venue or its watch, and what follows: an order's state, an execution, a funding bill, health, a difference.

Each function takes the book and the body of a leading journal event as it came from outside, moves the book, and returns that
body with what the book knows of it (names, layer, cash afterwards) and the events that follow. Called through transitions.step,
by the live loop and the fold alike. Nothing is invented here: what the book cannot explain becomes a difference, and stops
entries.
"""

from collections.abc import Mapping
from typing import Any

from engine.book import events
from engine.book.attached import is_flattened
from engine.book.basket_account import after_fill, crossed, is_late, late_fill, leaves_now
from engine.book.basket_moves import leg_crossed, leg_filled, leg_fits, leg_order_ended, leg_settled, withdraw_pairs
from engine.book.bodies import UNFIT
from engine.book.book import Book
from engine.book.order_events import EventBody, act, is_unmoved, issued, order_body
from engine.book.working import working
from engine.core.booking import book_fill
from engine.core.exits import leave, protective
from engine.core.ledger import entry_index, fits, on_funding, put
from engine.core.memory import Memory
from engine.core.orders import ENDED, STANDING, VenueOrder, amended, executed, find, heard
from engine.core.rows import funding_row
from engine.core.state import ENTRY, EXIT_SLOT, HALT, LIQUIDATION, NO_ORDER, NONE, PROTECTIVE, TARGET, Fill, Order, Row, Sleeve

Led = tuple[Mapping[str, Any], list[EventBody]]  # the leading event's whole body, and what follows it


def on_order(book: Book, body: Mapping[str, Any]) -> Led:
    """A venue's word about one order: {order, state, filled_lots, why} and, where it was amended, {price, lots}."""
    id_, state = body["order"], body["state"]
    before = find(book.orders, id_)
    if before is None:
        if _is_old_news(book, body):
            return {**body, "booked": False}, []
        return _differs(book, body, id_, f"the venue has an order that this desk does not know: {id_}")
    was_unmoved = is_unmoved(book, before)
    book.orders = heard(book.orders, id_, state, body["filled_lots"], body.get("why", ""))
    older = body["filled_lots"] < before.reported  # than executions that are booked: its word on an amendment is old news
    if body.get("price") is not None and not older:
        book.orders = amended(book.orders, id_, body["price"], body["lots"], confirmed=True, close_ms=book.close_ms)
    order = find(book.orders, id_)
    assert order is not None, "an order vanished"  # noqa: S101 - a programmer's error halts
    if book.basket is None:
        _entry_ended(book, order)
    else:
        leg_order_ended(book, order)
    led = {**body, **order_body(book, order, state), "filled_lots": body["filled_lots"]}
    if order.id in book.orders.refusals:
        led["refusals"] = book.orders.refusals[order.id].in_a_row
    if is_unmoved(book, order):  # nothing is added to a position whose stop is not where it was sized for
        book.sleeves[order.sleeve] = book.sleeves[order.sleeve]._replace(order=NO_ORDER)
        if book.basket is not None:
            withdraw_pairs(book)
    following = act(book, [order.sleeve] if book.basket is None else range(len(book.sleeves)))
    told = is_unmoved(book, order) != was_unmoved or _covers_otherwise(book, before, order)
    return led, [*following, events.mark(book)] if told else following


def _covers_otherwise(book: Book, before: VenueOrder, order: VenueOrder) -> bool:
    """Whether the stop of an open position begins or ceases to work at an account: a mark that says otherwise pages a person."""
    is_open = book.sleeves[order.sleeve].position.open_layers > 0
    changed = (order.state in STANDING) != (before.state in STANDING)
    return not book.simulated and order.slot == PROTECTIVE and is_open and changed


def _is_old_news(book: Book, body: Mapping[str, Any]) -> bool:
    """Whether a report of a forgotten order says nothing new: we issued it, it has ended, and no lot more of it has filled than
    was booked; or a person has adopted the order with at least these lots.

    An order is forgotten only after its end, so a report that it works contradicts the venue's own word: that is a difference.
    So is a filled lot of an order so old that its lots are forgotten, too.
    """
    id_, filled = body["order"], body["filled_lots"]
    if filled <= book.adopted.get(id_, -1):
        return True
    return body["state"] in ENDED and filled <= book.orders.filled.get(id_, 0) and issued(book, id_)


def _entry_ended(book: Book, order: VenueOrder) -> None:
    """An entry ends when the venue says so; one that is worked in slices outlives its children, and ends with its bar."""
    sleeve = book.sleeves[order.sleeve]
    if order.slot == ENTRY and order.state in ENDED and sleeve.order.key == order.key and not working(book, order.sleeve):
        book.sleeves[order.sleeve] = sleeve._replace(order=NO_ORDER)


def on_fill(book: Book, body: Mapping[str, Any]) -> Led:
    """One execution: {trade, order, lots, price, fee, liquidity, reference_price, t_ms} and, of a position that the venue
    liquidated, {liquidation: true}; by its trade id it is booked once.

    It is booked whenever it comes, also after its order has ended; a part is a part. What fits no order or layer is a difference.
    """
    order = find(book.orders, body["order"])
    if body["trade"] in book.orders.trades or body["trade"] in book.adopted:
        return {**body, "booked": False}, []
    if order is None:
        return _differs(book, body, body["trade"], f"trade {body['trade']} is of an order that this desk does not know")
    if book.basket is not None:
        return _on_leg_fill(book, order, body)
    s, now = order.sleeve, book.sleeves[order.sleeve]
    before = _with_order(now, order)
    fill = _fill_of(before, order, body)
    if not fits(before, fill):
        return _differs(book, body, body["trade"], f"trade {body['trade']}{UNFIT}{order.id} can")
    after, rows = booked(book, s, before, fill)
    if before is not now:  # the order had ended here: what the sleeve ordered since stands, unless it is of the other side
        after = after._replace(order=now.order if now.order.side * after.position.side >= 0 else NO_ORDER)
    late = order.slot == ENTRY and book.desk.halted != 0  # it was on its way when the desk was halted
    if late or is_flattened(book, order):
        layers = after.position.layers
        layers = put(layers, fill.layer, leave(layers[fill.layer], HALT))
        after = after._replace(position=after.position._replace(layers=layers))
    book.sleeves[s] = after
    booked_ms = max(body["t_ms"], book.close_ms)  # one that comes late is remembered as long as any other
    book.orders = executed(book.orders, order.id, fill.lots)._replace(trades={**book.orders.trades, body["trade"]: booked_ms})
    (_, told), *rest = events.rows(book, rows, [before] * (s + 1), {})
    following = rest + act(book, [s])
    if not book.simulated:  # there a fill is part of its bar, whose mark follows at once; here it is up to a bar away
        book.desk = book.desk._replace(gross=book.exposure)
        following.append(events.mark(book))
    return {**body, **told, "order": order.id}, following


def _on_leg_fill(book: Book, order: VenueOrder, body: Mapping[str, Any]) -> Led:
    """The same of a leg of a basket: `parts` says what each of its pairs has of it, what crosses inside included."""
    late = is_late(book, order, body["lots"])
    if not late and not leg_fits(book, order, body["lots"]):
        return _differs(book, body, body["trade"], f"trade {body['trade']}{UNFIT}{order.id} can")
    more = leg_filled(book, order, body, late_fill if late else None)
    booked_ms = max(body["t_ms"], book.close_ms)
    book.orders = executed(book.orders, order.id, body["lots"])._replace(trades={**book.orders.trades, body["trade"]: booked_ms})
    told = {**body, **more, "order": order.id}
    if book.simulated:
        return told, act(book, [order.sleeve])
    after_fill(book, order, late=late)
    if is_flattened(book, order):
        leaves_now(book, order.sleeve)
    following = act(book, range(len(book.sleeves)))
    book.desk = book.desk._replace(gross=book.exposure)
    return told, [*following, events.mark(book)]


def on_cross(book: Book, body: Mapping[str, Any]) -> Led:
    """What pairs of a basket cross inside a leg of which no order has filled: {sleeve, price, t_ms} and, of a leg whose bars end,
    {delisted: true}.
    """
    if book.basket is None or body["sleeve"] not in book.names:
        return {**body, "booked": False}, []
    led = {**body, **leg_crossed(book, body)}
    crossed(book, book.names.index(body["sleeve"]))
    return led, act(book, [book.names.index(body["sleeve"])])


def booked(book: Book, s: int, before: Sleeve, fill: Fill) -> tuple[Sleeve, list[Row]]:
    """Sleeve s, which was `before`, after an execution that fits; and the rows of it."""
    rows: list[Any] = [None] * 2
    m = Memory([], book.sleeves, [], book.recent_r, [], [], [], [], [], rows)
    after, n = book_fill(before, book.specs[s].rules, s, fill, m, 0)
    return after, rows[:n]


def _with_order(sleeve: Sleeve, order: VenueOrder) -> Sleeve:
    """The sleeve with the entry order that an execution is of, should it have ended here before."""
    if order.slot != ENTRY or sleeve.order.key == order.key or sleeve.position.side not in (0, order.side):
        return sleeve
    core = (order.lots - order.filled, order.notional, 0.0, 0.0, order.atr, order.decided_ms)
    own = (order.stop, order.target, order.hold)
    return sleeve._replace(order=Order(order.key, order.side, *core, order.price, order.post_only, order.good_for, *own))


def _fill_of(sleeve: Sleeve, order: VenueOrder, body: Mapping[str, Any]) -> Fill:
    """The execution as the core books it; a layer that is not there gives index -1, which fits nothing."""
    position, reason = sleeve.position, NONE
    if order.slot == ENTRY:
        k = entry_index(sleeve)
    else:
        layers = position.layers[: position.open_layers]
        k = next((k for k, layer in enumerate(layers) if layer.key == order.key), -1)
    if order.slot != ENTRY and body.get("liquidation"):
        reason = LIQUIDATION
    elif order.slot == PROTECTIVE and k >= 0:
        reason = layers[k].exit_pending or protective(position, layers[k])[0]
    elif order.slot == EXIT_SLOT and k >= 0:
        reason = layers[k].exit_pending
    elif order.slot != ENTRY:
        reason = TARGET
    maker, reference = int(body["liquidity"] == "maker"), float(body["reference_price"])
    price, fee = float(body["price"]), float(body["fee"])
    return Fill(order.slot, 0, 0, order.key, k, body["lots"], price, fee, maker, reason, reference, body["t_ms"])


def on_funding_bill(book: Book, body: Mapping[str, Any]) -> Led:
    """A settlement as billed: {bill, sleeve, mark, rate, cash_flow, t_ms}; by its id it is booked once."""
    if body["bill"] in book.orders.trades:
        return {**body, "booked": False}, []
    s = book.names.index(body["sleeve"])
    billed_ms = max(body["t_ms"], book.close_ms)
    book.orders = book.orders._replace(trades={**book.orders.trades, body["bill"]: billed_ms})
    if book.basket is not None:
        return {**body, **leg_settled(book, s, body)}, []
    before, cash = book.sleeves[s], float(body["cash_flow"])
    book.sleeves[s] = on_funding(before, cash)
    row = funding_row(s, book.sleeves[s], float(body["mark"]), float(body["rate"]), cash, body["t_ms"])
    (_, told), *_rest = events.rows(book, [row], [before] * (s + 1), {})
    return {**body, **told}, []


def on_health(book: Book, body: Mapping[str, Any]) -> Led:
    """Something outside is not well, or is again: {what, state: begun | over, why}. No entries while anything is not."""
    others = {what: why for what, why in book.health.items() if what != body["what"]}
    book.health = others if body["state"] == "over" else {**others, body["what"]: body["why"]}
    return body, withdraw_entries(book)


def on_reconcile(book: Book, body: Mapping[str, Any]) -> Led:
    """Book and venue were compared: {differs: {what: text}}; what differs stops entries until a person decides, or until they
    agree again: {agrees: [what]}.
    """
    agrees = body.get("agrees", ())
    book.differences = {what: text for what, text in book.differences.items() if what not in agrees} | body["differs"]
    return body, [*withdraw_entries(book), events.mark(book)]


def _differs(book: Book, body: Mapping[str, Any], what: str, text: str) -> Led:
    """Something from outside that the book cannot explain: nothing is booked, nothing enters, a person has to look."""
    following: list[EventBody] = []
    if what not in book.differences:
        book.differences = {**book.differences, what: text}
        following = [("reconcile", {"differs": {what: text}}), *withdraw_entries(book), events.mark(book)]
    return {**body, "booked": False}, following


def withdraw_entries(book: Book) -> list[EventBody]:
    """While entries are blocked no entry order is wanted, of an instrument that is off its own alone; positions and their
    protective orders stay.
    """
    blocked = book.entries_blocked
    shut = [s for s in range(len(book.sleeves)) if blocked or book.is_off(s)]
    if not shut:
        return []
    for s in shut:
        if book.sleeves[s].order.side != 0:
            book.sleeves[s] = book.sleeves[s]._replace(order=NO_ORDER)
    if book.basket is not None:
        withdraw_pairs(book, shut)
    return act(book, range(len(book.sleeves)))
