"""A new synthetic desk behind an MCP server in this process, and the package's own client on it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from mcp import types
from mcp.client import Client

from app.home.home import Home, open_home
from app.mcp.calls import ALL_EFFECTS, McpCaller, McpDesk
from app.mcp.server import server_of
from engine.store.journal import read

READ_ONLY = ALL_EFFECTS[:1]


class McpBench:
    """One home; `ask` connects a stock client to a server of it, and runs what a test does with that client."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def ask(
        self,
        act: Callable[[Client], Awaitable[Any]],
        role: Any = "operator",
        effects: Any = READ_ONLY,
        *,
        mode: str = "legacy",
        client: str = "Stock Client/1",
        desk: McpDesk | None = None,
    ) -> Any:
        """What `act` returns. `mode`: the handshake of 2025 (legacy) or a request that carries all it needs (auto)."""
        served = desk or McpDesk(self.home, role, effects)
        server = server_of(served, lambda _ctx, name: McpCaller("stdio", "mara", name, served.effects))

        async def session() -> Any:
            name = types.Implementation(name=client, version="1")
            async with Client(server, mode=mode, client_info=name, raise_exceptions=True) as connected:
                return await act(connected)

        return asyncio.run(session())

    def calls(self, since: int = 0) -> list[dict[str, Any]]:
        """The calls in the people journal, oldest first."""
        path = self.home.people_journal
        return [dict(event.body) for event in read(path, {"tool"}, since)] if path.exists() else []


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[McpBench]:
    """The one home of a file; its tests only add to it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(tmp_path_factory.mktemp("mcp")))
        patch.delenv("NIGHTDESK_DATA", raising=False)
        home = open_home()
    yield McpBench(home)
    home.engine.dispose()
