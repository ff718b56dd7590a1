"""One HTTP connection of the API or the page, bounded in time and number. Called by uvicorn, for app.api.__main__ and
app.processes.page.

A connection owes us a header while no request is under way: new, between two requests, or sending its header a byte at a time.
It owes a body until that has come whole. HEADER_S and BODY_S are for the whole of it, and a byte does not wind the clock; who is
late is closed (app.api.access answers a late body before that). When CONNECTIONS_MAX are open, the one we have waited for
longest makes room. So nobody who only holds connections open keeps the page, health or a halt from being answered.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_S = 10.0  # for the whole header of a request
BODY_S = 15.0  # for its whole body
CONNECTIONS_MAX = 150  # open ones; a page uses about ten
REQUESTS_MAX = 200  # under way; uvicorn answers 503 beyond


class BoundedConnection(H11Protocol):
    """uvicorn's connection with a clock on its header and its body."""

    owed_since: float | None = None  # the loop's clock; None while we owe an answer, and once it is a websocket
    _owed: tuple[str, Any] | None = None  # header or body, and the request before or around it
    _timer: asyncio.TimerHandle | None = None
    _upgraded = False

    def connection_made(self, transport: Any) -> None:
        """A new connection; the one that we have waited for longest leaves when there are too many."""
        super().connection_made(transport)
        self._settle()
        if len(self.connections) > CONNECTIONS_MAX:
            waits = [one for one in self.connections if isinstance(one, BoundedConnection) and one.owed_since is not None]
            longest = min(waits, key=lambda one: one.owed_since or 0.0)
            longest.owed_since = None  # it leaves; the next one too many is another
            longest.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes of a header or a body."""
        super().data_received(data)
        self._settle()

    def on_response_complete(self) -> None:
        """A request was answered."""
        super().on_response_complete()
        self._settle()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """A websocket has its own clock: pings."""
        super().handle_websocket_upgrade(event)
        self._upgraded = True
        self._forget()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._forget()
        super().connection_lost(exc)

    def _settle(self) -> None:
        """Start a clock when something is owed that was not before, stop it when nothing is."""
        cycle = self.cycle
        owed = None
        if cycle is None or cycle.response_complete:
            owed = ("header", cycle)
        elif cycle.more_body:
            owed = ("body", cycle)
        if owed is None or self._upgraded:
            self._forget()
        elif owed != self._owed:
            self._forget()
            self._owed, self.owed_since = owed, self.loop.time()
            self._timer = self.loop.call_later(HEADER_S if owed[0] == "header" else BODY_S, self._late)

    def _forget(self) -> None:
        """Nothing is owed any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._owed = self.owed_since = self._timer = None

    def _late(self) -> None:
        if self.owed_since is not None:
            self.transport.abort()


BOUNDS: dict[str, Any] = {"http": BoundedConnection, "ws": "none", "limit_concurrency": REQUESTS_MAX}  # what uvicorn is given
