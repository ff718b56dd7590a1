"""One HTTP connection of the API, bounded in time and number. Called by uvicorn, for app.api.__main__.

A connection that has no request under way is quiet: new, between two requests, or sending its header a byte at a time. A quiet
one is closed after HEADER_S; app.api.access bounds the time of a body. When CONNECTIONS_MAX are open, the one whose header or
body we have waited for longest makes room. So nobody who only holds connections open keeps the page, health or a halt from being
answered.
"""

import asyncio
import math
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_S = 10.0  # for the whole header of a request
CONNECTIONS_MAX = 150  # open ones; a page uses about ten
REQUESTS_MAX = 200  # under way; uvicorn answers 503 beyond


class BoundedConnection(H11Protocol):
    """uvicorn's connection with a clock on its header."""

    quiet_since: float | None = None  # the loop's clock; None while a request is under way
    begun: float = 0.0  # when its last request began; a body may still be on its way
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A new connection; the one that we have waited for longest leaves when there are too many."""
        super().connection_made(transport)
        self._settle()
        if len(self.connections) > CONNECTIONS_MAX:
            waits = [(since, one) for one in self.connections if (since := _waits_since(one)) is not None]
            longest = min(waits, key=lambda pair: pair[0])[1]
            longest.quiet_since, longest.begun = None, math.inf  # it leaves; the next one too many is another
            longest.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes of a header or a body."""
        super().data_received(data)
        self._settle()

    def on_response_complete(self) -> None:
        """A request was answered."""
        super().on_response_complete()
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _settle(self) -> None:
        """Start the clock when the connection becomes quiet, stop it when a request is under way; a byte does not wind it."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.quiet_since = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        elif self.quiet_since is None:
            self.begun = self.quiet_since = self.loop.time()
            self._timer = self.loop.call_later(HEADER_S, self._close_quiet)

    def _close_quiet(self) -> None:
        if self.quiet_since is not None:
            self.transport.abort()


def _waits_since(one: Any) -> float | None:
    """Since when a connection owes us a header or a body; None when it owes nothing."""
    if one.quiet_since is not None:
        return float(one.quiet_since)
    return one.begun if one.cycle is not None and one.cycle.more_body and not one.cycle.response_complete else None


BOUNDS: dict[str, Any] = {"http": BoundedConnection, "ws": "none", "limit_concurrency": REQUESTS_MAX}  # what uvicorn is given
