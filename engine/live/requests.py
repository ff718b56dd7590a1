"""The desk's requests to a venue, and a venue's reports as journal events. Called by engine.live.loop.

A request is made from an event that is already journaled (intent, amend, an order being cancelled); a report becomes the body
of an event that is journaled before anything follows from it.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from engine.book.order_events import EventBody
from engine.core.orders import OrderBook, find
from engine.ports import Execution, FundingBill, OrderReport, Report, Venue


def answers(venue: Venue, orders: OrderBook, following: Iterable[EventBody]) -> Iterator[OrderReport]:
    """Ask the venue for what these events say, one after the other; what it answers."""
    for kind, body in following:
        if kind not in ("intent", "amend", "order"):
            continue
        order = find(orders, body["order"])
        assert order is not None, f"{body['order']} is asked for and not in the book"  # noqa: S101 - a programmer's error halts
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
        return "fill", body | {"liquidity": "maker" if body.pop("maker") else "taker"}
    if isinstance(report, FundingBill):
        body = report._asdict()
        return "funding", body | {"cash_flow": body.pop("cash")}
    return "order", {name: value for name, value in report._asdict().items() if value is not None}
