"""One connection to an account's private stream through ccxt.pro: dialled, logged in, subscribed, listened to, closed in time.

Called by engine/live/streams.py with a client of its own for each connection. ccxt dials, signs, pings and answers pings; what is
pushed is read raw (private_stream_words.py) and not handed on. Any doubt ends the connection: the next one starts from nothing.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, NamedTuple

from engine.errors import BadInput, DataError
from engine.redaction import redacted
from engine.venues.answers import silent
from engine.venues.lines import close, read_first
from engine.venues.outcome import code_of, words_of
from engine.venues.private_stream_words import WORDS, StreamHint

OPEN_S = 8.0  # for dial, login and subscription together
MESSAGE_MAX = 262_144  # letters of a message: a push of an order has under two thousand
RENEW_S, RENEW_AGAIN_S = 1_800.0, 60.0  # of Binance's listen key, which lives an hour from its last renewal
KEY_LIFE_S = 3_300.0  # without a renewal it counts as dead
KEY_GONE = "-1125"
OURS = "nightdesk"  # what the subscription is called inside ccxt


class PrivateSource(NamedTuple):
    """Where an account's stream comes from: okx, binance or bybit, and what makes a ccxt.pro client with the account's key."""

    venue: str
    client: Callable[[], Any]


class PrivateStream:
    """One connection. `over` is set, with `why`, once it brings nothing more; then it has to be closed."""

    def __init__(self, source: PrivateSource, on_hint: Callable[[StreamHint], None]) -> None:
        """Dials nothing yet. Raises BadInput for an unknown venue."""
        if source.venue not in WORDS:
            raise BadInput(f"no private stream of {source.venue!r}", f"available: {', '.join(WORDS)}")
        self.venue, self.over, self.why = source.venue, asyncio.Event(), ""
        self._words, self._on_hint, self._client = WORDS[source.venue], on_hint, source.client()
        self._to_ccxt = read_first(self._client, self._received)
        self._loop = asyncio.get_running_loop()
        self._frames: dict[str, float] = {}  # address -> loop time of the last thing that came, pongs too
        self._missing = set(self._words.topics)  # subscriptions that are not confirmed yet
        self._confirmed = asyncio.Event()
        self._renewal: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Return once the venue has taken every subscription. Raises DataError, also when that takes longer than OPEN_S."""
        begun = self._loop.create_task(BEGIN[self.venue](self))
        over = self._loop.create_task(self.over.wait())
        try:
            await asyncio.wait({begun, over}, timeout=OPEN_S, return_when=asyncio.FIRST_COMPLETED)
            if self.over.is_set():
                raise DataError(f"{self.venue} did not take the private stream: {self.why}")
            if not begun.done() or begun.cancelled():
                raise DataError(f"{self.venue} did not take the private stream within {OPEN_S:g} s")
            if (error := begun.exception()) is not None:
                raise silent(self.venue, "for a private stream", error)
        finally:
            for task in (begun, over):
                task.cancel()
                task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    def silent_s(self) -> float:
        """For how long its quietest connection has brought nothing, not even a pong."""
        return self._loop.time() - min(self._frames.values(), default=0.0)

    async def close(self) -> None:
        """Hang up, within three seconds whatever the venue does."""
        self._end("closed")
        if self._renewal is not None:
            self._renewal.cancel()
        await close(self._client)

    def _end(self, why: str) -> None:
        if not self.over.is_set():
            self.why = why
            self.over.set()

    # ---- what comes -----------------------------------------------------------------------------------------------------

    def _line(self, url: str) -> Any:
        """ccxt's connection to an address, with our hand before its own."""
        line = self._client.client(url)
        if url not in self._frames:
            self._frames[url] = self._loop.time()
            line.handle_message = partial(self._frame, url, line.handle_message)
        return line

    def _frame(self, url: str, handle: Callable[[Any], None], frame: Any) -> None:
        """Anything that comes on a connection. An error here would end ccxt's reading without a word."""
        self._frames[url] = self._loop.time()
        if not self._missing:
            self._confirmed.set()
        if isinstance(frame.data, str | bytes) and len(frame.data) > MESSAGE_MAX:
            self._end(f"a message of {len(frame.data)} letters")
            return
        try:
            handle(frame)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's message breaks, the connection is given up
            self._end(f"a message that cannot be read: {type(error).__name__}")

    def _received(self, line: Any, message: Any) -> Any:
        """A message as ccxt has decoded it. What is pushed stays here."""
        if not isinstance(message, Mapping):
            return self._to_ccxt(line, message) if isinstance(message, str) and message == "pong" else self._not_json()
        heard = self._words.read(message)
        self._missing.difference_update(heard.confirms)
        if not self._missing:
            self._confirmed.set()
        for hint in heard.hints:
            self._on_hint(hint)
        if heard.ends:
            self._end(redacted(heard.ends))
        return None if heard.data else self._to_ccxt(line, message)

    def _not_json(self) -> None:
        self._end("a message that is not JSON")

    # ---- how a venue's stream begins ------------------------------------------------------------------------------------

    async def begin_okx(self) -> None:
        """Two addresses, each with a login of its own: conditional orders come on the business one."""
        addresses = {name: self._client.get_url(name, "private") for name in self._words.topics}
        for access, (topic, url) in zip(("private", "business"), addresses.items(), strict=True):
            self._line(url)
            await self._client.authenticate({"access": access})
            self._subscribe(url, {"op": "subscribe", "args": [{"channel": topic, "instType": "SWAP"}]})
        await self._confirmed.wait()

    async def begin_bybit(self) -> None:
        """One address, two topics: orders and executions."""
        url = self._client.implode_hostname(self._client.urls["api"]["ws"]["private"]["contract"])
        self._line(url)
        await self._client.authenticate(url)
        self._subscribe(url, {"op": "subscribe", "req_id": OURS, "args": list(self._words.topics)})
        await self._confirmed.wait()

    async def begin_binance(self) -> None:
        """A key by REST is login and subscription. ccxt renews it once and never again, so the desk does it."""
        key = str((await self._client.fapiprivate_post_listenkey())["listenKey"])
        url = self._client.get_private_ws_url("linear", key)
        line = self._line(url)
        self._subscribe(url, None)
        await line.connected
        await line.connection.ping()  # a line that only opens has shown no life
        await self._confirmed.wait()
        self._renewal = self._loop.create_task(self._renewed(key))

    def _subscribe(self, url: str, message: Any) -> None:
        """Send it once the connection is there; ccxt's promise ends with the connection, and never otherwise."""
        promise = self._client.watch(url, OURS, message, OURS)
        promise.add_done_callback(self._line_over)

    def _line_over(self, promise: Any) -> None:
        error = None if promise.cancelled() else promise.exception()
        self._end(redacted(f"{type(error).__name__}: {words_of(error)}")[:200] if error else "the connection has ended")

    async def _renewed(self, key: str) -> None:
        """Keep Binance's key alive; one that is gone, or is another by now, ends the connection."""
        renewed, wait = self._loop.time(), RENEW_S
        while True:
            await asyncio.sleep(wait)
            try:
                answer = await self._client.fapiprivate_put_listenkey()
                if str(answer["listenKey"]) != key:
                    return self._end("the listen key is another one by now")
                renewed, wait = self._loop.time(), RENEW_S
            except Exception as error:  # noqa: BLE001 - asked again, while the key can still live
                if code_of(error) == KEY_GONE:
                    return self._end("the listen key has expired")
                if self._loop.time() - renewed > KEY_LIFE_S:
                    return self._end("the listen key could not be renewed")
                wait = RENEW_AGAIN_S


BEGIN: Mapping[str, Callable[[PrivateStream], Coroutine[Any, Any, None]]] = {
    "okx": PrivateStream.begin_okx,
    "binance": PrivateStream.begin_binance,
    "bybit": PrivateStream.begin_bybit,
}
