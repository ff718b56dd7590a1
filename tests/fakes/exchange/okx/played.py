"""One script against a local OKX, over sockets or under the virtual clock: tests.fakes.exchange.played with OKX bound."""

from typing import Any

from tests.fakes.exchange.okx.client import LocalOkx, client
from tests.fakes.exchange.played import Make, Played, Script, play_sockets, play_virtual, walked

__all__ = ["INST", "ISOLATED", "SYMBOL", "Make", "Played", "Script", "over_sockets", "under_virtual_clock", "walked"]

SYMBOL, INST = "BTC/USDT:USDT", "BTC-USDT-SWAP"
ISOLATED = {"marginMode": "isolated"}


def under_virtual_clock(script: Script, make: Make = walked, latency_s: float = 0.0, seed: int = 0) -> tuple[Any, LocalOkx]:
    """(what the script returns, the venue)."""
    return play_virtual(script, LocalOkx, make, latency_s, seed)


def over_sockets(script: Script, make: Make = walked, seed: int = 0) -> tuple[Any, LocalOkx]:
    """The same over loopback."""
    return play_sockets(script, LocalOkx, client, make, seed)
