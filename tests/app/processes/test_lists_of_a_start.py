"""The list of instruments as an account is connected: one answer without sense takes no instrument away."""

import asyncio
from typing import Any

import pytest

from app.processes.account_start import connected
from engine.venues.binance import BinanceVenue
from engine.venues.gone import GoneVenue

NAME = "binance:BTC-USDT:perp"
BTC = {"BTC/USDT:USDT": {"id": "BTCUSDT", "precision": {"amount": 0.001, "price": 0.1}, "contractSize": 1}}
OTHERS = {"ETH/USDT:USDT": {"id": "ETHUSDT"}}


class Client:
    """A ccxt client whose lists come one after the other, the last one again and again."""

    def __init__(self, lists: list[dict[str, Any]]) -> None:
        self.lists, self.markets, self.closed = lists, dict[str, Any](), False

    async def load_markets(self, reload: bool = False) -> None:
        """As ccxt: without `reload` what was read before."""
        if reload:
            self.markets = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]

    def set_markets_from_exchange(self, other: Any) -> None:
        self.markets = other.markets

    def milliseconds(self) -> int:
        return 1

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("lists", "made", "pauses"),
    [
        ([BTC], BinanceVenue, 0),
        ([{}, {}, BTC], BinanceVenue, 2),
        ([OTHERS, BTC], BinanceVenue, 1),
        ([OTHERS, {}, OTHERS], GoneVenue, 2),
        ([OTHERS], GoneVenue, 1),
    ],
)
def test_an_instrument_is_gone_by_two_lists_that_have_others(lists: list[dict[str, Any]], made: type, pauses: int) -> None:
    """ccxt reads HTML with status 200, or an answer without its list, as no instrument: that is asked again, for as long as it
    takes. A list without ours is read twice; else the desk would know nothing of its stops until somebody starts it anew.
    """
    waited, said = list[float](), list[str]()

    async def sleep(for_s: float) -> None:
        waited.append(for_s)

    account = asyncio.run(connected("binance", [NAME], lambda: Client(list(lists)), {}, said.append, sleep))
    assert isinstance(account.venues[NAME], made)
    assert isinstance(account.halting[NAME], made)
    assert len(waited) == pauses
    assert said[-1] == ""
    assert sum("lists no instrument" in line for line in said) == lists.count({})
