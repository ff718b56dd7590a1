"""One script against a local Binance, over sockets or under the virtual clock: tests.fakes.exchange.played with Binance bound."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.fakes.exchange.binance.client import LocalBinance, client
from tests.fakes.exchange.market import PICO, Contract, Market, seeded_walk
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.played import Make, Played, Script, play_sockets, play_virtual

__all__ = ["BTC", "INST", "ISOLATED", "SYMBOL", "Make", "Played", "Script", "over_sockets", "under_virtual_clock", "walked"]

SYMBOL, INST = "BTC/USDT:USDT", "BTCUSDT"
ISOLATED: dict[str, str] = {}  # the kind of margin is a setting of the symbol, not of an order
BTC = Contract("BTC", Decimal("0.1"), Decimal("0.001"), max_market_lots=120_000, min_notional=100, depth_lots=10)
ETH = Contract("ETH", Decimal("0.01"), Decimal("0.001"), max_market_lots=2_000_000, min_notional=20, depth_lots=200)


def walked(clock: Callable[[], int]) -> Exchange:
    """BTC and ETH on seeded walks."""
    start = clock()
    markets = {
        "BTC": Market(BTC, seeded_walk(1, start, 600_000, 2_000)),
        "ETH": Market(ETH, seeded_walk(2, start, 300_000, 2_000)),
    }
    return Exchange(clock, markets, 100_000 * PICO)


def under_virtual_clock(script: Script, make: Make = walked, latency_s: float = 0.0, seed: int = 0) -> tuple[Any, LocalBinance]:
    """(what the script returns, the venue)."""
    return play_virtual(script, LocalBinance, make, latency_s, seed)


def over_sockets(script: Script, make: Make = walked, seed: int = 0) -> tuple[Any, LocalBinance]:
    """The same over loopback."""
    return play_sockets(script, LocalBinance, client, make, seed)
