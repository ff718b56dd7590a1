"""Streamable HTTP on loopback, with the package's own client: tokens, other origins, sizes, and two clients at once."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import httpx2
import pytest
import uvicorn
from mcp import types
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from app.mcp import http
from app.mcp.bounds import DEPTH_MAX, MESSAGE_MAX
from app.mcp.calls import ALL_EFFECTS, McpDesk
from app.mcp.http import application
from app.people.sessions import Sessions
from app.processes.connections import BOUNDS
from engine.store.journal import verify
from tests.app.mcp.conftest import McpBench
from tests.fakes.waiting import WAIT_S, free_port, until

START = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}},
}
ACCEPT = {"accept": "application/json, text/event-stream"}


class McpServed:
    """An MCP server of the bench's desk in a thread."""

    def __init__(self, bench: McpBench) -> None:
        self.bench, self.port = bench, free_port()
        app = application(bench.home, McpDesk(bench.home, "operator", ALL_EFFECTS), self.port)
        config = uvicorn.Config(app, "127.0.0.1", self.port, log_level="warning", timeout_graceful_shutdown=1, **BOUNDS)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        until(lambda: self.server.started, "the MCP server did not start")
        self.url = f"http://127.0.0.1:{self.port}/mcp"

    def token(self, name: str, scope: Any = "all") -> str:
        """A token as `nightdesk token` makes it."""
        return Sessions(self.bench.home.path).open(name, scope, time.time_ns() // 1_000_000)[0]

    def post(self, body: Any = START, token: str = "", **headers: str) -> httpx.Response:
        """One request without a client."""
        given = {**ACCEPT, "authorization": f"Bearer {token}"} if token else dict(ACCEPT)
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        more = {"content-type": "application/json", **given, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return httpx.post(self.url, headers=more, timeout=WAIT_S, **content)


@pytest.fixture(scope="module")
def served(bench: McpBench) -> Iterator[McpServed]:
    """The one server of this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http, "SESSIONS_MAX", 9)
        made = McpServed(bench)
    yield made
    made.server.should_exit = True
    made.thread.join(WAIT_S)


async def connected(
    served: McpServed, token: str, act: Callable[[Client], Awaitable[Any]], name: str = "stock", mode: str = "legacy"
) -> Any:
    """What `act` returns with a stock client of this token."""
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=WAIT_S) as wire:
        transport = streamable_http_client(served.url, http_client=wire)
        async with Client(transport, mode=mode, client_info=types.Implementation(name=name, version="1")) as client:
            return await act(client)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_two_stock_clients_at_once(served: McpServed, mode: str) -> None:
    """Both list and call at the same time, each in the name of its token and in a conversation of its own."""
    seen = len(served.bench.calls())

    async def several(client: Client) -> list[Any]:
        await client.list_tools()
        return list(await asyncio.gather(*(client.call_tool("sleeves", {}) for _ in range(3))))

    async def both() -> list[list[Any]]:
        pairs = [connected(served, served.token(name), several, name, mode) for name in ("ann", "noor")]
        return list(await asyncio.gather(*pairs))

    answers = asyncio.run(both())
    assert [answer.structured_content["status"] for one in answers for answer in one] == ["ok"] * 6
    entries = served.bench.calls()[seen:]
    assert sorted((e["person"], e["model"]) for e in entries) == [("ann", "mcp:ann")] * 3 + [("noor", "mcp:noor")] * 3
    assert len({e["thread"] for e in entries}) == 2
    assert verify(served.bench.home.people_journal).ok


def test_a_read_only_token_reads(served: McpServed) -> None:
    """It sees and may call READ tools alone, whatever the server was started with."""

    async def act(client: Client) -> Any:
        names = [tool.name for tool in (await client.list_tools()).tools]
        return names, await client.call_tool("note", {"topic": "desk", "text": "x", "evidence": ["v1"]})

    names, answer = asyncio.run(connected(served, served.token("eve", "read"), act))
    assert "desk" in names
    assert not {"note", "propose_pause", "probe"} & set(names)
    assert "may only READ" in answer.content[0].text


@pytest.mark.parametrize("scheme", ["", "Bearer wrong-but-of-a-length-that-could-be-one", "Basic TOKEN"])
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_without_a_token_nothing_answers(served: McpServed, scheme: str, method: str) -> None:
    """Every method needs it; a cookie is not looked at, and the answer says how to get a token."""
    token = served.token("ann")
    cookie, scheme = f"nightdesk_{served.port}={token}", scheme.replace("TOKEN", token)
    headers = {**ACCEPT, "cookie": cookie, "content-type": "application/json", **({"authorization": scheme} if scheme else {})}
    answer = httpx.request(method, served.url, headers=headers, timeout=WAIT_S)
    assert answer.status_code == 401
    assert "nightdesk token" in answer.json()["error"]["hint"]


def test_another_site_or_name_is_refused(served: McpServed) -> None:
    """A page of another origin, and a foreign name that resolves to this machine, even with a valid token."""
    token = served.token("ann")
    assert served.post(token=token, host="desk.example:80").status_code == 400
    assert served.post(token=token, origin="http://evil.example").status_code == 403
    assert served.post(token=token, sec_fetch_site="cross-site").status_code == 403
    assert served.post(token=token, origin=f"http://127.0.0.1:{served.port}").status_code == 200


def test_size_and_depth_are_bounded(served: McpServed) -> None:
    """A body beyond either is refused before it is parsed, without a session; another type is none."""
    token = served.token("ann")
    assert served.post(b'"' + b"x" * MESSAGE_MAX + b'"', token).status_code == 413
    deep = served.post(b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1), token)
    assert (deep.status_code, "levels deep" in deep.text) == (400, True)
    assert served.post(b"a=1", token, content_type="application/x-www-form-urlencoded").status_code == 415
    assert served.post(b"{nonsense", token).status_code == 400
    assert served.post(token=token, mcp_session_id="0" * 32).status_code == 404


def test_a_session_belongs_to_its_token(served: McpServed) -> None:
    """Whoever learns its id cannot go on with it."""
    session = served.post(token=served.token("ann")).headers["mcp-session-id"]
    assert served.post(token=served.token("noor"), mcp_session_id=session).status_code == 404


def test_the_number_of_sessions_is_bounded(served: McpServed) -> None:
    """Beyond it a new one is refused; nothing of a refused one is kept."""
    token = served.token("ann")
    states = [served.post(token=token).status_code for _ in range(10)]
    assert states[0] == 200
    assert states[-1] == 503
