"""The private stream of a maker's account, as hints: it wakes what reads by REST, and books nothing.

Called by app/making/account.py. One connection after the other (engine/venues/private_stream.py); one that shows no life is
dialled anew, and meanwhile executions are read twice a second.
"""

import asyncio

from app.making.executions import MakerExecutions
from app.making.requests import MakerRequests
from engine.errors import DataError
from engine.live.health import SILENT_MS
from engine.live.streams import DIAL_AGAIN_S, LASTED_MS
from engine.venues.private_stream import PrivateSource, PrivateStream
from engine.venues.private_stream_words import WORDS, StreamHint

LOOK_S = 1.0


class MakerStream:
    """The stream of one account, for one instrument."""

    def __init__(self, source: PrivateSource, symbol: str, executions: MakerExecutions, requests: MakerRequests) -> None:
        """symbol: BTC-USDT. Raises BadInput for an unknown venue."""
        self._source, self._executions, self._requests = source, executions, requests
        self._symbol = WORDS[source.venue].symbol(symbol)
        self._stream: PrivateStream | None = None
        self.connections, self.why = 0, ""

    def is_there(self) -> bool:
        """Whether a connection is open and shows life."""
        return self._stream is not None and self._stream.silent_s() * 1000 <= SILENT_MS

    async def run(self) -> None:
        """One connection after the other."""
        failures, clock = 0, asyncio.get_running_loop().time
        while True:
            began = clock()
            await self._one()
            self._executions.wake()
            self._requests.wake()
            failures = 0 if (clock() - began) * 1000 >= LASTED_MS else failures + 1
            await asyncio.sleep(DIAL_AGAIN_S[min(failures, len(DIAL_AGAIN_S) - 1)])

    async def _one(self) -> None:
        """One connection to its end."""
        stream = PrivateStream(self._source, self._hint)
        try:
            await stream.open()
            self._stream, self.why = stream, ""
            self.connections += 1
            self._executions.wake()
            self._requests.wake()
            while self.is_there() and not stream.over.is_set():
                await asyncio.sleep(LOOK_S)
            self.why = stream.why or "it showed no life"
        except DataError as error:
            self.why = error.what
        finally:
            self._stream = None
            await stream.close()

    def _hint(self, hint: StreamHint) -> None:
        """What a message names: where to look, at once."""
        if hint.symbol != self._symbol:
            return
        if hint.trade:
            self._executions.announce(hint.trade)
        if hint.order and (hint.ended or hint.trade):
            self._requests.wake(hint.order)
