"""The storms' script against an account at the port: what tests.fakes.exchange.adapted is for the local venues, without ccxt."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

from tests.fakes.exchange.adapted import Adapted
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.played import Make, Script, play_virtual
from tests.fakes.exchange.port.venue import ExchangePort, PortAccount, PortClient
from tests.fakes.exchange.port.ways import WAYS, Ways


class LocalPort(PortAccount):
    """An account at the port, as `play_virtual` wants a local venue."""

    def virtual_client(self, latency_s: float) -> PortClient:
        """Under the virtual clock."""
        return PortClient(self, latency_s)


def under_virtual_clock(ways: Ways, script: Script, make: Make, latency_s: float = 0.0, seed: int = 0) -> tuple[Any, LocalPort]:
    """(what the script returns, the account)."""
    local: Callable[[Exchange], LocalPort] = lambda exchange: LocalPort(exchange, ways, seed)  # noqa: E731 - typed
    return play_virtual(script, local, make, latency_s, seed)


def _ported(ways: Ways) -> Adapted:
    played: Any = SimpleNamespace(under_virtual_clock=partial(under_virtual_clock, ways))
    return Adapted(ways.name, played, ExchangePort, {})


PORTED = {f"port-{name}": _ported(ways) for name, ways in WAYS.items()}
