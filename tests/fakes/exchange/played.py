"""One script against a local venue, over sockets or under the virtual clock: the script cannot see which.

Each venue's own `played.py` binds these to its local venue and its ccxt client. Over sockets `wait` moves the venue's clock and
ccxt's, so both ways give the same times; nothing sleeps for long.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.serve import Served
from tests.fakes.exchange.stage import START_MS, HandClock, walked_exchange
from tests.fakes.exchange.virtual import ccxt_clock, drive, run_virtual

Make = Callable[[Callable[[], int]], Exchange]
Wait = Callable[[int], Coroutine[Any, Any, None]]


class LocalVenue(Protocol):
    """A venue with its two middlewares bound."""

    exchange: Exchange
    lines: list[Any]

    def served(self) -> Served:
        """Behind sockets."""

    def virtual_client(self, latency_s: float) -> Any:
        """A ccxt client under the virtual clock."""


Local = Callable[[Exchange], Any]  # makes a LocalVenue
Client = Callable[[str, str], Any]  # ccxt for a REST and a WebSocket address


def walked(clock: Callable[[], int]) -> Exchange:
    """BTC and ETH on seeded walks."""
    return walked_exchange(clock, 1)


@dataclass
class Played:
    """What a script has: the venue, ccxt, and a way to let time pass."""

    venue: Any  # a LocalVenue, with what its own protocol has beside that
    client: Any
    wait: Wait
    tasks: list[asyncio.Task[None]]
    poll_s: float  # 0 under the virtual clock: looking takes no time there

    async def until(self, found: Callable[[], object], what: str = "it") -> None:
        """Look again and again until something is so; fails when it does not come to pass."""
        for _ in range(2_000):
            if found():
                return
            await asyncio.sleep(self.poll_s)
        raise AssertionError(f"waited for {what} in vain")

    def collect(self, watch: Callable[[], Coroutine[Any, Any, list[Any]]]) -> list[Any]:
        """What a `watch_...` brings from now on, each push copied; an error is the last of it."""
        found: list[Any] = []

        async def follow() -> None:
            while True:
                try:
                    found.extend(dict(row) if isinstance(row, dict) else row for row in await watch())
                except Exception as error:  # noqa: BLE001 - whatever ccxt raises is what the test looks at
                    found.append(error)
                    return

        self.tasks.append(asyncio.create_task(follow()))
        return found

    async def subscribed(self, *channels: str) -> None:
        """Until each channel has been subscribed to."""
        await self.until(
            lambda: set(channels) <= {channel for line in self.venue.lines for channel in line.channels()}, str(channels)
        )

    async def end(self) -> None:
        """Close what is open."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.client.close()


Script = Callable[[Played], Coroutine[Any, Any, Any]]


def play_virtual(script: Script, local: Local, make: Make, latency_s: float, seed: int) -> tuple[Any, Any]:
    """(what the script returns, the venue) under the virtual clock."""

    async def main(loop: Any) -> tuple[Any, Any]:
        venue = local(make(loop.clock))
        driver = asyncio.create_task(drive(venue.exchange))

        async def wait(ms: int) -> None:
            await asyncio.sleep(ms / 1000)
            if driver.done():
                driver.result()  # it never ends but by an error, which is the test's
            venue.exchange.catch_up()

        played = Played(venue, venue.virtual_client(latency_s), wait, [driver], 0.0)
        try:
            return await script(played), venue
        finally:
            await played.end()

    found: tuple[Any, Any] = run_virtual(main, START_MS, seed)
    return found


def play_sockets(script: Script, local: Local, client: Client, make: Make, seed: int) -> tuple[Any, Any]:
    """The same over loopback."""

    async def main() -> tuple[Any, Any]:
        clock = HandClock()
        venue = local(make(clock))

        async def wait(ms: int) -> None:
            clock.step(ms)
            venue.exchange.catch_up()
            await asyncio.sleep(0.02)  # what was pushed is on its way

        with ccxt_clock(clock, seed):
            async with venue.served() as served:
                played = Played(venue, client(served.rest_url, served.ws_url), wait, [], 0.005)
                try:
                    return await script(played), venue
                finally:
                    await played.end()

    return asyncio.run(main())
