"""A list of instruments that comes back empty: for once it says nothing, twice the instrument is not listed."""

import asyncio
from typing import Any

import pytest

from engine.venues import account_facts
from engine.venues.account import reader_of

ROWS = {
    "okx": {
        "instId": "BTC-USDT-SWAP",
        "ctVal": "0.01",
        "minSz": "0.01",
        "lotSz": "0.01",
        "tickSz": "0.1",
        "state": "live",
        "settleCcy": "USDT",
    },
    "bybit": {
        "status": "Trading",
        "settleCoin": "USDT",
        "lotSizeFilter": {"qtyStep": "0.001", "minOrderQty": "0.001", "minNotionalValue": "5"},
        "priceFilter": {"tickSize": "0.1"},
    },
}


class Emptying:
    """Both venues' questions; the first `times` lists of instruments are empty."""

    def __init__(self, venue: str, times: int) -> None:
        self.venue, self.times = venue, times

    def __getattr__(self, name: str) -> Any:
        async def answered(_about: Any) -> Any:
            rows: list[dict[str, Any]] = [{"last": "60000", "markPrice": "60000"}]
            if "instruments" in name:
                self.times -= 1
                rows = [] if self.times >= 0 else [ROWS[self.venue]]
            return {"data": rows, "result": {"list": rows}}

        return answered


@pytest.mark.parametrize("venue", ROWS)
@pytest.mark.parametrize(("times", "is_listed"), [(0, True), (1, True), (2, False)])
def test_it_takes_two_empty_lists(venue: str, times: int, is_listed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One would take the instrument off for a minute, and wake a person where lots are held."""
    monkeypatch.setattr(account_facts, "AGAIN_S", 0.0)
    found = asyncio.run(reader_of(venue, Emptying(venue, times)).listing("BTC-USDT"))
    assert (found is not None and found.trades) == is_listed
