"""A local venue behind real sockets on loopback: REST and WebSocket by aiohttp, the middleware untouched."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, Self

from aiohttp import WSMsgType, web

from tests.fakes.exchange.wire import Answer, Request


class Line(Protocol):
    """One WebSocket connection as a protocol sees it."""

    def take(self, text: str) -> None:
        """A text from the client."""

    def pinged(self) -> bool:
        """A ping of the protocol has come: whether it is answered."""

    def end(self) -> None:
        """The connection is over."""


Rest = Callable[[Request], Answer]
OpenLine = Callable[[str, Callable[[str], None], Callable[[], None], Callable[..., Any]], Line | None]  # None: refused


class Served:
    """`async with Served(rest, open_line) as venue:` then `venue.rest_url` and `venue.ws_url`; every path is the venue's own."""

    def __init__(self, rest: Rest, open_line: OpenLine) -> None:
        self.rest, self.open_line = rest, open_line
        self._over = asyncio.Event()
        app = web.Application()
        app.add_routes([web.route("*", "/{path:.*}", self._either)])
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.rest_url, self.ws_url = f"http://{host}:{port}", f"ws://{host}:{port}/ws/v5"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        await self._runner.cleanup()

    async def _either(self, request: web.Request) -> web.StreamResponse:
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        return await (self._socket(request) if upgrade else self._request(request))

    async def _request(self, request: web.Request) -> web.Response:
        headers = {name.upper(): value for name, value in request.headers.items()}
        answer = self.rest(Request(request.method, request.raw_path, headers, await request.text()))
        if answer.never:
            await self._over.wait()
        return web.Response(text=answer.text, status=answer.status, headers=dict(answer.headers))

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        loop, socket = asyncio.get_running_loop(), web.WebSocketResponse()
        out: asyncio.Queue[str | None] = asyncio.Queue()
        line = self.open_line(request.path_qs, out.put_nowait, lambda: out.put_nowait(None), loop.call_later)
        if line is None:
            return web.Response(status=503)
        await socket.prepare(request)
        writer = asyncio.create_task(self._write(socket, out))
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    line.take(message.data)
        finally:
            line.end()
            writer.cancel()
        return socket

    @staticmethod
    async def _write(socket: web.WebSocketResponse, out: "asyncio.Queue[str | None]") -> None:
        while (text := await out.get()) is not None:
            await socket.send_str(text)
        await socket.close()
