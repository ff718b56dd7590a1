"""Real ccxt under a virtual clock, without sockets: an event loop whose time jumps to what comes next, a session that calls the
middleware, and ccxt's own clock and random ids replaced. A program with nothing left to wait for is an error, not a hang.
"""

import asyncio
import importlib
import random
import selectors
import ssl
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace, TracebackType
from typing import Any, NamedTuple, Self
from unittest.mock import patch

import aiohttp
import yarl
from aiohttp import WSMsgType

from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.serve import Line, OpenLine, Rest
from tests.fakes.exchange.wire import Request

LATENCY_S = 0.02  # of a request there and back, and of a dial
CLOSED = 1006
tls_context = cache(ssl.create_default_context)
CCXT = importlib.import_module("ccxt.base.exchange")  # by attribute one gets a list: ccxt hides its own module


class Stuck(Exception):
    """Nothing is left that could ever wake the program."""


class _Jump(selectors.DefaultSelector):
    """Does not wait for a timer: it moves the loop's time there."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Stuck("every task waits for something that nobody will do")
        if timeout > 0:
            self.loop.now_s += timeout
        return super().select(0) if len(self.get_map()) > 1 else []  # the loop's own pipe alone: no socket to look at


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time is the sum of what was waited for, and begins at 0: a float near 1.7e9 cannot hold nanoseconds."""

    def __init__(self, start_ms: int) -> None:
        self.now_s, self.start_ms = 0.0, start_ms
        selector = _Jump()
        selector.loop = self
        super().__init__(selector)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Seconds since the start."""
        return self.now_s

    def clock(self) -> int:
        """UTC ms."""
        return self.start_ms + int(self.now_s * 1000 + 1e-3)


@contextmanager
def ccxt_clock(clock: Callable[[], int], seed: int = 0) -> Iterator[None]:
    """ccxt's time and ids come from here, and its certificates once: each client would read them all, and none is looked at."""
    dice = random.Random(seed)
    ids = SimpleNamespace(uuid4=lambda: uuid.UUID(int=dice.getrandbits(128), version=4), uuid5=uuid.uuid5, UUID=uuid.UUID)
    now = SimpleNamespace(time=lambda: clock() / 1000, time_ns=lambda: clock() * 1_000_000, sleep=time.sleep)
    with patch.multiple(CCXT, time=now, random=dice, uuid=ids), patch.object(ssl, "create_default_context", tls_context):
        yield


async def drive(exchange: Exchange) -> None:
    """Let the exchange's own events happen when they are due, for ever.

    Not by asyncio.wait_for: in CPython 3.11 it swallows a cancellation that comes in the same turn as what it waits for.
    """
    loop, wake = asyncio.get_running_loop(), asyncio.Event()
    exchange.on_schedule = lambda _: wake.set()  # something may be due earlier now
    while True:
        timer = loop.call_later(max(0.0, (exchange.next_ms - exchange.clock()) / 1000), wake.set)
        try:
            await wake.wait()
        finally:
            timer.cancel()
        wake.clear()
        exchange.catch_up()


def run_virtual(main: Callable[[VirtualLoop], Coroutine[Any, Any, Any]], start_ms: int, seed: int = 0) -> Any:
    """Run `main(loop)` under a clock that begins at `start_ms`; returns what it returns. Raises Stuck."""
    loop = VirtualLoop(start_ms)
    asyncio.set_event_loop(loop)
    try:
        with ccxt_clock(loop.clock, seed):
            try:
                return loop.run_until_complete(main(loop))
            finally:
                for task in (tasks := asyncio.all_tasks(loop)):
                    task.cancel()
                loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


class _Response:
    """What ccxt reads of aiohttp's response."""

    def __init__(self, status: int, headers: Mapping[str, str], text: str) -> None:
        self.status, self.headers, self.reason, self._text = status, headers, "", text

    async def text(self, errors: str = "strict") -> str:
        return self._text


