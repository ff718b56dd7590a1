"""A named person adopts a difference: from then on the book holds what that person says the venue holds. The same of what the
venue has closed by itself, which its own list of executions names; and a person lets the desk go on.

Called through transitions.step by the live loop and by the fold; app/people/adoptions.py calls it on a copy of the book, to
show beforehand what it will do. A position moves by one execution through the ledger, like any other. Whatever does not fit
the book as it is now is refused and changes nothing.
"""

import math
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from engine.book import events
from engine.book.basket_account import reduced
from engine.book.bodies import waits_for_person
from engine.book.book import Book
from engine.book.executions import Led, booked
from engine.book.order_events import EventBody, act
from engine.core.guardrails import exposure
from engine.core.ledger import entry_index, fits, on_mark, put
from engine.core.orders import executed, find
from engine.core.state import ADOPTED, ENTRY, EXIT_SLOT, HALT, LAYERS, LIQUIDATION, NO_FILL, NO_ORDER, Fill, Sleeve
from engine.core.step import distance


class AdoptBody(TypedDict):
    """What a person adopts. With `lots_after`: one layer of one sleeve, whose lots become those."""

    request: int  # row of the database that it came in
    difference: str  # as the book names it: a trade or an order
    by: str
    reason: str
    order: str  # that the difference is of
    lots: int  # of a trade that was not booked; 0: it is about an order
    filled_lots: int  # of an order, as reported; 0: it is about a trade
    sleeve: NotRequired[str]
    key: NotRequired[int]  # of the layer; one more than the sleeve has used opens a new one
    side: NotRequired[int]
    lots_before: NotRequired[int]  # as the person was shown
    lots_after: NotRequired[int]
    price: NotRequired[float]  # of the execution that made it so
    fee: NotRequired[float]
    atr: NotRequired[float | None]  # for the levels of what it adds


def on_adopt(book: Book, body: Mapping[str, Any]) -> Led:
    """The difference is over, and the position is what the person says; or, refused, everything is as before and says why."""
    why = refusal(book, body)
    if why:
        return {**body, "adopted": False, "why": why}, []
    following = _moved(book, body) if _moves(body) else []
    if body["difference"] in book.differences:  # what waits for a person may come again: it is not remembered as adopted
        _account_for(book, body)
    book.differences = {what: text for what, text in book.differences.items() if what != body["difference"]}
    book.health = {what: why for what, why in book.health.items() if what != body["difference"]}
    following += act(book, range(len(book.sleeves)))
    return {**body, "adopted": True}, [*following, events.mark(book)]


def on_reduced(book: Book, body: Mapping[str, Any]) -> Led:
    """The venue has closed lots of an instrument by itself: {trade, order, instrument, side, lots, price, fee, t_ms, word} and
    {shares: [{sleeve, key, lots}]}. They leave the layers that held them, by its trade id once; stops and targets follow what
    is left, and nothing else is ordered.
    """
    if body["trade"] in book.orders.trades or body["trade"] in book.adopted:
        return {**body, "booked": False}, []
    following = [event for share in body["shares"] for event in _closed(book, body, share)]
    booked_ms = max(body["t_ms"], book.close_ms)
    book.orders = book.orders._replace(trades={**book.orders.trades, body["trade"]: booked_ms})
    following += act(book, range(len(book.sleeves)))
    return {**body, "booked": True}, [*following, events.mark(book)]


def _closed(book: Book, body: Mapping[str, Any], share: Mapping[str, Any]) -> list[EventBody]:
    """One layer with its share of such an execution gone; what is left of it stays, and leaves only if it did before."""
    s, lots = book.names.index(share["sleeve"]), share["lots"]
    if book.basket is not None:
        money = {"price": float(body["price"]), "fee": float(body["fee"]) * lots / body["lots"]}
        reason = HALT if body["word"] == "halt" else LIQUIDATION
        return [("fill", reduced(book, s, body["order"], lots, money, reason, body["t_ms"]))]
    before = book.sleeves[s]
    k = next(k for k, layer in enumerate(before.position.layers) if layer.key == share["key"])
    layer, fee = before.position.layers[k], float(body["fee"]) * lots / body["lots"]
    fill = NO_FILL._replace(slot=EXIT_SLOT, key=layer.key, layer=k, lots=lots, price=float(body["price"]), fee=fee)
    fill = fill._replace(reference_price=fill.price, t_ms=body["t_ms"], reason=HALT if body["word"] == "halt" else LIQUIDATION)
    assert fits(before, fill), "what the venue has closed does not fit"  # noqa: S101 - a programmer's error halts
    after, rows = booked(book, s, before, fill)
    if lots < layer.lots:
        layers = put(after.position.layers, k, after.position.layers[k]._replace(exit_pending=layer.exit_pending))
        after = after._replace(position=after.position._replace(layers=layers))
    _valued(book, s, after)
    found = events.rows(book, rows, [before] * (s + 1), {})
    return [(kind, {**told, "order": body["order"]} if kind == "fill" else told) for kind, told in found]


