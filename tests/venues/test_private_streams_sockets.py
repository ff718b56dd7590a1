"""Private streams over real sockets: a peer that falls silent, connections that are given back, a client that never ends."""

import asyncio
import gc
import os
from base64 import b64encode
from collections.abc import Callable, Coroutine
from hashlib import sha1
from typing import Any

import ccxt.pro
import pytest

from engine.venues import lines
from engine.venues.private_stream import PrivateSource, PrivateStream
from engine.venues.private_stream_words import StreamHint
from tests.fakes.exchange.adapted import ADAPTED, ENTER, STOP, moving
from tests.fakes.exchange.played import Played
from tests.fakes.exchange.virtual import run_virtual


@pytest.fixture(params=ADAPTED)
def venue(request: pytest.FixtureRequest) -> str:
    """Each venue."""
    return str(request.param)


def socketed(venue: str, act: Callable[[Played, Any, Callable[[], Any]], Coroutine[Any, Any, None]]) -> None:
    """The same over loopback; the stream has clients of its own."""

    async def script(played: Played) -> None:
        urls = played.client.urls["api"]

        def client() -> Any:
            made = type(played.client)({**keys_of(played.client), "timeout_on_exit": 1})
            made.urls["api"] = urls
            return made

        await act(played, ADAPTED[venue].adapter(played.client), client)

    ADAPTED[venue].played.over_sockets(script, moving)


def keys_of(client: Any) -> dict[str, Any]:
    """What a local venue lets in."""
    return {
        "apiKey": client.apiKey,
        "secret": client.secret,
        "password": client.password,
        "timeout": 3000,
    }


def test_over_sockets(venue: str) -> None:
    """An execution is named; closing leaves no connection at the venue, also one that no longer answers."""

    async def act(played: Played, adapter: Any, client: Callable[[], Any]) -> None:
        hints: list[StreamHint] = []
        stream = PrivateStream(PrivateSource(venue, client), hints.append)
        await stream.open()
        await adapter.place(ENTER)
        await adapter.place(STOP)
        await played.until(lambda: {"ndE1", "ndS1"} <= {hint.order for hint in hints}, "both orders")
        await played.until(lambda: any(hint.trade for hint in hints), "the execution")
        played.venue.faults.on("ws_mute")
        await stream.close()
        await played.until(lambda: all(line.closed for line in played.venue.lines), "the venue's end")
        assert stream.over.is_set()

    socketed(venue, act)


def descriptors() -> int:
    """Open files and sockets of this process."""
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="descriptors are counted by /proc")
@pytest.mark.parametrize(("venue", "times"), [("okx", 9), *(pytest.param(v, 100, marks=pytest.mark.long) for v in ADAPTED)])
def test_connections_leave_nothing_behind(venue: str, times: int) -> None:
    """Begun and given up again and again, a third of them while the venue is silent: no descriptor, task or listener stays."""

    async def act(played: Played, adapter: Any, client: Callable[[], Any]) -> None:
        counts = []
        for n in range(times + 3):
            stream = PrivateStream(PrivateSource(venue, client), lambda _: None)
            await stream.open()
            if n % 3 == 2:
                played.venue.lines[-1].take = lambda _: None
            if n % 3 == 1:
                played.venue.lines[-1]._send("garbage")
                await played.until(stream.over.is_set, "its end")
            await stream.close()
            await played.until(lambda: all(line.closed for line in played.venue.lines), "the venue's end")
            if n in (2, times + 2):
                await asyncio.sleep(0.1)
                gc.collect()
                counts.append((descriptors(), len(asyncio.all_tasks()), len(played.venue.exchange.listeners)))
        assert counts[0] == counts[1]

    socketed(venue, act)


class Deaf:
    """A client that never comes to an end."""

    clients: Any = None

    async def close_ws_clients(self) -> None:
        """Never."""
        await asyncio.sleep(10**9)

    close = close_ws_clients


def test_closing_takes_three_seconds_at_most() -> None:
    """Whatever ccxt waits for."""

    async def main(loop: Any) -> float:
        await lines.close(Deaf())
        return float(loop.time())

    assert run_virtual(main, 0) <= 3.1


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="descriptors are counted by /proc")
def test_a_peer_that_no_longer_says_a_word_keeps_no_descriptor() -> None:
    """It has taken the connection, and then not even the farewell."""

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        key = next(line for line in (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n") if b"Sec-WebSocket-Key" in line)
        proof = b64encode(sha1(key.split(b": ")[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())  # noqa: S324 - RFC 6455
        switch = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        writer.write(switch + proof + b"\r\n\r\n")
        await reader.read()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(deaf, "127.0.0.1", 0)
        url, before = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws", descriptors()
        exchange = ccxt.pro.binanceusdm({"timeout_on_exit": 1})
        promise = exchange.watch(url, "it", None, "it")
        await asyncio.wait_for(exchange.client(url).connected, 5)
        await lines.close(exchange)
        assert promise.done()
        await asyncio.sleep(0.2)
        assert descriptors() <= before
        server.close()

    asyncio.run(main())
