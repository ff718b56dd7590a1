"""A local venue behind sockets on this machine's own clock, in a thread: for processes that know no other one."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

from engine.clock import LOCAL_MS
from tests.fakes.exchange.market import MINUTE_MS, PICO, Market, seeded_walk
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.stage import BTC, ETH
from tests.fakes.exchange.virtual import drive
from tests.fakes.exchange.wire import Answer, Request
from tests.fakes.live_feeds import joined

LOCAL = {"okx": "LocalOkx", "binance": "LocalBinance", "bybit": "LocalBybit"}
EVERY_MS = 15_000  # between two prints


def wall_ms() -> int:
    """UTC ms."""
    return time.time_ns() // 1_000_000


class SeenRequest(NamedTuple):
    """One REST request as the venue saw it: UTC ms of its coming and of its answer, with fractions."""

    came_ms: float
    answered_ms: float
    method: str
    target: str
    body: str


class Standing:
    """A venue that runs: `venue` with its exchange and faults, where it listens, and what it was asked so far."""

    def __init__(self, venue: Any, rest_url: str, ws_url: str, asked: list[SeenRequest]) -> None:
        self.venue, self.rest_url, self.ws_url, self.asked = venue, rest_url, ws_url, asked

    @property
    def lots(self) -> int:
        """Of the position."""
        return int(self.venue.exchange.account.position("BTC").lots)

    @property
    def stops(self) -> int:
        """Conditional orders."""
        return len(self.venue.exchange.open_algos())


def bitcoin(past_hours: int, future_hours: int) -> dict[str, Market]:
    """BTC on a seeded walk that began so long ago."""
    start = wall_ms() // MINUTE_MS * MINUTE_MS - past_hours * 3_600_000
    count = (past_hours + future_hours) * 3_600_000 // EVERY_MS
    return {"BTC": Market(BTC, joined(seeded_walk(3, start, 600_000, count, EVERY_MS)))}


def two_fast(past_hours: int, future_hours: int) -> dict[str, Market]:
    """BTC and ETH whose bars close every 15 s (engine.clock.LOCAL_TIMEFRAME), six prints a bar."""
    start, every = wall_ms() // MINUTE_MS * MINUTE_MS - past_hours * 3_600_000, LOCAL_MS // 6
    count = (past_hours + future_hours) * 3_600_000 // every
    walks = ((BTC, seeded_walk(3, start, 600_000, count, every)), (ETH, seeded_walk(4, start, 300_000, count, every)))
    return {contract.name: Market(contract, joined(walk, LOCAL_MS), least_ms=LOCAL_MS) for contract, walk in walks}


@contextmanager
def standing(
    name: str, past_hours: int, future_hours: int = 1, markets: Callable[[int, int], dict[str, Market]] = bitcoin
) -> Iterator[Standing]:
    """The venue `name` with markets that began so long ago; it ends with the block."""
    exchange = Exchange(wall_ms, markets(past_hours, future_hours), 100_000 * PICO)
    local = getattr(import_module(f"tests.fakes.exchange.{name}.client"), LOCAL[name])
    venue = local(exchange, simulated=True) if name == "okx" else local(exchange)
    asked, answer = list[SeenRequest](), venue.answer

    def answered(request: Request) -> Answer:
        came = time.time_ns()
        found = answer(request)
        asked.append(SeenRequest(came / 1e6, time.time_ns() / 1e6, request.method, request.target, request.body))
        return found

    venue.answer = answered
    ready, found, ended = threading.Event(), list[Standing](), list[Any]()

    async def serve() -> None:
        over = asyncio.Event()
        ended.append((asyncio.get_running_loop(), over))
        driver = asyncio.create_task(drive(exchange))
        async with venue.served() as served:
            found.append(Standing(venue, served.rest_url, served.ws_url, asked))
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
