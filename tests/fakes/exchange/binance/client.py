"""A ccxt client of a local Binance: over sockets or under the virtual clock, with the one configuration that the desk may use."""

from collections.abc import Callable
from typing import Any

import ccxt.pro

from tests.fakes.exchange.binance.rest import KEY, SECRET, rest
from tests.fakes.exchange.binance.streams import BinanceLine
from tests.fakes.exchange.binance.venue import BinanceVenue
from tests.fakes.exchange.faults import Faults
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.serve import Line, Served
from tests.fakes.exchange.virtual import LATENCY_S, VirtualSession
from tests.fakes.exchange.wire import Answer, Request

ANYWHERE = "http://binance.invalid"  # under the virtual clock no address is dialled


class LocalBinance(BinanceVenue):
    """Binance with the two middlewares bound, as a transport wants them."""

    def __init__(self, exchange: Exchange, faults: Faults | None = None) -> None:
        super().__init__(exchange, faults)
        self.lines: list[BinanceLine] = []

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
        self.lines.append(BinanceLine(self, path, send, close, later))
        return self.lines[-1]

    def served(self) -> Served:
        """This venue behind sockets."""
        return Served(self.answer, self.open_line)

    def virtual_client(self, latency_s: float = LATENCY_S, **more: Any) -> Any:
        """A client under the virtual clock."""
        session = VirtualSession(self.answer, self.open_line, latency_s)
        return client(ANYWHERE, "", session=session, **more)


def client(rest_url: str, _: str, **more: Any) -> Any:
    """ccxt.pro.binanceusdm for this address; its sockets are there too."""
    keys = {"apiKey": KEY, "secret": SECRET, "enableRateLimit": False, "timeout": 3000}
    versions = {"": "v1", "V2": "v2", "V3": "v3"}
    urls: dict[str, Any] = {
        f"fapi{kind}{name}": f"{rest_url}/fapi/{version}" for name, version in versions.items() for kind in ("Public", "Private")
    }
    sockets = rest_url.replace("http", "ws", 1)
    urls |= {"sapi": f"{rest_url}/sapi/v1"}
    urls["ws"] = {"linear": f"{sockets}/ws", "ws-api": {"linear": f"{sockets}/ws-fapi/v1"}}
    return ccxt.pro.binanceusdm({**keys, "urls": {"api": urls}, "options": {"fetchCurrencies": False}, **more})
