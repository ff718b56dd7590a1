"""Money that a person or the venue moved into or out of an account: counted beside the sleeves, each bill once.

Called through transitions.step by the live loop and the fold. A transfer reaches no sleeve: no equity, no peak, no size and no
limit changes by it, so that a deposit is no profit and a withdrawal no drawdown. What it adds to the account is in every later
mark (`transfers`), by what it is; a bill of a type that nobody knows is `unexplained` until a person has adopted the difference.
"""

from collections.abc import Mapping
from typing import Any

from engine.book import events
from engine.book.book import Book
from engine.book.executions import Led

IN, OUT, UNEXPLAINED = "deposits", "withdrawals", "unexplained"
TERMS = (IN, OUT, UNEXPLAINED)
UNKNOWN = "unknown"  # the kind of a bill whose type is in no table
READ_FROM = "transfers"  # the cursor: bills before it are not asked for any more


def on_transfer(book: Book, body: Mapping[str, Any]) -> Led:
    """A bill that moved cash: {bill, kind, word, cash, t_ms}; by its id it is booked once."""
    bills = book.transfers.get("bills", {})
    if body["bill"] in bills:
        return {**body, "booked": False}, []
    term, sums = term_of(body), transferred(book)
    sums[term] += float(body["cash"])
    book.transfers = {"bills": {**bills, body["bill"]: body["t_ms"]}, "sums": sums}
    return body, [events.mark(book)]


def term_of(body: Mapping[str, Any]) -> str:
    """Which of the TERMS a transfer is of."""
    return UNEXPLAINED if body["kind"] == UNKNOWN else IN if body["cash"] > 0 else OUT


def transferred(book: Book) -> dict[str, float]:
    """What has been moved since the account's bills are read, by TERMS; quote units, what left is negative."""
    return dict.fromkeys(TERMS, 0.0) | dict(book.transfers.get("sums", {}))


def explained(book: Book) -> float:
    """What has been moved by bills whose type is known: it is no difference between desk and venue."""
    sums = transferred(book)
    return sums[IN] + sums[OUT]


def forget_bills(book: Book) -> None:
    """Bills from before the cursor are not read again: their ids need not be kept."""
    since = int(book.cursors[READ_FROM])
    if bills := book.transfers.get("bills"):
        book.transfers = {**book.transfers, "bills": {id_: t_ms for id_, t_ms in bills.items() if t_ms >= since}}
