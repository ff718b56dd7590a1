"""Bars that nobody has seen, played over a copy of a desk's basket, through the core: no strategy enters or leaves.

Called by shock.py and stress.py. Orders, stops of legs, the one margin of all legs and the drawdown breaker do what they would;
a pair that has lost a leg, or is halted, leaves as it would.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from engine.book.basket_book import BasketBook, memory_of
from engine.book.basket_events import basket_of
from engine.book.book import Book
from engine.core.basket_open import order_all, settle
from engine.core.basket_run import leaves, marked
from engine.core.row_fields import FillRow, decode
from engine.core.rows import unpack_ref
from engine.core.state import EXIT_REASONS, NONE, Bar, Desk, Row, Sleeve


class PlayedBasket:
    """A copy of a book's basket and of its desk; the book is left as it is."""

    def __init__(self, book: Book) -> None:
        found, legs = basket_of(book), len(book.sleeves)
        lists: dict[str, Any] = {name: list(getattr(found, name)) for name in ("pairs", "orders", "recent_r", "marks", "fits")}
        self.basket: BasketBook = replace(found, logs=[[math.nan] * legs], **lists)
        self.legs: list[Sleeve] = list(book.sleeves)
        self.desk: Desk = book.desk
        self._rules, self._limits = [spec.rules for spec in book.specs], book.limits

    def equity(self, leg: int) -> float:
        """A leg's, with its part of the cash."""
        return self.basket.part + self.legs[leg].ledger.equity

    def bar(self, bars: Sequence[Bar]) -> list[tuple[int, str]]:
        """One bar of each leg; (leg, reason) of what left inside it, in its order."""
        m, t = memory_of(self.basket, self.legs, self._rules, bars)
        whole, n = settle(m, self.basket.whole, t, 0)
        filled = n
        self.basket.whole, self.desk, n = marked(m, whole, self.desk, self._limits, t, n)
        for p, pair in enumerate(self.basket.pairs):
            if pair.side != 0:
                n = leaves(m, self.desk, pair, p, t, n)
        order_all(m, t)
        return exits_of(m.rows[:filled])


def exits_of(rows: Sequence[Row]) -> list[tuple[int, str]]:
    """(leg, reason) of the executions that left."""
    found = [(unpack_ref(row.ref)[0], decode(row)[1]) for row in rows]
    return [(leg, EXIT_REASONS[row.reason]) for leg, row in found if isinstance(row, FillRow) and row.reason != NONE]
