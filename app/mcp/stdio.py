"""The protocol over standard input and output: `nightdesk mcp`, started by a client as its child. Called by app/cli/mcp.py.

Standard output carries the protocol alone: whatever else writes there goes to standard error. A line that is too long or too
deep is answered with an error and never parsed.
"""

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, cast

import anyio
from mcp import types
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from app.mcp.bounds import MESSAGE_MAX, fault_of
from app.mcp.calls import McpCaller, McpDesk
from app.mcp.server import server_of

AHEAD = 4  # lines that are read before they are wanted


def serve(desk: McpDesk, person: str) -> None:
    """Serve the client at the other end until it closes its side."""
    logging.getLogger("mcp").setLevel(logging.ERROR)
    try:
        anyio.run(_serve, desk, person)
    except* BrokenPipeError:
        logging.getLogger(__name__).info("the client closed its side before it had read everything")


async def _serve(desk: McpDesk, person: str) -> None:
    server = server_of(desk, lambda _ctx, client: McpCaller("stdio", person, client, desk.effects))
    lines = InputLines(_own_input())
    async with stdio_server(stdin=cast(Any, lines)) as (read_stream, write_stream):
        lines.answers = write_stream
        await server.run(read_stream, write_stream, server.create_initialization_options())


def _own_input() -> int:
    """Standard input for this transport alone: children and libraries find an empty one."""
    own, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return own


class InputLines:
    """The lines of a descriptor that may be read, as text; the others are answered through `answers`."""

    answers: Any = None

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def __aiter__(self) -> AsyncIterator[str]:
        """Each line once; ends with the input."""
        send, receive = anyio.create_memory_object_stream[bytes](AHEAD)
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(send, loop), name="mcp-input", daemon=True).start()
        async with receive:
            async for line in receive:
                if fault := fault_of(line.rstrip(b"\r\n")):
                    error = types.ErrorData(code=types.INVALID_REQUEST, message=f"not read: {fault}")
                    await self.answers.send(SessionMessage(types.JSONRPCError(jsonrpc="2.0", id=None, error=error)))
                else:
                    yield line.decode("utf-8", "replace")

    def _read(self, send: Any, loop: asyncio.AbstractEventLoop) -> None:
        """Read lines of a bounded length in a thread: a pipe cannot be waited for otherwise on every system."""

        async def close() -> None:
            await send.aclose()

        with os.fdopen(self._descriptor, "rb") as file, suppress(RuntimeError, anyio.BrokenResourceError):  # the loop has ended
            while line := file.readline(MESSAGE_MAX + 3):
                rest = line
                while not rest.endswith(b"\n") and (rest := file.readline(MESSAGE_MAX)):
                    pass  # what is beyond the bound is passed over, not kept
                asyncio.run_coroutine_threadsafe(send.send(line), loop).result()
            asyncio.run_coroutine_threadsafe(close(), loop).result()