class _Call:
    """One request: `async with session.get(...) as response`."""

    def __init__(self, rest: Rest, request: Request, timeout_s: float, latency_s: float) -> None:
        self._rest, self._request, self._timeout_s, self._latency_s = rest, request, timeout_s, latency_s

    async def __aenter__(self) -> _Response:
        await asyncio.sleep(self._latency_s / 2)
        answer = self._rest(self._request)
        if answer.never:
            await asyncio.sleep(self._timeout_s)
            raise TimeoutError
        await asyncio.sleep(self._latency_s / 2)
        return _Response(answer.status, answer.headers, answer.text)

    async def __aexit__(self, *_: object) -> None:
        """Nothing to close."""


class _Message(NamedTuple):
    """What ccxt reads of a WebSocket message."""

    type: WSMsgType
    data: Any


class VirtualSocket:
    """The client's end of a connection."""

    _conn = None  # ccxt looks here for aiohttp's buffer

    def __init__(self) -> None:
        self.closed = False
        self.line: Line | None = None
        self._in: asyncio.Queue[_Message] = asyncio.Queue()

    def deliver(self, text: str) -> None:
        """A text comes from the venue."""
        self._in.put_nowait(_Message(WSMsgType.TEXT, text))

    def cut(self) -> None:
        """The venue has closed."""
        self._in.put_nowait(_Message(WSMsgType.CLOSE, CLOSED))
        self.closed = True

    async def receive(self) -> _Message:
        """The next message."""
        return await self._in.get()

    async def send_str(self, text: str) -> None:
        """A text goes to the venue."""
        assert self.line is not None
        self.line.take(text)

    async def ping(self, *_: object) -> None:
        """A ping of the protocol, where a venue does not want a text instead."""
        if self.line is not None and self.line.pinged():
            self._in.put_nowait(_Message(WSMsgType.PONG, b""))

    async def pong(self, *_: object) -> None:
        """An answer to a ping, which no local venue sends."""

    async def close(self, *_: object) -> bool:
        """The client closes."""
        if not self.closed and self.line is not None:
            self.line.end()
            self._in.put_nowait(_Message(WSMsgType.CLOSED, None))  # what waits for a message ends, as aiohttp's does
        self.closed = True
        return True


class _Dial:
    """`session.ws_connect(...)`."""

    def __init__(self, session: "VirtualSession", url: str) -> None:
        self._session, self._url = session, url

    async def __aenter__(self) -> VirtualSocket:
        await asyncio.sleep(self._session.latency_s)
        socket, loop = VirtualSocket(), asyncio.get_running_loop()
        line = self._session.open_line(yarl.URL(self._url).raw_path_qs, socket.deliver, socket.cut, loop.call_later)
        if line is None:
            raise aiohttp.ClientConnectionError("refused")
        socket.line = line
        return socket

    async def __aexit__(self, exc: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """ccxt closes the socket itself."""


class VirtualSession:
    """Stands for aiohttp's ClientSession in ccxt: pass it as `session`."""

    def __init__(self, rest: Rest, open_line: OpenLine, latency_s: float = LATENCY_S) -> None:
        self.rest, self.open_line, self.latency_s = rest, open_line, latency_s
        self.headers: dict[str, str] = {}  # ccxt adds them to each request's

    def __getattr__(self, name: str) -> Callable[..., _Call]:
        if name not in ("get", "post", "put", "delete"):
            raise AttributeError(name)

        def call(url: yarl.URL, data: bytes | None = None, headers: Any = None, timeout: Any = None, proxy: Any = None) -> _Call:
            named = {key.upper(): str(value) for key, value in (headers or {}).items()}
            target = yarl.URL(url, encoded=True).raw_path_qs
            return _Call(self.rest, Request(name.upper(), target, named, (data or b"").decode()), timeout.total, self.latency_s)

        return call

    def ws_connect(self, url: str, **_: Any) -> _Dial:
        """Dial a line."""
        return _Dial(self, url)

    async def close(self) -> None:
        """Nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to close."""
