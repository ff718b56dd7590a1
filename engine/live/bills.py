"""A venue's funding bills: from when they are read, and as the sleeves of an instrument bear them. Called by engine.live.poll."""

from collections.abc import Sequence
from typing import Any

from engine.live.desk import LiveDesk
from engine.venues.live_port import VenueBill

BACK_MS, KNOWN_MS = 43_200_000, 72_000_000  # ids of bills are kept for a day: transitions.TRADES_KEPT_MS


def read_from(desk: LiveDesk, last_ms: int) -> int:
    """A bill may be listed behind a later one: they are read from further back, as far as all ids are known, and from no time at
    which this desk could hold nothing yet (UTC ms). `last_ms`: the newest bill that was read.
    """
    start = desk.book.start
    known_ms = max(desk.now_ms() - KNOWN_MS, int(start["first_ms"]) + int(start["timeframe_ms"]))
    return min(last_ms, max(last_ms - BACK_MS, known_ms))


def bill_shares(desk: LiveDesk, held: Sequence[tuple[int, int]], bill: VenueBill) -> list[dict[str, Any]]:
    """A bill as the sleeves bear it, by the lots that they hold now (`held`: sleeve, lots); they come to the bill exactly."""
    book = desk.book
    rules = book.specs[held[0][0]].rules
    mark, total = book.bars[rules.instrument].close, sum(abs(lots) for _, lots in held)
    bodies, left = list[dict[str, Any]](), bill.cash
    for n, (s, lots) in enumerate(held):
        cash = left if n == len(held) - 1 else bill.cash * abs(lots) / total if total else 0.0
        left -= cash
        value = lots * rules.lot_size * mark
        name = book.names[s]
        id_ = bill.bill if len(held) == 1 else f"{bill.bill}:{name}"
        rate = -cash / value if value else 0.0
        bodies.append({"bill": id_, "sleeve": name, "mark": mark, "rate": rate, "cash_flow": cash, "t_ms": bill.t_ms})
    return [body for body in bodies if body["cash_flow"] != 0.0 or len(bodies) == 1]
