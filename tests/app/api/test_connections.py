"""Connections that send nothing, or a header a byte at a time, keep nobody out; every refusal has its right status."""

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.api import connections
from tests.fakes.waiting import WAIT_S

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


def test_a_header_that_does_not_end_is_given_up(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then does not wind the clock, neither on a new connection nor behind an answered request."""
    monkeypatch.setattr(connections, "HEADER_S", 0.2)
    for first in (b"", b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % served.port):
        with socket.create_connection(("127.0.0.1", served.port), timeout=WAIT_S) as one, contextlib.suppress(ConnectionError):
            one.sendall(first)
            assert not first or one.recv(15) == b"HTTP/1.1 200 OK"
            end = time.monotonic() + WAIT_S
            one.settimeout(0.05)
            while time.monotonic() < end:
                one.sendall(b"x")
                with contextlib.suppress(TimeoutError):
                    if one.recv(4096) == b"":
                        break
            else:
                pytest.fail("the connection was never given up")


def test_a_wrong_method_is_told_the_right_ones(served: Any) -> None:
    """405 with Allow, as HTTP wants it."""
    with served.client() as client:
        answer = client.put("/api/halt", json={})
        assert answer.status_code == 405
        assert set(answer.headers["allow"].replace(" ", "").split(",")) <= {"GET", "POST", "DELETE"}
        assert answer.headers["allow"]
        assert client.get("/api/nowhere").status_code == 404
