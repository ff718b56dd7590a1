"""One script against a local Bybit, over sockets or under the virtual clock: tests.fakes.exchange.played with Bybit bound."""

from typing import Any

from tests.fakes.exchange.bybit.client import LocalBybit, client
from tests.fakes.exchange.played import Make, Played, Script, play_sockets, play_virtual, walked

__all__ = ["INST", "ISOLATED", "SYMBOL", "Make", "Played", "Script", "over_sockets", "under_virtual_clock", "walked"]

SYMBOL, INST = "BTC/USDT:USDT", "BTCUSDT"
ISOLATED: dict[str, str] = {}  # the margin mode is the account's: no order says it


def under_virtual_clock(script: Script, make: Make = walked, latency_s: float = 0.0, seed: int = 0) -> tuple[Any, LocalBybit]:
    """(what the script returns, the venue)."""
    return play_virtual(script, LocalBybit, make, latency_s, seed)


def over_sockets(script: Script, make: Make = walked, seed: int = 0) -> tuple[Any, LocalBybit]:
    """The same over loopback."""
    return play_sockets(script, LocalBybit, client, make, seed)
