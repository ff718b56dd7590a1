"""A local venue behind sockets on this machine's own clock, in a thread: for processes that know no other one."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from tests.fakes.exchange.market import PICO, Market, seeded_walk
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.stage import BTC
from tests.fakes.exchange.virtual import drive
from tests.fakes.live_feeds import joined

LOCAL = {"okx": "LocalOkx", "binance": "LocalBinance", "bybit": "LocalBybit"}
EVERY_MS = 15_000  # between two prints


def wall_ms() -> int:
    """UTC ms."""
    return time.time_ns() // 1_000_000


class Standing:
    """A venue that runs: `venue` with its exchange and faults, and where it listens."""

    def __init__(self, venue: Any, rest_url: str, ws_url: str) -> None:
        self.venue, self.rest_url, self.ws_url = venue, rest_url, ws_url

    @property
    def lots(self) -> int:
        """Of the position."""
        return int(self.venue.exchange.account.position("BTC").lots)

    @property
    def stops(self) -> int:
        """Conditional orders."""
        return len(self.venue.exchange.open_algos())


@contextmanager
def standing(name: str, past_hours: int, future_hours: int = 1) -> Iterator[Standing]:
    """The venue `name` with BTC on a seeded walk that began so long ago; it ends with the block."""
    start = wall_ms() // 60_000 * 60_000 - past_hours * 3_600_000
    count = (past_hours + future_hours) * 3_600_000 // EVERY_MS
    exchange = Exchange(wall_ms, {"BTC": Market(BTC, joined(seeded_walk(3, start, 600_000, count, EVERY_MS)))}, 100_000 * PICO)
    local = getattr(import_module(f"tests.fakes.exchange.{name}.client"), LOCAL[name])
    venue = local(exchange, simulated=True) if name == "okx" else local(exchange)
    ready, found, ended = threading.Event(), list[Standing](), list[Any]()

    async def serve() -> None:
        over = asyncio.Event()
        ended.append((asyncio.get_running_loop(), over))
        driver = asyncio.create_task(drive(exchange))
        async with venue.served() as served:
            found.append(Standing(venue, served.rest_url, served.ws_url))
            ready.set()
            await over.wait()
        driver.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name=f"local {name}", daemon=True)
    thread.start()
    assert ready.wait(60), "the local venue did not come up"
    try:
        yield found[0]
    finally:
        loop, over = ended[0]
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
