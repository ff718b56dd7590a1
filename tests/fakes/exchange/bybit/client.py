"""A ccxt client of a local Bybit: over sockets or under the virtual clock, with the one configuration that the desk may use."""

from collections.abc import Callable
from typing import Any

import ccxt.pro

from tests.fakes.exchange.bybit.rest import KEY, SECRET, rest
from tests.fakes.exchange.bybit.streams import BybitLine
from tests.fakes.exchange.bybit.venue import BybitVenue
from tests.fakes.exchange.faults import Faults
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.serve import Line, Served
from tests.fakes.exchange.virtual import LATENCY_S, VirtualSession
from tests.fakes.exchange.wire import Answer, Request

ANYWHERE = "http://bybit.invalid"  # under the virtual clock no address is dialled


class LocalBybit(BybitVenue):
    """Bybit with the two middlewares bound, as a transport wants them."""

    def __init__(self, exchange: Exchange, faults: Faults | None = None) -> None:
        super().__init__(exchange, faults)
        self.lines: list[BybitLine] = []

    def answer(self, request: Request) -> Answer:
        """REST."""
        return rest(self, request)

    def open_line(
        self, path: str, send: Callable[[str], None], close: Callable[[], None], later: Callable[..., Any]
    ) -> Line | None:
        """WebSocket; None while connections are refused."""
        if self.faults.open_windows("ws_cut"):
            self.faults.hit("ws_cut")
            return None
        self.lines.append(BybitLine(self, path, send, close, later))
        return self.lines[-1]

    def served(self) -> Served:
        """This venue behind sockets."""
        return Served(self.answer, self.open_line)

    def virtual_client(self, latency_s: float = LATENCY_S, **more: Any) -> Any:
        """A client under the virtual clock."""
        session = VirtualSession(self.answer, self.open_line, latency_s)
        return client(ANYWHERE, ANYWHERE.replace("http", "ws") + "/ws/v5", session=session, **more)


def client(rest_url: str, ws_url: str, **more: Any) -> Any:
    """ccxt.pro.bybit for these addresses."""
    keys = {"apiKey": KEY, "secret": SECRET, "enableRateLimit": False, "timeout": 3000}
    options = {"defaultType": "swap", "fetchMarkets": {"types": ["linear"]}}
    sockets = {
        "public": {"linear": f"{ws_url}/public/linear"},
        "private": {"contract": f"{ws_url}/private", "trade": f"{ws_url}/trade"},
    }
    urls = {"api": {"public": rest_url, "private": rest_url, "ws": sockets}}
    return ccxt.pro.bybit({**keys, "urls": urls, "options": options, **more})
