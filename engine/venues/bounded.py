"""How much a venue, or whoever answers in its place, may send in one answer: ccxt alone reads any length whole into memory.

Called where ccxt's clients are made: ccxt_data.py, candles.py, account_client.py. The longest answers that venues give are their
lists of instruments, under 20 MiB.
"""

import time
from typing import Any

from engine.errors import DataError

ANSWER_BYTES = 64 << 20  # unpacked
ANSWER_S = 30.0
PIECE_BYTES = 65_536
TIMEOUT_MS = 10_000  # between two pieces of an answer: ccxt's own setting


def bound_answers(exchange: Any, venue: str) -> Any:
    """The same synchronous ccxt client; an answer beyond the bounds is a DataError."""
    import requests

    class Bounded(requests.adapters.HTTPAdapter):
        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            response = super().send(*args, **kwargs)
            body, until = bytearray(), time.monotonic() + ANSWER_S
            for piece in response.iter_content(PIECE_BYTES):  # its faults are those that ccxt knows
                body += piece
                if len(body) > ANSWER_BYTES:
                    response.close()
                    raise DataError(f"{venue} sent more than {ANSWER_BYTES >> 20} MiB in one answer", "nothing was stored of it")
                if time.monotonic() > until:
                    response.close()
                    raise DataError(f"{venue} takes over {ANSWER_S:.0f} s for one answer", "try again later")
            response._content = bytes(body)
            return response

    for scheme in ("https://", "http://"):
        exchange.session.mount(scheme, Bounded())
    return exchange


def bound_answers_async(client: Any) -> Any:
    """The same ccxt.pro client; an answer beyond the bound counts as a connection that broke, so that nothing is known of it.

    Its time is bounded by ccxt.
    """
    import aiohttp

    class Bounded(aiohttp.ClientResponse):
        async def read(self) -> bytes:
            if self._body is None:
                body = bytearray()
                async for piece in self.content.iter_any():
                    body += piece
                    if len(body) > ANSWER_BYTES:
                        self.close()
                        raise aiohttp.ClientConnectionError(f"more than {ANSWER_BYTES >> 20} MiB in one answer")
                self._body = bytes(body)
            return await super().read()

    opens = client.open

    def opened(*args: Any, **kwargs: Any) -> None:
        opens(*args, **kwargs)
        if client.session is not None:
            client.session._response_class = Bounded

    client.open = opened
    return client
