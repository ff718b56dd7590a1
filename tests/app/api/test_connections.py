"""Connections that send nothing, or a header a byte at a time, keep nobody out; every refusal has its right status."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import uvicorn
import uvicorn.config
from fastapi import routing

from app.api.factory import WARM
from app.processes import connections
from app.processes.page import bound_connections
from tests.fakes.waiting import WAIT_S, free_port, until

PART = b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "


def slow(served: Any) -> socket.socket:
    """A connection whose header never ends."""
    one = socket.create_connection(("127.0.0.1", served.port), timeout=WAIT_S)
    one.sendall(PART)
    return one


@pytest.fixture
def crowd(served: Any) -> Iterator[list[socket.socket]]:
    """300 of them."""
    with contextlib.ExitStack() as opened:
        yield [opened.enter_context(slow(served)) for _ in range(300)]


def test_three_hundred_slow_headers_keep_nobody_out(served: Any, crowd: list[socket.socket]) -> None:
    """Health, the desk and a halt are answered; the oldest of the slow ones are gone."""
    assert httpx.get(f"{served.url}/api/health", timeout=WAIT_S).status_code == 200
    with served.client() as client:
        assert client.get("/api/desk").status_code == 200
        assert client.post("/api/halt", json={"reason": "crowded"}).status_code == 200
    assert len(served.server.server_state.connections) <= connections.CONNECTIONS_MAX + 1
    with contextlib.suppress(ConnectionError):
        assert crowd[0].recv(100) == b""


@pytest.mark.parametrize("path", ["/api/health", "/api/slack/events"])
def test_bodies_that_never_come_keep_nobody_out(served: Any, path: str) -> None:
    """Nobody needs a session to begin a request there: whoever sends no body leaves before the page or a halt does."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    with contextlib.ExitStack() as opened:
        for _ in range(connections.CONNECTIONS_MAX + 20):
            one = opened.enter_context(socket.create_connection(("127.0.0.1", served.port), timeout=WAIT_S))
            one.sendall(head.encode())
        assert httpx.get(f"{served.url}/api/health", timeout=WAIT_S).status_code == 200
        with served.client() as client:
            assert client.post("/api/halt", json={"reason": "crowded"}).status_code == 200


def given_up(port: int, first: bytes, answered: bytes = b"") -> bool:
    """Send `first`, read `answered`, then a byte now and then: whether the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as one, contextlib.suppress(ConnectionError):
        one.sendall(first)
        assert not answered or one.recv(len(answered)) == answered
        end = time.monotonic() + WAIT_S
        one.settimeout(0.05)
        while time.monotonic() < end:
            one.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                if one.recv(4096) == b"":
                    return True
        return False
    return True


def test_a_header_that_does_not_end_is_given_up(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then does not wind the clock, neither on a new connection nor behind an answered request."""
    monkeypatch.setattr(connections, "HEADER_S", 0.2)
    assert given_up(served.port, b"")
    assert given_up(served.port, b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % served.port, b"HTTP/1.1 200 OK")


class Page:
    """A server whose application never reads a body and takes every websocket: what the page's may do."""

    def __init__(self) -> None:
        self.port = free_port()
        config = uvicorn.Config(self, "127.0.0.1", self.port, log_level="critical", ws="websockets-sansio")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        until(lambda: self.server.started, "the server did not start")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Take a websocket; leave a request without an answer."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
        if scope["type"] != "lifespan":
            while (await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
                pass

    def stop(self) -> None:
        """Stop listening."""
        self.server.should_exit = self.server.force_exit = True
        self.thread.join(WAIT_S)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A server as the page's process makes it: bounded because it names no protocol."""
    monkeypatch.setitem(uvicorn.config.HTTP_PROTOCOLS, "auto", uvicorn.config.HTTP_PROTOCOLS["auto"])
    monkeypatch.setattr(connections, "HEADER_S", 0.2)
    monkeypatch.setattr(connections, "BODY_S", 0.2)
    bound_connections()
    made = Page()
    yield made
    made.stop()


def test_the_page_gives_up_a_header_or_a_body_that_does_not_end(page: Page) -> None:
    """Whatever its application does with the body."""
    assert given_up(page.port, b"GET / HTTP/1.1\r\nX-Slow: ")
    assert given_up(page.port, b"PUT /_stcore/upload_file/a/b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 90000\r\n\r\n")


def test_a_websocket_of_the_page_has_no_such_clock(page: Page) -> None:
    """It answers a ping after a header begun later was given up; a crowd of slow headers does not touch it either."""
    upgrade = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    with socket.create_connection(("127.0.0.1", page.port), timeout=WAIT_S) as one, contextlib.ExitStack() as opened:
        one.sendall(upgrade + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
        assert one.recv(4096).startswith(b"HTTP/1.1 101 ")
        assert given_up(page.port, b"GET / HTTP/1.1\r\nX-Slow: ")
        for _ in range(connections.CONNECTIONS_MAX + 20):
            opened.enter_context(socket.create_connection(("127.0.0.1", page.port), timeout=WAIT_S)).sendall(PART)
        one.sendall(b"\x89\x80\x00\x00\x00\x00")
        assert one.recv(2) == b"\x8a\x00"


def test_streamlit_names_no_protocol_of_its_own() -> None:
    """Else its connections would not be ours."""
    from streamlit.web.server.starlette import starlette_server

    assert "http" not in starlette_server._get_uvicorn_config_kwargs()


def test_a_wrong_method_is_told_the_right_ones(served: Any) -> None:
    """405 with Allow, as HTTP wants it."""
    with served.client() as client:
        answer = client.put("/api/halt", json={})
        assert answer.status_code == 405
        assert set(answer.headers["allow"].replace(" ", "").split(",")) <= {"GET", "POST", "DELETE"}
        assert answer.headers["allow"]
        assert client.get("/api/nowhere").status_code == 404


def test_the_first_to_ask_waits_for_no_route(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """FastAPI makes a router's routes when it is first asked, a quarter of a second of CPU: the API has done so before."""
    for thread in threading.enumerate():
        if thread.name == WARM:
            thread.join(WAIT_S)
    made: list[Any] = []
    own = routing._EffectiveRouteContext.from_api_route
    monkeypatch.setattr(
        routing._EffectiveRouteContext, "from_api_route", lambda *args, **named: made.append(named) or own(*args, **named)
    )
    with served.client() as client:
        assert client.get("/api/desk").status_code == 200
        assert client.get("/api/nowhere").status_code == 404
    assert made == []
