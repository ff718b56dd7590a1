"""A live desk on a local venue with the account's private stream, by real ccxt: what tests of the streams duty have alike."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from engine.live.streams import AccountStreams
from engine.store.chain import Event
from engine.store.journal import read
from tests.fakes.desks import BAR_MS
from tests.fakes.exchange.adapted import ADAPTED
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.played import Played
from tests.fakes.exchange.stage import START_MS, flat_path, small_exchange
from tests.fakes.live_desks import live_bar, long
from tests.storms.live_storm import LiveStorm

MINUTE = 60_000
FILLS_MS = START_MS + BAR_MS + 2 * MINUTE + 7_000  # when the resting order of `rests` fills
PRICE = 60_000.0


def dipping(clock: Callable[[], int]) -> Exchange:
    """60,000.0, two minutes after the first close 59,900.0; it stays there, a print a minute."""
    after = FILLS_MS - START_MS
    quiet = [(n * MINUTE, 600_000, 1) for n in range(1, after // MINUTE + 1)]
    later = [(after + n * MINUTE, 599_000, 400) for n in range(200)]
    return small_exchange(clock, flat_path(600_000, *quiet, *later))


class StreamBench:
    """The desk of a storm, moved by hand. `streams` is the duty that is looked at."""

    def __init__(self, storm: LiveStorm) -> None:
        self.storm, self.clock = storm, storm.clock

    @property
    def streams(self) -> AccountStreams:
        """The duty."""
        assert self.storm.duties.streams is not None
        return self.storm.duties.streams

    @property
    def health(self) -> set[str]:
        """What is not well."""
        return set(self.storm.desk.book.health)

    @property
    def faults(self) -> Any:
        """The venue's switches."""
        return self.storm.played.venue.faults

    @property
    def pages(self) -> list[str]:
        """What somebody was woken for."""
        return [text for _, text in self.storm.pages]

    def events(self, *kinds: str) -> list[Event]:
        """Of the journal."""
        return list(read(self.storm.path, set(kinds)))

    def lags(self) -> list[int]:
        """From each execution to its booking, ms."""
        return self.storm.times.lags

    def say(self, text: str) -> None:
        """The venue says anything at all on every connection that is open."""
        for line in self.storm.played.venue.lines:
            if not line.closed:
                line._send(text)

    def deafen_ccxt(self) -> None:
        """ccxt no longer minds pongs that do not come: what notices is ours."""
        assert self.streams._stream is not None
        for line in self.streams._stream._client.clients.values():
            line.maxPingPongMisses = 1e9

    async def start(self) -> None:
        """Half a minute before the first close: the duties run, the stream is open, venue and book have been compared."""
        await self.until(START_MS + BAR_MS - 30_000)
        await self.storm.played.client.load_markets()
        await self.storm.duties.start()
        await asyncio.sleep(12)
        assert not self.health, self.health

    async def rests(self) -> None:
        """At the first close `rests` orders 200 lots at 59,950.0: they fill at FILLS_MS."""
        at = START_MS + BAR_MS
        await self.until(at + 500)
        self.storm.desk.close(live_bar(at, [PRICE] * 4 + [1.0, 0.0, 0.0], {"rests": long(limit=PRICE - 50)}), {}, {})
        await asyncio.sleep(5)

    async def until(self, t_ms: int) -> None:
        """Time passes up to then."""
        await asyncio.sleep(max(0, t_ms - self.clock()) / 1000)

    async def again(self) -> None:
        """The process ends without a word; another one begins from its journal."""
        await self.storm.killed()


Act = Callable[[StreamBench], Coroutine[Any, Any, None]]


def streamed(venue: str, path: Path, act: Act, *, streams: bool = True) -> StreamBench:
    """Play with a desk at a local venue under the virtual clock; no invariant of a storm is broken, nothing stays open."""

    async def script(played: Played) -> StreamBench:
        bench = StreamBench(LiveStorm(ADAPTED[venue], played, path, 1, venue=venue, streams=streams))
        try:
            await act(bench)
        finally:
            await bench.storm.duties.stop()
            bench.storm.journal.close()
        assert not bench.storm.duties.failures, bench.storm.duties.failures
        assert not bench.storm.wrong, bench.storm.wrong
        assert all(line.closed for line in played.venue.lines), "a connection stays open"
        return bench

    bench: StreamBench = ADAPTED[venue].played.under_virtual_clock(script, dipping, 0.02)[0]
    return bench