def refusal(book: Book, body: Mapping[str, Any]) -> str:
    """Why this cannot be adopted now; "" when it can."""
    if not is_whole(body):
        return "a part of it is missing or is not a number"
    if body["difference"] not in book.differences:
        waits = body["difference"] in book.health and waits_for_person(body["difference"])
        if waits and "lots_after" not in body:
            return ""
        return f"no position moves by {body['difference']}" if waits else f"desk and venue do not differ in {body['difference']}"
    if not _moves(body):
        return ""
    if body["sleeve"] not in book.names:
        return f"unknown sleeve {body['sleeve']}"
    s, lots = book.names.index(body["sleeve"]), body["lots_after"]
    sleeve = book.sleeves[s]
    held, position = lots_of(sleeve, body["key"]), sleeve.position
    if held != body["lots_before"]:
        return f"layer {body['key']} of {body['sleeve']} has {held} lots by now, not {body['lots_before']}"
    if not (_is_finite(body["price"]) and body["price"] > 0.0 and _is_finite(body["fee"])):
        return "the price or the fee is not a number"
    if body["side"] not in (-1, 1) or position.side not in (0, body["side"]):
        return f"{body['sleeve']} is on the other side: bring the venue to its side, or to nothing, first"
    if not lots >= 0:
        return "a layer has no lots below zero"
    if lots < held:
        return ""
    if book.basket is not None:
        return f"{body['sleeve']} is a leg, and what it holds is of pairs: close what is too much by hand, then --keep"
    if held == 0 and (body["key"] != sleeve.entries + 1 or position.open_layers >= LAYERS):
        return f"{body['sleeve']} has no room for a layer {body['key']}"
    rules = book.specs[s].rules
    if not distance(rules.stop_frac, rules.stop_atr, body["price"], _number(body["atr"])) > 0.0:
        return "the distance of its stop cannot be computed"
    return ""


def is_whole(body: Mapping[str, Any]) -> bool:
    """Whether this is an AdoptBody, with all or none of what moves a layer: its row may have been edited."""
    moves = AdoptBody.__optional_keys__ & body.keys()
    counts = ("lots", "filled_lots", *(("key", "side", "lots_before", "lots_after") if moves else ()))
    whole = AdoptBody.__required_keys__ <= body.keys() and moves in (frozenset(), AdoptBody.__optional_keys__)
    return whole and all(type(body[name]) is int for name in counts)


def lots_of(sleeve: Sleeve, key: int) -> int:
    """Lots of an open layer; 0 when there is none of that key."""
    layers = sleeve.position.layers[: sleeve.position.open_layers]
    return next((layer.lots for layer in layers if layer.key == key), 0)


def _moved(book: Book, body: Mapping[str, Any]) -> list[EventBody]:
    """The sleeve with the layer as adopted; the fill that made it so, and what follows from it in the ledger."""
    s, change = book.names.index(body["sleeve"]), body["lots_after"] - body["lots_before"]
    if book.basket is not None:
        return [("fill", reduced(book, s, body["order"], abs(change), dict(body), ADOPTED, book.close_ms))]
    before = book.sleeves[s]
    common = NO_FILL._replace(key=body["key"], lots=abs(change), price=float(body["price"]), fee=float(body["fee"]))
    common = common._replace(reference_price=common.price, t_ms=book.close_ms)
    if change > 0:
        before, fill = _ordered(book, s, common, body)
    else:
        layers = before.position.layers[: before.position.open_layers]
        index = next(k for k, layer in enumerate(layers) if layer.key == body["key"])
        fill = common._replace(slot=EXIT_SLOT, layer=index, reason=ADOPTED)
    assert fits(before, fill), "an adoption that was checked does not fit"  # noqa: S101 - a programmer's error halts
    after, rows = booked(book, s, before, fill)
    _valued(book, s, after)
    found = events.rows(book, rows, [before] * (s + 1), {})
    return [(kind, {**fill_body, "order": body["order"]} if kind == "fill" else fill_body) for kind, fill_body in found]


def _valued(book: Book, s: int, after: Sleeve) -> None:
    """Sleeve s becomes `after`, valued at the last close: the mark that follows counts it, and the desk with it."""
    rules = book.specs[s].rules
    close = book.bars[rules.bars].close
    book.sleeves[s] = on_mark(after, rules, close) if math.isfinite(close) else after
    marked = [book.marked(k) for k in range(len(book.sleeves))]
    equity, gross = sum(one.ledger.equity for one in marked), sum(exposure(one) for one in marked)
    book.desk = book.desk._replace(equity=equity, gross=gross)


def _ordered(book: Book, s: int, fill: Fill, body: Mapping[str, Any]) -> tuple[Sleeve, Fill]:
    """The sleeve as if it had ordered what it turns out to hold, and the fill of that order."""
    sleeve, rules = book.sleeves[s], book.specs[s].rules
    notional = fill.price * (fill.lots * rules.lot_size)
    order = NO_ORDER._replace(key=fill.key, side=body["side"], lots=fill.lots, notional=notional, good_for=1)
    order = order._replace(atr=_number(body["atr"]), decided_ms=book.close_ms)
    sleeve = sleeve._replace(order=order, entries=max(sleeve.entries, fill.key))
    return sleeve, fill._replace(slot=ENTRY, layer=entry_index(sleeve))


def _account_for(book: Book, body: Mapping[str, Any]) -> None:
    """What was adopted is not reported as a difference again; an order that waited for this trade waits no longer."""
    book.adopted = {**book.adopted, body["difference"]: body["filled_lots"]}
    id_, lots, orders = body["order"], body["lots"], book.orders
    if lots > 0 and find(orders, id_) is not None:
        book.orders = executed(orders, id_, lots)
    elif lots > 0:
        book.orders = orders._replace(filled={**orders.filled, id_: orders.filled.get(id_, 0) + lots})


def _moves(body: Mapping[str, Any]) -> bool:
    return "lots_after" in body and body["lots_after"] != body["lots_before"]


def _number(value: Any) -> float:
    return float(value) if _is_finite(value) else math.nan


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
