"""A venue's order book at one moment, and what an order at the market would have paid in it. Public questions alone.

Called by app.processes.shadow_start for a desk in shadow, which sends nothing and compares what it counts with what it sees.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from engine.errors import DataError
from engine.venues.answers import silent

LEVELS = 50  # asked for, a side; all three venues give that many
LEVELS_MAX = 500  # read of an answer, whatever it holds
Level = tuple[float, float]  # price, base units on offer there


class BookRead(NamedTuple):
    """Both sides, best first."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    @property
    def middle(self) -> float:
        """Half-way between best bid and best ask, quote units."""
        return (self.bids[0][0] + self.asks[0][0]) / 2.0

    @property
    def spread_frac(self) -> float:
        """From best bid to best ask, as a fraction of the middle."""
        return (self.asks[0][0] - self.bids[0][0]) / self.middle


class WalkedPrice(NamedTuple):
    """What an order at the market would have paid on average, quote units; `thin`: the levels that were read did not suffice."""

    price: float
    thin: bool


def walked(book: BookRead, side: int, units: float) -> WalkedPrice:
    """The average price of `units` (base, above 0) that a taker of `side` (1 buys) takes level by level.

    What the levels do not have is counted at the last of them: the true price is worse, and `thin` says so.
    """
    left, paid, levels = units, 0.0, book.asks if side > 0 else book.bids
    for price, offered in levels:
        taken = min(left, offered)
        paid, left = paid + taken * price, left - taken
    thin = left > units * 1e-9
    return WalkedPrice((paid + left * levels[-1][0]) / units, thin)


async def read_book(client: Any, venue: str, symbol: str) -> BookRead:
    """The book of ccxt's `symbol`, sizes in base units. Raises DataError for no answer, an empty side and a crossed book."""
    try:
        found = await client.fetch_order_book(symbol, LEVELS)
        unit = float(client.markets[symbol]["contractSize"]) if venue == "okx" else 1.0
        book = BookRead(_side(found["bids"], unit), _side(found["asks"], unit))
    except Exception as error:
        raise silent(venue, f"for the book of {symbol}", error) from error
    if not book.bids or not book.asks:
        raise DataError(f"{venue}: the book of {symbol} has an empty side", "look at the venue's page of the instrument")
    if not book.bids[0][0] < book.asks[0][0]:
        raise DataError(f"{venue}: the book of {symbol} is crossed: bid {book.bids[0][0]}, ask {book.asks[0][0]}", "wait")
    return book


def _side(rows: Sequence[Sequence[Any]], unit: float) -> tuple[Level, ...]:
    """One side; levels that offer nothing are left out. Raises ValueError for a number that is none."""
    found = []
    for row in rows[:LEVELS_MAX]:
        price, size = float(row[0]), float(row[1]) * unit
        if not (math.isfinite(price) and math.isfinite(size) and price > 0.0 and size >= 0.0):
            raise ValueError(f"a level of {price} x {size}")
        found += [(price, size)] if size > 0.0 else []
    return tuple(found)
