"""A book at one moment: what an order at the market would have paid, and answers that say nothing."""

import asyncio
from typing import Any

import pytest

from engine.errors import DataError
from engine.venues.order_book import BookRead, read_book, walked

BOOK = BookRead(((99.0, 1.0), (98.0, 2.0)), ((101.0, 1.0), (102.0, 3.0)))


@pytest.mark.parametrize(
    ("side", "units", "price", "thin"),
    [(1, 0.5, 101.0, False), (1, 2.0, 101.5, False), (1, 4.0, 101.75, False), (1, 5.0, 101.8, True), (-1, 3.0, 295 / 3, False)],
)
def test_an_order_pays_level_by_level(side: int, units: float, price: float, thin: bool) -> None:
    """The middle is 100; what the levels do not have counts at the last of them, and is said."""
    assert (BOOK.middle, BOOK.spread_frac) == (100.0, 0.02)
    found = walked(BOOK, side, units)
    assert found.price == pytest.approx(price, rel=1e-12)
    assert found.thin is thin


class Client:
    """Says what it is given."""

    def __init__(self, bids: Any, asks: Any) -> None:
        self.bids, self.asks, self.markets = bids, asks, {"BTC/USDT:USDT": {"contractSize": 0.01}}

    async def fetch_order_book(self, _symbol: str, _limit: int) -> dict[str, Any]:
        """As ccxt."""
        return {"bids": self.bids, "asks": self.asks}


def asked(bids: Any, asks: Any, venue: str = "bybit") -> BookRead:
    """What a venue with this book is read as."""
    return asyncio.run(read_book(Client(bids, asks), venue, "BTC/USDT:USDT"))


def test_okx_counts_contracts_and_empty_levels_are_no_levels() -> None:
    """Sizes come out in base units."""
    assert asked([[99, 0], [98, 200]], [[101, 100]], "okx") == BookRead(((98.0, 2.0),), ((101.0, 1.0),))


@pytest.mark.parametrize(
    ("bids", "asks"),
    [([], [[101, 1]]), ([[99, 1]], [[101, 0]]), ([[102, 1]], [[101, 1]]), ([[float("nan"), 1]], [[101, 1]]), (None, [[1, 1]])],
)
def test_a_book_that_says_nothing_is_refused(bids: Any, asks: Any) -> None:
    """An empty side, a crossed book, no number, no list: never a price."""
    with pytest.raises(DataError):
        asked(bids, asks)
