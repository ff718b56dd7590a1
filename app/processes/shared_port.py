"""One API process of several at one listening socket: who has the fewest connections open takes the next.

Called by app.api.__main__ with what app.processes.api_processes hands over. Left to the kernel, one process takes 14 of 20
connections by chance, and everyone on it waits longer (docs/benchmarks.md). The numbers are in memory that the processes
share; one that has not looked for GONE_S (it hangs, loads or has ended) is waited for by nobody.
"""

import asyncio
import mmap
import socket
import struct
import time
from contextlib import suppress
from typing import Any

import uvicorn

LOOK_S = 0.02  # between two looks of a process whose turn it is not
GONE_S = 0.5
ROW = struct.Struct("=dq")  # of each process: monotonic s of its last look, its open connections


class OpenConnections:
    """How many connections each process has open."""

    def __init__(self, numbers: int, row: int) -> None:
        self._memory, self._row = mmap.mmap(numbers, 0), row

    def is_next(self, own: int, now: float) -> bool:
        """Note this process's number; whether no other one that looks has fewer."""
        ROW.pack_into(self._memory, ROW.size * self._row, now, own)
        rows = enumerate(ROW.iter_unpack(self._memory))
        return all(own <= count for row, (looked, count) in rows if row != self._row and now - looked < GONE_S)


class SharingServer(uvicorn.Server):
    """uvicorn's server, which takes a connection when it is next."""

    def __init__(self, config: uvicorn.Config, listening: int, numbers: int, row: int) -> None:
        super().__init__(config)
        self._listening = socket.socket(fileno=listening)
        self._listening.setblocking(False)
        self._open = OpenConnections(numbers, row)
        self._taking: asyncio.Task[None] | None = None

    async def startup(self, sockets: Any = None) -> None:  # noqa: ARG002 - uvicorn's; the socket is the parent's
        """Start the application, then take connections."""
        await super().startup(sockets=[])
        self._taking = asyncio.create_task(self._take())

    async def shutdown(self, sockets: Any = None) -> None:  # noqa: ARG002 - uvicorn's
        """Take none any more, then end as uvicorn does."""
        if self._taking is not None:
            self._taking.cancel()
        self._listening.close()
        await super().shutdown(sockets=[])

    def _protocol(self) -> asyncio.Protocol:
        """What uvicorn makes of a connection."""
        made: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = made(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=None
        )
        return protocol

    async def _take(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self._open.is_next(len(self.server_state.connections), time.monotonic()):
                await asyncio.sleep(LOOK_S)
                continue
            try:
                connection, _ = self._listening.accept()
            except BlockingIOError:
                await self._arrival(loop)
            except OSError:  # it has left already, or this process has no descriptor to spare
                await asyncio.sleep(LOOK_S)
            else:
                connection.setblocking(False)
                await loop.connect_accepted_socket(self._protocol, connection)

    async def _arrival(self, loop: asyncio.AbstractEventLoop) -> None:
        """Until a connection has come, or so long that the others must see this process look."""
        come = asyncio.Event()
        loop.add_reader(self._listening, come.set)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(GONE_S / 4):
                    await come.wait()
        finally:
            loop.remove_reader(self._listening)
