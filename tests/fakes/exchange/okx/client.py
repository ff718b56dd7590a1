"""A ccxt client of a local OKX: over sockets or under the virtual clock, with the one configuration that the desk may use."""

from collections.abc import Callable
from typing import Any

import ccxt.pro

from tests.fakes.exchange.faults import Faults
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.okx.rest import KEY, PASSPHRASE, SECRET, rest
from tests.fakes.exchange.okx.streams import OkxLine
from tests.fakes.exchange.okx.venue import OkxVenue
from tests.fakes.exchange.serve import Line, Served
from tests.fakes.exchange.virtual import LATENCY_S, VirtualSession
from tests.fakes.exchange.wire import Answer, Request

ANYWHERE = "http://okx.invalid"  # under the virtual clock no address is dialled


class LocalOkx(OkxVenue):
    """OKX with the two middlewares bound, as a transport wants them."""

    def __init__(self, exchange: Exchange, faults: Faults | None = None, simulated: bool = False) -> None:
        super().__init__(exchange, faults, simulated)
        self.lines: list[OkxLine] = []

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
        self.lines.append(OkxLine(self, path, send, close, later))
        return self.lines[-1]

    def served(self) -> Served:
        """This venue behind sockets."""
        return Served(self.answer, self.open_line)

    def virtual_client(self, latency_s: float = LATENCY_S, **more: Any) -> Any:
        """A client under the virtual clock."""
        session = VirtualSession(self.answer, self.open_line, latency_s)
        return client(ANYWHERE, ANYWHERE.replace("http", "ws") + "/ws/v5", session=session, **more)


def client(rest_url: str, ws_url: str, **more: Any) -> Any:
    """ccxt.pro.okx for these addresses."""
    keys = {"apiKey": KEY, "secret": SECRET, "password": PASSPHRASE, "enableRateLimit": False, "timeout": 3000}
    options = {"defaultType": "swap", "fetchMarkets": {"types": ["swap"]}}
    return ccxt.pro.okx({**keys, "urls": {"api": {"rest": rest_url, "ws": ws_url}}, "options": options, **more})
