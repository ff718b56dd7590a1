"""The book as a snapshot's JSON and back, bit for bit. Called by transitions (writes), replay (reads) and the tests."""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from engine.book.basket_book import BasketBook
from engine.book.book import Book, Spec
from engine.core.basket import Basket, LegOrder, PairBook
from engine.core.orders import OrderBook, Refusals, VenueOrder
from engine.core.state import Bar, Desk, Limits, Order, Position, Rules, Signal, Sleeve

# how many fields these kinds had before decision 0025: the defaults of those behind mean that a strategy says nothing of the kind
GREW = {Signal: 11, Order: 11, Position: 10, VenueOrder: 17}
# fields of kinds written as objects that journals from before them lack: their defaults say what held then
LATER: Mapping[Any, tuple[str, ...]] = {Rules: ("size_part",)}
SELDOM = (
    "adopted",
    "high_water",
    "cursors",
    "orphans",
    "incidents",
    "attaches",
    "transfers",
)  # fields of the book that are left out while there is nothing in them


def as_json(value: Any) -> Any:
    """A NamedTuple, list or number as JSON that `restored` turns back to the same bits; NaN is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else str(value)
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return value


@cache
def _hints(kind: Any) -> tuple[Any, ...]:
    return tuple(get_type_hints(kind).values())


def restored(kind: Any, data: Any) -> Any:
    """The value of type `kind` (int, float, a NamedTuple of such, a tuple of those) that `as_json` has written.

    A NamedTuple may be written as a list, or as an object by its field names. A list may end where it ended before its kind GREW,
    an object lack what came LATER; nothing else that is missing has a default. Raises ValueError or KeyError for what does not
    fit.
    """
    if kind is float:
        return math.nan if data is None else float(data)
    if kind is int:
        return int(data)
    if kind is str:
        return str(data)
    if get_origin(kind) is tuple:
        return tuple(restored(part, item) for part, item in zip(get_args(kind), data, strict=True))
    hints, items = _hints(kind), _named(kind, data) if isinstance(data, Mapping) else data
    if GREW.get(kind, len(hints)) <= len(items) < len(hints):
        hints = hints[: len(items)]
    return kind(*(restored(part, item) for part, item in zip(hints, items, strict=True)))


def _named(kind: Any, data: Mapping[str, Any]) -> list[Any]:
    """The fields of an object in the order of its kind; one that came LATER has its default where it is not there."""
    later = {name: kind._field_defaults[name] for name in LATER.get(kind, ())}
    return [later[name] if name in later and name not in data else data[name] for name in kind._fields]


def to_json(book: Book) -> dict[str, Any]:
    """The whole book as a snapshot's body."""
    return (
        {
            "start": book.start,
            "version": book.version,
            "config": book.config,
            "specs": [[spec.version, spec.source] for spec in book.specs],
            "waiting": [spec and [spec.version, spec.source] for spec in book.waiting],
            "sleeves": as_json(book.sleeves),
            "desk": as_json(book.desk),
            "recent_r": as_json(book.recent_r),
            "bars": as_json(book.bars),
            "features": book.features,
            "close_ms": book.close_ms,
            "count": book.count,
            "ambiguous": book.ambiguous,
            "tripped_ms": book.tripped_ms,
            "halt": book.halt,
            "orders": _orders_json(book.orders),
            "health": book.health,
            "differences": book.differences,
            "correlations": as_json(book.correlations),
            "usual": book.usual,
        }
        | {key: value for key in SELDOM if (value := getattr(book, key))}
        | _basket_json(book.basket)
    )


def _basket_json(basket: BasketBook | None) -> dict[str, Any]:
    """A basket beside its legs; nothing of a desk without one."""
    if basket is None:
        return {}
    states = {name: as_json(getattr(basket, name)) for name in ("whole", "pairs", "orders", "recent_r", "marks", "fits", "logs")}
    parts = {"parts": basket.parts} if basket.parts else {}
    return {"basket": {"source": dict(basket.source), **states, **parts}}


def _basket(data: Mapping[str, Any]) -> BasketBook:
    """What `_basket_json` has written."""
    pairs, orders = [restored(PairBook, pair) for pair in data["pairs"]], [restored(LegOrder, order) for order in data["orders"]]
    recent_r, marks = ([restored(float, number) for number in data[name]] for name in ("recent_r", "marks"))
    fits, logs = ([[restored(float, number) for number in row] for row in data[name]] for name in ("fits", "logs"))
    parts = {id_: list(lots) for id_, lots in data.get("parts", {}).items()}
    return BasketBook(dict(data["source"]), restored(Basket, data["whole"]), pairs, orders, recent_r, marks, fits, logs, parts)


def _orders_json(orders: OrderBook) -> dict[str, Any]:
    """The orders: open ones and the last ended as lists, in the order of VenueOrder's fields."""
    held = {"open": as_json(list(orders.open.values())), "ended": as_json(orders.ended)}
    seldom = {"refusals": {id_: as_json(count) for id_, count in orders.refusals.items()}, "filled": dict(orders.filled)}
    return {**held, "trades": dict(orders.trades), "attempts": dict(orders.attempts)} | {k: v for k, v in seldom.items() if v}


def _orders(data: Mapping[str, Any]) -> OrderBook:
    """What `_orders_json` has written."""
    open_, ended = ([restored(VenueOrder, item) for item in data[name]] for name in ("open", "ended"))
    refusals = {id_: restored(Refusals, count) for id_, count in data.get("refusals", {}).items()}
    maps = dict(data["trades"]), dict(data["attempts"]), refusals, dict(data.get("filled", {}))
    return OrderBook({order.id: order for order in open_}, tuple(ended), *maps)


def from_json(body: Mapping[str, Any]) -> Book:
    """The book that a snapshot holds."""
    return Book(
        start=dict(body["start"]),
        version=body["version"],
        config=dict(body["config"]),
        limits=restored(Limits, body["config"]["limits"]),
        specs=[_spec(item) for item in body["specs"]],
        waiting=[item and _spec(item) for item in body["waiting"]],
        sleeves=[restored(Sleeve, item) for item in body["sleeves"]],
        desk=restored(Desk, body["desk"]),
        recent_r=[restored(float, item) for item in body["recent_r"]],
        bars=[restored(Bar, item) for item in body["bars"]],
        orders=_orders(body["orders"]),
        **{name: body[name] for name in ("features", "close_ms", "count", "ambiguous", "tripped_ms", "halt")},
        health=dict(body["health"]),
        differences=dict(body["differences"]),
        correlations=[restored(float, item) for item in body["correlations"]],
        usual=dict(body["usual"]),
        adopted=dict(body.get("adopted", {})),
        cursors=dict(body.get("cursors", {})),
        orphans=dict(body.get("orphans", {})),
        incidents=dict(body.get("incidents", {})),
        attaches=dict(body.get("attaches", {})),
        transfers=dict(body.get("transfers", {})),
        high_water=float(body.get("high_water", 0.0)),
        basket=_basket(body["basket"]) if "basket" in body else None,
    )


def _spec(item: Sequence[Any]) -> Spec:
    version, source = item
    return Spec(version, restored(Rules, source["rules"]), dict(source))
